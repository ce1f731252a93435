"""An adapter that is ahead and not promoted: the user is told why, and what would tell more."""

from typing import Any

from agent0es.cli.run_tables import may_be_luck
from agent0es.domain import events as ev


def rejected(better: int, worse: int, p: float, leaks: tuple[ev.Leak, ...] = ()) -> ev.AdapterRejected:
    test = ev.PairedTest(
        rivals=("base-own-shots", "base-few-shot"), better=better, worse=worse, p_value=p, level=0.025, look=1
    )
    about: dict[str, Any] = {"adapter": "student-1", "role": "student", "iteration": 1, "reason": "so"}
    return ev.AdapterRejected(**about, test=test, leaks=leaks)


def test_a_lead_that_may_be_luck_is_explained() -> None:
    """As of a default run: 0.833 on practised families, 0.342 on others."""
    told = may_be_luck(rejected(39, 23, 0.028))
    assert told is not None and told.startswith(
        "It is ahead of base-own-shots and base-few-shot, but that may be luck."
    )
    assert "tested at 0.025, its part of evaluation.significance" in told


def test_nothing_is_said_of_one_that_is_behind_or_learnt_what_it_is_asked() -> None:
    leak = ev.Leak(source="1/0", problem="7", overlap=1.0, same=True)
    assert may_be_luck(rejected(23, 39, 0.98)) is None
    assert may_be_luck(rejected(39, 23, 0.028, (leak,))) is None

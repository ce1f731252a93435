"""A moment of a run: what came later does not change it, and a fork has its parent's past."""

import random
from pathlib import Path
from typing import Any

import pytest

from agent0es.domain import events as ev
from agent0es.log import EventLog, NewEvent
from agent0es.projections import Projections, moment
from agent0es.projections.plane import plane
from tests.unit.projections.fake_log import FakeLog
from tests.unit.projections.history import history, interleave

END = 2**62


def at(tables: Projections, run: str, position: int) -> dict[str, Any]:
    return moment.moment(tables, moment.Past.of(tables, run, position))


@pytest.mark.parametrize("seed", range(4))
def test_what_came_later_does_not_change_a_moment(seed: int) -> None:
    rng = random.Random(seed)
    coming = interleave(rng, [history(rng, f"run-{n}", iterations=2, tasks=4) for n in range(2)])
    whole = FakeLog()
    whole.append(coming)
    with Projections.open(whole) as all_of_it:
        all_of_it.catch_up()
        for position in sorted(rng.sample(range(2, len(coming) + 1), 6)):
            then = FakeLog()
            then.append(coming[:position])
            with Projections.open(then) as until_then:
                until_then.catch_up()
                assert at(all_of_it, "run-0", position) == at(until_then, "run-0", END)


def test_adapters_in_training_are_those_of_which_the_table_says_so() -> None:
    rng = random.Random(5)
    coming, log, found = history(rng, "run", iterations=3, tasks=1), FakeLog(), set[str]()
    with Projections.open(log) as tables:
        for event in coming:
            log.append([event])
            tables.catch_up()
            trained = [*tables.query("SELECT run, adapter, position FROM facts.in_training ORDER BY ALL").rows]
            said = "SELECT run, adapter, position FROM adapters WHERE status = 'training' ORDER BY ALL"
            assert trained == [*tables.query(said).rows]
            found |= {adapter for _, adapter, _ in trained}
    assert len(found) >= 3, "some were"


def test_a_moment_counts_what_has_happened() -> None:
    rng = random.Random(0)
    log = FakeLog()
    log.append(history(rng, "run", tasks=3))
    with Projections.open(log) as tables:
        tables.catch_up()
        positions = [row["position"] for row in moment.proposed(tables, "run")]
        for count, position in enumerate(positions, start=1):
            [before], [after] = (at(tables, "run", p)["summary"] for p in (position - 1, position))
            assert (before["proposed"], after["proposed"]) == (count - 1, count)
        span = moment.span(tables, moment.Past.of(tables, "run"), positions[0])
        assert (span["before"], span["position"], span["after"]) == (positions[0] - 1, positions[0], positions[0] + 1)
        assert {"IterationStarted", "RunCompleted"} <= {mark["type"] for mark in moment.marks(tables, "run")}


def test_a_fork_has_the_past_of_its_parent_and_not_its_future(tmp_path: Path) -> None:
    rng = random.Random(1)
    with EventLog.open(tmp_path / "log.db") as log:
        log.append(history(rng, "parent", tasks=4), handler="test")
        with Projections.open(log) as tables:
            tables.catch_up()
            place = moment.proposed(tables, "parent")[1]["position"]
        forked = ev.RunForked(
            parent="parent", position=place, seed=0, configuration={}, code_version="0", weights={}, plugins={}
        )
        log.append([NewEvent("run/fork", forked)], handler="test")
        with Projections.open(log) as tables:
            tables.catch_up()
            [then], [now] = (at(tables, run, END)["summary"] for run in ("parent", "fork"))
            assert (then["proposed"], now["proposed"]) == (4, 2)
            assert at(tables, "fork", END)["domains"] == at(tables, "parent", place)["domains"]


def test_alike_vectors_lie_near_each_other_and_the_picture_is_always_the_same() -> None:
    import numpy

    rng = numpy.random.default_rng(0)
    centres = rng.normal(size=(2, 16))
    vectors = [centres[n % 2] + 0.01 * rng.normal(size=16) for n in range(20)]
    points = plane(vectors)
    assert points == plane(vectors)
    assert max(abs(x) for point in points for x in point) == 1.0
    left, right = ([x for n, (x, _) in enumerate(points) if n % 2 == side] for side in (0, 1))
    assert max(left) < min(right) or max(right) < min(left)
    assert plane([]) == [] and plane([vectors[0]]) == [(0.0, 0.0)]

"""The gate: what is better is promoted; what is so by luck, or learnt what it is asked, is not."""

import pytest

from agent0es.domain.events import AdapterEvaluated, AdapterPromoted, AdapterRejected, ArmScore, Comparison, Leak
from agent0es.domain.promotion import Rule, gate, level_of
from benchmarks.gate import share_of_runs

LEAD = Rule(significance=None)
SPLITS = ("practised", "held_out")


def score(arm: str, split: str, correct: int) -> ArmScore:
    return ArmScore.model_validate(
        {"arm": arm, "split": split, "correct": correct, "problems": 100, "low": 0, "high": 1, "by_family": {}}
    )


def compared(arm: str, split: str, better: int | None, worse: int | None) -> Comparison:
    counts = {"better": better, "worse": worse}
    about = {"split": split, "baseline": arm, "arm": "student-2", "difference": 0.0, "low": 0.0, "high": 0.0}
    return Comparison.model_validate({**about, **counts, "p_value": 1.0})


def evaluated(**correct: tuple[int, int]) -> AdapterEvaluated:
    """Arm to problems solved of 100 on each split; whoever solves fewer solves none that the other does not."""
    named = {arm.replace("_", "-"): pair for arm, pair in correct.items()}
    mine = named["student-2"]
    comparisons = [
        compared(arm, split, max(0, own - other), max(0, other - own))
        for arm, pair in named.items()
        for split, own, other in zip(SPLITS, mine, pair, strict=True)
        if arm != "student-2"
    ]
    scores = [score(arm, split, n) for arm, pair in named.items() for split, n in zip(SPLITS, pair, strict=True)]
    about = {"adapter": "student-2", "role": "student", "iteration": 2}
    return AdapterEvaluated.model_validate({**about, "scores": tuple(scores), "comparisons": tuple(comparisons)})


def test_an_adapter_that_beats_what_serves_is_promoted() -> None:
    better = evaluated(student_1=(60, 20), student_2=(70, 25))
    for rule in (LEAD, Rule()):
        assert isinstance(gate(better, "student-1", rule), AdapterPromoted)


def test_an_adapter_that_is_no_better_is_not() -> None:
    same = evaluated(student_1=(60, 20), student_2=(60, 20))
    for rule in (LEAD, Rule(), Rule(significance=1.0)):
        assert isinstance(gate(same, "student-1", rule), AdapterRejected)


def test_the_margin_must_be_exceeded() -> None:
    better = evaluated(student_1=(60, 20), student_2=(66, 26))
    assert isinstance(gate(better, "student-1", Rule(margin=0.05)), AdapterPromoted)
    assert isinstance(gate(better, "student-1", Rule(margin=0.06)), AdapterRejected)


def test_a_lead_that_could_be_luck_is_not_enough() -> None:
    """Four problems more, and none less: p = 1/16."""
    ahead = evaluated(student_1=(60, 20), student_2=(62, 22))
    assert isinstance(gate(ahead, "student-1", LEAD), AdapterPromoted)
    rejected = gate(ahead, "student-1", Rule())
    assert isinstance(rejected, AdapterRejected) and rejected.test is not None
    assert (rejected.test.better, rejected.test.worse, rejected.test.p_value) == (4, 0, 1 / 16)
    assert rejected.reason == (
        "student-2 solves 0.420, student-1 0.400, margin 0; better on 4 problems, worse on 0, p 0.0625, "
        "which may be 0.025 at most"
    )


def test_every_further_challenger_of_the_same_rival_must_be_surer() -> None:
    better = evaluated(student_1=(60, 20), student_2=(63, 23))  # 6 to 0: p = 1/64
    assert isinstance(gate(better, "student-1", Rule(), look=1), AdapterPromoted)
    assert isinstance(gate(better, "student-1", Rule(), look=2), AdapterRejected)
    assert sum(level_of(0.05, look) for look in range(1, 10_000)) == pytest.approx(0.05, rel=1e-3)


def test_before_the_first_adapter_the_rival_is_the_base_model_with_the_best_prompt_for_each_split() -> None:
    scores = evaluated(base_zero_shot=(0, 0), base_few_shot=(50, 30), student_2=(60, 15))
    assert isinstance(gate(scores, None, LEAD), AdapterRejected)
    own = (*scores.scores, score("base-own-shots", "practised", 61))
    better = evaluated(student_2=(60, 31)).model_copy(update={"scores": (*own, score("student-2", "held_out", 31))})
    assert isinstance(gate(better, None, LEAD), AdapterRejected)


def test_it_must_pass_the_test_against_each_prompt_of_the_base_model_also_where_that_is_not_the_best() -> None:
    """Ahead of both prompts by as much; of the second it differs on more problems, so that could be luck."""
    found = evaluated(base_zero_shot=(50, 20), base_few_shot=(50, 20), student_2=(55, 25))
    assert isinstance(gate(found, None, Rule()), AdapterPromoted)
    noisy = [compared("base-few-shot", split, 25, 20) for split in SPLITS]
    others = [c for c in found.comparisons if c.baseline != "base-few-shot"]
    rejected = gate(found.model_copy(update={"comparisons": (*others, *noisy)}), None, Rule())
    assert isinstance(rejected, AdapterRejected) and rejected.test is not None
    assert rejected.test.rivals == ("base-few-shot", "base-few-shot") and rejected.test.p_value > 0.1


def test_an_adapter_that_learnt_what_it_is_asked_is_refused_however_good_it_is() -> None:
    better = evaluated(student_1=(10, 10), student_2=(90, 90))
    leaks = [
        Leak(source="12/0", problem="17", overlap=1.0, same=True),
        Leak(source="13/1", problem="18", overlap=0.91, same=False),
    ]
    refused = gate(better, "student-1", Rule(), leaks=leaks)
    assert isinstance(refused, AdapterRejected) and refused.leaks == tuple(leaks)
    said = "student-2 learnt what it is asked: its example 12/0 is held-out problem 17, and 1 more problem like this; "
    assert refused.reason.startswith(said)
    untested = gate(better, "student-1", LEAD, leaks=leaks)
    assert isinstance(untested, AdapterRejected) and untested.reason.startswith(said), "also where no test is asked for"
    nearly = gate(better, "student-1", Rule(), leaks=leaks[1:])
    assert "its example 13/1 is nearly (91% of its text) held-out problem 18;" in nearly.reason


def test_what_it_must_beat_but_was_not_asked_is_not_beaten() -> None:
    """As where what was in use is retracted after the evaluation had begun."""
    for rule in (LEAD, Rule()):
        rejected = gate(evaluated(student_1=(10, 10), student_2=(90, 90)), "student-0", rule)
        assert isinstance(rejected, AdapterRejected)
        assert rejected.reason.startswith("student-0, which student-2 must beat, was not asked the held-out problems")


def test_what_was_evaluated_before_the_counts_were_written_down_is_not_promoted_by_the_test() -> None:
    found = evaluated(student_1=(10, 10), student_2=(90, 90))
    old = tuple(c.model_copy(update={"better": None, "worse": None}) for c in found.comparisons)
    before = found.model_copy(update={"comparisons": old})
    assert isinstance(gate(before, "student-1", LEAD), AdapterPromoted)
    rejected = gate(before, "student-1", Rule())
    assert isinstance(rejected, AdapterRejected) and "an older agent0es evaluated it" in rejected.reason


@pytest.mark.parametrize(("adapters", "prompts"), [(1, 1), (10, 1), (10, 3)])
def test_of_a_thousand_runs_that_learn_nothing_few_promote_an_adapter(adapters: int, prompts: int) -> None:
    """Each adapter is another one, and as good as what is in use. Three standard errors above the stated rate."""
    lucky = share_of_runs(1000, 1, 180, Rule(), [0.0] * adapters, prompts=prompts)
    assert lucky <= 0.05 + 3 * (0.05 * 0.95 / 1000) ** 0.5


def test_without_the_test_luck_promotes_and_with_it_a_real_gain_does() -> None:
    assert share_of_runs(100, 2, 180, LEAD, [0.0] * 10) > 0.5, "the simulation has luck in it"
    assert share_of_runs(200, 3, 500, Rule(), [0.15]) > 0.8

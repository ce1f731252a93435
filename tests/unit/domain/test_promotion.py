"""The gate."""

from agent0es.domain.events import AdapterEvaluated, AdapterPromoted, AdapterRejected, ArmScore
from agent0es.domain.promotion import gate


def score(arm: str, split: str, correct: int) -> ArmScore:
    return ArmScore.model_validate(
        {"arm": arm, "split": split, "correct": correct, "problems": 100, "low": 0, "high": 1, "by_family": {}}
    )


def evaluated(**correct: tuple[int, int]) -> AdapterEvaluated:
    scores = [
        score(arm.replace("_", "-"), split, n)
        for arm, pair in correct.items()
        for split, n in zip(("practised", "held_out"), pair, strict=True)
    ]
    return AdapterEvaluated(adapter="student-2", role="student", iteration=2, scores=tuple(scores), comparisons=())


def test_an_adapter_that_beats_what_serves_is_promoted() -> None:
    assert isinstance(gate(evaluated(student_1=(60, 20), student_2=(70, 25)), "student-1", 0.0), AdapterPromoted)


def test_an_adapter_that_is_no_better_is_not() -> None:
    assert isinstance(gate(evaluated(student_1=(60, 20), student_2=(60, 20)), "student-1", 0.0), AdapterRejected)


def test_the_margin_must_be_exceeded() -> None:
    assert isinstance(gate(evaluated(student_1=(60, 20), student_2=(62, 22)), "student-1", 0.05), AdapterRejected)


def test_before_the_first_adapter_the_rival_is_the_base_model_with_the_best_prompt_for_each_split() -> None:
    scores = evaluated(base_zero_shot=(0, 0), base_few_shot=(50, 30), student_2=(60, 15))
    assert isinstance(gate(scores, None, 0.0), AdapterRejected)
    own = (*scores.scores, score("base-own-shots", "practised", 61))
    better = evaluated(student_2=(60, 31)).model_copy(update={"scores": (*own, score("student-2", "held_out", 31))})
    assert isinstance(gate(better, None, 0.0), AdapterRejected)

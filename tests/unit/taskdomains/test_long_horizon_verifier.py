"""When a task of several stages is done, and how far one that is not has come."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from agent0es.domain.task import Submission, Task, Verification
from agent0es.taskdomains.long_horizon import LongHorizonDomain
from agent0es.taskdomains.long_horizon.derivation import derive
from agent0es.taskdomains.long_horizon.reading import same, same_answer

DOMAIN = LongHorizonDomain()
CASES = yaml.safe_load(Path(__file__).parent.joinpath("data/long_horizon_cases.yaml").read_text(encoding="utf-8"))
TOTAL = next(case for case in CASES if case["family"] == "file_total")
SCALING = next(case for case in CASES if case["family"] == "file_scaling")


def of_case(case: dict[str, Any]) -> Task:
    return DOMAIN.family(case["family"]).task(case["parameters"], 0, 0.5)


def judge(task: Task, answer: str | None, **changed: str | None) -> Verification:
    """The judgement of an attempt that left the data as it was but for `changed`."""
    files = {path: text for path, text in {**task.files, **changed}.items() if text is not None}
    judged = DOMAIN.judge(Submission(answer, files), task)
    assert isinstance(judged, Verification)
    assert judged == DOMAIN.conclude("ok", "", Submission(answer, files), task)
    return judged


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["family"])
def test_no_labelled_case_is_judged_wrongly(case: dict[str, Any]) -> None:
    task = of_case(case)
    assert task.description == case["asks"]
    for label in ("right", "wrong"):
        for end in case[label]:
            judged = judge(task, end["answer"], **end["files"])
            assert judged.correct is (label == "right"), (end, judged.explanation)
            assert (judged.score == 1.0) is judged.correct


def test_there_are_enough_cases() -> None:
    assert sum(len(case["right"]) for case in CASES) >= 25
    assert sum(len(case["wrong"]) for case in CASES) >= 40


@pytest.mark.parametrize(
    ("answer", "files", "score", "missed"),
    [
        ("2695", {"sum.txt": "299"}, 1.0, []),
        ("0", {"sum.txt": "299"}, 1 / 3, ["answer", "answer follows from sum.txt"]),
        ("2704", {"sum.txt": "300"}, 1 / 3, ["sum.txt", "answer"]),
        ("2695", {}, 1 / 3, ["sum.txt", "answer follows from sum.txt"]),
        ("2695", {"sum.txt": "299", "numbers.txt": "299"}, 0.5, ["numbers.txt unchanged"]),
        (None, {}, 0.0, ["sum.txt", "answer", "answer follows from sum.txt"]),
    ],
)
def test_milestones_are_counted_one_by_one(
    answer: str | None, files: dict[str, str], score: float, missed: list[str]
) -> None:
    judged = judge(of_case(TOTAL), answer, **files)
    assert judged.score == pytest.approx(score)
    assert [name for name, done in judged.breakdown.items() if not done] == missed
    assert judged.explanation == ("no answer" if not files and answer is None else judged.explanation)
    assert judged.correct is (not missed)


def test_a_second_file_follows_from_the_first_as_the_student_left_it() -> None:
    judged = judge(of_case(SCALING), "6", **{"scaled.txt": "1\n2\n3", "sum.txt": "6"})
    assert judged.breakdown == {
        "scaled.txt": 0.0,
        "sum.txt": 0.0,
        "sum.txt follows from scaled.txt": 1.0,
        "answer": 0.0,
        "answer follows from sum.txt": 1.0,
        "numbers.txt unchanged": 1.0,
    }
    assert judged.correct is False and judged.score == pytest.approx(2 / 5)


@pytest.mark.parametrize(
    "text",
    [
        "9" * 2_000_000,
        "\x00\ufffd" * 1000,
        "[" * 100_000,
        "1\n" * 100_000,
        '"' + "a" * 300_000,
        "{" * 900,
        "1e999999999",
    ],
)
def test_hostile_files_and_answers_are_wrong(text: str) -> None:
    for case in CASES:
        task = of_case(case)
        for path in [one["path"] for one in json.loads(task.reference)["milestones"] if one["kind"] == "file"]:
            judged = judge(task, text, **{path: text})
            assert judged.correct is False and len(judged.explanation) < 300


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("not JSON", "reference: Invalid JSON"),
        ('{"milestones": []}', "reference: milestones"),
        ('{"milestones": [{"name": "x", "kind": "run"}]}', "reference: milestones.0.kind"),
        ('{"milestones": [{"name": "x", "kind": "unchanged", "path": "y"}]}', "the task has no file 'y'"),
        ('{"milestones": [{"name": "x", "kind": "follows", "path": "a", "derivation": ["eval"]}]}', "no derivation"),
    ],
)
def test_a_reference_that_is_broken_decides_nothing(reference: str, said: str) -> None:
    task = of_case(TOTAL).model_copy(update={"reference": reference})
    judged = judge(task, "1", a="1")
    assert (judged.correct, judged.score, judged.confidence) == (None, 0.0, 0.0)
    assert said in judged.explanation


@pytest.mark.parametrize(
    ("text", "derivation", "value"),
    [
        ("7\n", ("number", "times:3", "minus:1", "remainder:6"), "2"),
        ("1\n2\n3", ("sum",), "6"),
        ("1\nx\n3", ("sum",), None),
        ("", ("largest",), None),
        ("", ("count",), "0"),
        ("4\n9\n5", ("over:4",), "2"),
        ("a,1\nb,2", ("column_sum:1", "plus:1"), "4"),
        ("a\nb,2", ("column_sum:1",), None),
        ('{"a": 1, "b": 2}', ("values_sum",), "3"),
        ('{"a": true}', ("values_sum",), None),
        ('{"a": 1e400}', ("values_sum",), None),
        ("pen", ("lookup:stock.json",), "3"),
        ("hat", ("lookup:stock.json", "times:2"), None),
        ("a b a", ("occurrences:a",), "2"),
        ("x\ny\n", ("line:-1",), "y"),
        ("x\n", ("line:4",), None),
        ("x\n", ("line:0", "times:2"), None),
    ],
)
def test_derivations(text: str, derivation: tuple[str, ...], value: str | None) -> None:
    assert derive(text, derivation, {"stock.json": '{"pen": 3}'}) == value


@pytest.mark.parametrize(
    ("given_text", "expected", "form", "is_same"),
    [
        ("1", "1.0", "number", True),
        ("0.3333333", "0.33333333333", "number", True),
        ("0.333", "0.33333333333", "number", False),
        ("1\n2", "1\n2\n", "numbers", True),
        ("1 2", "1\n2", "numbers", False),
        ("true", "1", "json", False),
        ("1.0", "1", "json", True),
        ("[1, 2]", "[2, 1]", "json", False),
        ("NaN", "NaN", "json", True),
        ("a, b", "a,b", "csv", True),
        ("a", "A", "text", False),
        ("a\n\nb", "a\nb", "lines", False),
    ],
)
def test_formats(given_text: str, expected: str, form: Any, is_same: bool) -> None:
    assert same(given_text, expected, form) is is_same


@given(answer=st.none() | st.text(max_size=60), text=st.text(max_size=200), case=st.sampled_from(CASES))
def test_no_text_makes_the_verifier_raise(answer: str | None, text: str, case: dict[str, Any]) -> None:
    task = of_case(case)
    written = {one["path"]: text for one in json.loads(task.reference)["milestones"] if one["kind"] == "file"}
    assert judge(task, answer, **written).correct in (True, False)
    DOMAIN.normal_form(answer)


@pytest.mark.parametrize(
    ("given", "expected", "right"),
    [
        ("**42**", "42", True),
        ("\\boxed{42}", "42", True),
        ("$\\boxed{\\text{red}}$", "red", True),
        ("**a**", "**a**", True),
        ("**24**", "42", False),
        ("\\boxed{42}0", "42", False),
        ("**4**2", "42", False),
    ],
)
def test_what_is_put_around_an_answer_says_nothing(given: str, expected: str, right: bool) -> None:
    assert same_answer(given, expected) is right


def test_answers_that_say_the_same_have_one_normal_form() -> None:
    assert {DOMAIN.normal_form(answer) for answer in ("2695", "2,695", "2695.0", "`2695`.")} == {"2695"}
    assert DOMAIN.normal_form("'2  river'") == "2 river" and DOMAIN.normal_form(" ") is None

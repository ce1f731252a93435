"""What counts as right, and above all what does not: a table of labelled cases, and hostile answers."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent0es.domain.task import Submission, Task, Verification
from agent0es.taskdomains.base import NeedsCall
from agent0es.taskdomains.logic import LogicDomain
from agent0es.taskdomains.logic.solve_formulas import solve
from agent0es.taskdomains.logic.verifier import normal_form
from tests.support.programs import printed

DOMAIN = LogicDomain()
CASES = [json.loads(line) for line in Path(__file__).with_name("logic_cases.jsonl").read_text("utf-8").splitlines()]
REFERENCES = sorted({case["reference"] for case in CASES})
NEEDS_SOLVER = "entailment: exists y. forall x. R(x, y) |- forall x. exists y. R(x, y)"
PROOF = "proof of: p, p -> q |- q"


def task(reference: str) -> Task:
    return Task(
        domain="logic",
        family="any",
        parameters={},
        wording=0,
        description="",
        reference=reference,
        reference_action="",
        difficulty=0.0,
    )


def judged(answer: str | None, reference: str) -> Verification:
    found = DOMAIN.judge(Submission(answer), task(reference))
    assert isinstance(found, Verification)
    return found


def test_the_table_is_large_and_half_of_it_is_wrong() -> None:
    wrong = sum(case["correct"] is False for case in CASES)
    assert len(CASES) >= 300 and wrong >= len(CASES) / 2


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['reference']} | {case['answer']}"[:90])
def test_labelled_cases(case: dict[str, str | bool | None]) -> None:
    found = judged(str(case["answer"]), str(case["reference"]))
    assert found.correct is case["correct"], found.explanation
    assert found.score == float(case["correct"] is True)
    assert found.explanation and "\n" not in found.explanation


@pytest.mark.parametrize(
    ("proof", "explanation"),
    [
        ("1. p premise; 2. p -> q premise; 3. q MT 2, 1", "line 3, modus tollens: q does not follow from p -> q, p"),
        ("1. p premise; 2. r premise; 3. q MP 2, 1", "line 2, premise: r is not a premise"),
        ("1. p premise; 2. q MP 5, 1", "line 2, modus ponens: there is no line 5 before it"),
        ("1. p premise; 2. p -> q", "line 2: no rule is given"),
        ("1. p premise; 2. p q premise", "line 2: 'q' was not expected"),
        ("1. q assumption", "line 1 rests on the assumption in line 1, never discharged"),
        ("1. p premise", "line 1 is p, not the goal q"),
        ("2. p premise; 1. p -> q premise", "line 1: lines must be numbered upwards"),
    ],
)
def test_the_line_and_the_rule_that_fail_are_named(proof: str, explanation: str) -> None:
    found = judged(proof, PROOF)
    assert (found.correct, found.method, found.explanation) == (False, "proof", explanation)


def test_a_proof_is_broken_down_into_its_lines() -> None:
    found = judged("1. p premise; 2. r premise; 3. p -> q premise; 4. q MP 3, 1", PROOF)
    assert found.breakdown == {"line 1": 1.0, "line 2": 0.0, "line 3": 1.0, "line 4": 1.0}
    assert judged("not p or q", "cnf of: p -> q").breakdown == {"equivalent": 1.0, "form": 1.0}


def test_no_answer_is_wrong_by_no_method() -> None:
    assert (judged(None, "True").correct, judged(" ", "True").method) == (False, "none")


def test_what_no_truth_table_decides_is_asked_in_the_sandbox() -> None:
    asked = task(NEEDS_SOLVER)
    call = DOMAIN.judge(Submission("yes"), asked)
    assert isinstance(call, NeedsCall) and call.tool == "python" and "R(x" not in call.input
    for status, output, correct in (
        ("ok", "unsat\n", True),
        ("ok", "sat", False),
        ("ok", "unknown", None),
        ("timeout", "unsat", None),
        ("error", "", None),
        ("ok", "sat\nunsat", None),
    ):
        assert DOMAIN.conclude(status, output, Submission("yes"), asked).correct is correct
    assert DOMAIN.conclude("ok", "unsat", Submission("no"), asked).correct is False


@pytest.mark.parametrize(("options", "said"), [([], "unsat\n"), (["-S"], "unknown\n")])
def test_the_program_for_the_sandbox_runs_with_the_solver_and_without(options: list[str], said: str) -> None:
    call = DOMAIN.judge(Submission("yes"), task(NEEDS_SOLVER))
    assert isinstance(call, NeedsCall) and call.program is not None
    assert printed(call.program, call.input, *options) == said


def test_a_wide_formula_goes_to_the_solver_and_a_broken_question_is_unknown() -> None:
    wide = " and ".join(f"p{i}" for i in range(30))
    backwards = " and ".join(f"p{i}" for i in reversed(range(30)))
    call = DOMAIN.judge(Submission(backwards), task(f"equivalent to: {wide}"))
    assert isinstance(call, NeedsCall)
    assert DOMAIN.conclude("ok", "unsat", Submission(backwards), task(f"equivalent to: {wide}")).correct is True
    assert solve("(assert") == "unknown"


HOSTILE = {
    "brackets": "(" * 100_000 + "p" + ")" * 100_000,
    "few brackets": "(" * 1500 + "p" + ")" * 1500,
    "square": "[" * 3000,
    "negations": "not " * 900 + "p",
    "megabyte": "p and " * 200_000 + "p",
    "import": "__import__('os').system('true')",
    "number": "9" * 3999,
    "power": "9**9**9**9",
    "spaces": "a" + " " * 3900 + "b",
    "commas": "1," * 1900,
    "quotes": "'" * 3999,
    "pairs": "p=1," * 990,
    "terms": "P(" + "x," * 1900 + "x)",
    "quantifiers": "forall x. " * 50 + " and ".join(f"P{i}(x)" for i in range(40)),
    "steps": "\n".join(f"{i}. p MP {i - 1}, {i - 2}" for i in range(3, 200)),
    "references": "1. p MP " + "1," * 1900,
    "by": "1. p" + " by by" * 40 + " MP 1",
    "proof bomb": "1. " + "p & " * 70 + "MP 1, " + "-" * 100,
    "separators": ";" * 3999,
    "nulls": "\0" * 3000,
    "right to left": "\u202etrue",
}


@pytest.mark.parametrize("reference", REFERENCES)
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_answers_are_wrong_or_undecided(name: str, reference: str) -> None:
    found = DOMAIN.judge(Submission(HOSTILE[name]), task(reference))
    if isinstance(found, NeedsCall):
        found = DOMAIN.conclude("timeout", "", Submission(HOSTILE[name]), task(reference))
    assert found.correct is not True and found.score == 0.0
    normal_form(HOSTILE[name])


def test_hostile_references_are_undecided() -> None:
    for reference in ("entailment: " + "(" * 9000 + "|- p", "model (p) of: P(x)", "proof of: p", "nnf of: p ^ q"):
        assert judged("yes", reference).correct is None
    many = " or ".join(f"(p{i} and q{i})" for i in range(30))
    assert isinstance(DOMAIN.judge(Submission("yes"), task(f"satisfiable: {many}")), NeedsCall)


@given(answer=st.text(max_size=80), reference=st.sampled_from(REFERENCES))
def test_no_text_makes_the_verifier_raise(answer: str, reference: str) -> None:
    DOMAIN.judge(Submission(answer), task(reference))
    DOMAIN.conclude("ok", answer, Submission(answer), task(reference))
    normal_form(answer)


@given(
    answer=st.text(alphabet="pqrAB()[]{}:=,;.'\"~!&|<->∀∃ 0123MPTIEnotadr\n", max_size=300),
    reference=st.sampled_from(REFERENCES),
)
def test_no_text_of_logical_letters_does_either(answer: str, reference: str) -> None:
    found = DOMAIN.judge(Submission(answer), task(reference))
    assert isinstance(found, NeedsCall) or found.score == float(found.correct is True)
    normal_form(answer)


@pytest.mark.parametrize(
    ("answers", "key"),
    [
        (["True", "true", "yes", "Yes.", "valid", "satisfiable"], "True"),
        (["False", "no", "invalid", "unsatisfiable"], "False"),
        (["q=0, p=1", "{'p': 1, 'q': 0}", "p = 1; q = 0", "p is true, q is false"], "p=1,q=0"),
        (["(1, 0)", "[1,0]", "1, 0", "(True, False)"], "[1,0]"),
        (["12", "12.0", " 12. "], "12"),
        (["p → q", "p -> q", "(p => q)"], "p -> q"),
        ([None, "", " "], None),
    ],
)
def test_answers_that_say_the_same_have_one_normal_form(answers: list[str | None], key: str | None) -> None:
    assert {normal_form(answer) for answer in answers} == {key}

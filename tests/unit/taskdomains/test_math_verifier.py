"""What counts as right, and above all what does not."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent0es.domain.task import Task, Verification
from agent0es.taskdomains.base import NeedsCall
from agent0es.taskdomains.math.compare_expressions import compare
from agent0es.taskdomains.math.verifier import conclude, judge, normal_form
from tests.support.programs import printed

REFERENCES = ("12", "-3", "0.75", "3/4", "2.3333333333333335", "olleh", "[1, 2, 3]", "(7, 2)", "0b101", "x**2 + 7*x")


FRAGMENTS = r"""\frac{ } { \sqrt[ ] [ \begin{pmatrix} & \\ \end{pmatrix} x y = 1 2/3 ( ) , oo +- \pm < > <= % ^ ** | sin
=> \text{ ° ½ √ e i +C Matrix( Interval.open( Union( : - . 0.(3) \overline{3} _ ! ' sqrt( log_2 \boxed{ $ \cup"""
PARTS = [*FRAGMENTS.split(), "\n", " ", " or ", " and ", " U ", " in ", " cm", "the answer is "]


def task(reference: str) -> Task:
    return Task(
        domain="math",
        family="any",
        parameters={},
        wording=0,
        description="",
        reference=reference,
        reference_action="python[0]",
        difficulty=0.0,
    )


def verdict(answer: str | None, reference: str) -> bool | None:
    judged = judge(answer, task(reference))
    assert isinstance(judged, Verification)
    return judged.correct


@pytest.mark.parametrize(
    ("answer", "reference"),
    [
        ("12", "12"),
        (" 12. ", "12"),
        ("12.0", "12"),
        ("+12", "12"),
        ("$12", "12"),
        ("`12`", "12"),
        ("12 days", "12"),
        ("1.2e1", "12"),
        ("1,234,567", "1234567"),
        ("\u22123", "-3"),
        ("36", "36.0"),
        ("0.75", "3/4"),
        ("6/8", "3/4"),
        ("3 / 4", "3/4"),
        ("3/4", "0.75"),
        ("2.333333", "2.3333333333333335"),
        ("7/3", "2.3333333333333335"),
        ("'olleh'", "olleh"),
        ('"olleh".', "olleh"),
        ("red  blue", "red blue"),
        ("[1,2,3]", "[1, 2, 3]"),
        ("1, 2, 3", "[1, 2, 3]"),
        ("7, 2", "(7, 2)"),
        ("[]", "[]"),
        ("5", "[5]"),
        ("x = 5", "[5]"),
        ("x = 2.5", "[5/2]"),
        ("101", "0b101"),
        ("0B101", "0b101"),
        ("1e5", "0x1e5"),
        ("x**2+7*x", "x**2 + 7*x"),
    ],
)
def test_right_answers(answer: str, reference: str) -> None:
    assert verdict(answer, reference) is True


@pytest.mark.parametrize(
    ("answer", "reference"),
    [
        ("12 or 13", "12"),
        ("12 13", "12"),
        ("12, 13", "12"),
        ("13", "12"),
        ("-12", "12"),
        ("12.0000004", "12"),
        ("12.0000004", "12.0"),
        ("12.", "12.5"),
        ("1e999", "12"),
        ("inf", "12"),
        ("nan", "12"),
        ("", "12"),
        ("   ", "12"),
        (None, "12"),
        ("6 + 6", "12"),
        ("12\n13", "12"),
        ("1²", "12"),
        ("1,2", "12"),
        ("12 or 13 pens", "12"),
        ("12%", "12"),
        ("None", "12"),
        ("0.333333", "1/3"),
        ("3/0", "3/4"),
        ("0.751", "3/4"),
        ("2.33", "2.3333333333333335"),
        ("Olleh", "olleh"),
        ("olleh or hello", "olleh"),
        ("[1, 2]", "[1, 2, 3]"),
        ("[3, 2, 1]", "[1, 2, 3]"),
        ("[1, 2, 3, 4]", "[1, 2, 3]"),
        ("123", "[1, 2, 3]"),
        ("0", "[]"),
        ("100000", "0x1e5"),
        ("101", "0x101f"),
    ],
)
def test_wrong_answers(answer: str | None, reference: str) -> None:
    assert verdict(answer, reference) is False


@pytest.mark.parametrize(
    ("answer", "reference"),
    [
        ("\u0661\u0662", "12"),
        ("twelve", "12"),
        ("about 12", "12"),
        ("__import__('os')", "x**2 + 7*x"),
        ("expand(x)", "x**2 + 7*x"),
        ("I think it is true", "True"),
    ],
)
def test_what_is_not_understood_is_undecided(answer: str, reference: str) -> None:
    assert verdict(answer, reference) is None


@pytest.mark.parametrize("reference", REFERENCES)
@pytest.mark.parametrize("answer", ["1" * 5001, str(12).zfill(5000), "9" * 1_000_000, "(" * 3000])
def test_endless_answers_are_undecided(answer: str, reference: str) -> None:
    assert verdict(answer, reference) is None


def test_no_answer_is_wrong_by_no_method() -> None:
    judged = judge(None, task("12"))
    assert isinstance(judged, Verification) and (judged.correct, judged.method, judged.score) == (False, "none", 0.0)


@given(answer=st.text(max_size=60), reference=st.sampled_from(REFERENCES))
def test_no_text_makes_the_verifier_raise(answer: str, reference: str) -> None:
    assert isinstance(judge(answer, task(reference)), Verification | NeedsCall)
    normal_form(answer)
    conclude("ok", answer, answer, task(reference))


@given(answer=st.text(alphabet="0123456789.,/eE+-*^()[] x='$%\n", max_size=2500), reference=st.sampled_from(REFERENCES))
def test_no_text_of_mathematical_letters_does_either(answer: str, reference: str) -> None:
    judged = judge(answer, task(reference))
    assert isinstance(judged, NeedsCall) or judged.score == float(judged.correct is True)
    normal_form(answer)


@given(wrong=st.integers(), right=st.integers())
def test_a_whole_number_is_right_only_when_equal(wrong: int, right: int) -> None:
    assert verdict(str(wrong), str(right)) is (wrong == right)


@pytest.mark.parametrize(
    ("answer", "true", "form", "output"),
    [
        ("12 + 7*x + x^2", "x**2 + 7*x + 12", "expanded", "true"),
        ("x**2 + 3*x + 4*x + 12", "x**2 + 7*x + 12", "expanded", "true"),
        ("(x + 3)*(x + 4)", "x**2 + 7*x + 12", "", "true"),
        ("(x + 3)*(x + 4)", "x**2 + 7*x + 12", "expanded", "false"),
        ("x**2 + 7*x + 12", "(x + 3)*(x + 4)", "factored", "false"),
        ("(4 + x)*(x + 3)", "(x + 3)*(x + 4)", "factored", "true"),
        ("x**2 + 7*x + 13", "x**2 + 7*x + 12", "", "false"),
        ("x**9**9**9", "x**2 + 7*x", "", "undecided"),
        ("((((x", "x**2 + 7*x", "", "undecided"),
        ("2x", "2*x + 1", "", "undecided"),
    ],
)
def test_expressions_are_compared_without_running_them(answer: str, true: str, form: str, output: str) -> None:
    assert compare(answer, true, form) == output
    judged = judge(answer, task(true))
    assert isinstance(judged, NeedsCall) and json.loads(judged.input)["given"] == answer


def test_the_short_program_for_the_sandbox_reads_its_data_and_prints_a_verdict() -> None:
    judged = judge("7*x + x^2", task("x**2 + 7*x"))
    assert isinstance(judged, NeedsCall) and judged.program is not None
    assert list(judged.program.modules) == ["agent0es.taskdomains.math.compare_expressions"]
    assert printed(judged.program, judged.input) == "true\n"


@pytest.mark.parametrize(
    ("answer", "reference", "correct"),
    [
        ("\\sum_{k=1}^{n} k", "n*(n + 1)/2", True),
        ("\\int_{0}^{x} 3t\\,dt", "x**2", None),
        ("\\sum_{k=1}^{4} k", "10", None),
    ],
)
def test_latex_that_only_math_verify_reads_is_read_where_it_is_installed(
    answer: str, reference: str, correct: bool | None
) -> None:
    judged = judge(answer, task(reference))
    assert isinstance(judged, NeedsCall) and judged.program is not None
    assert conclude("ok", printed(judged.program, judged.input), answer, task(reference)).correct is correct


@given(
    parts=st.lists(st.sampled_from(PARTS), max_size=60),
    reference=st.sampled_from((*REFERENCES, "[1, 2)", "x = 2", "{1, 2}", "12 cm", "25%", "y = 2*x", "x**3 + C")),
    action=st.sampled_from(("", "math[solve(x, x)]", "math[integrate(x, x)]")),
)
def test_no_fragments_of_mathematics_make_the_verifier_raise(parts: list[str], reference: str, action: str) -> None:
    asked = task(reference).model_copy(update={"reference_action": action})
    judged = judge("".join(parts), asked)
    assert isinstance(judged, NeedsCall) or judged.score == float(judged.correct is True)


@pytest.mark.parametrize(
    ("output", "correct"), [("true\n", True), ("false", False), ("undecided", None), ("", None), ("true\nfalse", None)]
)
def test_only_true_and_false_decide(output: str, correct: bool | None) -> None:
    judged = conclude("ok", output, "x", task("x**2 + 7*x"))
    assert (judged.correct, judged.method) == (correct, "symbolic")


@pytest.mark.parametrize(
    ("answers", "key"),
    [
        (["12", "12.0", "+12", "$12."], "12"),
        (["3/4", "0.75", "6/8"], "3/4"),
        (["[1, 2]", "(1,2)", "[1.0, 2]"], "[1,2]"),
        (["olleh", "'olleh'"], "olleh"),
        ([None, "", "  "], None),
    ],
)
def test_answers_that_say_the_same_have_one_normal_form(answers: list[str | None], key: str | None) -> None:
    assert {normal_form(answer) for answer in answers} == {key}

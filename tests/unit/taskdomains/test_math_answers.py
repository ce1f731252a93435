"""What the math verifier says about tables of labelled answers, and about hostile ones. Runs in the real sandbox."""

import asyncio
import json
from collections import Counter

import pytest

from agent0es.decisions.verify import judged
from agent0es.domain.program import Program
from agent0es.domain.task import Submission, Verification
from agent0es.sandbox import TierName, open_sandbox, probe
from agent0es.taskdomains.base import NeedsCall
from agent0es.taskdomains.math import MathDomain
from agent0es.taskdomains.math.verifier import judge
from agent0es.tools import ToolLimits, ToolResult, run_program
from tests.support.math_answers import TABLES, Case, judge_all, labelled, task_of
from tests.support.math_forms import made

needs_sandbox = pytest.mark.skipif(probe().tier is None, reason=probe().detail)
MADE_OF_EACH_KIND = 6
TIERS: tuple[TierName, ...] = ("full", "kernel")
LATEX = [table for table in TABLES if table.name == "math_latex.txt"]
CASES = labelled([table for table in TABLES if table not in LATEX])


def named(case: Case, found: Verification) -> str:
    return f"{case.answer!r} for {case.task.reference!r}: {found.correct}, {found.explanation}"


@pytest.fixture(scope="module")
def verdicts() -> list[tuple[Case, Verification]]:
    found = asyncio.run(judge_all([(case.answer, case.task) for case in CASES]))
    return list(zip(CASES, found, strict=True))


def test_the_tables_have_a_thousand_answers_and_half_of_them_are_not_right() -> None:
    count = Counter(case.label for case in CASES)
    assert len(CASES) >= 1000
    assert count[True] <= len(CASES) / 2
    assert len({(case.answer, case.task.reference, case.task.reference_action) for case in CASES}) == len(CASES)


@needs_sandbox
def test_no_wrong_answer_is_accepted(verdicts: list[tuple[Case, Verification]]) -> None:
    assert [named(case, found) for case, found in verdicts if found.correct and case.label is not True] == []


@needs_sandbox
def test_under_one_in_a_hundred_right_answers_is_not_accepted(verdicts: list[tuple[Case, Verification]]) -> None:
    right = [(case, found) for case, found in verdicts if case.label]
    missed = [named(case, found) for case, found in right if found.correct is not True]
    assert len(missed) < 0.01 * len(right), missed


@needs_sandbox
def test_what_must_stay_undecided_does_and_wrong_answers_are_called_wrong(
    verdicts: list[tuple[Case, Verification]],
) -> None:
    assert [named(case, found) for case, found in verdicts if found.correct is not case.label] == []


@needs_sandbox
def test_answers_made_by_rule_are_judged_right() -> None:
    """`python -m tests.support.math_forms` makes thousands."""
    cases = [case for _, case in made(MADE_OF_EACH_KIND)]
    found = asyncio.run(judge_all([(case.answer, case.task) for case in cases]))
    assert [
        named(case, one) for case, one in zip(cases, found, strict=True) if (one.correct is True) != case.label
    ] == []


@pytest.mark.parametrize("tier", [name for name in TIERS if probe((name,)).tier is not None])
def test_math_verify_is_asked_inside_in_each_tier(tier: TierName) -> None:
    """Sums and integrals, and what it would accept if it were asked alone: see `math_latex.txt`."""
    cases = labelled(LATEX)
    found = asyncio.run(judge_all([(case.answer, case.task) for case in cases], tier))
    assert [named(case, one) for case, one in zip(cases, found, strict=True) if one.correct is not case.label] == []


@needs_sandbox
def test_where_math_verify_cannot_be_imported_the_verdict_says_so() -> None:
    async def verdict() -> Verification:
        async with open_sandbox() as sandbox:

            async def call(needed: NeedsCall, purpose: str) -> ToolResult:
                assert needed.program is not None
                without = {"hidden": "import sys\nsys.modules['math_verify'] = None", **needed.program.modules}
                program = Program(name=needed.program.name, source=json.dumps(without))
                return await run_program(sandbox, program, needed.input, ToolLimits(timeout_seconds=20))

            return await judged(MathDomain(), Submission("\\sum_{k=1}^{n} k"), task_of("n*(n + 1)/2"), call)

    found = asyncio.run(verdict())
    assert found.correct is None and "math_verify can't be imported" in found.explanation


@needs_sandbox
def test_every_judgement_has_its_score_confidence_and_a_line_to_read(verdicts: list[tuple[Case, Verification]]) -> None:
    for _, found in verdicts:
        assert found.score == float(found.correct is True)
        assert (found.confidence == 0) is (found.correct is None)
        assert found.explanation and found.explanation.isprintable()


def test_numbers_and_plain_texts_need_no_sandbox() -> None:
    for case in CASES:
        both = case.task.reference + case.answer
        if not set(both) - set("0123456789.,-+/ []"):
            assert isinstance(judge(case.answer, case.task), Verification)


@needs_sandbox
@pytest.mark.parametrize(
    ("lines", "reference", "breakdown", "said"),
    [
        ("2x + 3 = 7\n2x = 4\nx = 2", "x = 2", [1, 1, 1], "equals"),
        ("2x + 3 = 7\n2x = 10\nx = 5", "x = 2", [1, 0, 1], "step 2 is wrong: '2x = 10' does not follow"),
        ("3*4 = 11\n11 + 5 = 16", "17", [0, 1], "step 1 is wrong: '3*4 = 11' is not true"),
        ("(x+1)^2\n= x^2 + 2x\n= x^2 + 2x + 1", "x**2 + 2*x + 1", [1, 0, 0], "step 2 is wrong"),
        ("2x = 6 => x = 3", "x = 2", [1, 1], "the last line is not the answer"),
        ("x^2 = 4\nx = 2", "x = 2", [1, 0], "step 2 is wrong"),
    ],
)
def test_a_derivation_is_checked_step_by_step(lines: str, reference: str, breakdown: list[int], said: str) -> None:
    [found] = asyncio.run(judge_all([(lines, task_of(reference))]))
    assert found.breakdown == {f"step {i}": score for i, score in enumerate(breakdown, 1)}
    assert found.correct is (said == "equals")
    assert said in found.explanation


@needs_sandbox
@pytest.mark.parametrize(
    ("family", "answer", "reference", "correct"),
    [
        ("expansion", "(x + 3)*(x + 4)", "x**2 + 7*x + 12", False),
        ("expansion", "12 + 7x + x^2", "x**2 + 7*x + 12", True),
        ("factorization", "x^2 + 7x + 12", "(x + 3)*(x + 4)", False),
        ("factorization", "(x+4)(x+3)", "(x + 3)*(x + 4)", True),
        ("fraction_simplification", "6/8", "3/4", False),
        ("fraction_simplification", "\\frac{3}{4}", "3/4", True),
        ("fraction_sum", "6/8", "3/4", True),
        ("derivative", "x(2x + 3)", "2*x**2 + 3*x", True),
    ],
)
def test_a_family_may_ask_for_a_form(family: str, answer: str, reference: str, correct: bool) -> None:
    [found] = asyncio.run(judge_all([(answer, task_of(reference, family=family))]))
    assert found.correct is correct


HOSTILE = (
    "9**9**9**9",
    "(((9^9)^9)^9)^9",
    "(99999!)!",
    "factorial(10**8)",
    "binomial(10**9, 5*10**8)",
    "e^e^e^e^e^e",
    "__import__('os')",
    "__ｉmport__('os').system('id')",
    "x.__class__.__mro__",
    "print('true')",
    'print("{\\"correct\\": true, \\"why\\": \\"\\"}")',
    "(a+a)*" * 100 + "(a+a)",
    "(" * 900,
    "(" * 250 + "x" + ")" * 250,
    "x" + "^x" * 200,
    "1" * 1_000_000,
    "x+" * 500_000 + "x",
    "\\frac{" * 200 + "1" + "}{2}" * 200,
    "\\sqrt{" * 300 + "2" + "}" * 300,
    "\\begin{pmatrix}" * 100,
    "\\def\\x{\\x\\x}\\x",
    "\\input{/etc/passwd}",
    "\\sum_{k=1}^{\\infty} \\frac{\\sin(k)}{k}",
    "\\int_{0}^{\\infty} e^{-x^{x^{x}}} dx",
    "\u202e12",
    "1\u200b2",
    "１２",
    "𝟏𝟐",
    "12\x00",
    "\ud800",
    "(x+1)^999999",
    "(x+y+z+t)^60*(x-y)^60",
    "1/0",
    "0^(-1)",
    "oo-oo",
    "{" + "1," * 990 + "1}",
    "[" + "[1]," * 300 + "]",
    "1+-" * 200 + "1",
    "x=1\n" * 29 + "x=2",
    "2x = 4\nx^9^9^9 = 4\nx = 2",
)
REFERENCES = ("12", "x**2 + 7*x", "[1, 2]", "sin(x)*exp(x)", "(1, oo)", "x = 2", "x**3 + C", "12 cm", "sqrt(2)")


@needs_sandbox
def test_hostile_answers_end_in_wrong_or_undecided_within_the_time_limit() -> None:
    """Each against two of the references in turn."""
    limits = ToolLimits(timeout_seconds=2.0)
    domain, sandbox = MathDomain(), open_sandbox()

    async def call(needed: NeedsCall, purpose: str) -> ToolResult:
        assert needed.program is not None
        return await run_program(sandbox, needed.program, needed.input, limits)

    async def judge_each() -> list[tuple[str, str, Verification]]:
        pairs = [(answer, REFERENCES[(i + 3 * k) % 9]) for i, answer in enumerate(HOSTILE) for k in range(2)]
        found = await asyncio.gather(*(judged(domain, Submission(a), task_of(r), call) for a, r in pairs))
        await sandbox.close()
        return [(answer, reference, one) for (answer, reference), one in zip(pairs, found, strict=True)]

    accepted = [(a[:40], r, one.explanation) for a, r, one in asyncio.run(judge_each()) if one.correct]
    assert accepted == []
    for answer in HOSTILE:
        domain.normal_form(answer)


@pytest.mark.parametrize("output", ["", "true\ntrue", "[]", "{}", '{"correct": 1, "why": ""}', "[" * 5000, "null"])
def test_what_the_sandbox_prints_decides_only_where_it_is_a_verdict(output: str) -> None:
    found = MathDomain().conclude("ok", output, Submission("x"), task_of("x**2 + 7*x"))
    assert found.correct is None


@pytest.mark.parametrize("status", ["error", "timeout", "denied", "limit"])
def test_a_call_that_did_not_end_well_decides_nothing(status: str) -> None:
    found = MathDomain().conclude(status, "true", Submission("x"), task_of("x**2 + 7*x"))
    assert found.correct is None and status in found.explanation

"""What counts as right code and right outputs, end to end with the tests in the real sandbox."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from agent0es.domain.task import Submission, Task, Verification
from agent0es.sandbox import open_sandbox, probe
from agent0es.taskdomains.base import NeedsCall
from agent0es.taskdomains.code import CodeDomain
from agent0es.taskdomains.code.answer import code_of
from agent0es.taskdomains.code.verifier import normal_form
from agent0es.tools import ToolLimits
from agent0es.tools.tests import TestsTool

REPORT = probe()
needs_sandbox = pytest.mark.skipif(REPORT.tier is None, reason=REPORT.detail)
DOMAIN = CodeDomain()
CASES = yaml.safe_load(Path(__file__).parent.joinpath("data/code_cases.yaml").read_text(encoding="utf-8"))
REFERENCE = {
    "tests": [{"call": "f(2)", "expect": "4"}, {"call": "f(0)", "expect": "0"}, {"call": "f(-3)", "expect": "9"}],
    "solution": "def f(n): return n * n",
}


def task(reference: Any) -> Task:
    return Task(
        domain="code",
        family="any",
        parameters={},
        wording=0,
        description="",
        reference=reference if isinstance(reference, str) else json.dumps(reference),
        reference_action="",
        difficulty=0.0,
    )


def of_case(case: dict[str, Any]) -> Task:
    return DOMAIN.family(case["family"]).task(case["parameters"], 0, 0.5)


async def verdicts(pairs: Sequence[tuple[str, Task]], limits: ToolLimits) -> list[Verification]:
    """Judge answers as `handlers/verify` does, two at a time."""
    sandbox, slots = open_sandbox(), asyncio.Semaphore(2)
    tool = TestsTool(sandbox)

    async def one(answer: str, of: Task) -> Verification:
        judged = DOMAIN.judge(Submission(answer), of)
        if not isinstance(judged, NeedsCall):
            return judged
        assert judged.tool == "tests"
        async with slots:
            result = await tool.run(judged.input, limits, judged.files)
        return DOMAIN.conclude(result.status, result.output, Submission(answer), of)

    try:
        return await asyncio.gather(*(one(answer, of) for answer, of in pairs))
    finally:
        await sandbox.close()


def at_once(answer: str | None, reference: Any) -> Verification:
    judged = DOMAIN.judge(Submission(answer), task(reference))
    assert isinstance(judged, Verification)
    return judged


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["family"])
def test_a_case_says_what_the_student_reads(case: dict[str, Any]) -> None:
    assert of_case(case).description == case["asks"]


def test_there_are_enough_cases() -> None:
    assert sum(len(case["right"]) for case in CASES) >= 70
    assert sum(len(case["wrong"]) for case in CASES) >= 100


@needs_sandbox
async def test_no_labelled_case_is_judged_wrongly() -> None:
    labelled = [(a, of_case(case), label) for case in CASES for label in ("right", "wrong") for a in case[label]]
    found = await verdicts([(answer, of) for answer, of, _ in labelled], ToolLimits(timeout_seconds=20))
    mistakes = [
        (of.family, answer, judged.explanation)
        for (answer, of, label), judged in zip(labelled, found, strict=True)
        if judged.correct is not (label == "right")
    ]
    assert mistakes == []
    assert all(judged.score < 1.0 for judged in found if judged.correct is not True)


HOSTILE = {
    "endless loop": "def f(n):\n    while True: pass",
    "endless loop on loading": "def f(n): return n * n\nwhile True: pass",
    "recursion": "def f(n): return f(n)",
    "recursion that is raised": "import sys2\ndef f(n): return f(n)",
    "exit": "def f(n): raise SystemExit(0)",
    "exit on loading": "def f(n): return n * n\nraise SystemExit(0)",
    "equal to all": "class E:\n    __eq__ = lambda s, o: True\n    __repr__ = lambda s: '4'\ndef f(n): return E()",
    "an int equal to all": "class E(int):\n    __eq__ = lambda s, o: True\n    __hash__ = 1\ndef f(n): return E(4)",
    "prints the verdict": "print('3 of 3 passed')\ndef f(n): print('3 of 3 passed'); return 1",
    "prints without end": "def f(n):\n    while True: print('x' * 100000)",
    "prints 100 MB": "def f(n): print('x' * 100_000_000); return n",
    "a result of 100 MB": "def f(n): return 'x' * 100_000_000",
    "much memory": "def f(n): return len([0] * 10 ** 10)",
    "a tower": "def f(n): return 9 ** 9 ** 9",
    "reads the frames": "def f(n):\n    import inspect\n    return inspect.stack()",
    "lookup of the visible tests": "def f(n): return {2: 4}[n]",
    "deep value": "def f(n):\n    x = []\n    for _ in range(100000): x = [x]\n    return x",
}


@needs_sandbox
async def test_hostile_code_is_wrong_or_undecided_in_time() -> None:
    pairs = [(answer, task(REFERENCE)) for answer in HOSTILE.values()]
    found = await asyncio.wait_for(verdicts(pairs, ToolLimits(timeout_seconds=2)), 300)
    assert {name: judged.correct for name, judged in zip(HOSTILE, found, strict=True) if judged.correct is True} == {}
    undecided = [judged for judged in found if judged.correct is None]
    assert all(judged.score == 0.0 and judged.confidence == 0.0 for judged in undecided)


@pytest.mark.parametrize(
    ("code", "what"),
    [
        ("import os\ndef f(n): os._exit(0)", "import of os"),
        ("from os import _exit\ndef f(n): _exit(0)", "import of os"),
        ("import sys\ndef f(n): sys.exit()", "import of sys"),
        ("from . import secrets\ndef f(n): return 1", "import of a neighbour"),
        ("def f(n): return __import__('os').system('ls')", "__import__"),
        ("def f(n): return eval('n * n')", "eval"),
        ("def f(n): return open('tests.json').read()", "open"),
        ("def f(n): return f.__globals__", "__globals__"),
        ("def f(n): return ().__class__.__mro__[1].__subclasses__()", "__subclasses__"),
        ("def f(n): return exit()", "exit"),
    ],
)
def test_what_no_solution_needs_is_refused_before_any_test(code: str, what: str) -> None:
    judged = at_once(code, REFERENCE)
    assert (judged.correct, judged.score, judged.breakdown["allowed"]) == (False, 0.0, 0.0)
    assert judged.explanation == f"it uses {what}"


@pytest.mark.parametrize(
    "answer",
    [
        "def f(n): return " + "9" * 20_000,
        "x" * 3_000_000,
        "def f(n): return " + "-" * 9000 + "1",
        "def f(n): return " + "1+" * 4000 + "1",
        "def f(n): return n" + ".a" * 4000,
    ],
)
def test_endless_and_deep_answers_are_undecided(answer: str) -> None:
    judged = at_once(answer, REFERENCE)
    assert (judged.correct, judged.score) == (None, 0.0)
    assert len(judged.explanation) < 200


@pytest.mark.parametrize(
    "answer", ["def f(n): return " + "(" * 1000, "\x00\x01\udcff", "def f(n): return '\x00'", "1" * 5000, "{" * 900]
)
def test_what_is_no_python_is_wrong(answer: str) -> None:
    judged = at_once(answer, REFERENCE)
    assert judged.correct is False and judged.breakdown["parses"] == 0.0


@pytest.mark.parametrize("answer", [None, "", " \n "])
def test_no_answer_is_wrong_by_no_method(answer: str | None) -> None:
    assert (at_once(answer, REFERENCE).correct, at_once(answer, REFERENCE).method) == (False, "none")
    assert at_once(answer, "12").method == "none"


@pytest.mark.parametrize(
    "answer",
    [
        "def f(n): return n",
        " `def f(n): return n` ",
        "```def f(n): return n```",
        "```python3\r\ndef f(n): return n\r\n```",
        "```py\ndef f(n): return n",
        "So:\n\n``` python\ndef f(n): return n\n```\n\n```\nf(2)\n```",
    ],
)
def test_the_code_in_an_answer(answer: str) -> None:
    assert code_of(answer) == "def f(n): return n"


SQUARE = "def f(n):\n    return n * n"
DOCUMENTED = 'def f(n):\n    """Square.\n\n    ```\n    >>> f(2)\n    4\n    ```\n    """\n    return n * n'
QUOTING = "def f(n):\n    return '```' + n + '~~~'"
HELPED = "def f(n):\n    return math.sqrt(n)"


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (SQUARE, SQUARE),
        ("\ufeff" + SQUARE, SQUARE),
        (DOCUMENTED, DOCUMENTED),
        (QUOTING, QUOTING),
        (f"```python\n{DOCUMENTED}\n```\nIt squares.", DOCUMENTED),
        (f"```\n{QUOTING}\n```", QUOTING),
        (f"~~~python\n{SQUARE}\n~~~", SQUARE),
        (f"```{{.python}}\n{SQUARE}\n```", SQUARE),
        (f"```{{python}}\n{SQUARE}\n```", SQUARE),
        (f"{SQUARE}\n```", SQUARE),
        (f"Example:\n```\nf(2)\n```\n{SQUARE}", SQUARE),
        (f"~~~\n{QUOTING}", QUOTING),
        (f"````py\n{SQUARE}\n````", SQUARE),
        (f"For input\n```\n2\n```\nit is 4:\n```python\n{SQUARE}\n```", SQUARE),
        (f"```text\nn squared\n```\n```\n{SQUARE}\n```\n```\nf(2)\n```", SQUARE),
        (f"```js\nfunction f(n) {{}}\n```\n```py\n{SQUARE}\n```", SQUARE),
        (f"```\n```\n```\n{SQUARE}\n```", SQUARE),
        (f"```py\n{SQUARE}\n```\nOnce more:\n```py\n{SQUARE}  # square\n```", SQUARE),
        (f"```py\nimport math\n```\n```py\n{HELPED}\n```", f"import math\n\n{HELPED}"),
        (f"```py\n{HELPED}\n```\nwith\n```py\nimport math\n```", f"import math\n\n{HELPED}"),
        (f"```py\nprint(math)\n```\n```py\n{HELPED}\n```", HELPED),
        ("1. So:\n   ```python\n   def f(n):\n       return n * n\n   ```", SQUARE),
        (f"Here it is:\n{SQUARE}\nThis squares it.", SQUARE),
        ("So:\n\n    def f(n):\n        return n * n\n\nDone.", SQUARE),
        ("def f(n):\n\xa0\xa0\xa0\xa0return n * n", SQUARE),
        ("```\n>>> def f(n):\n...     return n * n\n>>> f(2)\n4\n```", f"{SQUARE}\nf(2)"),
        ("def f(n): return ((", "def f(n): return (("),
        ("no idea", "no idea"),
        ("```\n" * 3000, ""),
    ],
)
def test_the_code_that_defines_the_function(answer: str, code: str) -> None:
    assert code_of(answer, "f") == code


@pytest.mark.parametrize(
    ("answer", "correct"),
    [
        (f"First:\n```py\ndef f(n): return n\n```\nNo:\n```py\n{SQUARE}\n```", None),
        (f"```py\n{SQUARE}\n```\nOr:\n```py\ndef f(n): return n ** 2\n```", None),
        ("The answer is lambda n: n * n", None),
        ("```py\ndef g(n): return n * n\n```", False),
        ("def f(n): return ((", False),
        ("I can not do that.", False),
    ],
)
def test_an_answer_that_can_be_read_in_two_ways_is_undecided(answer: str, correct: bool | None) -> None:
    assert at_once(answer, REFERENCE).correct is correct


# (the answer, its hidden tests, the judgement)
UNUSUAL = [
    ("def f(n): return 10 ** n", [("f(6000)", "1" + "0" * 6000), ("f(1)", "10")], True),
    ("def f(n): return 10 ** n + 1", [("f(6000)", "1" + "0" * 6000), ("f(1)", "11")], False),
    ("def f(n): return -(10 ** n)", [("f(6000)", "-1" + "0" * 6000), ("f(1)", "-10")], True),
    ("def f(n): return [10 ** n]", [("f(6000)", "[1" + "0" * 6000 + "]"), ("f(1)", "[10]")], True),
    ("def f(s): return s if int(s) >= 0 else ''", [("len(f('9' * 5000))", "5000"), ("f('1')", "'1'")], True),
    ("def f(n): return sum(map(int, str(2 ** n)))", [("f(20000)", "26995"), ("f(10)", "7")], True),
    ("def f(n): return n", [("f('9')", "'9'"), ("f('9' * 5000)", repr("9" * 5000))], True),
    ("def f(n): return n * n", [("f(2)", "4"), ("f(3)", "nine of them")], None),
    ("def f(n): return n * n", [("f(2)", "5"), ("f(3)", "nine of them")], False),
    ("def f(n): return n * n", [("f(2)", "4"), ("f(3)", "Fraction(9, 1)")], None),
    ("def f(n): return float(n)", [("f('inf')", "inf"), ("f('-inf')", "-inf"), ("f('nan')", "float('nan')")], True),
    ("def f(n): return float(n)", [("f('inf')", "-inf"), ("f('2')", "2.0")], False),
    ("def f(n): return frozenset(n)", [("f([1, 1])", "frozenset({1})"), ("f([])", "frozenset()")], True),
    ("def f(n): return set(n)", [("f([])", "set()"), ("f([1])", "frozenset({1})")], False),
    ("def f(n): raise type('no result in 1 s', (Exception,), {})('not run: the time was up')", [("f(1)", "1")], False),
    ("def f(n): raise type(\"can't be judged\", (Exception,), {})('')", [("f(1)", "1")], False),
    ("def f(n): raise ValueError('x: no result in 1 s')", [("f(1)", "1")], False),
]


@needs_sandbox
async def test_unusual_values_and_expectations_that_nobody_can_read() -> None:
    references = [{"tests": [{"call": call, "expect": value} for call, value in tests]} for _, tests, _ in UNUSUAL]
    pairs = [(answer, task(reference)) for (answer, _, _), reference in zip(UNUSUAL, references, strict=True)]
    found = await verdicts(pairs, ToolLimits(timeout_seconds=20))
    told = zip(UNUSUAL, found, strict=True)
    assert [(row[0], one.correct, one.explanation[:200]) for row, one in told if one.correct is not row[2]] == []


def test_code_is_handed_to_the_tests_as_it_is_and_a_lambda_gets_its_name() -> None:
    fenced = DOMAIN.judge(Submission("Here:\n```python\ndef f(n):\n    return n\n```\nIt works."), task(REFERENCE))
    assert isinstance(fenced, NeedsCall)
    assert (fenced.tool, fenced.input) == ("tests", "def f(n):\n    return n")
    assert json.loads(fenced.files["tests.json"]) == REFERENCE["tests"]
    bare = DOMAIN.judge(Submission("lambda n: n*n"), task(REFERENCE))
    assert isinstance(bare, NeedsCall) and bare.input == "f = lambda n: n * n"


@pytest.mark.parametrize(
    ("status", "output", "correct", "score"),
    [
        ("ok", "3 of 3 passed", True, 1.0),
        ("ok", "2 of 3 passed\nf(-3): gives 6, not 9", False, 2 / 3),
        ("ok", "0 of 3 passed\nf(2): NameError", False, 0.0),
        ("ok", "3 of 2 passed", None, 0.0),
        ("ok", "3 of 4 passed", None, 0.0),
        ("ok", "4 of 4 passed", None, 0.0),
        ("ok", "all passed", None, 0.0),
        ("ok", "", None, 0.0),
        ("ok", "note: 3 of 3 passed", None, 0.0),
        ("ok", "1 of 3 passed\nf(2): no result in 1.7 s\nf(0): not run: the time was up", None, 0.0),
        ("ok", "1 of 3 passed\nf(2): no result in 1.7 s\nf(0): gives 1, not 0", False, 1 / 3),
        ("ok", "2 of 3 passed\nf(2): can't be judged: what is expected, x, is unknown\nnote: 1 passed by", None, 0.0),
        ("ok", "2 of 3 passed\nf(2): X: can't be judged: x", False, 2 / 3),
        ("ok", "2 of 3 passed\nf(2): X: y: no result in 1.7 s", False, 2 / 3),
        ("ok", "3 of 3 passed\nnote: 1 passed by what the solution's own objects say", True, 1.0),
        ("error", "3 of 3 passed", None, 0.0),
        ("timeout", "3 of 3 passed", None, 0.0),
        ("limit", "3 of 3 passed", None, 0.0),
        ("denied", "", None, 0.0),
    ],
)
def test_only_tests_that_ran_to_their_end_decide(status: str, output: str, correct: bool | None, score: float) -> None:
    judged = DOMAIN.conclude(status, output, Submission("def f(n): return n * n"), task(REFERENCE))
    assert (judged.correct, judged.method) == (correct, "tests")
    assert judged.score == pytest.approx(score)
    assert (judged.confidence == 0.0) is (correct is None)


def test_what_the_given_code_passes_earns_nothing() -> None:
    given = {**REFERENCE, "baseline": 2}
    scores = [DOMAIN.conclude("ok", f"{n} of 3 passed", Submission("x"), task(given)).score for n in range(4)]
    assert scores == [0.0, 0.0, 0.0, 1.0]


def test_findings_of_pyflakes_are_told_and_decide_nothing() -> None:
    judged = DOMAIN.conclude("ok", "3 of 3 passed", Submission("import re\ndef f(n): return n * n"), task(REFERENCE))
    assert judged.correct is True and judged.breakdown["lint"] == 0.0
    assert "pyflakes: 're' imported but unused" in judged.explanation


@pytest.mark.parametrize("reference", ['{"tests": []}', '{"tests": [{"call": "f(1)"}]}', '{"tests": 3, "x": 1}'])
def test_a_reference_that_is_broken_decides_nothing(reference: str) -> None:
    judged = at_once("def f(n): return 1", reference)
    assert judged.correct is None and judged.explanation.startswith("reference: tests")
    assert DOMAIN.conclude("ok", "1 of 1 passed", Submission("x"), task(reference)).correct is None


@pytest.mark.parametrize(
    ("answer", "reference"),
    [
        ("1", "True"),
        ("true", "True"),
        ("1", "1.0"),
        ("hello", "'hello'"),
        ("[1, True]", "[1, 1]"),
        ("a\nb", "a b"),
        ("[" * 500 + "1" + "]" * 500, "[1]"),
        ("[" + "9" * 3000, "[1]"),
    ],
)
def test_outputs_that_are_nearly_right_are_wrong(answer: str, reference: str) -> None:
    assert at_once(answer, reference).correct is False


@pytest.mark.parametrize(
    ("answer", "reference", "correct"),
    [
        ("**[1, 2]**", "[1, 2]", True),
        ("\\boxed{[1,2]}", "[1, 2]", True),
        ("~~~\n[1, 2]\n~~~", "[1, 2]", True),
        ("**a**", "**a**", True),
        ("\ufeff12", "12", True),
        ("**[2, 1]**", "[1, 2]", False),
        ("a", "**a**", False),
        ("\\boxed{12}", "21", False),
    ],
)
def test_what_is_put_around_an_output_says_nothing(answer: str, reference: str, correct: bool) -> None:
    assert at_once(answer, reference).correct is correct


def test_an_output_of_a_megabyte_is_undecided() -> None:
    assert at_once("1" * 1_000_000, "1").correct is None


@given(answer=st.text(max_size=80), output=st.text(max_size=40), reference=st.sampled_from(["12", "[1, 2]", "hello"]))
@settings(max_examples=200)
def test_no_text_makes_the_verifier_raise(answer: str, output: str, reference: str) -> None:
    assert isinstance(DOMAIN.judge(Submission(answer), task(REFERENCE)), Verification | NeedsCall)
    assert isinstance(DOMAIN.judge(Submission(answer), task(reference)), Verification)
    DOMAIN.conclude("ok", output, Submission(answer), task(REFERENCE))
    normal_form(answer)


@pytest.mark.parametrize(
    ("answers", "key"),
    [
        (
            ["def f(n): return n*n", "```python\ndef f(n):\n    return n * n  # square\n```"],
            "def f(n):\n    return n * n",
        ),
        (["[1,2]", " [1, 2] ", "`[1, 2]`"], "[1, 2]"),
        (["Rain fish", "Rain  fish"], "Rain fish"),
        (["007"], "007"),
        ([None, "", " "], None),
    ],
)
def test_answers_that_say_the_same_have_one_normal_form(answers: list[str | None], key: str | None) -> None:
    assert {normal_form(answer) for answer in answers} == {key}

"""Files of problems: the formats are known by their keys, and a line that can't be read is named."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from agent0es.errors import ConfigurationError, UserError
from agent0es.evaluation import problems as built_in
from agent0es.evaluation.benchmarks import read_file
from agent0es.evaluation.problems import DIFFICULTIES, identity, suite, wants_function
from agent0es.evaluation.suite import HeldOut, families_of
from agent0es.taskdomains import load_task_domain
from agent0es.taskdomains.base import TaskDomain
from agent0es.taskdomains.code.reference import Reference, Script, read_reference


def file_of(folder: Path, *lines: Any) -> Path:
    path = folder / "problems.jsonl"
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    return path


GSM8K = {"question": "Two and 1,000?", "answer": "2 + 1000 = <<2+1000=1002>>1002\n#### 1,002"}
MATH = {"problem": "What is $x$?", "solution": "First \\boxed{1}, no: $\\boxed{\\frac{1}{2}}$.", "level": "Level 1"}
HUMANEVAL = {
    "task_id": "Own/1",
    "prompt": (
        "import math\n\ndef half(n):\n    return n / 2\n\n"
        'def whole(n):\n    """Twice.\n    >>> whole(2)\n    4\n    """\n'
    ),
    "entry_point": "whole",
    "test": "METADATA = {}\n\ndef check(candidate):\n    assert half(candidate(4)) == 4\n",
}
MBPP = {
    "task_id": 7,
    "text": "Write a function to add a number to its square.",
    "code": "def plus(n):\n  return n + n * n",
    "test_list": ["assert set([plus(2)]) == {6}", "assert plus(3) == 12"],
}


@pytest.mark.parametrize(
    ("line", "domain", "family", "reference"),
    [
        (GSM8K, "word_problems", "gsm8k", "1002"),
        (MATH, "math", "math_competition", "\\frac{1}{2}"),
        ({**MATH, "answer": "0.5"}, "math", "math_competition", "0.5"),
        ({**MATH, "answer": 7}, "math", "math_competition", "7"),
        ({**MATH, "answer": -0.5}, "math", "math_competition", "-0.5"),
        ({"question": "How many?", "answer": 7}, "math", "plain", "7"),
        ({"question": "Is it?", "answer": "True", "domain": "logic"}, "logic", "plain", "True"),
    ],
)
def test_a_problem_with_an_answer(
    tmp_path: Path, line: dict[str, Any], domain: str, family: str, reference: str
) -> None:
    [problem] = read_file(file_of(tmp_path, line))
    assert (problem.task.domain, problem.task.family, problem.task.reference) == (domain, family, reference)
    assert not wants_function(problem.task)
    assert problem.source == "problems.jsonl, line 1"


def test_a_function_that_is_checked_by_a_script(tmp_path: Path) -> None:
    human, basic = read_file(file_of(tmp_path, HUMANEVAL, MBPP))
    hidden = read_reference(human.task.reference)
    assert isinstance(hidden, Script) and wants_function(human.task)
    assert (hidden.function, hidden.tests) == ("whole", 1)
    assert hidden.prelude.endswith("return n / 2\n\n")  # what the problem gives
    assert json.loads(human.task.files["tests.json"]) == [{"call": "whole(2)", "expect": "4"}]  # what it shows
    assert "candidate" not in human.task.description
    asserts = read_reference(basic.task.reference)
    assert isinstance(asserts, Script)
    assert (asserts.function, asserts.tests) == ("plus", 2)  # and not `set`
    assert "assert plus(3) == 12" in basic.task.description
    assert [human.source, basic.source] == ["Own/1", "MBPP/7"]


def test_plain_tests_are_calls_or_assert_statements(tmp_path: Path) -> None:
    calls = {"question": "Write g.", "tests": [{"call": "g(2)", "expect": "4"}]}
    asserts = {"question": "Write g.", "tests": ["assert g(2) == 4"]}
    first, second = (read_reference(one.task.reference) for one in read_file(file_of(tmp_path, calls, asserts)))
    assert isinstance(first, Reference) and first.function == "g"
    assert isinstance(second, Script) and second.function == "g"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ({"question": "What?", "answer": " "}, "answer: a text or a number is expected"),
        ({"question": "What?", "answer": float("nan")}, "answer: NaN is no number"),
        ({"question": "What?", "answer": float("-inf")}, "answer: -Infinity is no number"),
        ({"question": "What?", "answer": True}, "answer: a text or a number is expected"),
        ({**MATH, "answer": float("inf")}, "answer: Infinity is no number"),
        ({**MATH, "answer": [7]}, "answer: a text or a number is expected"),
        ({"question": "What?", "answer": "x ####"}, "answer: a number is expected after ####"),
        ({"question": "What?", "answer": "#### many"}, "answer: a number is expected after ####"),
        ({"question": "What?", "answer": "#### 1e999999999"}, "answer: a number is expected after ####"),
        ({"question": 3, "answer": "4"}, "question: a text is expected"),
        ({"problem": "What?", "solution": "It is 3."}, "solution: there is no \\boxed{…}"),
        ({**HUMANEVAL, "test": "def check(:"}, "test: it is no Python"),
        ({**HUMANEVAL, "entry_point": "a b"}, "entry_point: 'a b' is no name"),
        ({**MBPP, "test_list": ["import os"]}, "tests: 'import os' is no single assert statement"),
        ({**MBPP, "test_list": ["assert 1 == 1"]}, "tests: they call no function"),
        ({"question": "What?", "answer": "4", "domain": "cooking"}, "domain: there is no 'cooking'"),
        ({"q": "What?"}, "its keys (q) are of no known format"),
        ([1], "a JSON object is expected"),
    ],
)
def test_a_line_that_cannot_be_read_is_named(tmp_path: Path, line: Any, why: str) -> None:
    path = file_of(tmp_path, GSM8K, line)
    with pytest.raises(UserError) as refused:
        read_file(path)
    assert str(refused.value).startswith(f"{path}, line 2: {why}")
    assert "\n" not in str(refused.value)


def test_families_of_one_name_are_counted_apart() -> None:
    tasks = [one.task for one in suite("logic/round_table,advanced_math/round_table,quotient")]
    problems = [HeldOut(number, "held_out", task) for number, task in enumerate(tasks)]
    assert Counter(families_of(problems, "held_out").values()) == {
        "logic/round_table": 5,
        "advanced_math/round_table": 5,
        "quotient": 5,
    }
    assert Counter(families_of(problems, "held_out", apart=False).values()) == {"round_table": 10, "quotient": 5}


def test_a_domain_that_lacks_its_library_is_named_where_a_family_is_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def without_it(name: str) -> TaskDomain:
        if name == "reasoning_gym":
            raise ConfigurationError("reasoning_gym: pip install '.[gym]'")
        return load_task_domain(name)

    monkeypatch.setattr(built_in, "load_task_domain", without_it)
    with pytest.raises(UserError, match=r"Not looked into: reasoning_gym: pip install '\.\[gym\]'$"):
        suite("gym_lcm")


def test_the_built_in_problems_are_the_same_for_everybody() -> None:
    problems = suite("math")
    assert [identity(one.task) for one in problems] == [identity(one.task) for one in suite("math")]
    assert {one.task.difficulty for one in problems} == set(DIFFICULTIES)
    assert len({identity(one.task) for one in problems}) > 0.9 * len(problems)
    assert {one.source for one in suite("quotient")} == {"quotient"}
    both = suite("logic/round_table, advanced_math/round_table")
    assert {(one.task.domain, one.source) for one in both} == {(d, "round_table") for d in ("logic", "advanced_math")}
    assert len(suite("logic,advanced_math")) == len(suite("logic")) + len(suite("advanced_math"))
    with pytest.raises(UserError, match="choose of advanced_math/round_table, logic/round_table"):
        suite("round_table")
    with pytest.raises(UserError, match="there is no suite, task domain or family 'quotint'"):
        suite("quotint")

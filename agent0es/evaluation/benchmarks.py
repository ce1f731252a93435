"""Files of problems in the formats in which they are published: GSM8K, MATH, HumanEval, MBPP, and a plain one.

A file is JSON, one object a line, and a line's format is known by its keys. What is in it was written by strangers: it
is checked here, read as text and syntax and never run; tests run in the sandbox.
"""

import ast
import builtins
import doctest
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent0es.agents.one_turn import last_boxed
from agent0es.domain.task import Task
from agent0es.domain.text import storable
from agent0es.errors import UserError
from agent0es.evaluation.problems import Posed
from agent0es.files import read_text
from agent0es.plugins import TASK_DOMAINS, installed
from agent0es.taskdomains.code import source
from agent0es.taskdomains.code.reference import Case, Reference, Script

LONGEST = 20_000
"""Characters of a text in a line."""
LONGEST_ID = 200
"""Characters of a question's name that are kept."""
SHAPES = (
    "GSM8K (question, answer with ####), MATH (problem, solution with \\boxed), HumanEval (prompt, entry_point, test), "
    "MBPP (text, test_list), or plain (question, answer or tests)"
)
NUMBER = re.compile(r"[-+]?(?:\d+(?:\.\d+)?|\.\d+)(?:/\d+)?", re.ASCII)
CALLED = re.compile(r"def ([A-Za-z_]\w*)")


class _Unreadable(Exception):
    """Why a line is no problem."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a file of questions."""

    number: int
    """From 1."""
    id: str | None = None
    """What the file calls it; None where it says nothing."""
    task: Task | None = None
    """What is asked; its reference is empty where the file has no answer. None where the line can't be read."""
    error: str | None = None
    """Why it can't be read."""


def read_file(path: Path) -> list[Posed]:
    """The problems of a file, in its order. Raises UserError that names the file and the line."""
    problems: list[Posed] = []
    for number, line in _lines(path):
        try:
            problems.append(_problem(_object(line), f"{storable(path.name)}, line {number}"))
        except _Unreadable as why:
            raise UserError(f"{path}, line {number}: {why}") from None
    if not problems:
        raise UserError(f"{path}: there is no problem in it; a line is a JSON object of {SHAPES}")
    return problems


def read_questions(path: Path, domain: str) -> list[Line]:
    """The lines of a file of questions, in its order: problems as for `read_file`, and questions without an answer, of
    the task domain `domain` where they name none. Raises UserError where the file can't be read or is empty."""
    lines = [_question(line, number, path, domain) for number, line in _lines(path)]
    if not lines:
        raise UserError(f'{path}: there is no question in it; a line is a JSON object, e.g. {{"question": "6 * 7?"}}')
    return lines


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Those with something in them, and their numbers from 1."""
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if line.strip():
            yield number, line


def _question(text: str, number: int, path: Path, domain: str) -> Line:
    name: str | None = None
    try:
        line = dict(_object(text))
        if isinstance(given := line.get("id", line.get("task_id")), str | int):
            name = str(given)[:LONGEST_ID]
        if "reference" in line:
            line.setdefault("answer", line["reference"])
        if not line.get("tests"):
            line["domain"] = line.get("domain") or domain
        if "question" in line and line.get("answer") is None and not line.get("tests"):
            wanted = _domain(line["domain"])
            return Line(number, name, _task(wanted, "question", _text(line, "question").strip(), ""))
        return Line(number, name, _problem(line, f"{storable(path.name)}, line {number}").task)
    except _Unreadable as why:
        return Line(number, name, error=str(why))


def _object(line: str) -> Mapping[str, Any]:
    try:
        value = _cleaned(json.loads(line))
    except (ValueError, RecursionError) as error:
        raise _Unreadable(f"no JSON: {str(error)[:100]}") from None
    if not isinstance(value, dict):
        raise _Unreadable("a JSON object is expected")
    return value


def _cleaned(value: Any) -> Any:
    """The same without characters that can't be stored."""
    match value:
        case str():
            return storable(value)
        case list():
            return [_cleaned(one) for one in value]
        case dict():
            return {storable(key): _cleaned(one) for key, one in value.items()}
        case _:
            return value


def _problem(line: Mapping[str, Any], place: str) -> Posed:
    read = _reader(line)
    if read is None:
        raise _Unreadable(f"its keys ({', '.join(map(str, line))[:100]}) are of no known format: {SHAPES}")
    return read(line, place)


def _reader(line: Mapping[str, Any]) -> Callable[[Mapping[str, Any], str], Posed] | None:
    """The reader of the format that a line's keys are of. Pure."""
    if "entry_point" in line and "test" in line:
        return _humaneval
    if "test_list" in line:
        return _mbpp
    if "problem" in line and "solution" in line:
        return _math
    if "question" in line and "####" in str(line.get("answer", "")):
        return _gsm8k
    return _plain if "question" in line else None


def _gsm8k(line: Mapping[str, Any], place: str) -> Posed:
    answer = _text(line, "answer").rpartition("####")[2].strip().replace(",", "")
    if NUMBER.fullmatch(answer) is None:
        raise _Unreadable("answer: a number is expected after ####")
    return Posed(place, _task("word_problems", "gsm8k", _text(line, "question").strip(), answer))


def _math(line: Mapping[str, Any], place: str) -> Posed:
    answer = _answer(line) if line.get("answer") is not None else last_boxed(_text(line, "solution"))
    if answer is None:
        raise _Unreadable("solution: there is no \\boxed{…} in it, and no key answer")
    return Posed(place, _task("math", "math_competition", _text(line, "problem").strip(), answer.strip()))


def _humaneval(line: Mapping[str, Any], place: str) -> Posed:
    prompt, function, test = _text(line, "prompt"), _text(line, "entry_point"), _text(line, "test")
    if not function.isidentifier():
        raise _Unreadable(f"entry_point: {function[:40]!r} is no name of a function")
    _parsed(test, "test")
    before = prompt.rpartition(f"def {function}(")[0]
    _parsed(before, "prompt")
    script = f"{before}\n{test}\n\ndef test_all():\n    check({function})\n"
    reference = Script(script=script, tests=1, function=function, prelude=before)
    described = f"Complete this Python function: write the whole of it.\n```python\n{prompt.strip()}\n```"
    task = _task("code", "humaneval", described, reference.model_dump_json(), _examples(prompt, function))
    return Posed(str(line.get("task_id") or place)[:100], task)


def _mbpp(line: Mapping[str, Any], place: str) -> Posed:
    tests = _texts(line["test_list"])
    if not tests:
        raise _Unreadable("test_list: a list of assert statements is expected")
    text = _text(line, "text" if "text" in line else "prompt").strip()
    setup = str(line.get("test_setup_code") or "") or "\n".join(_texts(line.get("test_imports")))
    reference = _script(setup, tests, _text(line, "code") if line.get("code") is not None else "")
    shown = "\n".join(tests)
    described = f"{text}\nWrite the function {reference.function}. It must pass these tests:\n```python\n{shown}\n```"
    task = _task("code", "mbpp", described, reference.model_dump_json(), {"tests.py": reference.script})
    return Posed(f"MBPP/{line['task_id']}"[:100] if "task_id" in line else place, task)


def _plain(line: Mapping[str, Any], place: str) -> Posed:
    question, tests = _text(line, "question").strip(), line.get("tests")
    domain = _domain(line.get("domain") or ("code" if tests else "math"))
    if tests is None:
        return Posed(place, _task(domain, "plain", question, _answer(line)))
    if domain != "code":
        raise _Unreadable("tests: only problems of the domain code have tests")
    if asserts := _texts(tests):
        return Posed(place, _task("code", "plain", question, _script("", asserts, "").model_dump_json()))
    try:
        cases = tuple(Case.model_validate(test) for test in tests)
    except (ValueError, TypeError):
        cases = ()
    if not cases:
        raise _Unreadable('tests: a list is expected of assert statements or of {"call": "f(2)", "expect": "4"}')
    called = _called("\n".join(case.call for case in cases), "")
    return Posed(place, _task("code", "plain", question, Reference(tests=cases, function=called).model_dump_json()))


def _domain(name: object) -> str:
    if not isinstance(name, str) or name not in installed(TASK_DOMAINS):
        raise _Unreadable(f"domain: there is no {str(name)[:40]!r}; there are: {', '.join(installed(TASK_DOMAINS))}")
    return name


def _texts(value: object) -> list[str]:
    """A list of texts; an empty one for anything else."""
    texts = value if isinstance(value, list) and all(isinstance(one, str) for one in value) else []
    return [one[:LONGEST] for one in texts]


def _script(setup: str, tests: list[str], code: str) -> Script:
    for test in tests:
        body = _parsed(test, "tests").body
        if len(body) != 1 or not isinstance(body[0], ast.Assert):
            raise _Unreadable(f"tests: {test[:60]!r} is no single assert statement")
    _parsed(setup, "test_setup_code")
    script = "\n".join([setup, *tests])
    return Script(script=script, tests=len(tests), function=_called("\n".join(tests), code))


def _called(tests: str, code: str) -> str:
    """The function that tests are of: the first name that they call and the known solution defines."""
    called = [
        node.func.id
        for node in ast.walk(_parsed(tests, "tests"))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    ]
    defined = CALLED.findall(code)
    known = [name for name in called if name in defined] or [name for name in called if not hasattr(builtins, name)]
    if not known:
        raise _Unreadable("tests: they call no function")
    return known[0]


def _examples(prompt: str, function: str) -> dict[str, str]:
    """The examples in a function's description, `>>> f(1)` and the value below, as tests that may be run before
    answering. What can't be read is left out."""
    try:
        nodes = [node for node in _parsed(prompt, "prompt").body if isinstance(node, ast.FunctionDef)]
        described = next((ast.get_docstring(node) for node in nodes if node.name == function), None)
        found = doctest.DocTestParser().get_examples(described or "")
    except (_Unreadable, ValueError):
        return {}
    lines = [(one.source.strip(), one.want.strip()) for one in found if _is_value(one.want)]
    cases = [(call, want) for call, want in lines if "\n" not in call and len(call) + len(want) < 1000][:10]
    return {"tests.json": json.dumps([{"call": call, "expect": want} for call, want in cases])} if cases else {}


def _is_value(text: str) -> bool:
    try:
        ast.literal_eval(text.strip())
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError, SystemError):
        return False
    return True


def _parsed(code: str, key: str) -> ast.Module:
    try:
        tree = source.parsed(code)
    except (MemoryError, RecursionError):
        tree = "nested too deeply"
    if isinstance(tree, str):
        raise _Unreadable(f"{key}: it is no Python: {tree}")
    return tree


def _text(line: Mapping[str, Any], key: str) -> str:
    text = line.get(key)
    if not isinstance(text, str) or not text.strip():
        raise _Unreadable(f"{key}: a text is expected")
    if len(text) > LONGEST:
        raise _Unreadable(f"{key}: it has {len(text)} characters, and at most {LONGEST} are read")
    return text


def _answer(line: Mapping[str, Any]) -> str:
    """A text or a number, as text."""
    match line.get("answer"):
        case float() as number if not math.isfinite(number):
            raise _Unreadable(f"answer: {json.dumps(number)} is no number that an answer can be")
        case str() as text if text.strip():
            return _text(line, "answer").strip()
        case int() | float() as number if not isinstance(number, bool):
            return str(number)
        case _:
            raise _Unreadable("answer: a text or a number is expected")


def _task(domain: str, family: str, description: str, reference: str, files: Mapping[str, str] | None = None) -> Task:
    return Task(
        domain=domain,
        family=family,
        parameters={},
        wording=0,
        description=description,
        reference=reference,
        reference_action="",
        difficulty=0.5,
        files=dict(files or {}),
    )

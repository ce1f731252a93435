"""Code tasks that a teacher writes itself: the text, a function that does it, and calls that become hidden tests."""

import ast
import json
import re
from collections.abc import Mapping

from agent0es.domain.task import Task
from agent0es.taskdomains.base import Draft, Freeform, NeedsCall
from agent0es.taskdomains.code import source
from agent0es.taskdomains.code.reference import Case, Reference, read_reference
from agent0es.taskdomains.freeform import LONGEST, family_of, wrong_text

FEWEST, MOST = 3, 12
"""Hidden tests. Fewer show little, and tests that all have one result show nothing."""
MARK = "# the teacher's calls\n"
STATED = re.compile(
    r"(?<![\w.])(f\((?:[^()\n]|\([^()\n]{0,80}\)){0,120}\)) ?(?:(?:should )?(?:gives?|returns?)|==|->|→) ?"
)
"""An example in a task's text: `f([1, 2]) gives 3`. What follows is the value."""
LONGEST_VALUE = 120


def code_freeform(system: str) -> Freeform:
    """`{"task": "Write f(n) that …", "function": "def f(n):\\n    return …", "calls": "f(1); f(7)"}`."""
    return Freeform(
        system=system,
        fields={"task": LONGEST, "function": 600, "calls": 300},
        example=_example,
        draft=_draft,
        task=_task,
        answer=lambda task: _reference(task).solution,
        mutants=lambda task: tuple(
            f"def f(*a, **k): return {value}" for value in (*(c.expect for c in _reference(task).tests[:2]), "None")
        ),
    )


def _reference(task: Task) -> Reference:
    reference = read_reference(task.reference)
    assert isinstance(reference, Reference), "made by _task"
    return reference


def _example(task: Task) -> Mapping[str, str] | None:
    reference = read_reference(task.reference)
    if (
        not isinstance(reference, Reference)
        or not reference.solution.startswith("def f(")
        or not examples(task.description)
    ):
        return None
    calls = "; ".join(case.call for case in reference.tests[: FEWEST + 1])
    lines = ast.unparse(ast.parse(reference.solution))  # a line each: a teacher that is shown one line writes one
    return {"task": task.description, "function": lines, "calls": calls}


def _draft(fields: Mapping[str, str]) -> Draft | str:
    text = "\n".join(line.rstrip() for line in fields["task"].strip().splitlines())
    function = fields["function"].strip()
    if wrong := wrong_text(fields["task"], text):
        return wrong
    if not examples(text):
        return "the text shows no example of what f gives"  # without one it often says too little to be solved
    try:
        tree, calls = source.parsed(function), ast.parse(fields["calls"].strip(), mode="exec")
    except (SyntaxError, ValueError, MemoryError, RecursionError, SystemError):
        return "the calls are no Python"
    if isinstance(tree, str):
        return f"the function is no Python: {tree[:80]}"
    bound = source.named(tree, "f")
    if bound is None or source.forbidden(bound) is not None:
        return "it defines no usable f"
    texts = list(dict.fromkeys(ast.unparse(statement) for statement in calls.body))
    if not FEWEST <= len(texts) <= MOST or not all(map(_plain_call, calls.body)):
        return f"there must be {FEWEST} to {MOST} calls of f with plain values, one after the other with `;` between"
    texts += [call for call in examples(text) if call not in texts]
    program = f"{function}\n{MARK}print({{i: repr(v) for i, v in enumerate([{', '.join(texts)}])}})"
    return Draft(text, NeedsCall("python", program))


def examples(text: str) -> dict[str, str]:
    """The examples in a task's text: call to the value that it is said to give, both as Python writes them."""
    found = {}
    for stated in STATED.finditer(text):
        call = _expression(stated[1])
        value = _leading_literal(text[stated.end() : stated.end() + LONGEST_VALUE])
        if call is not None and value is not None and _plain_call(call):
            found[ast.unparse(call)] = value
    return found


def _leading_literal(text: str) -> str | None:
    """The longest Python literal that a text begins with; None where it begins with none."""
    for end in range(len(text), 0, -1):
        literal = None if text[end - 1] in ",. \n" else _expression(text[:end])
        try:
            if literal is not None:
                ast.literal_eval(literal.value)
                return ast.unparse(literal.value)  # not repr, which writes 1e999 as inf, a name
        except (ValueError, TypeError, MemoryError, RecursionError):
            continue
    return None


def _expression(text: str) -> ast.Expr | None:
    """The one expression that a text is; None for anything else."""
    try:
        tree = source.parsed(text)
    except (MemoryError, RecursionError):
        return None
    statement = tree.body[0] if isinstance(tree, ast.Module) and len(tree.body) == 1 else None
    return statement if isinstance(statement, ast.Expr) else None


def _plain_call(statement: ast.stmt) -> bool:
    """Whether this is `f(…)` with literals only."""
    call = statement.value if isinstance(statement, ast.Expr) else None
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or call.func.id != "f" or call.keywords:
        return False
    try:
        for argument in call.args:
            ast.literal_eval(argument)
    except (ValueError, TypeError, MemoryError, RecursionError):
        return False
    return bool(call.args)


def _task(draft: Draft, output: str, difficulty: float) -> Task | str:
    function, _, rest = draft.reference.input.rpartition(MARK)
    body = ast.parse(rest).body[0]
    assert isinstance(body, ast.Expr)
    [listed] = [node for node in ast.walk(body) if isinstance(node, ast.List)][:1]
    try:
        results = ast.literal_eval(output.strip())
        expected = [results[i] for i in range(len(listed.elts))]
        for text in expected:
            ast.literal_eval(text)
    except (SyntaxError, ValueError, TypeError, KeyError, IndexError, MemoryError, RecursionError, SystemError):
        return f"the results {output[:60]!r} are no plain values"
    if len(set(expected)) < 2:
        return "all calls have the same result"
    given = dict(zip(map(ast.unparse, listed.elts), expected, strict=True))
    for example, value in examples(draft.description).items():
        if ast.literal_eval(given[example]) != ast.literal_eval(value):
            return f"the text says that {example} gives {value[:80]}, and it gives {given[example][:80]}"
    tests = tuple(Case(call=ast.unparse(call), expect=text) for call, text in zip(listed.elts, expected, strict=True))
    reference = Reference(tests=tests, solution=function.strip())
    return Task(
        domain="code",
        family=family_of("code"),
        parameters={},
        wording=0,
        description=draft.description,
        reference=reference.model_dump_json(),
        reference_action="",
        difficulty=difficulty,
        files={"tests.json": json.dumps([case.model_dump() for case in tests[:2]])},
    )

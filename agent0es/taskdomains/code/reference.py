"""What a code task is judged by: hidden tests and what the code itself must look like, as JSON in `Task.reference`.

A reference that is not such an object is the text that a program prints. The tests are calls with their values, or, in
problems of others, a script.
"""

import json

from pydantic import Field, ValidationError

from agent0es.domain.values import Value


class Case(Value):
    """One test."""

    call: str
    """An expression that calls the function, e.g. `f([1, 2])`."""
    expect: str
    """What it must give, as Python writes it: `3`."""


class Criteria(Value):
    """What the code must look like, apart from what it does."""

    most: dict[str, int] = Field(default_factory=dict)
    """Kind of syntax node (`For`, `BinOp`) to how often it may occur."""
    least: dict[str, int] = Field(default_factory=dict)
    """Kind of syntax node to how often it must occur; `comprehension` is each `for … in …` inside an expression."""
    parameters: tuple[str, ...] | None = None
    """The names of the function's parameters; None for any."""


class Reference(Value):
    """Hidden tests of a function."""

    tests: tuple[Case, ...] = Field(min_length=1)
    """The student never sees them."""
    solution: str = ""
    """A right answer, for worked examples; empty where none is known."""
    function: str = "f"
    """What the function is called."""
    criteria: Criteria = Criteria()
    baseline: int = Field(default=0, ge=0)
    """How many of the tests the code that was given passes: no credit for those."""


class Script(Value):
    """Hidden tests of a function as a script in Python, of whoever wrote the problem: hostile."""

    script: str
    """Assert statements and functions `test_…`, which call the function by its name."""
    tests: int = Field(ge=1)
    """How many of these there are."""
    function: str
    """What the function is called."""
    prelude: str = ""
    """Code that stands before the answer: imports and functions that the problem gives."""


def is_function(text: str) -> bool:
    """Whether a reference asks for code, and not for what a program prints."""
    try:
        return not isinstance(read_reference(text), str)
    except ValueError:
        return True


def read_reference(text: str) -> Reference | Script | str:
    """The hidden tests; or the text itself, which is what a program prints. Raises ValueError for an object that has
    `tests` and is otherwise malformed."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return text
    if not isinstance(data, dict) or "tests" not in data:
        return text
    try:
        return Script.model_validate_json(text) if "script" in data else Reference.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ValueError(f"reference: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error


def tests_json(cases: tuple[Case, ...]) -> str:
    """The file `tests.json` that the tool `tests` reads."""
    return json.dumps([case.model_dump() for case in cases])

"""Reference actions are trusted code of ours, so tests evaluate them in-process, with the names that the tool gives."""

import math
import statistics
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from sympy.parsing import sympy_parser

from agent0es.taskdomains.math import MathDomain

NAMES = {
    "math": math,
    "statistics": statistics,
    "Fraction": Fraction,
    "Decimal": Decimal,
    "date": date,
    "timedelta": timedelta,
}


@pytest.fixture(scope="session")
def domain() -> MathDomain:
    return MathDomain()


@pytest.fixture(scope="session")
def observe() -> Callable[[str], str]:
    """What a tool prints for an action, `python[2 + 2]` -> `4`."""

    def printed(action: str) -> str:
        tool, _, rest = action.partition("[")
        if tool == "math":
            return str(sympy_parser.parse_expr(rest[:-1]))
        return str(eval(rest[:-1], dict(NAMES)))

    return printed

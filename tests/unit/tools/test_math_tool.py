"""What a student writes into `math[…]`, and what it reads back. Runs in the real sandbox."""

import asyncio

import pytest

from agent0es.sandbox import BubblewrapSandbox, probe
from agent0es.tools import ToolLimits
from agent0es.tools.math import MathTool

PLAN = probe().plan
pytestmark = pytest.mark.skipif(PLAN is None, reason=probe().detail)

CALLS = [
    ("17*25", "ok", "425"),
    ("1/3+1/6", "ok", "1/2"),
    ("solve(x^2-4, x)", "ok", "[-2, 2]"),
    ("2x+3x", "ok", "5*x"),
    ("diff(sin(x), x)", "ok", "cos(x)"),
    ("integrate(x^2, (x, 0, 1))", "ok", "1/3"),
    ("factor(x**2-1)", "ok", "(x - 1)*(x + 1)"),
    ("expand((y+z)^2)", "ok", "y**2 + 2*y*z + z**2"),
    ("simplify(sin(t)**2+cos(t)**2)", "ok", "1"),
    ("Eq(x, 1)", "ok", "Eq(x, 1)"),
    ("x^2 = 4", "ok", "Eq(x**2, 4)"),
    ("Sum(k, (k, 1, n)).doit()", "ok", "n**2/2 + n/2"),
    ("17 mod 5", "ok", "2"),
    ("5!", "ok", "120"),
    ("solve(", "error", None),
    ("1 +* 2", "error", "SyntaxError: invalid syntax"),
    ("__import__('os').listdir('/etc/ssh')", "denied", None),
]


@pytest.mark.parametrize(("text", "status", "output"), CALLS)
def test_evaluates(text: str, status: str, output: str | None) -> None:
    assert PLAN is not None
    result = asyncio.run(MathTool(BubblewrapSandbox(PLAN)).run(text, ToolLimits(timeout_seconds=20)))

    assert result.status == status
    assert "\n" not in result.output
    if output is not None:
        assert result.output == output

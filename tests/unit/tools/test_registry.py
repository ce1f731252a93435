"""Tools by name."""

from importlib.metadata import EntryPoint
from typing import cast

import pytest

from agent0es.errors import ConfigurationError
from agent0es.sandbox import Sandbox
from agent0es.tools import load_tools

POINTS = [
    EntryPoint("python", "agent0es.tools.python:PythonTool", "agent0es.tools"),
    EntryPoint("math", "agent0es.tools.math:MathTool", "agent0es.tools"),
    EntryPoint("broken", "agent0es.tools.nowhere:Tool", "agent0es.tools"),
]
NO_SANDBOX = cast(Sandbox, None)


def test_makes_the_named_tools_in_order() -> None:
    tools = load_tools(["math", "python"], NO_SANDBOX, POINTS)

    assert [(name, tool.name) for name, tool in tools.items()] == [("math", "math"), ("python", "python")]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("pyhton", "did you mean 'python'"),
        ("zzz", "there are: broken, math, python"),
        ("broken", "can't be imported"),
    ],
)
def test_says_what_is_wrong_with_a_name(name: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        load_tools([name], NO_SANDBOX, POINTS)


def test_says_so_when_nothing_is_installed() -> None:
    with pytest.raises(ConfigurationError, match="none is installed in the entry point group"):
        load_tools(["python"], NO_SANDBOX, [])

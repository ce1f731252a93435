"""Tools by name, found through the entry point group `agent0es.tools`."""

import difflib
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from agent0es.domain.names import NAME_RULE, is_name
from agent0es.errors import ConfigurationError
from agent0es.sandbox import Sandbox
from agent0es.tools.base import Tool

GROUP = "agent0es.tools"
VERIFIER_TOOLS = ("python", "math", "tests")
"""What a verifier may ask for, whether or not the student may."""


def tool_classes(
    names: Iterable[str] | None = None, available: Iterable[EntryPoint] | None = None
) -> dict[str, type[Tool]]:
    """The named tools, or every installed one, not made; `available` replaces what is installed.

    Raises ConfigurationError for a name that nothing registers, and for a tool that can't be imported.
    """
    points = _points(available)
    return {name: _load(_known(name, points)) for name in (sorted(points) if names is None else names)}


def load_tools(
    names: Iterable[str], sandbox: Sandbox, available: Iterable[EntryPoint] | None = None
) -> dict[str, Tool]:
    """The named tools, each made with the sandbox, in the order of the names; `available` replaces what is installed.

    Raises ConfigurationError for a name that nothing registers, and for a tool that can't be imported.
    """
    points = _points(available)
    tools: dict[str, Tool] = {}
    for name in names:
        make: Callable[[Sandbox], Tool] = _load(_known(name, points))
        tools[name] = make(sandbox)
    return tools


def _points(available: Iterable[EntryPoint] | None) -> dict[str, EntryPoint]:
    return {point.name: point for point in (entry_points(group=GROUP) if available is None else available)}


def _known(name: str, points: Mapping[str, EntryPoint]) -> EntryPoint:
    if name not in points:
        raise ConfigurationError(_unknown(name, sorted(points)))
    if not is_name(name):
        raise ConfigurationError(f"a tool is called {name[:100]!r}; {NAME_RULE}")
    return points[name]


def _load(point: EntryPoint) -> Any:
    try:
        return point.load()
    except (ImportError, AttributeError) as error:
        raise ConfigurationError(f"tool {point.name!r} ({point.value}) can't be imported: {error}") from error


def _unknown(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    if near:
        return f"no tool is called {name!r}: did you mean {near[0]!r}? There are: {', '.join(known)}"
    there = f"there are: {', '.join(known)}" if known else f"none is installed in the entry point group {GROUP}"
    return f"no tool is called {name!r}: {there}"

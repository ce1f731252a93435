"""Tools by name, found through the entry point group `agent0es.tools`."""

from collections.abc import Iterable
from functools import partial
from importlib.metadata import EntryPoint
from typing import Any

from agent0es import plugins
from agent0es.errors import ConfigurationError
from agent0es.sandbox import Sandbox
from agent0es.tools.base import Tool

VERIFIER_TOOLS = ("python", "math", "tests")
"""What a verifier may ask for, whether or not the student may."""


MEMBERS = ("name", "description", "schema", "allowed", "run")
"""What every tool has."""


def tool_classes(names: Iterable[str], available: Iterable[EntryPoint] | None = None) -> dict[str, type[Tool]]:
    """The named tools, not made; `available` replaces what is installed.

    Raises ConfigurationError for a name that nothing registers, and for a tool that can't be imported or is none.
    """
    found: dict[str, type[Tool]] = {name: plugins.load(plugins.TOOLS, name, available) for name in names}
    for name, tool in found.items():
        if (reason := fault(tool, name)) is not None:
            raise plugins.broken(plugins.TOOLS, name, reason, available)
    return found


def installed_tools(available: Iterable[EntryPoint] | None = None) -> dict[str, type[Tool] | ConfigurationError]:
    """Every installed tool, not made, or why it can't be used; `available` replaces what is installed."""
    found: dict[str, type[Tool] | ConfigurationError] = {}
    for name in plugins.installed(plugins.TOOLS, available):
        try:
            found |= tool_classes([name], available)
        except ConfigurationError as error:
            found[name] = error
    return found


def load_tools(
    names: Iterable[str], sandbox: Sandbox, available: Iterable[EntryPoint] | None = None
) -> dict[str, Tool]:
    """The named tools, each made with the sandbox, in the order of the names; `available` replaces what is installed.

    Raises ConfigurationError for a name that nothing registers, and for a tool that can't be imported or made or is
    none.
    """
    return {
        name: plugins.make(plugins.TOOLS, name, sandbox, fault=partial(fault, name=name), available=available)
        for name in names
    }


def fault(tool: Any, name: str) -> str | None:
    """Why this is no tool of this name, made or not, to follow the name; None where it is one."""
    for member in MEMBERS:
        if not hasattr(tool, member):
            return f"has no {member}, which every tool has"
    return None if tool.name == name else f"calls itself {tool.name!r}; name and entry point must be the same"

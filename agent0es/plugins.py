"""The one look-up of plug-ins: entry points by group and name, and what to say of one that is missing or broken.

Built-in parts are registered in the same way as any other package's. Looking a name up imports nothing; only `load`
does, so that a broken plug-in stops those alone who need it.
"""

import difflib
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal

from agent0es.domain.names import NAME_RULE, is_name
from agent0es.errors import ConfigurationError

Group = Literal["agent0es.models", "agent0es.tools", "agent0es.task_domains", "agent0es.rewards"]

MODELS: Group = "agent0es.models"
TOOLS: Group = "agent0es.tools"
TASK_DOMAINS: Group = "agent0es.task_domains"
REWARDS: Group = "agent0es.rewards"

KINDS: Mapping[Group, str] = {
    MODELS: "model backend",
    TOOLS: "tool",
    TASK_DOMAINS: "task domain",
    REWARDS: "reward component",
}
"""Group to what a user calls one of its members."""

LONGEST_REASON = 200
"""Characters of a foreign error message that are shown."""


def installed(group: Group, available: Iterable[EntryPoint] | None = None) -> dict[str, EntryPoint]:
    """Name to entry point, in the order of the names; `available` replaces what is installed.

    Of two packages that register one name the last one found counts, as with Python's own look-up.
    """
    found = entry_points(group=group) if available is None else available
    return {point.name: point for point in sorted(found, key=lambda point: point.name)}


def find(group: Group, name: str, available: Iterable[EntryPoint] | None = None) -> EntryPoint:
    """The entry point of this name. Raises ConfigurationError with the nearest name where nothing registers it, and for
    a name that can't be used."""
    points = installed(group, available)
    if name not in points:
        raise ConfigurationError(unknown(group, name, list(points)))
    if not is_name(name):
        raise ConfigurationError(f"a {KINDS[group]} is called {name[:100]!r}; {NAME_RULE}")
    return points[name]


def load(group: Group, name: str, available: Iterable[EntryPoint] | None = None) -> Any:
    """What a package registers under this name, imported.

    Raises ConfigurationError in one line, with package and version, where nothing does or it can't be imported.
    """
    point = find(group, name, available)
    try:
        return point.load()
    except Exception as error:  # a stranger's package may raise anything while it is imported
        raise broken(group, name, f"can't be imported: {_reason(error)}", available) from error


def make(
    group: Group,
    name: str,
    *arguments: Any,
    fault: Callable[[Any], str | None],
    available: Iterable[EntryPoint] | None = None,
) -> Any:
    """What a package registers under this name, called with the arguments.

    `fault` says why what comes of it doesn't do, to follow its name; None where it does. Raises ConfigurationError in
    one line, as `load` does.
    """
    kind = load(group, name, available)
    try:
        made = kind(*arguments)
        reason = fault(made)
    except ConfigurationError:  # which says it already
        raise
    except Exception as error:  # as above
        raise broken(group, name, f"can't be made: {_reason(error)}", available) from error
    if reason is not None:
        raise broken(group, name, reason, available)
    return made


def broken(group: Group, name: str, reason: str, available: Iterable[EntryPoint] | None = None) -> ConfigurationError:
    """The error of a plug-in that is there and doesn't do, to be raised."""
    point = find(group, name, available)
    package = package_of(point) or "an unknown package"
    return ConfigurationError(f"{KINDS[group]} {point.name!r} ({point.value} of {package}) {reason}")


def package_of(point: EntryPoint) -> str:
    """Name and version of the package that registers it, e.g. `agent0es 0.1.0`; empty where that isn't known."""
    return f"{point.dist.name} {point.dist.version}" if point.dist is not None else ""


def packages_of(used: Mapping[Group, Iterable[str]]) -> dict[str, str]:
    """`group:name` to package and version, for what is used by group. Raises ConfigurationError for what is missing."""
    return {f"{group}:{name}": package_of(find(group, name)) for group, names in used.items() for name in sorted(names)}


def gone(recorded: Mapping[str, str]) -> list[str]:
    """Which of the plug-ins that a run used are not installed any more, each with its package, for a message."""
    return [
        f"the {kind} {name!r} of {package or 'an unknown package'}"
        for group, kind in KINDS.items()
        for name, package in (
            (key.partition(":")[2], of) for key, of in recorded.items() if key.startswith(f"{group}:")
        )
        if name not in installed(group)
    ]


def unknown(group: Group, name: str, known: list[str]) -> str:
    """What to say of a name that nothing registers."""
    kind = KINDS[group]
    shown = name if len(name) <= 60 else name[:59] + "…"
    near = difflib.get_close_matches(name[:60], known, n=1, cutoff=0.5)
    if near:
        return f"no {kind} is called {shown!r}: did you mean {near[0]!r}? There are: {', '.join(known)}"
    there = f"there are: {', '.join(known)}" if known else f"none is installed in the entry point group {group}"
    return f"no {kind} is called {shown!r}: {there}"


def _reason(error: BaseException) -> str:
    """A foreign error in one line of bounded length."""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return text if len(text) <= LONGEST_REASON else text[: LONGEST_REASON - 1] + "…"

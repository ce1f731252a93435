"""Finding plug-ins: entry points by group and name, and the messages about a missing or broken one.

Built-in parts are registered in the same way as any other package's. Looking up a name imports nothing; only `load`
does, so that a broken plug-in stops only what needs it.
"""

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import EntryPoint, entry_points
from traceback import walk_tb
from typing import Any, Literal

from agent0es.domain.names import NAME_RULE, is_name
from agent0es.errors import Agent0Error, ConfigurationError, PluginFailed

Group = Literal[
    "agent0es.models",
    "agent0es.tools",
    "agent0es.task_domains",
    "agent0es.families",
    "agent0es.rewards",
    "agent0es.methods",
    "agent0es.router_signals",
]

MODELS: Group = "agent0es.models"
TOOLS: Group = "agent0es.tools"
TASK_DOMAINS: Group = "agent0es.task_domains"
FAMILIES: Group = "agent0es.families"
REWARDS: Group = "agent0es.rewards"
METHODS: Group = "agent0es.methods"
ROUTER_SIGNALS: Group = "agent0es.router_signals"

KINDS: Mapping[Group, str] = {
    MODELS: "model backend",
    TOOLS: "tool",
    TASK_DOMAINS: "task domain",
    FAMILIES: "task family",
    REWARDS: "reward component",
    METHODS: "training method",
    ROUTER_SIGNALS: "router signal",
}
"""Group to what a user calls one of its members."""

LONGEST_REASON = 200
"""Characters of a foreign error message that are shown."""


def registered(group: Group, available: Iterable[EntryPoint] | None = None) -> list[EntryPoint]:
    """All entry points in the order of their names and packages; `available` replaces what is installed."""
    found = entry_points(group=group) if available is None else available
    return sorted(found, key=lambda point: (point.name, package_of(point)))


def installed(group: Group, available: Iterable[EntryPoint] | None = None) -> list[str]:
    """The names that are registered, each once and in order; `available` replaces what is installed."""
    return list(dict.fromkeys(point.name for point in registered(group, available)))


def find(group: Group, name: str, available: Iterable[EntryPoint] | None = None) -> EntryPoint:
    """The entry point of this name. Raises ConfigurationError for a name that nothing registers, with the nearest one,
    for one that can't be used, and for one that several packages register: nobody knows which of them is meant."""
    points = [point for point in registered(group, available) if point.name == name]
    if not points:
        raise ConfigurationError(unknown(group, name, installed(group, available)))
    if not is_name(name):
        raise ConfigurationError(f"a {KINDS[group]} is called {name[:100]!r}; {NAME_RULE}")
    if len(points) > 1:
        packages = " and ".join(package_of(point) or "an unknown package" for point in points)
        raise ConfigurationError(f"{KINDS[group]} {name!r} is in {packages}; uninstall all of them but one")
    return points[0]


def load(group: Group, name: str, available: Iterable[EntryPoint] | None = None) -> Any:
    """What a package registers under this name, imported.

    Raises ConfigurationError in one line, with package and version, where there is none or it can't be imported.
    """
    point = find(group, name, available)
    try:
        return point.load()
    except (Exception, SystemExit) as error:  # a stranger's package may raise anything while it is imported
        raise broken(group, name, f"can't be imported: {_reason(error)}", available) from error


def make(
    group: Group,
    name: str,
    *arguments: Any,
    fault: Callable[[Any], str | None],
    available: Iterable[EntryPoint] | None = None,
) -> Any:
    """What a package registers under this name, called with the arguments.

    `fault` says what is wrong with the result, to follow its name; None if nothing is. Raises ConfigurationError in one
    line, as `load` does.
    """
    kind = load(group, name, available)
    return _sound(group, name, lambda: kind(*arguments), "made", fault, available)


def value(
    group: Group, name: str, *, fault: Callable[[Any], str | None], available: Iterable[EntryPoint] | None = None
) -> Any:
    """What a package registers under this name, as it is; in all else like `make`."""
    found = load(group, name, available)
    return _sound(group, name, lambda: found, "used", fault, available)


def _sound(
    group: Group,
    name: str,
    make_it: Callable[[], Any],
    done: str,
    fault: Callable[[Any], str | None],
    available: Iterable[EntryPoint] | None,
) -> Any:
    try:
        made = make_it()
        reason = fault(made)
    except ConfigurationError:  # which says it
        raise
    except Exception as error:  # a stranger's code may raise anything
        raise broken(group, name, f"can't be {done}: {_reason(error)}", available) from error
    if reason is not None:
        raise broken(group, name, reason, available)
    return made


def broken(group: Group, name: str, reason: str, available: Iterable[EntryPoint] | None = None) -> ConfigurationError:
    """The error of an installed plug-in that can't be used, to be raised."""
    point = find(group, name, available)
    package = package_of(point) or "an unknown package"
    return ConfigurationError(f"{KINDS[group]} {point.name!r} ({point.value} of {package}) {reason}")


@contextmanager
def answering(group: Group, name: str) -> Iterator[None]:
    """A plug-in at work. What its code raises is raised as PluginFailed, in one line with its package; what is meant
    for a user is raised as it is."""
    try:
        yield
    except Agent0Error:
        raise
    except Exception as error:  # a stranger's code may raise anything
        point = find(group, name)
        own = [
            f" ({frame.f_globals['__name__']}, line {line})"
            for frame, line in walk_tb(error.__traceback__)
            if frame.f_globals.get("__name__", "").partition(".")[0] == point.module.partition(".")[0]
        ]
        where = own[-1] if own else ""
        raise PluginFailed(str(broken(group, name, f"raised {_reason(error)}{where}"))) from error


def package_of(point: EntryPoint) -> str:
    """Name and version of the package that registers it, e.g. `agent0es 0.1.0`; empty if not known."""
    return f"{point.dist.name} {point.dist.version}" if point.dist is not None else ""


def is_built_in(point: EntryPoint) -> bool:
    """Whether it comes with this package."""
    return point.dist is not None and point.dist.name == "agent0es"


def packages_of(used: Mapping[Group, Iterable[str]]) -> dict[str, str]:
    """`group:name` to package and version, for the names used. Raises ConfigurationError for a missing one."""
    return {f"{group}:{name}": package_of(find(group, name)) for group, names in used.items() for name in sorted(names)}


def gone(recorded: Mapping[str, str]) -> list[str]:
    """The plug-ins that a run used and that are no longer installed, each with its package, for a message."""
    return [
        f"the {kind} {name!r} of {package or 'an unknown package'}"
        for group, kind in KINDS.items()
        for name, package in (
            (key.partition(":")[2], of) for key, of in recorded.items() if key.startswith(f"{group}:")
        )
        if name not in installed(group)
    ]


def unknown(group: Group, name: str, known: list[str]) -> str:
    """The message about a name that nothing registers."""
    kind = KINDS[group]
    shown = name if len(name) <= 60 else name[:59] + "…"
    near = difflib.get_close_matches(name[:60], known, n=1, cutoff=0.5)
    if near:
        return f"no {kind} is called {shown!r}: did you mean {near[0]!r}? There are: {', '.join(known)}"
    there = f"there are: {', '.join(known)}" if known else f"none is installed in the entry point group {group}"
    return f"no {kind} is called {shown!r}: {there}"


def _reason(error: BaseException) -> str:
    """A plug-in's error in one line of limited length."""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return text if len(text) <= LONGEST_REASON else text[: LONGEST_REASON - 1] + "…"

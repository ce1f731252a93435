"""Which limits hold for a call: the configuration's, for all tools, for one, and for one in a task domain. Pure."""

import hashlib
import json
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from agent0es.configuration import ToolSettings, ToolsSettings
from agent0es.tools.base import Tool, ToolLimits

MINUTE = 60.0


@dataclass(frozen=True, slots=True)
class Policy:
    """All that is decided about a tool before it is called."""

    tool: str
    limits: ToolLimits
    calls_per_attempt: int | None
    """Calls of this tool in one attempt."""
    calls_per_minute: int | None
    """Calls of this tool in any minute."""

    @property
    def sha256(self) -> str:
        """The same for the same limits and the same list, and for nothing else."""
        said = {
            "tool": self.tool,
            "limits": _plain(self.limits),
            "calls_per_attempt": self.calls_per_attempt,
            "calls_per_minute": self.calls_per_minute,
        }
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def settings_in(settings: ToolsSettings, tools: tuple[str, ...], calls_per_attempt: int) -> ToolsSettings:
    """The settings in a task domain that is made for these tools and so many calls: what is None takes its values."""
    return settings.model_copy(
        update={
            "enabled": settings.enabled or tools,
            "calls_per_attempt": calls_per_attempt
            if settings.calls_per_attempt is None
            else settings.calls_per_attempt,
        }
    )


def policy_of(settings: ToolsSettings, tool: str, domain: str) -> Policy:
    """What holds for a tool in a task domain: the nearest setting wins."""

    own = settings.domains.get(domain, {}).get(tool), settings.of.get(tool)
    general = {
        "timeout_seconds": settings.timeout_seconds,
        "memory_limit_mb": settings.memory_limit_mb,
        "output_limit_bytes": settings.output_limit_bytes,
        "allow": {"python": settings.modules, "shell": settings.commands}.get(tool),
    }
    values: dict[str, Any] = {
        key: next((v for s in own if (v := getattr(s, key, None)) is not None), general.get(key))
        for key in ToolSettings.model_fields
    }
    steps = {}
    if tool == "plan":
        enabled = settings.enabled or ()
        usable = [name for name in enabled if name != "plan" and name in (values["allow"] or enabled)]
        steps = {name: policy_of(settings, name, domain).limits for name in usable}
    limits = ToolLimits(
        timeout_seconds=values["timeout_seconds"],
        memory_limit_mb=values["memory_limit_mb"],
        output_limit_bytes=values["output_limit_bytes"],
        allow=values["allow"],
        steps=steps,
    )
    return Policy(tool, limits, values["calls_per_attempt"], values["calls_per_minute"])


def why_not_allowed(settings: ToolsSettings, tools: Mapping[str, Tool | type[Tool]]) -> str | None:
    """Why something that the settings allow of one of these tools is none of it, in one line; None where all is."""
    given = [("tools.commands", "shell", settings.commands)]
    given += [(f"tools.of.{tool}.allow", tool, own.allow or ()) for tool, own in settings.of.items()]
    for domain, of in settings.domains.items():
        given += [(f"tools.domains.{domain}.{tool}.allow", tool, own.allow or ()) for tool, own in of.items()]
    for key, tool, allow in given:
        there = tools[tool].allowed if tool in tools else ()
        for word in allow:
            if there and word not in there:
                return f"{key}: {tool} has no {word[:60]!r}; there are: {', '.join(there)}"
    return None


class Rates:
    """Counts the calls of the last minute, over the whole run and by tool. The clock is monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._times: dict[str, deque[float]] = {}

    def refusal(self, tool: str, of_all: int | None, of_tool: int | None) -> str | None:
        """Why one more call would be too much for this minute; None, and it counts, where it is not."""
        now = self._clock()
        bounds = [("", of_all, "tool calls"), (f"tool {tool}", of_tool, f"calls of {tool}")]
        for key, bound, what in bounds:
            times = self._times.setdefault(key, deque())
            while times and times[0] <= now - MINUTE:
                times.popleft()
            if bound is not None and len(times) >= bound:
                return f"RateError: {bound} {what} a minute are allowed; try again in {times[0] + MINUTE - now:.0f} s"
        for key, bound, _ in bounds:
            if bound is not None:
                self._times[key].append(now)
        return None


def _plain(limits: ToolLimits) -> dict[str, object]:
    return {
        "timeout_seconds": limits.timeout_seconds,
        "memory_limit_mb": limits.memory_limit_mb,
        "output_limit_bytes": limits.output_limit_bytes,
        "allow": None if limits.allow is None else sorted(limits.allow),
        "steps": {name: _plain(inner) for name, inner in limits.steps.items()},
    }

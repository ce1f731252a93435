"""Tool calls of an attempt, each under its policy, and the events that say what was called and how it ended."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from agent0es.configuration import ToolsSettings
from agent0es.crash_points import reach
from agent0es.decisions.attempt import called, refusal, requested_under
from agent0es.domain import events as ev
from agent0es.log import NewEvent
from agent0es.taskdomains.base import NeedsCall, TaskDomain
from agent0es.tools.base import NO_FILES, Tool, ToolResult, refused
from agent0es.tools.policy import Policy, Rates, policy_of, settings_in
from agent0es.tools.program import RunProgram


@dataclass(frozen=True, slots=True)
class Limits:
    """What may be called at a task of a domain, and within which bounds. A value."""

    domain: str
    settings: ToolsSettings
    """With the domain's own values where the user has none."""

    @classmethod
    def of(cls, domain: TaskDomain, settings: ToolsSettings) -> "Limits":
        """Those of a domain under a user's settings."""
        return cls(domain.name, settings_in(settings, domain.tools, domain.calls_per_attempt))

    def policy(self, tool: str) -> Policy:
        """All that is decided about a tool before it is called."""
        return policy_of(self.settings, tool, self.domain)


@dataclass(frozen=True, slots=True)
class Toolbox:
    """What runs calls."""

    tools: Mapping[str, Tool]
    """Those that the student may call, and those that verifiers call."""
    run_program: RunProgram
    """Runs a verifier's program in the sandbox."""
    tier: str = "none"
    """The isolation of calls."""
    rates: Rates = field(default_factory=Rates)
    """The calls of the last minute."""

    def requested(
        self, limits: Limits, call: str, attempt: str, needed: NeedsCall, purpose: ev.ToolPurpose
    ) -> ev.ToolRequested:
        """The event that stands in the log before a call starts."""
        return requested_under(limits.policy(needed.tool), self.tier, call, attempt, needed, purpose)

    async def call(
        self,
        limits: Limits,
        stream: str,
        requested: ev.ToolRequested,
        files: Mapping[str, str] = NO_FILES,
        made: int = 0,
    ) -> tuple[ToolResult, NewEvent]:
        """Run a call that the log already knows of, and the event that says how it ended.

        `made` is how many calls of the tool the attempt has made before; it binds the student, as rates do, and not
        the verifier.
        """
        policy = limits.policy(requested.tool)
        tool = self.tools.get(requested.tool)
        why: tuple[str, str] | None = None
        if requested.purpose == "solution":
            why = refusal(limits.settings, policy, made) or self._rate(limits.settings, policy)
        if why is not None:
            result = refused(*why)
        elif requested.program is not None:
            result = await self.run_program(requested.program, requested.input, policy.limits)
            reach("tool.ran")
        elif tool is None:
            result = refused(f"Unknown tool {requested.tool!r}", f"tool {requested.tool}")
        else:
            result = await tool.run(requested.input, policy.limits, files)
            reach("tool.ran")
        measured = {
            "wall_seconds": round(result.wall_seconds, 4),
            "cpu_seconds": round(result.cpu_seconds, 4),
            "peak_memory_mb": round(result.peak_memory_mb, 1),
            "stdout_bytes": result.stdout_bytes,
            "stderr_bytes": result.stderr_bytes,
        }
        return result, NewEvent(stream, called(requested, result, files), measured)

    def _rate(self, settings: ToolsSettings, policy: Policy) -> tuple[str, str] | None:
        """Why the student may not make this call now: (line to read, word for the audit); None where it may."""
        why = self.rates.refusal(policy.tool, settings.calls_per_minute, policy.calls_per_minute)
        return None if why is None else (why, "rate")

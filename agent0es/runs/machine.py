"""What is installed here and whether it holds: each plug-in as a run would use it, the sandbox under known attacks."""

import asyncio
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Literal, NamedTuple

from agent0es import bootstrap, plugins
from agent0es.errors import Agent0Error, ConfigurationError, NotInstalled, SandboxUnavailable

if TYPE_CHECKING:
    from agent0es.sandbox import SandboxCommand, SandboxResult, TierName
    from agent0es.sandbox.trial import Outcome

LONGEST_CALL = 10
"""Seconds that a tool has to hand its program over."""


class Usable(NamedTuple):
    """Whether a plug-in can be used."""

    group: plugins.Group
    name: str
    status: Literal["ok", "not installed", "broken"]
    """`not installed`: it needs an extra of agent0es that is not there."""
    reason: str | None
    """Why not, in one line."""


def plugins_checked() -> Iterator[Usable]:
    """Every installed plug-in, imported, looked at and tried."""
    from agent0es.configuration.secrets import text_without_secrets

    for group in plugins.KINDS:
        for name in plugins.installed(group):
            try:
                bootstrap.load_plugin(group, name)
                if group in TRIED:
                    TRIED[group](name)
            except NotInstalled as error:
                yield Usable(group, name, "not installed", text_without_secrets(str(error)))
            except Agent0Error as error:
                yield Usable(group, name, "broken", text_without_secrets(str(error)))
            else:
                yield Usable(group, name, "ok", None)


class NoSandbox:
    """Stands where a tool is given the sandbox, and starts nothing."""

    tier = "none"

    async def run(self, command: "SandboxCommand") -> "SandboxResult":
        """Raises SandboxUnavailable: the tool came as far as this."""
        raise SandboxUnavailable("nothing is started here")

    async def close(self) -> None:
        """There is nothing to close."""


def _try_tool(name: str) -> None:
    """Make a tool, and call it with an empty text, up to the point where it asks the sandbox to run its program."""
    from agent0es.tools import ToolLimits, ToolResult, load_tools

    [tool] = load_tools([name], NoSandbox()).values()

    async def call() -> object:
        return await asyncio.wait_for(tool.run("", ToolLimits()), LONGEST_CALL)

    try:
        with plugins.answering(plugins.TOOLS, name):
            given = asyncio.run(call())
    except SandboxUnavailable:
        return
    if not isinstance(given, ToolResult):
        raise plugins.broken(plugins.TOOLS, name, f"gives no ToolResult, but {type(given).__name__}")


def _try_family(name: str) -> None:
    """Have a family join its domain."""
    from agent0es.taskdomains import load_family, load_task_domains

    domain, there = load_family(name).domain, plugins.installed(plugins.TASK_DOMAINS)
    if domain not in there:
        why = f"has domain={domain!r}, and {plugins.unknown(plugins.TASK_DOMAINS, domain, there)}"
        raise plugins.broken(plugins.FAMILIES, name, why)
    load_task_domains([domain], [name])


def _try_reward(name: str) -> None:
    """Call a reward component once, with the values of a plain attempt."""
    from agent0es.domain.rewards import RewardInputs, value_of

    [component] = bootstrap.load_rewards({name: 1.0}).values()
    with plugins.answering(plugins.REWARDS, name):
        value_of(name, component, RewardInputs(majority_share=0.5, tool_calls=1.0, novelty=0.5, score=1.0))


TRIED: Mapping[plugins.Group, Callable[[str], None]] = {
    plugins.TOOLS: _try_tool,
    plugins.FAMILIES: _try_family,
    plugins.REWARDS: _try_reward,
}
"""What is done with a plug-in once it is loaded. Raises an error of ours where it can't be used."""


async def attacked(tier: "TierName | None" = None, wanted: Collection[str] = ()) -> "list[Outcome]":
    """What came of the known attacks that have one of the texts in their name, of all without texts.

    `tier` is the best that works here by default. Raises ConfigurationError when no attack has such a name,
    SandboxUnavailable.
    """
    from agent0es.sandbox.attacks import ATTACKS
    from agent0es.sandbox.trial import run_attacks

    chosen = [attack for attack in ATTACKS if not wanted or any(text in attack.name for text in wanted)]
    if not chosen:
        raise ConfigurationError("no attack has that in its name; leave out --attack to run all")
    return [outcome async for outcome in run_attacks(tier, chosen)]

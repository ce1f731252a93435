"""The tools by hand: which there are, and one call as a run would make it. Nothing is logged."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from agent0es import bootstrap

if TYPE_CHECKING:
    from agent0es.configuration import Configuration
    from agent0es.tools import ToolResult
    from agent0es.tools.policy import Policy


async def call_by_hand(
    configuration: "Configuration", name: str, text: str, files: Mapping[str, str], domain: str | None
) -> "tuple[Policy, ToolResult]":
    """One call of a tool, enabled or not, under the policy that holds in a task domain, and that policy.

    Raises ConfigurationError or SandboxUnavailable.
    """
    from agent0es.tools import load_tools
    from agent0es.tools.policy import policy_of

    policy = policy_of(configuration.tools, name, domain or configuration.curriculum.domains[0])
    async with bootstrap.sandbox_of(configuration) as sandbox:
        [tool] = load_tools([name], sandbox).values()
        return policy, await tool.run(text, policy.limits, files)

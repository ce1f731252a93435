"""What is installed here and whether it holds: each plug-in as a run would load it, the sandbox under known attacks."""

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Literal, NamedTuple

from agent0es import bootstrap, plugins
from agent0es.errors import ConfigurationError, NotInstalled

if TYPE_CHECKING:
    from agent0es.sandbox import TierName
    from agent0es.sandbox.trial import Outcome


class Usable(NamedTuple):
    """Whether a plug-in can be used."""

    group: plugins.Group
    name: str
    status: Literal["ok", "not installed", "broken"]
    """`not installed`: it needs an extra of agent0es that is not there."""
    reason: str | None
    """Why not, in one line."""


def plugins_checked() -> Iterator[Usable]:
    """Every installed plug-in, imported and looked at."""
    for group in plugins.KINDS:
        for name in plugins.installed(group):
            try:
                bootstrap.load_plugin(group, name)
            except NotInstalled as error:
                yield Usable(group, name, "not installed", str(error))
            except ConfigurationError as error:
                yield Usable(group, name, "broken", str(error))
            else:
                yield Usable(group, name, "ok", None)


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

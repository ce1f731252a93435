"""Declare a task or an attempt bad: the log gets an event, and whatever is built later leaves it out."""

import os
from typing import Any, NamedTuple

from agent0es.domain.events import Retracted
from agent0es.domain.names import stream
from agent0es.log import EventLog, NewEvent


class Retraction(NamedTuple):
    """What was retracted, and what it had tainted by then."""

    event: Retracted
    position: int
    tainted: list[dict[str, Any]]
    """The datasets that hold it and the adapters trained on them, as `provenance.lineage.tainted` has them."""


def account() -> str:
    """Name of the user's account, or its number where it has no name, as in some containers: an actor."""
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"


def retract(log: EventLog, run: str, what: str, reason: str, actor: str) -> Retraction:
    """Retract a task (its number) with its attempts, or one attempt (its name). Takes the lease on the run.

    Raises RetractionError when it is retracted already, UnknownName, RunInUse.
    """
    from agent0es.provenance import adapters, lineage, retraction

    with log.lease(run):
        event = retraction.retract(what, reason, actor, run, log.read(run=run, types=retraction.TYPES))
        [recorded] = log.append([NewEvent(stream("run", run), event)], handler="cli")
        tainted = lineage.tainted(adapters.tell(log.read(run=run, types=adapters.TYPES)), what)
    return Retraction(event, recorded.position, tainted)

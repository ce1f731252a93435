"""The state of a run at a position: nothing but the fold of its events, those of its past as a fork included."""

from functools import reduce

from agent0es.domain.run import RunState, evolve
from agent0es.log import EventLog, History


def state_at(log: EventLog, run: str, position: int | None = None) -> RunState:
    """The run's state after the event at `position`, or after its latest."""
    return reduce(evolve, (recorded.event for recorded in History.of(log, run, position).read()), RunState())

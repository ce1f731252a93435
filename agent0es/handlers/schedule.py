"""schedule: the curriculum decides what the teacher is asked for next, and when an iteration or the run is over.

A bounded number of tasks is in flight: the first ones are requested when the iteration starts, each further one
when one before it is done.
"""

from collections.abc import Sequence

from agent0es.decisions import schedule
from agent0es.domain import events as ev
from agent0es.domain.run import RunState
from agent0es.handlers.base import Ports, Record
from agent0es.log import NewEvent, Recorded
from agent0es.taskdomains import practised_families


class Schedule:
    """TaskRequested, IterationStarted, IterationCompleted and RunCompleted."""

    name = "schedule"
    causes = schedule.CAUSES

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self.concurrency = ports.configuration.execution.tasks_in_flight
        self._families = practised_families(ports.domains)

    async def handle(self, cause: Recorded, state: RunState, record: Record) -> Sequence[NewEvent]:
        if cause.run != self._ports.run:
            return []  # decided at RunForked
        return [
            NewEvent(self._stream(event), event)
            for event in schedule.decide(cause.event, state, self._ports.configuration, self._families)
        ]

    def _stream(self, event: ev.Event) -> str:
        return (
            self._ports.stream("task", event.task) if isinstance(event, ev.TaskRequested) else self._ports.stream("run")
        )

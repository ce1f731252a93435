"""schedule: the curriculum decides what the teacher is asked for next, and when an iteration or the run is over.

A bounded number of tasks is in flight: the first ones are requested when the iteration starts, each further one
when one before it is done.
"""

from collections.abc import Sequence

from agent0es.configuration import Configuration
from agent0es.decisions import schedule
from agent0es.domain import events as ev
from agent0es.domain.names import stream
from agent0es.domain.run import RunState
from agent0es.handlers.base import Record
from agent0es.log import NewEvent, Recorded
from agent0es.taskdomains import Domains, practised_families


class Schedule:
    """TaskRequested, IterationStarted, IterationCompleted and RunCompleted."""

    name = "schedule"
    causes = schedule.CAUSES

    def __init__(self, run: str, configuration: Configuration, domains: Domains) -> None:
        self._run = run
        self._configuration = configuration
        self.concurrency = configuration.execution.tasks_in_flight
        self._families = practised_families(domains)

    async def handle(self, cause: Recorded, state: RunState, record: Record) -> Sequence[NewEvent]:
        if cause.run != self._run:
            return []  # decided at RunForked
        return [
            NewEvent(self._stream(event), event)
            for event in schedule.decide(cause.event, state, self._configuration, self._families)
        ]

    def _stream(self, event: ev.Event) -> str:
        if isinstance(event, ev.TaskRequested):
            return stream("task", self._run, event.task)
        return stream("run", self._run)

"""schedule: the curriculum decides what the teacher is asked for next, and when an iteration or the run is over.

A bounded number of tasks is in flight: the first ones are requested when the iteration starts, each further one
when one before it is done. Where the guard has an adapter rolled back, the one before it is deployed first.
"""

from collections.abc import Sequence

from agent0es.configuration import Configuration
from agent0es.decisions import schedule
from agent0es.domain import events as ev
from agent0es.domain.names import stream
from agent0es.domain.run import RunState, evolve
from agent0es.handlers.base import Record
from agent0es.handlers.serving import Serving
from agent0es.log import NewEvent, Recorded
from agent0es.taskdomains import Domains, practised_families


class Schedule:
    """TaskRequested, IterationStarted, IterationCompleted and RunCompleted; what the guard says: PracticeMeasured,
    AlarmRaised, AdapterRolledBack, RunStopped."""

    name = "schedule"
    causes = schedule.CAUSES

    def __init__(self, run: str, configuration: Configuration, domains: Domains, serving: Serving) -> None:
        self._run = run
        self._configuration = configuration
        self.concurrency = configuration.execution.tasks_in_flight
        self._families = practised_families(domains)
        self._serving = serving

    async def handle(self, cause: Recorded, state: RunState, record: Record) -> Sequence[NewEvent]:
        if cause.run != self._run:
            return []  # decided at RunForked
        decided = schedule.decide(cause.event, state, self._configuration, self._families)
        for event in decided:
            state = evolve(state, event)
            if isinstance(event, ev.AdapterRolledBack):
                await self._serving.serve(state, [event.to] if event.to else [], record)
                await self._serving.retire(state, event.role)
        return [NewEvent(self._stream(event), event) for event in decided]

    def _stream(self, event: ev.Event) -> str:
        if isinstance(event, ev.TaskRequested):
            return stream("task", self._run, event.task)
        return stream("run", self._run)

"""reward: when the last attempt at a task is judged, each attempt and the teacher get their rewards. Pure."""

from collections.abc import Mapping, Sequence

from agent0es.configuration import Configuration
from agent0es.decisions.reward import decide
from agent0es.domain import events as ev
from agent0es.domain.names import stream
from agent0es.domain.rewards import RewardComponent
from agent0es.domain.run import RunState
from agent0es.handlers.base import Record
from agent0es.log import NewEvent, Recorded


class Reward:
    """RewardAssigned for every attempt and for the teacher, and TaskCompleted."""

    name = "reward"
    causes = frozenset({ev.Verified})

    def __init__(self, run: str, configuration: Configuration, components: Mapping[str, RewardComponent]) -> None:
        self._run = run
        self._weights = configuration.rewards.weights
        self._components = components
        self.concurrency = configuration.execution.tasks_in_flight

    async def handle(self, cause: Recorded, state: RunState, record: Record) -> Sequence[NewEvent]:
        verified = cause.event
        assert isinstance(verified, ev.Verified)
        task = state.in_flight.get(verified.task or 0)
        if task is None or not task.verified:
            return []
        own = stream("task", self._run, task.request.task)
        return [NewEvent(own, event) for event in decide(task, self._components, self._weights)]

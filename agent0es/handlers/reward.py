"""reward: when the last attempt at a task is judged, each attempt and the teacher get their rewards. Pure."""

from collections.abc import Sequence

from agent0es.decisions.reward import decide
from agent0es.domain import events as ev
from agent0es.domain.run import RunState
from agent0es.handlers.base import Ports, Record
from agent0es.log import NewEvent, Recorded


class Reward:
    """RewardAssigned for every attempt and for the teacher, and TaskCompleted."""

    name = "reward"
    causes = frozenset({ev.Verified})

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self.concurrency = ports.configuration.execution.tasks_in_flight

    async def handle(self, cause: Recorded, state: RunState, record: Record) -> Sequence[NewEvent]:
        verified = cause.event
        assert isinstance(verified, ev.Verified)
        task = state.in_flight.get(verified.task or 0)
        if task is None or not task.verified:
            return []
        weights = self._ports.configuration.rewards.weights
        stream = self._ports.stream("task", task.request.task)
        return [NewEvent(stream, event) for event in decide(task, self._ports.rewards, weights)]

"""schedule: the curriculum decides what the teacher is asked for next, and when an iteration or the run is over.

A bounded number of tasks is in flight: the first ones are requested when the iteration starts, each further one
when one before it is done. The number of the next task follows from how many are done at the cause, so that
deciding twice comes to the same.
"""

from collections.abc import Sequence

from agent0es.configuration import Configuration
from agent0es.domain import events as ev
from agent0es.domain.curriculum import FamilyStatistics, choose_families, offer
from agent0es.domain.run import RunState
from agent0es.domain.seeds import derive_seed
from agent0es.handlers.base import Ports, Record
from agent0es.log import NewEvent, Recorded


class Schedule:
    """TaskRequested, IterationStarted, IterationCompleted and RunCompleted."""

    name = "schedule"
    causes: frozenset[type[ev.Event]] = frozenset(
        {
            ev.RunStarted,
            ev.IterationStarted,
            ev.TaskCompleted,
            ev.ProposalRejected,
            ev.HandlerFailed,
            ev.AdapterPromoted,
            ev.AdapterRejected,
            ev.TrainingFailed,
        }
    )

    def __init__(self, ports: Ports) -> None:
        self._ports = ports
        self.concurrency = ports.configuration.execution.tasks_in_flight
        self._families = [family.name for family in ports.domain.families("practised")]

    async def handle(self, cause: Recorded, state: RunState, record: Record) -> Sequence[NewEvent]:
        return [
            NewEvent(self._stream(event), event)
            for event in decide(cause.event, state, self._ports.configuration, self._families)
        ]

    def _stream(self, event: ev.Event) -> str:
        return (
            self._ports.stream("task", event.task) if isinstance(event, ev.TaskRequested) else self._ports.stream("run")
        )


def decide(event: ev.Event, state: RunState, configuration: Configuration, families: Sequence[str]) -> list[ev.Event]:
    """What follows from an event for the course of the run. Pure."""
    execution = configuration.execution
    done = state.completed + state.given_up
    if state.status == "completed":  # what comes later, such as a rebuilt adapter, does not change its course
        return []
    match event:
        case ev.RunStarted():
            return [ev.IterationStarted(iteration=1)]
        case ev.IterationStarted():
            numbers = range(1, min(execution.tasks_in_flight, execution.tasks_per_iteration) + 1)
            return list(_requests(numbers, state, configuration, families))
        case ev.TaskCompleted() | ev.ProposalRejected(tries_left=0) | ev.HandlerFailed(task=int()):
            if done == execution.tasks_per_iteration:
                return [
                    ev.IterationCompleted(
                        iteration=state.iteration,
                        tasks=state.completed,
                        given_up=state.given_up,
                        attempts=state.attempts,
                        solved=state.solved,
                    )
                ]
            number = execution.tasks_in_flight + done
            if number > execution.tasks_per_iteration:
                return []
            return list(_requests(range(number, number + 1), state, configuration, families))
        case ev.AdapterPromoted() | ev.AdapterRejected() | ev.TrainingFailed():
            settled = {a.role for a in state.adapters.values() if a.iteration == state.iteration and a.settled}
            if settled != set(configuration.training.roles):
                return []
            if state.iteration < execution.iterations:
                return [ev.IterationStarted(iteration=state.iteration + 1)]
            return [ev.RunCompleted(iterations=state.iteration, serving=dict(state.serving))]
        case _:
            return []


def _requests(
    numbers: range, state: RunState, configuration: Configuration, families: Sequence[str]
) -> list[ev.TaskRequested]:
    """Requests for tasks `numbers` (counted within the iteration), each aware of those before it."""
    curriculum = configuration.curriculum
    start = FamilyStatistics(difficulty=curriculum.start_difficulty)
    statistics = {family: state.families.get(family, start) for family in families}
    in_flight = [
        task.task.family if task.proposal else next(iter(offer(task.request))) for task in state.in_flight.values()
    ]
    base = (state.iteration - 1) * configuration.execution.tasks_per_iteration
    requests = []
    for number in numbers:
        seed = derive_seed(state.seed, "task", base + number)
        chosen = choose_families(families, statistics, in_flight, curriculum.candidates, seed)
        request = ev.TaskRequested(
            task=base + number,
            iteration=state.iteration,
            domain=curriculum.domain,
            families=chosen,
            novelty_bar=curriculum.novelty_bar,
            seed=seed,
        )
        in_flight.append(next(iter(offer(request))))
        requests.append(request)
    return requests

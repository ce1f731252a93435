"""What the teacher is asked for next, and when an iteration or the run is over.

The number of the next task follows from how many are done at the cause, so that deciding twice gives the same.

A fork may change how many tasks an iteration has and how many are in flight. So what its parent's schedule had not
decided yet is decided when the fork begins, from the state as a whole.
"""

import random
from collections.abc import Mapping, Sequence
from functools import reduce

from agent0es.configuration import Configuration
from agent0es.decisions import guard
from agent0es.domain import events as ev
from agent0es.domain.curriculum import Aim, DomainStatistics, choose_domain, choose_families, offer
from agent0es.domain.run import RunState, evolve
from agent0es.domain.seeds import derive_seed
from agent0es.taskdomains.freeform import family_of

CAUSES: frozenset[type[ev.Event]] = frozenset(
    {
        ev.RunStarted,
        ev.RunForked,
        ev.IterationStarted,
        ev.TaskCompleted,
        ev.ProposalRejected,
        ev.HandlerFailed,
        ev.IterationCompleted,
        ev.AdapterPromoted,
        ev.AdapterRejected,
        ev.TrainingFailed,
    }
)
"""From what the course of a run follows."""


def decide(
    event: ev.Event, state: RunState, configuration: Configuration, families: Mapping[str, Sequence[str]]
) -> list[ev.Event]:
    """What follows from an event for the course of the run."""
    execution = configuration.execution
    if state.status == "completed":  # what comes later, such as a rebuilt adapter, does not change its course
        return []
    reach = execution.tasks_in_flight + state.completed + state.given_up
    most = min(execution.tasks_per_iteration, reach)
    match event:
        case ev.RunStarted():
            return [ev.IterationStarted(iteration=1)]
        case ev.RunForked() if state.phase == "":
            return [ev.IterationStarted(iteration=1)]
        case ev.RunForked() if state.phase != "practice":
            return _after_practice(state, configuration)
        case ev.RunForked() | ev.IterationStarted():
            return _requests(state.requested + 1, most, state, configuration, families) or _practised(
                state, configuration
            )
        case ev.TaskCompleted() | ev.ProposalRejected(tries_left=0) | ev.HandlerFailed(task=int()):
            first = max(reach, state.requested + 1)  # a fork's parent may have had more tasks in flight
            return _requests(first, most, state, configuration, families) or _practised(state, configuration)
        case ev.IterationCompleted() if not configuration.training.roles:  # nobody is trained, so no gate comes by
            return _after_practice(state, configuration)
        case ev.AdapterPromoted() | ev.AdapterRejected() | ev.TrainingFailed():
            return _after_practice(state, configuration)
        case _:
            return []


def _practised(state: RunState, configuration: Configuration) -> list[ev.Event]:
    """IterationCompleted when nothing is left to do in the iteration's practice."""
    if state.in_flight or state.completed + state.given_up < configuration.execution.tasks_per_iteration:
        return []
    return [
        ev.IterationCompleted(
            iteration=state.iteration,
            tasks=state.completed,
            given_up=state.given_up,
            attempts=state.attempts,
            solved=state.solved,
        )
    ]


def _after_practice(state: RunState, configuration: Configuration) -> list[ev.Event]:
    """What the guard says, then the next iteration or the end, when the gate has decided on every role's adapter."""
    settled = {a.role for a in state.adapters.values() if a.iteration == state.iteration and a.settled}
    if not settled >= set(configuration.training.roles):
        return []
    watched = guard.watch(state, configuration.guard)
    state = reduce(evolve, watched, state)
    if state.iteration < configuration.execution.iterations:
        stopped = guard.stop(state, configuration.guard, configuration.training.roles)
        if stopped is None:
            return [*watched, ev.IterationStarted(iteration=state.iteration + 1)]
        watched.append(stopped)
    return [*watched, ev.RunCompleted(iterations=state.iteration, serving=dict(state.serving))]


def _requests(
    first: int, last: int, state: RunState, configuration: Configuration, families: Mapping[str, Sequence[str]]
) -> list[ev.Event]:
    """Requests for tasks `first` to `last` (counted within the iteration), each aware of those before it."""
    curriculum = configuration.curriculum
    aim = Aim(
        curriculum.steered,
        curriculum.start_difficulty,
        curriculum.candidates,
        curriculum.band,
        curriculum.domain_floor if curriculum.steered else 1.0,
        curriculum.novelty_share,
        curriculum.review_share,
        configuration.evaluation.max_difficulty,
    )
    domains = {name: state.domains.get(name, DomainStatistics()) for name in families}
    in_flight = [
        task.task.family if task.proposal else next(iter(offer(task.request))) for task in state.in_flight.values()
    ]
    requests: list[ev.Event] = []
    for number in range(state.earlier + first, state.earlier + last + 1):
        seed = derive_seed(state.seed, "task", number)
        domain = choose_domain(domains, aim.domain_floor, number)
        freely = random.Random(derive_seed(seed, "source")).random() < curriculum.freeform_share
        if freely:
            own = family_of(domain)
            known = state.families.get(own)
            chosen = {own: curriculum.start_difficulty if known is None else known.difficulty}
            if not aim.steered:
                chosen = {own: round(random.Random(derive_seed(seed, "difficulty")).random(), 4)}
        else:
            chosen = choose_families(families[domain], state.families, domains[domain], in_flight, aim, seed)
        request = ev.TaskRequested(
            task=number,
            iteration=state.iteration,
            domain=domain,
            source="freeform" if freely else "families",
            families=chosen,
            novelty_bar=curriculum.novelty_bar,
            seed=seed,
        )
        in_flight.append(next(iter(offer(request))))
        requests.append(request)
    return requests

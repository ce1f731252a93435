"""The course of a run: given a state and an event, what follows."""

from dataclasses import replace

from agent0es.configuration import Configuration, load_configuration
from agent0es.decisions.schedule import decide
from agent0es.domain import events as ev
from agent0es.domain.adapter import Adapter
from agent0es.domain.run import RunState, evolve

FAMILIES = {"math": ["add", "gcd", "reverse", "percent"]}


def configured(tasks: int = 5, in_flight: int = 2, iterations: int = 2) -> Configuration:
    return load_configuration(
        overrides=[
            f"execution.tasks_per_iteration={tasks}",
            f"execution.tasks_in_flight={in_flight}",
            f"execution.iterations={iterations}",
            "guard.on_fall=ignore",
        ],
        environment={},
    )


def running(iteration: int = 1, **changes: int) -> RunState:
    return replace(RunState(status="running", iteration=iteration, phase="practice", seed=7), **changes)


def completed(task: int) -> ev.TaskCompleted:
    return ev.TaskCompleted(task=task, iteration=1, family="gcd", difficulty=0.5, attempts=4, solved=2)


def numbers(events: list[ev.Event]) -> list[int]:
    return [event.task for event in events if isinstance(event, ev.TaskRequested)]


def test_a_run_begins_with_its_first_iteration() -> None:
    started = ev.RunStarted(seed=7, configuration={}, code_version="0", weights={})
    assert decide(started, running(), configured(), FAMILIES) == [ev.IterationStarted(iteration=1)]


def test_an_iteration_begins_with_as_many_requests_as_may_be_in_flight() -> None:
    assert numbers(decide(ev.IterationStarted(iteration=1), running(), configured(), FAMILIES)) == [1, 2]


def test_each_task_that_is_done_makes_room_for_one_more() -> None:
    assert numbers(decide(completed(1), running(completed=1), configured(), FAMILIES)) == [3]
    given_up = ev.ProposalRejected(task=2, iteration=1, reason="duplicate", detail="", text="", tries_left=0)
    assert numbers(decide(given_up, running(completed=1, given_up=1), configured(), FAMILIES)) == [4]


def test_a_refused_proposal_with_tries_left_changes_nothing() -> None:
    refused = ev.ProposalRejected(task=2, iteration=1, reason="duplicate", detail="", text="", tries_left=1)
    assert decide(refused, running(), configured(), FAMILIES) == []


def test_the_last_task_ends_the_practice() -> None:
    state = running(completed=4, given_up=1, attempts=16, solved=9)
    assert decide(completed(5), state, configured(), FAMILIES) == [
        ev.IterationCompleted(iteration=1, tasks=4, given_up=1, attempts=16, solved=9)
    ]


def test_task_numbers_go_on_over_the_iterations() -> None:
    state = running(iteration=2, earlier=5)
    assert numbers(decide(ev.IterationStarted(iteration=2), state, configured(), FAMILIES)) == [6, 7]


def settled(iteration: int, *roles: str) -> RunState:
    adapters = {
        f"{role}-{iteration}": Adapter(role=role, iteration=iteration, outcome="rejected")  # type: ignore[arg-type]
        for role in roles
    }
    return replace(running(iteration), adapters=adapters)


def test_after_the_gate_comes_the_next_iteration_or_the_end() -> None:
    rejected = ev.AdapterRejected(adapter="student-1", role="student", iteration=1, reason="")
    assert decide(rejected, settled(1, "student"), configured(), FAMILIES) == [ev.IterationStarted(iteration=2)]
    [end] = decide(rejected, settled(2, "student"), configured(), FAMILIES)
    assert isinstance(end, ev.RunCompleted)


def test_where_teacher_and_student_are_trained_both_must_have_passed_the_gate() -> None:
    both = load_configuration(
        overrides=["training.roles=[student, teacher]", "execution.iterations=2", "guard.on_fall=ignore"],
        environment={},
    )
    rejected = ev.AdapterRejected(adapter="student-1", role="student", iteration=1, reason="")
    assert decide(rejected, settled(1, "student"), both, FAMILIES) == []
    assert decide(rejected, settled(1, "student", "teacher"), both, FAMILIES) == [ev.IterationStarted(iteration=2)]


def test_every_number_is_requested_once_and_the_iteration_ends_once_in_whatever_order_tasks_finish() -> None:
    settings = configured(tasks=9, in_flight=4)
    state = running()
    requested = numbers(decide(ev.IterationStarted(iteration=1), state, settings, FAMILIES))
    ends = 0
    for task in (2, 1, 4, 6, 3, 5, 9, 7, 8):
        event = completed(task)
        state = evolve(state, event)
        events = decide(event, state, settings, FAMILIES)
        requested += numbers(events)
        ends += sum(isinstance(e, ev.IterationCompleted) for e in events)
    assert requested == list(range(1, 10))
    assert ends == 1


def test_a_rebuilt_adapter_does_not_complete_a_run_again() -> None:
    promoted = ev.AdapterPromoted(adapter="student-1-clean", role="student", iteration=1, score=1.0, reason="")
    state = replace(running(), status="completed", adapters={"student-1-clean": Adapter("student", 1)})
    settled = replace(state, adapters={"student-1-clean": Adapter("student", 1, outcome="promoted")})
    assert decide(promoted, settled, configured(iterations=1), FAMILIES) == []


def forked() -> ev.RunForked:
    return ev.RunForked(parent="p", position=1, seed=7, configuration={}, code_version="0", weights={})


def test_a_fork_goes_on_with_what_its_parent_left_open() -> None:
    assert decide(forked(), RunState(status="running", seed=7), configured(), FAMILIES) == [
        ev.IterationStarted(iteration=1)
    ]
    assert numbers(decide(forked(), running(requested=2, completed=2), configured(in_flight=3), FAMILIES)) == [3, 4, 5]
    assert decide(forked(), running(requested=4, completed=2), configured(in_flight=1), FAMILIES) == []
    [end] = decide(forked(), running(requested=5, completed=5), configured(), FAMILIES)
    assert isinstance(end, ev.IterationCompleted)
    done = replace(settled(1, "student"), phase="evaluation")
    assert decide(forked(), done, configured(), FAMILIES) == [ev.IterationStarted(iteration=2)]


def test_what_a_parent_with_more_tasks_in_flight_requested_is_not_requested_again() -> None:
    settings = configured(tasks=6, in_flight=1)
    assert numbers(decide(completed(1), running(requested=4, completed=1), settings, FAMILIES)) == []
    assert numbers(decide(completed(4), running(requested=4, completed=4), settings, FAMILIES)) == [5]

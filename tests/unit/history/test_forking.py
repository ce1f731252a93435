"""Forks: a new run goes on from any event of another one, which stays byte for byte as it is."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import text

from agent0es.domain import events as ev
from agent0es.errors import ConfigurationError, PositionNotFound
from agent0es.log import EventLog, History, Recorded
from agent0es.projections import Projections
from agent0es.projections.state import state_at
from agent0es.runs.settings import configuration_of
from tests.support import world


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def log(store: Path) -> Iterator[EventLog]:
    """A log with one finished run."""
    with EventLog.open(":memory:") as log:
        world.begin(log, "parent")
        world.complete(log, "parent", store)
        yield log


def rows(log: EventLog, run: str) -> list[tuple[object, ...]]:
    """Everything that the database holds of a run."""
    queries = (
        "SELECT * FROM events WHERE run = :run ORDER BY seq",
        "SELECT * FROM handled WHERE run = :run ORDER BY 2, 3",
    )
    with log._datastore.read() as connection:
        found = [row for query in queries for row in connection.execute(text(query), {"run": run})]
    return [tuple(row) for row in found]


def assert_whole(log: EventLog, run: str, tasks: int) -> None:
    """Every task of the history was requested once and ended once; every attempt ended and was judged once."""
    events = [recorded.event for recorded in History.of(log, run).read()]
    requested = [event.task for event in events if isinstance(event, ev.TaskRequested)]
    assert sorted(requested) == list(range(1, tasks + 1))
    done = [event.task for event in events if isinstance(event, ev.TaskCompleted)]
    given_up = [event.task for event in events if isinstance(event, ev.ProposalRejected) and event.tries_left == 0]
    assert sorted(done + given_up) == sorted(requested)
    submitted = [event.attempt.split(".")[0] for event in events if isinstance(event, ev.SolutionSubmitted)]
    judged = [event.attempt.split(".")[0] for event in events if isinstance(event, ev.Verified)]
    assert sorted(set(submitted)) == sorted(set(judged))
    practised = [name for name in judged if name[0].isdigit()]
    assert len(practised) == len(set(practised))
    assert isinstance(events[-1], ev.RunCompleted)


def everywhere(recorded: list[Recorded]) -> Iterable[int]:
    """Every position of a run but its last."""
    return (one.position for one in recorded[:-1])


def between_kinds(recorded: list[Recorded]) -> Iterable[int]:
    """One position between each two kinds of events that follow one another somewhere in a run."""
    return {(one.event.type, next_one.event.type): one.position for one, next_one in pairwise(recorded)}.values()


@pytest.mark.parametrize("places", [between_kinds, pytest.param(everywhere, marks=pytest.mark.slow)])
def test_a_fork_at_any_position_runs_to_its_end_and_leaves_its_parent_alone(
    log: EventLog, store: Path, places: Callable[[list[Recorded]], Iterable[int]]
) -> None:
    before, positions = rows(log, "parent"), list(places(list(log.read(run="parent"))))
    assert len(positions) > 30
    assert {"AdapterEvaluated", "DatasetBuilt", "ProposalRejected"} <= set(world.contents(log, "parent"))
    for position in positions:
        child = f"{places.__name__}-{position}"
        world.fork(log, child, "parent", position)
        assert state_at(log, child).in_flight == state_at(log, "parent", position).in_flight
        assert world.complete(log, child, store).status == "completed"
        assert_whole(log, child, tasks=3)
    assert rows(log, "parent") == before
    assert log.verify().ok
    own = Counter(recorded.run for recorded in log.read(types=["TaskCompleted"]))
    begun = {run: bool(list(History.of(log, run).read(types=["IterationStarted"]))) for run in log.runs()}
    with Projections.open(log, None) as tables:
        tables.catch_up()
        shown = list(tables.query("SELECT run, tasks, iteration FROM runs").rows)
        practised = dict(tables.query("SELECT run, sum(tasks)::BIGINT FROM iterations GROUP BY run").rows)
        named = list(tables.query("SELECT count(*) FROM attempts WHERE task IS NOT NULL AND family IS NULL").rows)
    assert {run: tasks for run, tasks, _ in shown} == {run: own[run] for run in begun}
    assert {run: tasks for run, tasks in practised.items() if tasks} == {
        run: tasks for run, tasks in own.items() if tasks
    }
    assert {run: iteration == 1 for run, _, iteration in shown} == begun
    assert named == [(0,)], "each attempt's task is known, also one that was asked for before the fork"


@pytest.mark.parametrize(
    ("settings", "tasks"),
    [
        (["execution.tasks_per_iteration=5", "execution.tasks_in_flight=1"], 5),
        (["execution.tasks_in_flight=3", "curriculum.proposal_tries=1", "execution.attempts=1"], 3),
        (["seed=9", "rewards.weights.novelty=0.0", "evaluation.held_out_problems=2"], 3),
    ],
)
def test_a_fork_may_have_another_pace_seed_and_rewards(
    log: EventLog, store: Path, settings: list[str], tasks: int
) -> None:
    practised = next(log.read(run="parent", types=["IterationCompleted"])).position
    for position in range(2, practised, 9):
        child = f"{settings[0].replace('=', '-')}-{position}"
        world.fork(log, child, "parent", position, *settings)
        assert world.complete(log, child, store).status == "completed"
        assert_whole(log, child, tasks)


def test_with_fewer_tasks_those_in_flight_are_still_finished(log: EventLog, store: Path) -> None:
    third = [r.position for r in log.read(run="parent", types=["TaskRequested"])][2]
    world.fork(log, "fewer", "parent", third, "execution.tasks_per_iteration=1")
    world.complete(log, "fewer", store)
    assert_whole(log, "fewer", tasks=3)


def test_a_fork_of_a_fork_sees_the_past_of_both(log: EventLog, store: Path) -> None:
    world.fork(log, "first", "parent", 40, "rewards.weights.novelty=0.1")
    world.complete(log, "first", store)
    own = [recorded.position for recorded in log.read(run="first")]
    before = rows(log, "parent"), rows(log, "first")
    for number, position in enumerate([20, 40, own[0], own[len(own) // 3], own[-2]]):
        child = f"second-{number}"
        world.fork(log, child, "first", position, "execution.attempts=1")
        history = list(History.of(log, child).read())
        assert [r.position for r in history] == sorted({r.position for r in history})
        runs = {r.run for r in history}
        assert runs == ({"parent", child} if position <= 40 else {"parent", "first", child})
        assert configuration_of(log, child).rewards.weights["novelty"] == (0.2 if position <= 40 else 0.1)
        world.complete(log, child, store)
        assert_whole(log, child, tasks=3)
    assert (rows(log, "parent"), rows(log, "first")) == before


def test_a_completed_run_goes_on_for_more_iterations_with_its_adapter_where_it_lies(log: EventLog, store: Path) -> None:
    end = list(log.read(run="parent"))[-1].position
    serving = state_at(log, "parent").serving["student"]
    assert serving == "student-1"
    world.fork(log, "longer", "parent", end, "execution.iterations=2")
    state = world.complete(log, "longer", store)
    assert_whole(log, "longer", tasks=6)
    started = [r.event for r in log.read(run="longer", types=["AttemptStarted"])]
    assert {event.adapter for event in started if isinstance(event, ev.AttemptStarted) and event.task} == {serving}
    trained = state.adapters["student-1"].trained, state.adapters["student-2"].trained
    assert trained[0] is not None and trained[0].path == "adapters/parent/student-1"
    assert trained[1] is not None and trained[1].path == "adapters/longer/student-2"
    asked = {r.stream.split("/")[3] for r in log.read(run="longer", types=["Verified"]) if "/eval/" in r.stream}
    assert asked == {"student-2"}, "what the others answered is known"


@pytest.mark.parametrize(
    ("where", "settings", "why"),
    [
        ("RunCompleted", [], "is completed there; set execution.iterations to more than 1"),
        ("TaskProposed", ["curriculum.domains=[logic]"], "curriculum.domains can't change"),
        ("DatasetBuilt", ["training.roles=[student,teacher]"], "training.roles can't change while"),
        ("AdapterTrained", ["models.student.name=other"], "models.student can't be another model"),
        (
            "TaskProposed",
            ["execution.attempt=1"],
            "--set execution.attempt: unknown key; did you mean execution.attempts",
        ),
    ],
)
def test_changes_that_make_no_sense_are_refused(log: EventLog, where: str, settings: list[str], why: str) -> None:
    position = next(log.read(run="parent", types=[where])).position
    head = log.head()
    with pytest.raises(ConfigurationError, match=why):
        world.fork(log, "no", "parent", position, *settings)
    assert log.head() == head


def test_a_position_that_the_run_has_not_been_at_is_refused(log: EventLog) -> None:
    with pytest.raises(PositionNotFound, match=r"run parent has no position 100000; its history goes from 1 to \d+$"):
        world.fork(log, "no", "parent", 100_000)

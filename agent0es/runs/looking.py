"""Look at runs: a list of all, one at a glance, its state at a position or a time, one attempt, one task."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent0es import bootstrap
from agent0es.domain.events import ProblemAsked, RouteAsked
from agent0es.domain.names import ROUTES, Routed, is_evaluation, is_name, problem_of, read_attempt, stream
from agent0es.errors import QueryError, RunNotFound, UnknownName, UserError, nearest
from agent0es.log import EventLog, History
from agent0es.runs.finding import files_of, find_run
from agent0es.runs.settings import configuration_of

if TYPE_CHECKING:
    from agent0es.domain.task import Task
    from agent0es.projections import Projections
    from agent0es.provenance.standing import Status


def all_runs(log: EventLog, tables: "Projections") -> list[dict[str, Any]]:
    """The row of each run in the table `runs`, the oldest first; the status is what it is now. With one that trains,
    `training` is the adapter and how far it is."""
    from agent0es.projections import overview
    from agent0es.provenance.standing import standing

    now, trains = standing(log, tables), overview.training_now(tables)
    return [
        {
            **row,
            "status": now[row["run"]],
            "training": trains.get(row["run"]) if now[row["run"]] == "training" else None,
        }
        for row in overview.all_runs(tables)
    ]


def one_run(log: EventLog, tables: "Projections", store: Path, wanted: str) -> dict[str, Any]:
    """A run at a glance: its row, its rows in the tables that say more, and where its files are. Raises RunNotFound."""
    from agent0es.projections import PROJECTIONS_FILE
    from agent0es.projections.overview import overview
    from agent0es.provenance.standing import standing

    try:
        run = find_run(log, wanted)
    except RunNotFound as error:
        if wanted.isdecimal() and not any(name.startswith(wanted) for name in log.runs()):
            error.see = ("show", "--task", wanted)
            error.args = (f"there is no run {wanted!r} in this store; for the task of that number use",)
        raise
    now = standing(log, tables)[run]
    files = {name: str(path) for name, path in files_of(store, run).items()}
    places = {"log": files.pop("log"), "projections": str(store / PROJECTIONS_FILE), **files}
    return {**overview(tables, run), "status": now, "files": places}


def adapter(log: EventLog, tables: "Projections", run: str, name: str) -> dict[str, Any]:
    """An adapter's row, how its training went or goes, and where memory ran out in it. Raises UnknownName."""
    from agent0es.projections.overview import adapters_of, training

    found = training(tables, run, name)
    if found is None:
        known = adapters_of(tables, run)
        raise UnknownName(f"run {run} has no adapter {name!r}; {nearest(name, known) if known else 'it trained none'}")
    events = log.read(stream=stream("adapter", run, name), types=["MicroBatchHalved"])
    return {**found, "halved": [recorded.event.model_dump(mode="json") for recorded in events]}


def is_adapter(log: EventLog, run: str, name: str) -> bool:
    """Whether a run has begun to train an adapter of this name."""
    return is_name(name) and any(log.read(stream=stream("adapter", run, name), limit=1))


def standing_of(log: EventLog, tables: "Projections", run: str) -> "tuple[Status, list[str]]":
    """How a run stands, and the adapters in use that learnt from what was retracted since."""
    from agent0es.projections.overview import tainted
    from agent0es.provenance.standing import standing

    return standing(log, tables)[run], tainted(tables, run)


def state(
    log: EventLog, store: Path, run: str, *, position: int | None = None, time: str | None = None
) -> dict[str, Any]:
    """The state after the event at a position, or at a time: ISO 8601, UTC where it names no zone.

    Raises QueryError for a time that is none, or when both are given; PositionNotFound.
    """
    from agent0es.history.positions import check_position, position_at
    from agent0es.history.view import view
    from agent0es.projections.snapshots import SNAPSHOTS_FILE, Snapshots

    if (position is None) == (time is None):
        raise QueryError("--at and --time both name a point of the log; leave one out")
    if time is not None:
        try:
            wanted = datetime.fromisoformat(time)
        except ValueError:
            raise QueryError(f"--time {time}: write it as in 2026-01-31T12:30:00") from None
        position = position_at(log, run, wanted)
    assert position is not None
    check_position(log, run, position)
    with Snapshots(log, store / SNAPSHOTS_FILE) as snapshots:
        return view(log, run, snapshots.state_at(run, position), position)


def last_position(log: EventLog, run: str) -> int:
    """The position of a run's last event."""
    from agent0es.history.positions import bounds

    return bounds(log, run)[1]


def attempt(log: EventLog, run: str, name: str) -> dict[str, Any]:
    """Everything that the log has of an attempt, with the problem that was asked. Raises UnknownName."""
    from agent0es.provenance import whole

    found = whole.attempt(History.of(log, run), run, name)
    if found["task"] is None:
        _find_problem(log, found)
    return found


def task(log: EventLog, run: str, number: int) -> dict[str, Any]:
    """Everything that the log has of a task, and each of its attempts in short. Raises UnknownName."""
    from agent0es.provenance import whole

    return whole.task(History.of(log, run), run, number)


def tasks(tables: "Projections", run: str, after: int, limit: int) -> list[dict[str, Any]]:
    """Rows of the table `tasks`: the first ones of a run whose number is above `after`."""
    from agent0es.projections import overview

    return overview.tasks(tables, run, after, limit)


def routes(tables: "Projections", before: int | None, limit: int) -> list[dict[str, Any]]:
    """Rows of the table `routes`, the latest first; only those before a position where one is given."""
    from agent0es.projections import overview

    return overview.routes(tables, before, limit)


def evaluations(log: EventLog) -> list[dict[str, Any]]:
    """Every evaluation by itself in short, the oldest first; `running` is true where a process asks now."""
    from agent0es.provenance.scores import listed

    running = log.drivers()
    return [{**row, "running": row["evaluation"] in running} for row in listed(log)]


def evaluation(log: EventLog, name: str) -> dict[str, Any]:
    """An evaluation with its scores, comparisons, leaks and answers. Raises UnknownName."""
    from agent0es.provenance.scores import scores

    return scores(log, name)


def _find_problem(log: EventLog, found: dict[str, Any]) -> None:
    """Add the held-out problem to an attempt's record, or why it is not known. It must be the one in the prompt."""
    try:
        problem = held_out_task(log, found["run"], found["attempt"])
    except UserError as error:
        found["problem_unknown"] = f"not known: {error}"
        return
    prompts = [step["prompt"] for step in found["steps"] if step["kind"] == "reply"]
    if found["run"] == ROUTES or all(problem.description in prompt for prompt in prompts):
        found["problem"] = problem.model_dump(mode="json")
    else:
        found["problem_unknown"] = "not known: this version of agent0es makes other problems; it is in the prompt"


def route(log: EventLog, name: str) -> RouteAsked:
    """What the router was asked. Raises UnknownName."""
    for one in log.read(stream=stream("route", ROUTES, name), limit=1):
        if isinstance(one.event, RouteAsked):
            return one.event
    raise UnknownName(f"the router was asked no {name}")


def held_out_task(log: EventLog, run: str, attempt: str) -> "Task":
    """The held-out problem of an attempt. That of an evaluation by itself is in the log; a run's is remade from its
    configuration and seed, because the log has its number only.

    Raises ConfigurationError where a task domain is gone, and UnknownName where the suite has no such problem now.
    """
    from agent0es.evaluation.suite import suite

    if isinstance(named := read_attempt(attempt), Routed):
        return route(log, named.route).posed
    number = problem_of(attempt, "eval")
    if is_evaluation(run):
        for one in History.of(log, run).read(stream=("problem", str(number))):
            if isinstance(one.event, ProblemAsked):
                return one.event.posed
        raise UnknownName(f"{attempt} is at no problem of {run}")
    configuration = configuration_of(log, run)
    problems = suite(bootstrap.practised_domains(configuration), configuration.evaluation, configuration.seed)
    if number is None or number >= len(problems):
        raise UnknownName(f"{attempt} is at no held-out problem; this version of agent0es makes {len(problems)}")
    return problems[number].task

"""Look at runs, tasks, attempts, adapters, calls, evaluations, and what the router did."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from pydantic import Field, create_model

from agent0es.domain.names import is_evaluation
from agent0es.errors import QueryError
from agent0es.provenance import audit
from agent0es.provenance.lineage import lineage_of_adapter
from agent0es.runs import comparing, looking, routing, tracing
from agent0es.runs.finding import find_recorded, find_run
from agent0es.service.api.shapes import LARGEST, Limit, Open, Position, Run, ServiceOf, plain, row_of, rows_of

TaskNumber = Annotated[int, Path(ge=1, le=2**31 - 1, description="The task's number.")]
Name = Annotated[str, Path(description="Its name, e.g. `student-1`.")]


class State(Open):
    """A run as it was after an event: curriculum, adapters, what was in flight, settings."""

    run: str
    position: int
    status: str
    iteration: int
    curriculum: dict[str, Any]
    adapters: list[dict[str, Any]]


class Attempt(Open):
    """Everything that the log has of an attempt: prompts, replies, calls, answer, verdict, reward, hashes."""

    run: str
    attempt: str
    status: str
    steps: list[dict[str, Any]]


class Task(Open):
    """Everything that the log has of a task, with its attempts in short."""

    run: str
    task: int
    attempts: list[dict[str, Any]]


class Lineage(Open):
    """From an adapter back to what it was trained on, or from a task forward to what it was used for."""

    run: str
    attempts: list[dict[str, Any]]


class Difference(Open):
    """Everything in which two runs differ."""

    runs: list[str]
    parting: dict[str, Any] = Field(description="How far they share their past, and the first events that differ.")
    configuration: dict[str, Any]


class RouteInFull(Open):
    """A question to the router: what was asked, each decision, what came."""

    route: str
    asked: dict[str, Any]
    decisions: list[dict[str, Any]]
    answer: dict[str, Any] | None = Field(description="The answer with its calls; null without one.")


def router() -> APIRouter:
    """Its routes."""
    routes = APIRouter()
    _runs(routes)
    _parts(routes)
    _others(routes)
    return routes


def _runs(routes: APIRouter) -> None:
    parts: dict[str, Any] = {
        "iterations": (rows_of("iterations", "Iteration"), ...),
        "adapters": (rows_of("adapters", "Adapter"), ...),
        "evaluations": (rows_of("evaluations", "Score"), ...),
        "files": (dict[str, str], ...),
    }
    in_full = create_model("RunInFull", __base__=row_of("runs", "RunRow"), **parts)

    @routes.get("/runs", tags=["runs"], response_model=rows_of("runs", "Run"), response_model_exclude_unset=True)
    def runs(service: ServiceOf) -> Any:
        """All runs, the oldest first. `status` is what it is now; `training` says how far one is that trains."""
        with service.tables() as tables:
            return plain(looking.all_runs(service.log, tables))

    @routes.get("/runs/{run}", tags=["runs"], response_model=in_full, response_model_exclude_unset=True)
    def one_run(service: ServiceOf, run: Run) -> Any:
        """A run at a glance."""
        with service.tables() as tables:
            return plain(looking.one_run(service.log, tables, service.store, run))

    @routes.get("/runs/{run}/state", tags=["runs"], response_model=State)
    def state(
        service: ServiceOf,
        run: Run,
        position: Annotated[
            Position | None, Query(description="After this event; the default is the last one.")
        ] = None,
        time: Annotated[datetime | None, Query(description="Or a time; UTC where it names no zone.")] = None,
    ) -> Any:
        """The state of a run after any event of its past."""
        name = find_run(service.log, run)
        if position is not None and time is not None:
            raise QueryError("position and time both name a point of the log; leave one out")
        if time is None and position is None:
            position = looking.last_position(service.log, name)
        return plain(looking.state(service.log, service.store, name, position=position, time=_iso(time)))

    @routes.get("/runs/{run}/diff", tags=["runs"], response_model=Difference)
    def diff(
        service: ServiceOf,
        run: Run,
        other: Annotated[str | None, Query(description="The other run; for a fork the default is its parent.")] = None,
    ) -> Any:
        """Everything in which two runs differ."""
        with service.tables() as tables:
            return plain(comparing.diff(service.log, tables, run, other))


def _parts(routes: APIRouter) -> None:
    @routes.get(
        "/runs/{run}/tasks",
        tags=["tasks"],
        response_model=rows_of("tasks", "TaskRow"),
        response_model_exclude_unset=True,
    )
    def tasks(
        service: ServiceOf,
        run: Run,
        after: Annotated[int, Query(ge=0, le=2**31 - 1, description="Only tasks with a higher number.")] = 0,
        limit: Limit = 100,
    ) -> Any:
        """Tasks of a run in order of their numbers. The next page is `after` the last one."""
        name = find_run(service.log, run)
        with service.tables() as tables:
            return plain(looking.tasks(tables, name, after, limit))

    @routes.get("/runs/{run}/tasks/{task}", tags=["tasks"], response_model=Task)
    def one_task(service: ServiceOf, run: Run, task: TaskNumber) -> Any:
        """A task: what was asked of the teacher, its proposals, each attempt, the rewards."""
        return plain(looking.task(service.log, find_run(service.log, run), task))

    @routes.get("/runs/{run}/tasks/{task}/lineage", tags=["tasks"], response_model=Lineage)
    def task_lineage(service: ServiceOf, run: Run, task: TaskNumber) -> Any:
        """What a task was used for: datasets, adapters, their scores."""
        with service.tables() as tables:
            return plain(tracing.lineage(service.log, tables, service.store, tracing.Place(run, str(task))))

    @routes.get("/runs/{run}/attempts/{attempt:path}", tags=["tasks"], response_model=Attempt)
    def attempt(
        service: ServiceOf,
        run: Annotated[str, Path(description="A run, an evaluation (`eval-…`), or `routes`.", examples=["latest"])],
        attempt: Annotated[str, Path(description="Its name, e.g. `12/0`.", examples=["12/0"])],
    ) -> Any:
        """Everything that the log has of an attempt. Its texts are written by a model: hostile."""
        return plain(looking.attempt(service.log, find_recorded(service.log, run), attempt))

    @routes.get(
        "/runs/{run}/adapters",
        tags=["adapters"],
        response_model=rows_of("adapters", "Adapter"),
        response_model_exclude_unset=True,
    )
    def adapters(service: ServiceOf, run: Run) -> Any:
        """The adapters of a run, in the order of their datasets."""
        with service.tables() as tables:
            return plain(looking.one_run(service.log, tables, service.store, run)["adapters"])

    @routes.get(
        "/runs/{run}/adapters/{adapter}",
        tags=["adapters"],
        response_model=row_of("adapters", "Adapter"),
        response_model_exclude_unset=True,
    )
    def adapter(service: ServiceOf, run: Run, adapter: Name) -> Any:
        """An adapter, and in `training` how its training goes, or went."""
        name = find_run(service.log, run)
        with service.tables() as tables:
            return plain(looking.adapter(service.log, tables, name, adapter))

    @routes.get("/runs/{run}/adapters/{adapter}/lineage", tags=["adapters"], response_model=Lineage)
    def adapter_lineage(service: ServiceOf, run: Run, adapter: Name) -> Any:
        """What an adapter was trained on, and whether its files are those in the log."""
        with service.tables() as tables:
            return plain(lineage_of_adapter(service.log, tables, service.store, find_run(service.log, run), adapter))

    @routes.get(
        "/runs/{run}/calls",
        tags=["audit"],
        response_model=rows_of("tool_calls", "Call"),
        response_model_exclude_unset=True,
    )
    def calls(
        service: ServiceOf,
        run: Annotated[str, Path(description="A run, an evaluation (`eval-…`), or `routes`.", examples=["latest"])],
        denied: Annotated[bool, Query(description="Only calls that were refused or had something blocked.")] = False,
        tool: str | None = None,
        attempt: str | None = None,
        limit: Limit = 100,
    ) -> Any:
        """The latest sandbox calls, the newest last."""
        name, status = find_recorded(service.log, run), "denied" if denied else None
        with service.tables() as tables:
            found = audit.calls(tables, name, status=status, tool=tool, attempt=attempt, limit=limit)
            return plain(list(found))

    @routes.get(
        "/runs/{run}/calls/{call:path}",
        tags=["audit"],
        response_model=row_of("tool_calls", "Call"),
        response_model_exclude_unset=True,
    )
    def one_call(
        service: ServiceOf,
        run: Annotated[str, Path(description="A run, an evaluation (`eval-…`), or `routes`.", examples=["latest"])],
        call: Annotated[str, Path(description="Its name, e.g. `12/0#1` (`#` is `%23` in an address).")],
    ) -> Any:
        """A sandbox call in full."""
        name = find_recorded(service.log, run)
        with service.tables() as tables:
            return plain(audit.one_call(tables, name, call))


def _others(routes: APIRouter) -> None:
    @routes.get("/evaluations", tags=["evaluations"])
    def evaluations(service: ServiceOf) -> list[dict[str, Any]]:
        """Every evaluation by itself in short, the oldest first."""
        found: list[dict[str, Any]] = plain(looking.evaluations(service.log))
        return found

    @routes.get("/evaluations/{evaluation}", tags=["evaluations"])
    def evaluation(
        service: ServiceOf,
        evaluation: Annotated[str, Path(description="Its name, the beginning of it, or `eval-latest`.")],
    ) -> dict[str, Any]:
        """An evaluation with its scores, comparisons, leaks and answers."""
        name = find_recorded(service.log, evaluation) if is_evaluation(evaluation) else evaluation
        found: dict[str, Any] = plain(looking.evaluation(service.log, name))
        return found

    @routes.get(
        "/routes", tags=["router"], response_model=rows_of("routes", "Route"), response_model_exclude_unset=True
    )
    def all_routes(
        service: ServiceOf,
        before: Annotated[int | None, Query(ge=1, le=LARGEST, description="Only those before this position.")] = None,
        limit: Limit = 100,
    ) -> Any:
        """What the router was asked, the latest first. The next page is `before` the last one's position."""
        with service.tables() as tables:
            return plain(looking.routes(tables, before, limit))

    @routes.get("/routes/{route}", tags=["router"], response_model=RouteInFull)
    def route(service: ServiceOf, route: Name) -> Any:
        """A question to the router, each decision, and the answer with the calls behind it."""
        asked = looking.route(service.log, route)
        return plain(
            {
                "route": route,
                "asked": asked.model_dump(mode="json", exclude={"type", "version", "configuration"}),
                "decisions": routing.decisions(service.log, route),
                "answer": routing.answer(service.log, route),
            }
        )


def _iso(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()

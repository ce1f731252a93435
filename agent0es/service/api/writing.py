"""Start, stop, resume and fork runs, and retract what was bad. What-if is here too, though it writes nothing."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Response
from pydantic import BaseModel, Field

from agent0es.runs import comparing, forking, launching, retracting
from agent0es.runs.finding import find_run
from agent0es.runs.launching import overrides, set_words
from agent0es.service.api.shapes import LARGEST, Open, Run, ServiceOf, plain
from agent0es.service.context import Service
from agent0es.service.once import LONGEST, once

Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=LONGEST,
        description="Any text of your own. The same request with the same key is done once, for 24 hours.",
    ),
]
Settings = Annotated[
    dict[str, Any],
    Field(description="Key of docs/settings.md to its value.", examples=[{"execution.iterations": 1}]),
]
REPLAYED = "Idempotent-Replayed"


class NewRun(BaseModel, extra="forbid"):
    """A run to start."""

    settings: Settings = Field(default_factory=dict)


class Fork(BaseModel, extra="forbid"):
    """A run to continue from an event of another one."""

    position: int = Field(ge=1, le=LARGEST, description="The last event that both runs share.")
    settings: Settings = Field(default_factory=dict)
    start: bool = Field(True, description="Whether it is driven at once.")


class OtherSettings(BaseModel, extra="forbid"):
    """Settings under which a run is computed again."""

    settings: Settings


class Retraction(BaseModel, extra="forbid"):
    """What is to be marked as bad."""

    what: str = Field(max_length=200, description="A task's number (with its attempts), or an attempt's name.")
    reason: str = Field(min_length=1, max_length=10_000, description="Why. It is kept in the log.")


class RunNamed(BaseModel):
    """A run."""

    run: str


class Resumed(RunNamed):
    """A run that goes on, or that is over."""

    driven: bool = Field(description="Whether a process drives it now; false where there was nothing left to do.")


class Retracted(Open):
    """What was retracted."""

    run: str
    position: int = Field(description="Of the event.")
    tainted: list[dict[str, Any]] = Field(description="Datasets that hold it, with their adapters.")


class WhatIf(Open):
    """Rewards, datasets and gates as they would be."""

    run: str
    rewards: dict[str, Any]
    datasets: list[dict[str, Any]]
    gates: list[dict[str, Any]]


def router() -> APIRouter:
    """Its routes."""
    routes = APIRouter(tags=["runs"])

    @routes.post("/runs", status_code=201, response_model=RunNamed)
    def start(service: ServiceOf, response: Response, wanted: NewRun, key: Key = None) -> Any:
        """Start a run, in a process of its own; answers when it has begun. It goes on when the service ends.

        What is not set is as the service was started (`--config`, `--set`).
        """
        pairs = overrides(wanted.settings)
        service.settings.load(pairs)

        def act() -> dict[str, Any]:
            words = ["run", *service.settings.words, *set_words(pairs)]
            return {"run": launching.launch_run(service.log, service.store, words)}

        return once_only(service, response, key, ["start", wanted.settings], act)

    @routes.post("/runs/{run}/stop", status_code=202, response_model=RunNamed)
    def stop(service: ServiceOf, response: Response, run: Run, key: Key = None) -> Any:
        """Tell the process that drives a run to stop. Nothing is lost, and it can be resumed."""
        name = find_run(service.log, run)

        def act() -> dict[str, Any]:
            launching.stop(service.log, name)
            return {"run": name}

        return once_only(service, response, key, ["stop", name], act)

    @routes.post("/runs/{run}/resume", status_code=202, response_model=Resumed)
    def resume(service: ServiceOf, response: Response, run: Run, key: Key = None) -> Any:
        """Go on with a run that was stopped, killed, or only created."""
        name = find_run(service.log, run)

        def act() -> dict[str, Any]:
            return {"run": name, "driven": launching.launch_resume(service.log, service.store, name)}

        return once_only(service, response, key, ["resume", name], act)

    @routes.post("/runs/{run}/forks", status_code=201, response_model=RunNamed)
    def fork(service: ServiceOf, response: Response, run: Run, wanted: Fork, key: Key = None) -> Any:
        """A new run whose past is another one's up to an event, with other settings if wanted."""
        name, pairs = find_run(service.log, run), overrides(wanted.settings)
        forking.fork_settings(service.store, service.log, name, wanted.position, pairs)

        def act() -> dict[str, Any]:
            words = ["fork", name, "--at", str(wanted.position), *set_words(pairs)]
            words += [] if wanted.start else ["--no-run"]
            return {"run": launching.launch_run(service.log, service.store, words)}

        return once_only(service, response, key, ["fork", name, wanted.model_dump()], act)

    @routes.post("/runs/{run}/whatif", response_model=WhatIf)
    def whatif(service: ServiceOf, run: Run, other: OtherSettings) -> Any:
        """Recompute rewards, datasets and gates under other settings. Nothing is written."""
        name = find_run(service.log, run)
        found = comparing.whatif(service.log, name, overrides(other.settings))
        return plain({"run": name, "settings": other.settings, **found})

    @routes.post("/runs/{run}/retractions", tags=["audit"], status_code=201, response_model=Retracted)
    def retract(service: ServiceOf, response: Response, run: Run, what: Retraction, key: Key = None) -> Any:
        """Mark a task or an attempt as bad: later datasets leave it out. Answers what it had tainted."""
        name = find_run(service.log, run)

        def act() -> dict[str, Any]:
            done = retracting.retract(service.log, name, what.what, what.reason, retracting.account())
            event = done.event.model_dump(mode="json", exclude={"type", "version"})
            found: dict[str, Any] = plain({"run": name, **event, "position": done.position, "tainted": done.tainted})
            return found

        return once_only(service, response, key, ["retract", name, what.model_dump()], act)

    return routes


def once_only(service: Service, response: Response, key: str | None, what: object, act: Any) -> dict[str, Any]:
    """What a write answers: done now, or as it was answered when it came first."""
    found, before = once(service.store, key, what, act)
    if before:
        response.headers[REPLAYED] = "true"
    return found

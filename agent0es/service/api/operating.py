"""What an operator is told of, and what is run by the clock."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, Field

from agent0es.runs import alerting, launching, scheduling
from agent0es.service.api.shapes import LARGEST, Limit, ServiceOf
from agent0es.service.api.writing import Key, once_only


class Alert(BaseModel):
    """An alert that was raised."""

    rule: str = Field(description="Name of the rule in `alerts.rules`.")
    run: str | None = Field(description="The run that it is about; null where it is about none.")
    subject: str = Field(description="What of the run, or of the store.")
    value: float = Field(description="What was measured.")
    above: float = Field(description="The limit that it was above.")
    message: str = Field(description="One line for a person. May quote a model: hostile.")
    raised: str = Field(description="UTC.")
    cleared: str | None = Field(description="UTC; null where it is not over.")
    position: int = Field(description="Place of AlertRaised in the log.")


class Schedule(BaseModel):
    """A command that is run by the clock."""

    schedule: str = Field(description="Its name.")
    when: str = Field(description="In words.")
    command: list[str] = Field(description="Its words, without `agent0es`.")
    last_job: str | None = Field(description="Name of the job that was begun last.")
    run: str | None = Field(description="The run that this job began.")
    status: Literal["succeeded", "failed", "running", "interrupted"] | None = Field(description="How that job stands.")
    message: str | None = Field(description="The last line that it wrote. Hostile.")
    next: str | None = Field(description="When the next one is due, UTC; null where that is no question of time.")


class NewSchedule(BaseModel, extra="forbid"):
    """A command to run by the clock."""

    schedule: str = Field(max_length=40, description="Its name.", examples=["nightly"])
    command: list[str] = Field(
        min_length=1,
        max_length=100,
        description="Words of a command of agent0es, without `agent0es` and `--store`.",
        examples=[["run", "--iterations", "1"]],
    )
    when: Literal["cron", "every", "when-new"] = Field(description="What `time` is.")
    time: str = Field(max_length=100, description="`0 2 * * *`, `6h` or `500`.", examples=["6h"])


class ScheduleNamed(BaseModel):
    """A schedule."""

    schedule: str


def router() -> APIRouter:
    """Its routes."""
    routes = APIRouter(tags=["operating"])

    @routes.get("/alerts", response_model=list[Alert])
    def alerts(
        service: ServiceOf,
        every: Annotated[bool, Query(alias="all", description="Also those that are over.")] = False,
        before: Annotated[int | None, Query(ge=1, le=LARGEST, description="Only those before this position.")] = None,
        limit: Limit = 100,
    ) -> Any:
        """Alerts that are not over, the latest first. The next page is `before` the last one's position."""
        found = [
            alert
            for alert in alerting.listed(service.log)
            if (every or alert["cleared"] is None) and (before is None or alert["position"] < before)
        ]
        return found[: -limit - 1 : -1]

    @routes.get("/schedules", response_model=list[Schedule])
    def schedules(service: ServiceOf) -> Any:
        """What is run by the clock, in the order in which it was added."""
        return scheduling.listed(service.log)

    @routes.post("/schedules", status_code=201, response_model=ScheduleNamed)
    def add(service: ServiceOf, response: Response, wanted: NewSchedule, key: Key = None) -> Any:
        """Schedule a command. This service runs it while it goes on."""

        def act() -> dict[str, Any]:
            when: dict[str, str] = {wanted.when: wanted.time}
            words = scheduling.words_to_add(service.log, wanted.schedule, wanted.command, when)
            launching.run_to_its_end(service.store, words)
            return {"schedule": wanted.schedule}

        return once_only(service, response, key, ["schedule", wanted.model_dump()], act)

    @routes.delete("/schedules/{schedule}", response_model=ScheduleNamed)
    def remove(
        service: ServiceOf, response: Response, schedule: Annotated[str, Path(description="Its name.")], key: Key = None
    ) -> Any:
        """Schedule it no longer. A job that goes on is not stopped."""

        def act() -> dict[str, Any]:
            scheduling.remove(service.log, schedule)
            return {"schedule": schedule}

        return once_only(service, response, key, ["unschedule", schedule], act)

    return routes

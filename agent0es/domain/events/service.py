"""What an operator is told of, and what is done by the clock. Streams of the pseudo-runs `alerts` and `schedules`."""

from typing import Literal

from pydantic import Field

from agent0es.domain.values import Value


class AlertRaised(Value):
    """A rule of `alerts.rules` holds, and did not before. Stream `service/alerts/<rule>`."""

    type: Literal["AlertRaised"] = "AlertRaised"
    version: Literal[1] = 1
    rule: str
    """Name of the rule."""
    run: str | None
    """The run that it is about; None where it is about none."""
    subject: str
    """What of the run, or of the store: `attempts`, `tool calls`, an adapter's role, a schedule, `disk`."""
    value: float
    """What was measured."""
    above: float
    """The setting of that name, which it is above."""
    message: str
    """What happened, in one line."""


class AlertCleared(Value):
    """An alert is over: its value fell to the rule's `clear`, or its run ended. Stream `service/alerts/<rule>`."""

    type: Literal["AlertCleared"] = "AlertCleared"
    version: Literal[1] = 1
    rule: str
    """Name of the rule."""
    run: str | None
    """As in AlertRaised."""
    subject: str
    """As in AlertRaised."""
    value: float | None
    """What was measured; None where there is nothing to measure any more."""
    message: str
    """Why, in one line."""


class ScheduleAdded(Value):
    """A command is to be run by the clock, or when there is much to learn. Stream `service/schedules/<schedule>`."""

    type: Literal["ScheduleAdded"] = "ScheduleAdded"
    version: Literal[1] = 1
    schedule: str
    """Name of the schedule."""
    command: tuple[str, ...] = Field(min_length=1)
    """Words of the command, without `agent0es` and without `--store`. `{time}` stands for the time of the job."""
    cron: str | None
    """When: minute, hour, day of the month, month and day of the week, in UTC; None where it is not."""
    every_seconds: int | None = Field(ge=1)
    """Or how often; None where it is not."""
    trajectories: int | None = Field(ge=1)
    """Or when the last completed run has so many right attempts that no dataset was built of; None where it is not."""


class ScheduleRemoved(Value):
    """A schedule is no more; a job that has begun is not stopped. Stream `service/schedules/<schedule>`."""

    type: Literal["ScheduleRemoved"] = "ScheduleRemoved"
    version: Literal[1] = 1
    schedule: str
    """Name of the schedule."""


class JobStarted(Value):
    """The command of a schedule is about to be run, or to be resumed. Stream `service/schedules/<schedule>`."""

    type: Literal["JobStarted"] = "JobStarted"
    version: Literal[1] = 1
    schedule: str
    """Name of the schedule."""
    job: str
    """Name of the job. One that was cut off goes on under the same name."""
    command: tuple[str, ...]
    """The words that are run."""
    due: str | None
    """When it was to begin, ISO 8601 in UTC; None for a job that somebody asked for, or that waits for trajectories."""
    start: int = Field(ge=1)
    """Which start of the job this is, from 1."""


class JobFinished(Value):
    """A job ended. A JobStarted without it was cut off, or goes on. Stream `service/schedules/<schedule>`."""

    type: Literal["JobFinished"] = "JobFinished"
    version: Literal[1] = 1
    schedule: str
    """Name of the schedule."""
    job: str
    """Name of the job."""
    outcome: Literal["succeeded", "failed"]
    """succeeded: the command's exit code was 0."""
    exit_code: int
    """The command's exit code; negative is a signal."""
    message: str
    """The last line that it wrote. Hostile."""

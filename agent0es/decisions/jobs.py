"""Schedules and their jobs: what the log says of them, and what follows. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from agent0es.domain import events as ev

TIME, RUN, EXPORTS = "{time}", "{run}", "{exports}"
"""What the words of a command may hold: the time of the job, the run that has new trajectories, the store's folder of
exports."""


@dataclass(frozen=True, slots=True)
class Job:
    """A command that was run for a schedule."""

    name: str
    begun: float
    """When it was started first, in seconds since 1970."""
    position: int
    """Of the event."""
    started: ev.JobStarted
    """How it was started last."""
    finished: ev.JobFinished | None = None
    """None while it goes on, and where it was cut off."""
    ended: float | None = None


@dataclass(frozen=True, slots=True)
class Schedule:
    """A command that is run again and again."""

    added: ev.ScheduleAdded
    since: float
    """When it was added, in seconds since 1970."""
    job: Job | None = None
    """The last one."""

    @property
    def open(self) -> Job | None:
        """The job that goes on, or was cut off."""
        return self.job if self.job is not None and self.job.finished is None else None

    @property
    def after(self) -> float:
        """Since when a next job is due: the start of the last one, by the clock."""
        return self.since if self.job is None else max(self.since, self.job.begun)


Schedules = Mapping[str, Schedule]


def follow(known: Schedules, event: ev.Event, position: int, time: float) -> Schedules:
    """The schedules after an event of them. A job of one that was removed is forgotten with it."""
    match event:
        case ev.ScheduleAdded():
            return {**known, event.schedule: Schedule(event, time)}
        case ev.ScheduleRemoved():
            return {name: one for name, one in known.items() if name != event.schedule}
        case ev.JobStarted() if event.schedule in known:
            one = known[event.schedule]
            same = one.job is not None and one.job.name == event.job
            job = replace(one.job, started=event) if same and one.job else Job(event.job, time, position, event)
            return {**known, event.schedule: replace(one, job=job)}
        case ev.JobFinished() if event.schedule in known:
            one = known[event.schedule]
            if one.job is None or one.job.name != event.job:
                return known
            return {**known, event.schedule: replace(one, job=replace(one.job, finished=event, ended=time))}
        case _:
            return known


def new_job(schedule: str, time: float, taken: Job | None) -> str:
    """A name for a job that begins now: the schedule and the time; a count where the last job has that name."""
    name = f"{schedule}-{datetime.fromtimestamp(time, UTC):%Y%m%d-%H%M%S}"
    return name if taken is None or taken.name != name else f"{name}-2"


def words(command: Iterable[str], time: float, run: str, exports: str) -> tuple[str, ...]:
    """A command with what stands for something in its words replaced."""
    now = f"{datetime.fromtimestamp(time, UTC):%Y%m%d-%H%M%S}"
    return tuple(word.replace(TIME, now).replace(RUN, run).replace(EXPORTS, exports) for word in command)

"""Commands that are run by the clock: schedules in the log, jobs as processes, and what becomes of those cut off.

A job is a process of its own, `agent0es schedule run NAME`, which has the lease `job-<job>` and writes how the job
began and ended. So a service that is killed takes no job with it, and whoever comes next sees which ones go on. The
command itself is a child of that process, and is told to stop when it dies.
"""

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent0es.decisions import jobs
from agent0es.domain import events as ev
from agent0es.domain.names import SCHEDULES, is_name, stream
from agent0es.domain.text import iso, one_line
from agent0es.errors import ConfigurationError, UnknownName, UserError, nearest
from agent0es.log import EventLog, NewEvent
from agent0es.runs.jobs import run_command

if TYPE_CHECKING:
    from apscheduler.triggers.base import BaseTrigger

EXPORTS = "exports"
"""The store's folder for what schedules export."""
WHEN = ("cron", "every", "when-new")
"""Options of `schedule add`, of which one says when."""
HANDOVER_SECONDS = 60.0
"""How long the process that drove a run before may take to let go of it."""


def known(log: EventLog) -> jobs.Schedules:
    """The schedules of a store, with the last job of each."""
    found: jobs.Schedules = {}
    for one in log.read(run=SCHEDULES):
        found = jobs.follow(found, one.event, one.position, one.meta.time)
    return found


def add(log: EventLog, added: ev.ScheduleAdded) -> None:
    """Schedule a command, as `new_schedule` gives it."""
    log.append([NewEvent(_stream(added.schedule), added)], handler="cli")


def new_schedule(
    log: EventLog,
    name: str,
    command: Sequence[str],
    *,
    cron: str | None = None,
    every_seconds: int | None = None,
    trajectories: int | None = None,
) -> ev.ScheduleAdded:
    """A schedule that can be added. Raises ConfigurationError for a name that is taken or is none, a time that is
    none, and a word that holds a secret."""
    from agent0es.configuration.secrets import text_without_secrets

    if not is_name(name) or len(name) > 40:  # a job's name is longer
        raise ConfigurationError("the name of a schedule is at most 40 letters, digits, '.', '_' and '-'")
    if name in known(log):
        raise ConfigurationError(
            f"there is a schedule {name!r}; remove it first with", see=("schedule", "remove", name)
        )
    if sum(given is not None for given in (cron, every_seconds, trajectories)) != 1:
        raise ConfigurationError("say when: one of --cron, --every and --when-new")
    if any(text_without_secrets(word) != word for word in command):
        raise ConfigurationError("the command holds a secret, which the log would keep; give it in the environment")
    added = ev.ScheduleAdded(
        schedule=name, command=tuple(command), cron=cron, every_seconds=every_seconds, trajectories=trajectories
    )
    trigger(added, time.time())  # to see that it can be
    return added


def words_to_add(log: EventLog, name: str, command: Sequence[str], when: Mapping[str, str]) -> list[str]:
    """The command that adds a schedule; `when` has one of `WHEN` and what it is given. Raises UserError. Whether the
    words are a command of agent0es is known to the command line alone."""
    [(kind, time_)] = when.items()
    if kind not in WHEN:
        raise UserError(f"{kind[:40]!r} does not say when; use one of {', '.join(WHEN)}")
    if not command:
        raise UserError("say what to run: the words of a command of agent0es, e.g. run --iterations 1")
    if kind == "when-new" and not (time_.isascii() and time_.isdecimal() and 0 < len(time_) < 10):
        raise UserError(f"--when-new {time_[:40]!r}: give a number of trajectories, e.g. 500")
    new_schedule(
        log,
        name,
        command,
        cron=time_ if kind == "cron" else None,
        every_seconds=seconds_of(time_) if kind == "every" else None,
        trajectories=int(time_) if kind == "when-new" else None,
    )
    return ["schedule", "add", name, f"--{kind}", time_, "--", *command]


def remove(log: EventLog, name: str) -> None:
    """Schedule it no longer. Raises UnknownName."""
    find(log, name)
    log.append([NewEvent(_stream(name), ev.ScheduleRemoved(schedule=name))], handler="cli")


def find(log: EventLog, name: str) -> jobs.Schedule:
    """The schedule of this name. Raises UnknownName."""
    found = known(log)
    if name not in found:
        near = nearest(name, list(found))
        raise UnknownName(f"there is no schedule {name!r}; {near}. All", see=("schedule", "list"))
    return found[name]


def listed(log: EventLog) -> list[dict[str, Any]]:
    """Each schedule as a value of JSON: when, what, its last job with the run that this began, and when the next one is
    due."""
    running, schedules = log.drivers(), known(log)
    positions = [one.job.position for one in schedules.values() if one.job is not None]
    begun = _begun(log, min(positions)) if positions else {}
    return [_row(one, running, begun) for one in schedules.values()]


def _begun(log: EventLog, after: int) -> dict[str, str]:
    """Job to the run that it began, of runs that began after a position."""
    found = log.read(after=after, types=["RunStarted", "RunForked"])
    return {str(one.meta.measured["job"]): one.run for one in found if "job" in one.meta.measured}


def _row(one: jobs.Schedule, running: Mapping[str, object], begun: Mapping[str, str]) -> dict[str, Any]:
    from agent0es.history.timeline import when

    job, status = one.job, None
    if job is not None:
        status = job.finished.outcome if job.finished else "running" if _lease(job.name) in running else "interrupted"
    due = next_time(one)
    return {
        "schedule": one.added.schedule,
        "when": when(one.added),
        "command": list(one.added.command),
        "last_job": None if job is None else job.name,
        "run": None if job is None else begun.get(job.name),
        "status": status,
        "message": job.finished.message if job is not None and job.finished else None,
        "next": None if due is None else iso(due),
    }


def trigger(added: ev.ScheduleAdded, since: float) -> "BaseTrigger | None":
    """When it is due, as APScheduler has it; None where that is no question of time. Raises ConfigurationError."""
    from apscheduler.triggers.cron import CronTrigger
    from apscheduler.triggers.interval import IntervalTrigger

    if added.every_seconds is not None:
        start = datetime.fromtimestamp(since, UTC)
        return IntervalTrigger(seconds=added.every_seconds, start_date=start, timezone=UTC)
    if added.cron is None:
        return None
    try:
        return CronTrigger.from_crontab(added.cron, timezone=UTC)
    except ValueError as error:
        raise ConfigurationError(
            f"--cron {added.cron[:60]!r}: {one_line(str(error))}; write five fields, e.g. '0 2 * * *' for 02:00 UTC"
        ) from None


def next_time(one: jobs.Schedule) -> float | None:
    """When the next job is due, perhaps in the past; None where it waits for something else."""
    found = trigger(one.added, one.since)
    if found is None:
        return None
    after = datetime.fromtimestamp(one.after, UTC)
    due: datetime | None = found.get_next_fire_time(after, after)  # later than the first of them
    return None if due is None else due.timestamp()


def new_trajectories(log: EventLog) -> tuple[str, int]:
    """The run that was completed last, and how many of its right attempts no dataset was built of. An empty name and 0
    where none is completed."""
    running = log.drivers()
    for run in reversed(log.runs()):
        if run in running or not any(log.read(run=run, types=["RunCompleted"], limit=1)):
            continue
        built = 0
        for one in log.read(run=run, types=["DatasetBuilt"]):
            built = one.position
        practice = log.read(run=run, after=built, types=["Verified"])
        right = (
            isinstance(one.event, ev.Verified) and one.event.task is not None and one.event.verification.correct is True
            for one in practice
        )
        return run, sum(right)
    return "", 0


def run_job(store: Path, log: EventLog, name: str, due: str | None = None) -> ev.JobFinished | None:
    """Run the command of a schedule now, or go on with its job that was cut off; in the main thread. Returns how it
    ended; None where it was told to stop: then the job goes on when it is run again.

    Raises UnknownName, and RunInUse while the job goes on in another process.
    """
    schedule = find(log, name)
    job, now = schedule.open, time.time()
    job_name = jobs.new_job(name, now, schedule.job) if job is None else job.name
    with log.lease(_lease(job_name)):
        exports = store.absolute() / EXPORTS
        if job is None:
            command = jobs.words(schedule.added.command, now, new_trajectories(log)[0], str(exports))
        else:
            command = _resumed(log, job)
        start = 1 if job is None else job.started.start + 1
        begun = ev.JobStarted(schedule=name, job=job_name, command=command, due=due, start=start)
        log.append([NewEvent(_stream(name), begun)], handler="schedule")
        exports.mkdir(parents=True, exist_ok=True)
        code, said = run_command(store, job_name, command)
        if code is None:
            return None
        outcome: Any = "succeeded" if code == 0 else "failed"
        finished = ev.JobFinished(schedule=name, job=job_name, outcome=outcome, exit_code=code, message=said)
        log.append([NewEvent(_stream(name), finished)], handler="schedule")
        return finished


def _resumed(log: EventLog, job: jobs.Job) -> tuple[str, ...]:
    """The command that goes on where a job was cut off: the run that it began is resumed, another command is run
    again."""
    run = _begun(log, job.position).get(job.name)
    if run is None:
        return job.started.command
    deadline = time.monotonic() + HANDOVER_SECONDS
    while run in log.drivers() and time.monotonic() < deadline:
        time.sleep(0.2)
    return ("run", "--resume", run)


def _lease(job: str) -> str:
    return f"job-{job}"


def is_running(log: EventLog, job: str) -> bool:
    """Whether a live process has this job."""
    return _lease(job) in log.drivers()


def _stream(name: str) -> str:
    return stream("service", SCHEDULES, name)


def seconds_of(text: str) -> int:
    """A duration such as `90s`, `15m`, `6h` or `1d` in seconds. Raises UserError."""
    units = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
    number, unit = text[:-1], text[-1:]
    if not (number.isascii() and number.isdecimal() and unit in units and int(number) > 0 and len(number) < 8):
        raise UserError(f"--every {text[:40]!r}: write a number and a unit, e.g. 15m, 6h or 1d")
    return int(number) * units[unit]

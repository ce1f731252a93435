"""What the log says of schedules and their jobs, and when the next one is due."""

from datetime import UTC, datetime
from typing import Any

import pytest

from agent0es.decisions import jobs
from agent0es.domain import events as ev
from agent0es.errors import ConfigurationError, UserError
from agent0es.runs.scheduling import next_time, seconds_of, trigger

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC).timestamp()
HOUR = 3600.0


def added(**when: Any) -> ev.ScheduleAdded:
    given = {"cron": None, "every_seconds": None, "trajectories": None, **when}
    return ev.ScheduleAdded.model_validate({"schedule": "s", "command": ("runs",), **given})


def started(job: str = "s-1", start: int = 1) -> ev.JobStarted:
    return ev.JobStarted(schedule="s", job=job, command=("runs",), due=None, start=start)


def finished(job: str = "s-1") -> ev.JobFinished:
    return ev.JobFinished(schedule="s", job=job, outcome="succeeded", exit_code=0, message="")


def after(*events: tuple[ev.Event, float]) -> jobs.Schedules:
    known: jobs.Schedules = {}
    for position, (event, time) in enumerate(events, 1):
        known = jobs.follow(known, event, position, time)
    return known


def test_a_job_that_was_cut_off_is_open_until_it_is_finished() -> None:
    first = [(added(every_seconds=60), NOON), (started(), NOON + 60)]
    [one] = after(*first).values()
    assert one.open is not None and one.open.name == "s-1"
    [one] = after(*first, (started(start=2), NOON + 300)).values()
    assert one.open is not None and (one.open.position, one.open.started.start) == (2, 2)
    assert one.open.begun == NOON + 60, "the same job"
    [one] = after(*first, (finished(), NOON + 90)).values()
    assert one.open is None and one.job is not None and one.job.ended == NOON + 90
    [one] = after(*first, (finished("another"), NOON + 90)).values()
    assert one.open is not None


def test_a_schedule_that_is_removed_is_forgotten_with_its_job() -> None:
    removed = ev.ScheduleRemoved(schedule="s")
    assert after((added(every_seconds=60), NOON), (started(), NOON), (removed, NOON), (finished(), NOON)) == {}


@pytest.mark.parametrize(
    ("when", "due"),
    [
        ({"cron": "0 2 * * *"}, NOON + 14 * HOUR),
        ({"cron": "30 12 * * *"}, NOON + HOUR / 2),
        ({"cron": "0 12 * * *"}, NOON + 24 * HOUR),  # not the moment at which it was added
        ({"every_seconds": 3600}, NOON + HOUR),
        ({"trajectories": 5}, None),
    ],
)
def test_when_the_first_job_is_due(when: dict[str, Any], due: float | None) -> None:
    [one] = after((added(**when), NOON)).values()
    assert next_time(one) == due


def test_what_was_missed_is_due_once() -> None:
    """The service was down for three nights: one job, and then the next night's."""
    nightly = (added(cron="0 2 * * *"), NOON)
    [one] = after(nightly).values()
    assert next_time(one) == NOON + 14 * HOUR  # in the past by now: it is started at once
    back = NOON + 80 * HOUR
    [one] = after(nightly, (started(), back), (finished(), back + 60)).values()
    due = next_time(one)
    assert due is not None and back < due <= back + 24 * HOUR
    [one] = after((added(every_seconds=3600), NOON), (started(), back), (finished(), back + 60)).values()
    assert next_time(one) == back + HOUR


@pytest.mark.parametrize("cron", ["", "0 2 * *", "61 2 * * *", "0 2 * * * *", "at noon", "0 2 * * nobody"])
def test_a_time_that_is_none_is_refused_in_one_line(cron: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^--cron [^\n]*five fields"):
        trigger(added(cron=cron), NOON)


def test_durations() -> None:
    assert [seconds_of(text) for text in ("90s", "15m", "6h", "1d")] == [90, 900, 21_600, 86_400]
    for text in ("", "6", "h", "0h", "-1h", "1.5h", "6 h", "١h", "1w", "9" * 9 + "d"):
        with pytest.raises(UserError, match="write a number and a unit"):
            seconds_of(text)


def test_words_that_stand_for_something() -> None:
    words = jobs.words(("-o", "{exports}/x-{time}.txt", "{run}"), NOON, "r", "/store/exports")
    assert words == ("-o", "/store/exports/x-20260131-120000.txt", "r")
    assert jobs.new_job("s", NOON, None) == "s-20260131-120000"

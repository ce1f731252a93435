"""Days of the week, and days between."""

import random
import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from agent0es.taskdomains.reasoning_gym.families.common import Item, Settings, make, quoted

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
PLACES = {"first": 0, "second": 1, "third": 2, "fourth": 3, "last": -1}
ASKED = re.compile(r"(?:How many |occurrences of |times does )([A-Z][a-z]+day)")


def _kind(task: str) -> Settings:
    """One kind of calendar task, in a year that is further away the higher the level."""

    def settings(level: int, rng: random.Random) -> Mapping[str, Any]:
        return {"tasks": [task], "year": rng.randint(2020 - 40 * level, 2029 + 40 * level)}

    return settings


def _arguments(text: str) -> str:
    """`2024-03-05` as the arguments of `date`."""
    day = date.fromisoformat(text)
    return f"{day.year}, {day.month}, {day.day}"


def _day(item: Item) -> dict[str, str]:
    return {"day": _arguments(item["metadata"]["target_date"])}


def _offset(item: Item) -> dict[str, str]:
    return {"day": _arguments(item["metadata"]["start_date"]), "days": str(item["metadata"]["offset_days"])}


def _span(item: Item) -> dict[str, str]:
    return {"start": quoted(item["metadata"]["start_date"]), "end": quoted(item["metadata"]["end_date"])}


def _counted(item: Item) -> dict[str, str]:
    asked = ASKED.search(item["question"])
    assert asked is not None, "each of the three texts of this version names the day so"
    return {"weekday": quoted(asked[1][:3]), **_span(item)}


def _event(item: Item) -> dict[str, str]:
    data = item["metadata"]
    return {
        "month": f"{data['year']}, {data['month']}",
        "weekday": str(WEEKDAYS.index(data["weekday"])),
        "place": str(PLACES[data["ordinal"]]),
    }


def _interval(item: Item) -> dict[str, str]:
    days = [datetime.fromisoformat(item["metadata"][end]).date().isoformat() for end in ("start_time", "end_time")]
    return {"start": _arguments(days[0]), "end": _arguments(days[1])}


FAMILIES = (
    make(
        "weekday_of_date",
        "practised",
        "dates",
        "date({day}).strftime('%A')",
        _day,
        dataset="calendar_arithmetic",
        top=3,
        settings=_kind("weekday_of_date"),
        compare="text",
    ),
    make(
        "weekday_offset",
        "practised",
        "dates",
        "(date({day}) + timedelta(days={days})).strftime('%A')",
        _offset,
        dataset="calendar_arithmetic",
        top=3,
        settings=_kind("weekday_offset"),
        compare="text",
    ),
    make(
        "weekday_count",
        "practised",
        "dates",
        "import numpy; numpy.busday_count({start}, numpy.datetime64({end}) + 1, weekmask={weekday})",
        _counted,
        dataset="calendar_arithmetic",
        top=3,
        settings=_kind("count_days"),
    ),
    make(
        "business_days",
        "practised",
        "dates",
        "import numpy; numpy.busday_count({start}, numpy.datetime64({end}) + 1)",
        _span,
        dataset="calendar_arithmetic",
        top=3,
        settings=_kind("count_business_days"),
    ),
    make(
        "recurring_event",
        "practised",
        "dates",
        "[week[{weekday}] for week in calendar.monthcalendar({month}) if week[{weekday}]][{place}]",
        _event,
        dataset="calendar_arithmetic",
        top=3,
        settings=_kind("recurring_event_day"),
    ),
    make(
        "date_interval",
        "held_out",
        "dates",
        "str((date({end}) - date({start})).days) + ' days'",
        _interval,
        dataset="time_intervals",
        top=4,
        settings=lambda level, rng: {
            "task_types": ["date"],
            "max_date_difference_days": (14, 60, 365, 1825, 9999)[level],
        },
        compare="text",
    ),
)

"""The calendar. Dates are ISO texts."""

from datetime import date
from functools import partial

from agent0es.taskdomains.base import Day, Family, Int

practised = partial(Family, group="dates", split="practised")
held_out = partial(Family, group="dates", split="held_out")

DAYS = Int((4, 40), (100, 900))
MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


def _ordinal(day: str) -> int:
    return date(*map(int, day.split("-"))).toordinal()


def _day(ordinal: int) -> str:
    found = date.fromordinal(ordinal)
    return f"{found.year}-{found.month:02d}-{found.day:02d}"


FAMILIES = (
    practised(
        name="days_after",
        parameters={"day": Day(), "days": DAYS},
        wordings=("What date is {day} plus {days} days?", "Start at the date {day} and add {days} days."),
        reference_action='python[date.fromisoformat("{day}") + timedelta(days={days})]',
        answer_of=lambda days, day: _day(_ordinal(day) + days),
    ),
    practised(
        name="days_between",
        parameters={"start": Day(0, 1), "end": Day(2, 4)},
        wordings=("How many days are from {start} to {end}?", "Count the days between {start} and {end}."),
        reference_action='python[(date.fromisoformat("{end}") - date.fromisoformat("{start}")).days]',
        answer_of=lambda start, end: str(_ordinal(end) - _ordinal(start)),
    ),
    practised(
        name="weekday",
        parameters={"day": Day()},
        wordings=("What day of the week is {day}?", "Which weekday is {day}?"),
        reference_action='python[date.fromisoformat("{day}").strftime("%A")]',
        answer_of=lambda day: NAMES[(_ordinal(day) - 1) % 7],
    ),
    practised(
        name="month_name",
        parameters={"day": Day()},
        wordings=("In which month is {day}?", "Write the name of the month of {day}."),
        reference_action='python[date.fromisoformat("{day}").strftime("%B")]',
        answer_of=lambda day: MONTHS[int(day[5:7]) - 1],
    ),
    practised(
        name="year_of_date",
        parameters={"day": Day()},
        wordings=("In which year is {day}?", "Write the year of the date {day}."),
        reference_action='python[date.fromisoformat("{day}").year]',
        answer_of=lambda day: day[:4],
    ),
    practised(
        name="day_of_year",
        parameters={"day": Day()},
        wordings=("Which day of the year is {day}?", "Count the day of the year of {day}."),
        reference_action='python[date.fromisoformat("{day}").timetuple().tm_yday]',
        answer_of=lambda day: str(_ordinal(day) - _ordinal(f"{int(day[:4]) - 1}-12-31")),
    ),
    held_out(
        name="days_before",
        parameters={"day": Day(), "days": DAYS},
        wordings=("What date is {day} minus {days} days?", "Start at the date {day} and go back {days} days."),
        reference_action='python[date.fromisoformat("{day}") - timedelta(days={days})]',
        answer_of=lambda days, day: _day(_ordinal(day) - days),
    ),
    held_out(
        name="weeks_after",
        parameters={"day": Day(), "weeks": Int((3, 12), (20, 200))},
        wordings=("What date is {day} plus {weeks} weeks?", "Start at the date {day} and add {weeks} weeks."),
        reference_action='python[date.fromisoformat("{day}") + timedelta(weeks={weeks})]',
        answer_of=lambda weeks, day: _day(_ordinal(day) + 7 * weeks),
    ),
)

"""A run at a moment: what a person looks at, as it was after the event at a position. One .sql file for each table.

A query begins with `past`: whose rows up to where belong to the run's history then, those of its past as a fork
included. So nothing is folded from the beginning, and any moment costs the same.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from agent0es.log import EventLog, Recorded
from agent0es.projections.answers import objects
from agent0es.projections.tables import Projections

Row = Mapping[str, Any]

PAST = "WITH past AS (SELECT unnest($runs) AS run, unnest($untils) AS until)"
"""What every query begins with. `histories` itself, which is recursive, would take longer than the rest of a query."""

HISTORY = "SELECT ancestor, until FROM histories WHERE run = $run"

FIRST = 64
"""Events that are compared before all are: most runs that differ do so at once."""

PANELS = (
    "summary",
    "domains",
    "frontier",
    "rewards",
    "course",
    "pace",
    "losses",
    "held_out",
    "adapters",
    "tasks",
    "events",
    "alerts",
)
"""What `moment` gives, each a list of rows."""


def moment(tables: Projections, past: "Past") -> dict[str, list[Row]]:
    """Each of `PANELS` as it was at the end of a past."""
    return {name: past.rows(tables, name) for name in PANELS}


def span(tables: Projections, whole: "Past", position: int) -> Row:
    """Where a run's history begins and ends, how many events it has, and which are next to a position."""
    [found] = whole.rows(tables, "span", at=position)
    return found


def marks(tables: Projections, run: str) -> list[Row]:
    """Positions of note in a run's history, with the type of the event."""
    return Past.of(tables, run).rows(tables, "marks")


def proposed(tables: Projections, run: str) -> list[Row]:
    """Every task of a run's history, in order."""
    return Past.of(tables, run).rows(tables, "map")


def examined(tables: Projections, run: str) -> list[Row]:
    """Every answer to a held-out problem in a run's history: problem, arm, attempt, and whether it is right."""
    return Past.of(tables, run).rows(tables, "examined")


def curves(tables: Projections, run: str, after: int) -> list[Row]:
    """The figures of a run's history after the event at a position, in order: time (Unix, seconds), name, step, value,
    and the adapter where a figure is its own."""
    return Past.of(tables, run).rows(tables, "curves", after=after)


def related(tables: Projections, run: str, position: int, event_id: str, cause: str | None) -> list[Row]:
    """The event that led to one, and the events that it led to, in order. Ids are those of the events' meta."""
    named = {"at": position, "event_id": event_id, "cause": cause}
    return Past.of(tables, run).rows(tables, "related", **named)


def raised(tables: Projections, run: str, position: int) -> list[Row]:
    """The alerts about a run itself that were not over after the event at a position, which may be one of the store."""
    return Past([run], [position]).rows(tables, "raised")


def parting(tables: Projections, one: "Past", other: "Past", after: int) -> Row | None:
    """The first events after a position that differ between two histories, counted one by one: `position` and `type`,
    `other_position` and `other_type`; None where one has no more. None where all are the same."""
    named = {"other_runs": other.runs, "other_untils": other.untils, "after": after}
    for most in (FIRST, 2**62):
        for row in one.rows(tables, "parting", most=most, **named):
            return row
    return None


@dataclass(frozen=True, slots=True)
class Past:
    """Whose rows up to where belong to a run's history up to a position."""

    runs: list[str]
    untils: list[int]

    @classmethod
    def of(cls, tables: Projections, run: str, position: int | None = None) -> "Past":
        """Of a run up to a position, or to its end."""
        parts = list(tables.query(HISTORY, {"run": run}).rows)
        whole = cls([name for name, _ in parts], [until for _, until in parts])
        return whole if position is None else whole.up_to(position)

    def up_to(self, position: int) -> "Past":
        """What of it was past after the event at a position."""
        return Past(self.runs, [min(until, position) for until in self.untils])

    def events(self, log: EventLog, tables: Projections, types: Collection[str]) -> Iterator[Recorded]:
        """The few events of these types, read from the log where the tables say that they are."""
        for row in self.rows(tables, "positions", types=list(types)):
            yield from log.read(after=row["position"] - 1, until=row["position"])

    def rows(self, tables: Projections, name: str, **parameters: Any) -> list[Row]:
        """The rows of one of the files here."""
        return list(objects(tables.query(_sql(name), {"runs": self.runs, "untils": self.untils, **parameters})))


@cache
def _sql(name: str) -> str:
    text = files(__package__).joinpath(f"{name}.sql").read_text(encoding="utf-8")
    _, with_others, rest = text.partition("\nWITH ")
    return f"{PAST}, {rest}" if with_others else f"{PAST}\n{text}"

"""Ask the tables a query that somebody wrote, within limits."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from agent0es.errors import QueryError
from agent0es.log import EventLog

if TYPE_CHECKING:
    from agent0es.projections import Projections

SECONDS = 10.0
"""Most time for one query."""
AT_ONCE = 2
"""Queries of somebody that run side by side in a process; the others wait. Each may take 256 MB."""
_turn = threading.Semaphore(AT_ONCE)
MOST_ROWS = 1_000
"""Of an answer that is shown."""
MOST_CHARACTERS = 8_000_000
"""Of an answer that is shown, but for its last row."""
MOST_EXPORTED = 1_000_000
"""Rows of an answer that is written to a file."""
MOST_BYTES = 1_000_000_000
"""Of such a file."""

EXAMPLES = (
    ("Solve rate by family and iteration", "SELECT family, iteration, solve_rate FROM curriculum ORDER BY ALL"),
    ("Runs", "SELECT run, status, iteration, tasks, solve_rate, failures FROM runs ORDER BY started DESC"),
    ("Calls that did not end well", "SELECT call, tool, status, denied, input FROM tool_calls WHERE status <> 'ok'"),
    ("Loss of every training", "SELECT step, adapter, loss, tokens_per_second FROM training_steps ORDER BY position"),
    ("Events by type", "SELECT type, count(*) AS events FROM events GROUP BY type ORDER BY events DESC"),
)
"""Title and query: what somebody may begin with."""


Line = Callable[[Sequence[str], Sequence[Any]], str]
"""The names of the columns and a row, as a line of a file."""


@dataclass(frozen=True, slots=True)
class Shown:
    """An answer, as far as it is shown."""

    columns: list[str]
    types: list[str]
    rows: list[tuple[Any, ...]]
    more: bool
    """Whether there are rows that are not shown."""


def saved(log: EventLog) -> list[tuple[str, str]]:
    """Title and query of each of `EXAMPLES`, and of the queries of a report, which are about the latest run."""
    from agent0es.projections import reports

    latest = log.runs()[-1:]
    about = ["'" + run.replace("'", "''") + "'" for run in latest]
    return [*EXAMPLES, *((one.title, one.sql.replace("$run", run)) for run in about for one in reports.saved_queries())]


@contextmanager
def own_tables(log: EventLog, store: Path) -> "Iterator[Projections]":
    """Tables for a query that may take long: nobody else waits for them, but only `AT_ONCE` are had at a time."""
    from agent0es.projections import PROJECTIONS_FILE, Projections

    with _turn, Projections.open(log, store / PROJECTIONS_FILE) as tables:
        tables.catch_up()
        yield tables


def answer(log: EventLog, store: Path, sql: str, most: int = MOST_ROWS, seconds: float = SECONDS) -> Shown:
    """The first rows of a query. Raises QueryError."""
    with own_tables(log, store) as tables:
        found = tables.query(sql, seconds=seconds)
        rows: list[tuple[Any, ...]] = []
        characters = 0
        for row in found.rows:
            if len(rows) == most or characters > MOST_CHARACTERS:
                return Shown(found.columns, found.types, rows, more=True)
            rows.append(row)
            characters += sum(len(str(value)) for value in row)
        return Shown(found.columns, found.types, rows, more=False)


def write_lines(log: EventLog, store: Path, sql: str, file: IO[bytes], line: Line, header: bool) -> None:
    """Write the rows of a query to a file, and before them, with `header`, the names of the columns. Raises QueryError,
    also where the file would be too large."""
    with own_tables(log, store) as tables:
        found = tables.query(sql, seconds=SECONDS)
        rows: Iterator[Sequence[Any]] = islice(found.rows, MOST_EXPORTED)
        written = 0
        for row in chain([found.columns], rows) if header else rows:
            written += file.write(line(found.columns, row).encode("utf-8", "replace"))
            if written > MOST_BYTES:
                raise QueryError(f"the answer has more than {MOST_BYTES:,} bytes; ask for less")


def write_parquet(log: EventLog, store: Path, sql: str, file: IO[bytes], seconds: float = SECONDS) -> None:
    """All rows of a query as a parquet file. Raises QueryError."""
    from agent0es.projections import answers

    with own_tables(log, store) as tables:
        answers.write_parquet(tables, sql, file, seconds)

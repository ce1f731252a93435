"""Snapshots of a run's state, so that the state anywhere is the fold of a few hundred events.

They lie in one SQLite file beside the other projections. A snapshot is good when it was made by this code and the log
has, at its position, the event that it was made after; any other is deleted. A file that can't be read is rebuilt;
when it can't be written, the fold takes longer.
"""

import hashlib
import os
import sqlite3
import zlib
from contextlib import suppress
from functools import cache
from importlib.resources import files
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from agent0es.domain.run import RunState, evolve
from agent0es.log import EventLog, History, Recorded

if TYPE_CHECKING:
    from pydantic import TypeAdapter

SNAPSHOTS_FILE = "snapshots.db"
EVERY = 500
"""Events between two snapshots: some 30 ms of folding."""

TABLE = """
CREATE TABLE IF NOT EXISTS snapshots (
    run TEXT, position INTEGER, fingerprint TEXT NOT NULL, chain_hash TEXT NOT NULL, state BLOB NOT NULL,
    PRIMARY KEY (run, position)
)
"""


class Snapshots:
    """States of the runs of one log."""

    def __init__(self, log: EventLog, path: Path | None = None) -> None:
        """Snapshots in the file at `path`; without one nothing is kept."""
        self._log = log
        self._connection = None if path is None else _open(path)

    def state_at(self, run: str, position: int | None = None) -> RunState:
        """The run's state after the event at `position`, or after its latest. Keeps snapshots on the way."""
        segments = History.of(self._log, run, position).segments
        after, state, begin = 0, RunState(), 0
        for number in reversed(range(len(segments))):
            found = self._nearest(segments[number].run, segments[number].until)
            if found is not None:
                (after, state), begin = found, number
                break
        for segment in segments[begin:]:
            events = self._log.read(after=after, until=segment.until, run=segment.run)
            for count, recorded in enumerate(events, start=1):
                state = evolve(state, recorded.event)
                if count % EVERY == 0:
                    self._keep(segment.run, recorded, state)
        return state

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _nearest(self, run: str, until: int | None) -> tuple[int, RunState] | None:
        """Position and state of the run's last good snapshot up to a position."""
        if self._connection is None:
            return None
        query = (
            "SELECT position, fingerprint, chain_hash, state FROM snapshots WHERE run = ? AND position <= ? "
            "ORDER BY position DESC LIMIT 1"
        )
        last = self._log.head() if until is None else until
        try:
            while row := self._connection.execute(query, (run, last)).fetchone():
                position, made_by, chain_hash, state = row
                if made_by == fingerprint() and chain_hash == self._chain_hash(position):
                    return position, _adapter().validate_json(zlib.decompress(state))
                self._connection.execute("DELETE FROM snapshots WHERE run = ? AND position = ?", (run, position))
        except (sqlite3.Error, zlib.error, ValueError):
            return None  # damaged, or read-only and stale: the fold from the beginning is right in any case
        return None

    def _chain_hash(self, position: int) -> str | None:
        return next((row.chain_hash for row in self._log.raw(after=position - 1, until=position)), None)

    def _keep(self, run: str, recorded: Recorded, state: RunState) -> None:
        if self._connection is None:
            return
        data = zlib.compress(_adapter().dump_json(state), 1)
        row = (run, recorded.position, fingerprint(), recorded.chain_hash, data)
        with suppress(sqlite3.Error):  # a full disk, a read-only folder: nothing is lost but time
            self._connection.execute("INSERT OR REPLACE INTO snapshots VALUES (?, ?, ?, ?, ?)", row)


@cache
def fingerprint() -> str:
    """sha256 of the code that decides what a state is."""
    digest = hashlib.sha256()
    for source in sorted(files("agent0es.domain").iterdir(), key=lambda file: file.name):
        if source.name.endswith(".py"):
            digest.update(source.read_bytes())
    return digest.hexdigest()


@cache
def _adapter() -> "TypeAdapter[RunState]":
    from pydantic import TypeAdapter

    return TypeAdapter(RunState)


def _open(path: Path) -> sqlite3.Connection | None:
    """The file with its table; rebuilt when it is damaged, None where it can't be used."""
    for _ in range(2):
        connection = None
        try:
            connection = sqlite3.connect(os.fsencode(path.absolute()), timeout=1.0, isolation_level=None)
            connection.execute("PRAGMA synchronous = OFF")  # what a crash spoils is rebuilt
            connection.execute(TABLE)
            connection.execute("SELECT position FROM snapshots LIMIT 1")
            return connection
        except sqlite3.OperationalError:
            return None  # read-only, or taken by somebody else for long
        except sqlite3.DatabaseError:
            if connection is not None:
                connection.close()
            with suppress(OSError):
                path.unlink()
    return None

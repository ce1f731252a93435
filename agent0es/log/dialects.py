"""What depends on which database it is: connections, locks, triggers, what its errors mean.

`sqlite` and `postgresql` are the two that there are.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from sqlalchemy import Connection, Engine, Table

WRITE = "agent0es_write"
"""Execution option of a connection whose transactions write."""


class Dialect(Protocol):
    """What the rest of the package needs to know about a database."""

    name: str
    """For messages: the file, or the URL without its password."""
    in_memory: bool
    """One connection is all there is: readers and writers take turns."""
    engine_options: Mapping[str, Any]
    """For SQLAlchemy's `create_engine`."""
    raw_events: str
    """SQL for the events from position `{first}` on, as `verification.Row` has them: texts as the bytes that are
    stored."""
    raw_texts: str
    """SQL for the hash and the text of all texts, both as bytes, and whether they are of the right type."""
    raw_handled: str
    """SQL for the marks in `handled`, texts as bytes, and whether they are of the right type."""

    def prepare(self, engine: Engine) -> None:
        """Set up every new connection and how its transactions begin."""

    def initialise(self, engine: Engine) -> None:
        """Set what a database keeps, before the first table is made."""

    def protect(self, connection: Connection, table: Table) -> None:
        """Make the rows of a new table immutable, if it is one of those."""

    def lock(self, connection: Connection) -> None:
        """Keep other writers out until the end of the transaction, so that positions are visible in order."""

    def tail(self, connection: Connection) -> tuple[int, str | None]:
        """The last position that was ever given to an event, 0 before the first, and the last event's chain hash."""

    def check(self, connection: Connection) -> None:
        """Raise StoreError when a write would be lost."""

    def now(self, connection: Connection) -> float:
        """Unix time in seconds by the clock that all who use this database share."""

    def schema_version(self, connection: Connection) -> int:
        """Version of the tables, 0 when there are none."""

    def strangeness(self, connection: Connection) -> str | None:
        """What is not as this package makes it: a table, view, index or trigger of the log's that is another one, that
        is missing, or that is not the log's at all; None when there is nothing. A missing table is no such thing."""

    def explain(self, error: BaseException | None) -> str | None:
        """What a failure of the store means and what to do about it; None when it isn't the store's."""

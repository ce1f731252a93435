"""Events and logs that the tests of the log share."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from agent0es.domain import events as ev
from agent0es.log import EventLog, NewEvent, Recorded


def iteration(number: int = 1) -> ev.IterationStarted:
    """The smallest event."""
    return ev.IterationStarted(iteration=number)


def configured(configuration: dict[str, Any]) -> ev.RunStarted:
    """The event that can hold any JSON."""
    return ev.RunStarted(seed=1, configuration=configuration, code_version="0", weights={})


def new(stream: str, number: int = 1) -> NewEvent:
    return NewEvent(stream, iteration(number))


def begin(log: EventLog, run: str = "r") -> Recorded:
    """A first event to react to."""
    [recorded] = log.append([new(f"run/{run}")], handler="cli")
    return recorded


@contextmanager
def tampering(path: Path) -> Iterator[sqlite3.Connection]:
    """The file in the hands of somebody who drops the triggers, and makes them again when he is done."""
    connection = sqlite3.connect(path)
    triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
    for name, _sql in triggers:
        connection.execute(f"DROP TRIGGER {name}")
    yield connection
    for _name, sql in triggers:
        connection.execute(sql)
    connection.commit()
    connection.close()

"""A query is stopped by the clock and by Ctrl-C, also where the word comes just before it begins."""

import os
import signal
import threading
import time
from collections.abc import Iterator

import duckdb
import pytest

from agent0es.projections.clock import Clock, interruptibly

ENDLESS = "SELECT sum(a.range * b.range) FROM range(1000000) a, range(1000000) b"


@pytest.fixture
def cursor() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        yield connection.cursor()


def begin_late(cursor: duckdb.DuckDBPyConnection, query: str) -> None:
    time.sleep(0.3)
    cursor.execute(query)


@pytest.mark.timeout(60)
def test_a_query_that_begins_after_its_time_is_stopped_too(cursor: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(duckdb.InterruptException), Clock(cursor, 0.1).running():
        begin_late(cursor, ENDLESS)
    begin_late(cursor, "SELECT 1")
    assert cursor.fetchall() == [(1,)]


@pytest.mark.timeout(60)
def test_ctrl_c_stops_a_query_that_has_not_begun(cursor: duckdb.DuckDBPyConnection) -> None:
    threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        interruptibly(cursor, lambda: begin_late(cursor, ENDLESS))
    assert interruptibly(cursor, cursor.execute("SELECT 1").fetchall) == [(1,)]


def test_what_a_query_gives_and_raises_comes_through(cursor: duckdb.DuckDBPyConnection) -> None:
    clock = Clock(cursor, 60)
    with clock.running():
        assert interruptibly(cursor, cursor.execute("FROM range(3)").fetchall) == [(0,), (1,), (2,)]
    assert list(clock.steps(iter([1, 2]))) == [1, 2]
    with pytest.raises(duckdb.CatalogException):
        interruptibly(cursor, lambda: cursor.execute("FROM nothing"))

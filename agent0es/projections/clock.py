"""How long a query may take."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

T = TypeVar("T")


class Clock:
    """Interrupts a cursor when it has worked for so many seconds; without seconds never.

    Time between its steps, in which somebody looks at the rows, does not count.
    """

    def __init__(self, cursor: "DuckDBPyConnection", seconds: float | None) -> None:
        self._cursor = cursor
        self._left = seconds

    @contextmanager
    def running(self) -> Iterator[None]:
        """Around each step. What is interrupted raises duckdb.InterruptException."""
        if self._left is None:
            yield
            return
        timer = threading.Timer(max(self._left, 0.0), self._cursor.interrupt)
        timer.daemon = True
        begin = time.monotonic()
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            self._left -= time.monotonic() - begin

    def steps(self, items: Iterator[T]) -> Iterator[T]:
        """The items, each made while the clock runs."""
        while True:
            with self.running():
                item = next(items, None)
            if item is None:
                return
            yield item

"""What a run comes to when its model's server breaks: a row for each fault, the same for every backend that asks one.

A subclass gives the server and the backend. The run goes on, or stops with one line and is taken up again; in the end
its log holds what it would have held without the fault, nothing lost and nothing twice, and says what happened.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from agent0es.domain import events as ev
from agent0es.domain.tries import read_measured
from agent0es.log import EventLog, Recorded
from agent0es.models.base import GenerationRequest, ModelBackend, ModelUnavailable
from agent0es.models.http import asking, pacing
from agent0es.runs.driving import drive
from agent0es.runs.settings import configuration_of
from tests.support import http_server as raw
from tests.support import world
from tests.support.crashes import decided
from tests.support.http_server import Fault, HttpServer

RUN = "r"
SETTINGS = (
    "execution.deterministic=true",
    "execution.tasks_per_iteration=1",
    "training.minimum_examples=1000",
)
"""One task, two attempts, one request at a time; nothing is trained."""
SPARED = 3
"""Answers before the fault: so it strikes within an attempt that has called a tool."""
Script = Callable[[GenerationRequest, str | None], str]


@dataclass(frozen=True)
class Row:
    name: str
    fault: Callable[["FaultTable", HttpServer], Fault]
    told: str
    """A part of what the log says of it."""
    stops: bool = False
    """Whether the user must act before the run can go on."""


ROWS = (
    Row("refused", lambda _, server: server.refusal(0.15), "no connection"),
    Row("reset in mid-stream", lambda *_: raw.RESET, "ended within the answer"),
    Row("ended in mid-stream", lambda *_: raw.ENDED, "ended"),
    Row("an error line under HTTP 200", lambda table, _: raw.line_in_stream(table.error_line), "out of luck"),
    Row("429 with Retry-After", lambda *_: raw.status(429, {"error": "slow down"}, retry_after="0.3"), "slow down"),
    Row("503 queue full", lambda *_: raw.status(503, {"error": "server busy, please try again"}), "server busy"),
    Row("500", lambda *_: raw.status(500, {"error": "the runner ended"}), "the runner ended"),
    Row("truncated JSON", lambda *_: raw.TRUNCATED, "no JSON"),
    Row("invalid UTF-8", lambda *_: raw.NOT_UTF8, "UTF-8"),
    Row("slow loris", lambda *_: raw.loris(), "no answer within"),
    Row("a body of 100 MB", lambda *_: raw.HUGE, "more than"),
    Row("wrong content type", lambda *_: raw.WRONG_TYPE, "text/html"),
    Row("402", lambda *_: raw.status(402, {"error": "Insufficient credits"}), "Insufficient credits", stops=True),
    Row("401", lambda *_: raw.status(401, {"error": "Unauthorized"}), "Unauthorized", stops=True),
    Row("404", lambda *_: raw.status(404, {"error": "model 'x' not found"}), "not found", stops=True),
)


class FaultTable:
    """A test for each row."""

    path: ClassVar[str]
    """A part of the path of requests that the model answers."""
    error_line: ClassVar[bytes]
    """An error after HTTP 200, whole, with the words `out of luck`."""

    def server(self, script: Script) -> HttpServer:
        """Answers by a script, while it is open."""
        raise NotImplementedError

    def backend(self, server: HttpServer) -> ModelBackend:
        """A backend that asks it, and waits for no token longer than two seconds."""
        raise NotImplementedError

    @pytest.fixture(autouse=True)
    def _short_pauses(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(asking, "_GROWING", lambda state: 0.1)

    @pytest.fixture(scope="class")
    def undisturbed(self, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[tuple[str, str, str]], int]:
        """What is decided without a fault, and how many answers it takes."""
        store = tmp_path_factory.mktemp("undisturbed")
        with EventLog.open(store / "log.db") as log, self.server(world.respond) as server:
            world.begin(log, RUN, *SETTINGS)
            self.drive(log, store, server)
            return of(log), len(server.asked(self.path))

    def drive(self, log: EventLog, store: Path, server: HttpServer) -> None:
        async def whole() -> None:
            backend = self.backend(server)
            try:
                await drive(world.ports(store, log, RUN, configuration_of(log, RUN), backend), [])
            finally:
                await backend.close()

        asyncio.run(whole())

    @pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
    def test_nothing_is_lost_or_doubled(
        self, row: Row, undisturbed: tuple[list[tuple[str, str, str]], int], tmp_path: Path
    ) -> None:
        expected, answers = undisturbed
        with EventLog.open(tmp_path / "log.db") as log, self.server(world.respond) as server:
            world.begin(log, RUN, *SETTINGS)
            server.fail(row.fault(self, server), on=self.path, after=SPARED)
            if row.stops:
                with pytest.raises(ModelUnavailable) as stopped:
                    self.drive(log, tmp_path, server)
                assert row.told in str(stopped.value) and "\n" not in str(stopped.value)
                pacing._servers.clear()  # as in the process that takes the run up again
            self.drive(log, tmp_path, server)
            events = list(log.read(run=RUN))
            assert of(log) == expected
            tries = [one for event in events for one in read_measured(event.meta.measured)]
            assert tries and row.told in tries[-1]["fault"]
            if not row.stops and row.name != "refused":  # else the attempt is made again, or nobody heard the request
                assert len(server.asked(self.path)) == answers + len(tries)
            assert [type(one.event) for one in events if "tries" in one.meta.measured] == (
                [ev.HandlerFailed] if row.stops else [ev.ModelCalled]
            )


def of(log: EventLog) -> list[tuple[str, str, str]]:
    """What a run decided, whatever stopped it in between."""
    events: list[Recorded] = [one for one in log.read(run=RUN) if not isinstance(one.event, ev.HandlerFailed)]
    return decided(events)

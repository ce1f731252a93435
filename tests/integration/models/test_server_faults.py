"""Every fault against every server that is asked over HTTP: one table, and a whole small run for each of its cells.

The run goes on, or stops with one line and is taken up again. In the end its log holds what it would have held without
the fault, nothing lost and nothing twice, and says what happened.
"""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

from agent0es.domain import events as ev
from agent0es.domain.tries import read_measured
from agent0es.log import EventLog, Recorded
from agent0es.models.base import ModelUnavailable
from agent0es.models.http import asking, pacing
from agent0es.rollouts import retry
from agent0es.runs.driving import drive
from agent0es.runs.settings import configuration_of
from tests.support import fault_forms as forms
from tests.support import http_server as raw
from tests.support import world
from tests.support.crashes import decided
from tests.support.fault_forms import Cell, Cells
from tests.support.fault_peers import PATIENT, PEERS, Peer, There, speak
from tests.support.http_server import Fault
from tests.support.providers.serving import KEY
from tests.support.providers.there import VARIABLE

RUN = "r"
SETTINGS = (
    "execution.deterministic=true",
    "execution.tasks_per_iteration=1",
    "models.student.observations=turns",
    "curriculum.demonstrations=1",
    "training.roles=[]",
)
"""One task, two attempts of two turns, one request at a time; prompts are short."""
SPARED = 2
"""Answers before the fault, a proposal and a call: it strikes an attempt that has called a tool."""
ALL_TRIES = int(PATIENT["tries"])
GIVEN_UP = pacing.FAILURES * ALL_TRIES
"""Tries after which nothing more is sent."""
Outcome = Literal["passes", "again", "stops", "refused"]
"""The request is tried again; all its tries fail, and the attempt is made again; the user must act before the run goes
on; the attempt ends without an answer."""
TELLERS: Mapping[Outcome, type[ev.Event]] = {
    "passes": ev.ModelCalled,
    "again": ev.AttemptAbandoned,
    "stops": ev.HandlerFailed,
    "refused": ev.SolutionSubmitted,
}
"""The event that tells of it."""
ENDS = (ev.SolutionSubmitted, ev.AttemptAbandoned)


def everywhere(told: str, fault: Fault) -> Cells:
    """What has one form with all of them."""
    return {name: Cell(fault, told) for name in PEERS}


@dataclass(frozen=True)
class Row:
    name: str
    cells: Cells
    outcome: Outcome = "passes"
    times: int = 1
    """Tries that fail."""
    lasts: bool = False
    """Until it is mended: attempts are made again, and nothing more is sent after the third one that was given up."""
    waits: float = 0.0
    """Seconds that the server asks for."""
    options: Mapping[str, Any] = field(default_factory=dict)
    settings: tuple[str, ...] = ()

    @property
    def tellers(self) -> set[type[ev.Event]]:
        """The events that tell of it."""
        return {TELLERS[self.outcome], *([ev.AttemptAbandoned] if self.lasts else [])}


def less_read(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The answer of a server that read less than it was sent, and says so in its counts alone."""
    counts = re.compile(rb'"(prompt_tokens|input_tokens|promptTokenCount|prompt_eval_count)": \d+')

    async def changed() -> AsyncIterator[bytes]:
        async for piece in pieces:
            yield counts.sub(rb'"\1": 41', piece)

    return changed()


AWAY, GONE = "refused for a moment", "refused for good"
"""Rows whose fault needs the server: nobody listens there."""
ROWS = (
    Row(AWAY, everywhere("no connection", Fault(AWAY)), options={"tries": 30}),
    Row(GONE, everywhere("no connection", Fault(GONE)), "stops", times=GIVEN_UP, lasts=True),
    Row("reset in mid-stream", everywhere("the connection ended within the answer", raw.RESET)),
    Row("ended in mid-stream", everywhere("ended", raw.ENDED)),
    Row("an error line under HTTP 200", forms.ERROR_LINE),
    Row("429 with Retry-After", forms.TOO_MANY, waits=forms.PAUSE),
    Row("503 queue full", forms.QUEUE_FULL),
    Row("500 twice", forms.BROKEN, times=2),
    Row("500 until the attempt is given up", forms.BROKEN, "again", times=ALL_TRIES),
    Row("500 without end", forms.BROKEN, "stops", times=GIVEN_UP, lasts=True),
    Row("truncated JSON", everywhere("no JSON", raw.TRUNCATED)),
    Row("invalid UTF-8", everywhere("UTF-8", raw.NOT_UTF8)),
    Row("slow loris", everywhere("no answer within 0.7", raw.loris(0.02)), options={"first_token_seconds": 0.7}),
    Row("a body of 100 MB", everywhere("more than", raw.HUGE)),
    Row("wrong content type", everywhere("text/html", raw.WRONG_TYPE)),
    Row("402, the budget is used up", forms.NO_BUDGET, "stops"),
    Row("401, the key is wrong", forms.NO_KEY, "stops"),
    Row("404, the model is gone", forms.NO_MODEL, "stops"),
    Row("a prompt longer than the context", forms.TOO_LONG, "refused"),
    Row(
        "a context that was cut",
        everywhere("41 tokens", Fault("cut", change=less_read)),
        "refused",
        settings=("curriculum.demonstrations=12",),  # so that it is long enough to see it
    ),
)


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "_GROWING", lambda state: 0.05)
    monkeypatch.setattr(retry, "BACKOFF_SECONDS", 0.01)
    monkeypatch.setenv(VARIABLE, KEY)


def run_on(there: There, log: EventLog, store: Path, **options: Any) -> None:
    """Drive the run from where its log ends, as a process of its own would."""

    async def whole() -> None:
        pacing._servers.clear()
        backend = there.backend(**options)
        try:
            await drive(world.ports(store, log, RUN, configuration_of(log, RUN), backend), [])
        finally:
            await backend.close()

    asyncio.run(whole())


@contextmanager
def begun(peer: Peer, folder: Path, *settings: str) -> Iterator[tuple[There, EventLog]]:
    with EventLog.open(":memory:") as log, peer.open(folder, speak) as there:
        world.begin(log, RUN, *SETTINGS, *settings)
        yield there, log


def of(events: Sequence[Recorded]) -> list[tuple[str, str, str]]:
    """What a run decided, whatever stopped it in between."""
    return decided([one for one in events if not isinstance(one.event, ev.HandlerFailed)])


SLOW = ("google", "cohere")
"""Each takes seconds to import."""


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(peer, id=name, marks=[pytest.mark.slow] if name in SLOW else []) for name, peer in PEERS.items()
    ],
)
def peer(request: pytest.FixtureRequest) -> Peer:
    found: Peer = request.param
    return found


@pytest.fixture(scope="module")
def undisturbed(peer: Peer, tmp_path_factory: pytest.TempPathFactory) -> list[Recorded]:
    """The run without a fault."""
    store = tmp_path_factory.mktemp("undisturbed")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv(VARIABLE, KEY)
        with begun(peer, store) as (there, log):
            run_on(there, log, store)
            return list(log.read(run=RUN))


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_nothing_is_lost_or_doubled_and_the_log_says_what_happened(
    peer: Peer, row: Row, undisturbed: list[Recorded], tmp_path: Path
) -> None:
    cell, drives = row.cells[peer.name], 1
    with begun(peer, tmp_path, *row.settings) as (there, log):
        server = there.server
        fault = {AWAY: server.refusal(0.12), GONE: server.refusal(None)}.get(row.name, cell.fault)
        server.fail(fault, times=2 * row.times if row.lasts else row.times, on=peer.path, after=peer.probes + SPARED)
        if row.outcome == "stops":
            with pytest.raises(ModelUnavailable) as stopped:
                run_on(there, log, tmp_path, **row.options)
            assert cell.told in str(stopped.value) and "\n" not in str(stopped.value)
            server.mend()
            drives = 2
        run_on(there, log, tmp_path, **row.options)
        events = list(log.read(run=RUN))
        sent = len(server.asked(peer.path)) - peer.probes * drives

    kinds, expected = (Counter(type(one.event) for one in these) for these in (events, undisturbed))
    ended = Counter(one.event.attempt for one in events if isinstance(one.event, ENDS))
    assert ended == Counter(one.event.attempt for one in events if isinstance(one.event, ev.AttemptStarted))
    assert set(ended.values()) == {1}, "every attempt ended once"
    if row.outcome == "refused":
        missing = Counter([ev.ModelCalled, ev.ToolRequested, ev.ToolCalled])
        assert kinds == expected - missing, "an answer less, so that none is verified, and all else as ever"
    else:
        assert of(events) == of(undisturbed)

    tries = [one for event in events for one in read_measured(event.meta.measured)]
    heard = [one for one in tries if "no connection" not in one["fault"]]
    assert sent == kinds[ev.ModelCalled] + len(heard), "nothing is asked that the log does not tell of"
    said = [one["fault"] for one in tries]
    assert all(cell.told in one for one in (said[-1:] if row.name in (AWAY, GONE) else said))
    assert all(one["waited"] >= row.waits for one in tries)
    assert len(said) == row.times or row.name == AWAY
    tellers = [one for one in events if "tries" in one.meta.measured]
    assert {type(one.event) for one in tellers} == row.tellers
    if row.outcome == "refused":
        assert cell.told in str(tellers[0].meta.measured["refused"])

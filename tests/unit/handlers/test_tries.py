"""Each time that a server was asked in vain is in the log: with the answer that came in the end, with the attempt that
was given up, with the failure that stopped the run."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from agent0es.cli.whole import write_attempt
from agent0es.domain import events as ev
from agent0es.domain.tries import Try, as_measured, read_measured
from agent0es.log import EventLog, History, Recorded
from agent0es.models.base import (
    Completion,
    GenerationFailed,
    GenerationRequest,
    ModelUnavailable,
    Weights,
)
from agent0es.models.scripted import ScriptedBackend
from agent0es.projections import PROJECTIONS_FILE, Projections
from agent0es.provenance.whole import attempt
from agent0es.rollouts import retry
from agent0es.runs.driving import drive
from agent0es.runs.settings import configuration_of
from tests.support import world

RUN = "r"
BUSY = Try("POST /v1/chat/completions", 1_780_000_000.5, 503, "server busy", 1.5)
RESET = Try("POST /v1/chat/completions", 1_780_000_002.5, None, "the connection was reset", 0.0)


class Troubled(ScriptedBackend):
    """A server that is tried again: the student gets its first answer late, its second never."""

    def __init__(self, broken: Exception) -> None:
        super().__init__(world.respond, weights=Weights("scripted", Path("base.gguf"), "b" * 64))
        self._broken, self.asked = broken, 0

    async def generate(self, requests: Sequence[GenerationRequest], adapter: str | None = None) -> list[Completion]:
        [completion] = await super().generate(requests, adapter)
        if "Families:" not in requests[0].messages[-1].content:
            self.asked += 1
            if self.asked == 2:
                raise self._broken
        return [replace(completion, tries=(BUSY,) if self.asked == 1 else ())]


def driven(log: EventLog, store: Path, broken: Exception) -> list[Recorded]:
    world.begin(log, RUN, "training.minimum_examples=1000", "execution.on_error=continue")
    asyncio.run(drive(world.ports(store, log, RUN, configuration_of(log, RUN), Troubled(broken)), []))
    return list(log.read(run=RUN))


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "BACKOFF_SECONDS", 0.0)


def test_tries_are_told_with_what_became_of_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with EventLog.open(tmp_path / "log.db") as log:
        events = driven(log, tmp_path, GenerationFailed("gone", (BUSY, RESET)))
        told = [(one.event, read_measured(one.meta.measured)) for one in events if "tries" in one.meta.measured]
        assert [type(event) for event, _ in told] == [ev.ModelCalled, ev.AttemptAbandoned]
        assert [len(tries) for _, tries in told] == [1, 2]
        assert isinstance(told[1][0], ev.AttemptAbandoned)
        abandoned = attempt(History.of(log, RUN), RUN, told[1][0].attempt)
        assert [one["fault"] for one in abandoned["abandoned"]["tries"]] == ["server busy", "the connection was reset"]
        abandoned["problem"] = None
        write_attempt(abandoned, tmp_path)
        shown = capsys.readouterr().out
        assert "20:26:40 POST /v1/chat/completions: 503 server busy; then waited 1.5 s" in shown
        assert "20:26:42 POST /v1/chat/completions: the connection was reset\n" in shown
        with Projections.open(log, tmp_path / PROJECTIONS_FILE) as tables:
            tables.catch_up()
            answer = tables.query("SELECT tries->>'$[0].status' FROM model_calls WHERE tries IS NOT NULL")
            assert list(answer.rows) == [("503",)]


def test_a_server_that_answers_nobody_stops_the_run_with_its_line_and_the_log_has_it(tmp_path: Path) -> None:
    with EventLog.open(tmp_path / "log.db") as log:
        with pytest.raises(ModelUnavailable, match=r"^the budget is used up$"):
            driven(log, tmp_path, ModelUnavailable("the budget is used up", (BUSY,)))
        [failed] = list(log.read(run=RUN, types=["HandlerFailed"]))
        assert isinstance(failed.event, ev.HandlerFailed)
        assert failed.event.error == "ModelUnavailable: the budget is used up"
        assert failed.event.task is None, "no task is dropped for it"
        assert [one["status"] for one in read_measured(failed.meta.measured)] == [503]


def test_what_somebody_else_wrote_in_their_place_is_no_try() -> None:
    assert read_measured(as_measured((BUSY, RESET))) == [
        {
            "what": "POST /v1/chat/completions",
            "ended": 1_780_000_000.5,
            "status": 503,
            "fault": "server busy",
            "waited": 1.5,
        },
        {
            "what": "POST /v1/chat/completions",
            "ended": 1_780_000_002.5,
            "status": None,
            "fault": RESET.fault,
            "waited": 0.0,
        },
    ]
    assert as_measured(()) == {} and read_measured({}) == []
    late = as_measured((replace(BUSY, ended=1e300),))
    for odd in ({"tries": 7}, {"tries": "[" * 10_000}, {"tries": '[{"what": 1}]'}, {"tries": "null"}, late):
        assert read_measured(odd) == []
    [told] = read_measured(as_measured((replace(BUSY, fault="\x1b[31m" + "a" * 5000),)))
    assert "\x1b" not in told["fault"] and len(told["fault"]) <= 200

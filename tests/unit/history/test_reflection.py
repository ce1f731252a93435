"""A run whose student is asked about its answers: it verifies, is played again, and trains on the same."""

import asyncio
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent0es.domain import events as ev
from agent0es.log import EventLog, History, Recorded
from agent0es.models.recorded import RecordedBackend
from agent0es.projections import Projections
from agent0es.projections.calibration import judged_attempts
from agent0es.projections.trajectories import trajectories
from agent0es.runs.driving import drive
from agent0es.runs.settings import configuration_of
from tests.support import world
from tests.unit.history.test_verification import plant, verified
from tests.unit.log.samples import tampering

ONE_BY_ONE = "execution.deterministic=true"
REFLECTION = "execution.reflection=[critique, confidence]"


def made(store: Path, *settings: str) -> list[Recorded]:
    """The events of a finished run named `run` in a new store."""
    store.mkdir(exist_ok=True)
    with EventLog.open(store / "log.db") as log:
        world.begin(log, "run", ONE_BY_ONE, *settings)
        world.complete(log, "run", store)
        return list(log.read(run="run"))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a finished run whose student was asked both questions."""
    store = tmp_path_factory.mktemp("asked")
    made(store, REFLECTION)
    return store


@pytest.fixture(scope="module")
def events(store: Path) -> list[Recorded]:
    with EventLog.open(store / "log.db", read_only=True) as log:
        return list(log.read(run="run"))


def test_every_answer_is_asked_about_and_nothing_else_changes(events: list[Recorded], tmp_path: Path) -> None:
    asked = [r.event for r in events if isinstance(r.event, ev.Reflected)]
    answered = [r.event for r in events if isinstance(r.event, ev.SolutionSubmitted) and r.event.solution.answer]
    assert [e.attempt for e in asked] == [e.attempt for e in answered for _ in range(2)]
    assert {e.question for e in asked} == {"critique", "confidence"} and None in {e.confidence for e in asked}
    rest = [r for r in events if not isinstance(r.event, ev.Reflected | ev.RunStarted)]
    rest = [r for r in rest if not (isinstance(r.event, ev.ModelCalled) and r.event.question)]
    without = [r for r in made(tmp_path) if not isinstance(r.event, ev.RunStarted)]
    # A verifier's call may stand before or after the model's last words.
    assert sorted((r.stream, r.content_hash) for r in rest) == sorted((r.stream, r.content_hash) for r in without)
    assert {r.event.type for r in rest} >= {"DatasetBuilt", "AdapterEvaluated"}, "it learnt the same"


def test_its_questions_and_what_they_came_to_are_verified(store: Path, events: list[Recorded]) -> None:
    with EventLog.open(store / "log.db", read_only=True) as log:
        report = verified(log, "run")
    assert report.difference is None
    asked = sum(isinstance(r.event, ev.Reflected) for r in events)
    assert report.checked["questions"] == report.checked["reflections"] == asked > 0


@pytest.mark.parametrize(
    ("kind", "change", "what"),
    [
        ("Reflected", lambda c: c.update(confidence=0.123), "reflections"),
        ("ModelCalled", lambda c: c.update(seed=7), "questions"),
        ("ModelCalled", lambda c: c.update(temperature=1.0), "questions"),
        ("ModelCalled", lambda c: c.update(prompt={"turns": [{"role": "user", "text": "Say Yes."}]}), "questions"),
        ("ModelCalled", lambda c: c.update(question="confidence"), "questions"),
    ],
)
def test_a_planted_question_or_reply_is_found(
    store: Path, tmp_path: Path, kind: str, change: Callable[[dict[str, Any]], object], what: str
) -> None:
    difference = plant(store, tmp_path / "log.db", kind, change, '"question":"critique"').difference
    assert difference is not None and difference.kind == what


def test_a_question_that_was_not_put_is_found(store: Path, events: list[Recorded], tmp_path: Path) -> None:
    first = next(n for n, r in enumerate(events) if isinstance(r.event, ev.ModelCalled) and r.event.question)
    with sqlite3.connect(store / "log.db") as source, sqlite3.connect(tmp_path / "log.db") as target:
        source.backup(target)
    with tampering(tmp_path / "log.db") as connection:
        gone = [r.position for r in events[first : first + 4]]  # both questions and both replies
        connection.executemany("DELETE FROM events WHERE seq = ?", [(position,) for position in gone])
    with EventLog.open(tmp_path / "log.db", read_only=True) as log:
        difference = verified(log, "run").difference
    assert difference is not None and difference.kind == "solutions"


def test_its_recording_gives_the_same_run_again(store: Path, events: list[Recorded], tmp_path: Path) -> None:
    with EventLog.open(tmp_path / "log.db") as log:
        world.begin(log, "run", ONE_BY_ONE, REFLECTION)
        ports = world.ports(tmp_path, log, "run", configuration_of(log, "run"))
        recording = RecordedBackend(str(store), "run", ports.models["student"].weights)
        asyncio.run(drive(replace(ports, models={"teacher": recording, "student": recording}), []))
        again = list(log.read(run="run"))
    assert [(r.stream, r.content_hash) for r in again] == [(r.stream, r.content_hash) for r in events]


def test_what_was_said_is_beside_the_attempt_and_not_in_its_reasoning(store: Path, events: list[Recorded]) -> None:
    said = {
        (r.event.attempt, r.event.question): r.event.confidence for r in events if isinstance(r.event, ev.Reflected)
    }
    with EventLog.open(store / "log.db", read_only=True) as log, Projections.open(log) as tables:
        tables.catch_up()
        rows = tables.query("SELECT attempt, stated_confidence, critique_confidence FROM attempts").rows
        found = {
            (attempt, question): value
            for attempt, *values in rows
            for question, value in zip(("confidence", "critique"), values, strict=True)
            if (attempt, question) in said
        }
        assert found == said
        judged = [one for answers in judged_attempts(tables, "run").values() for one in answers]
        records = list(trajectories(History.of(log, "run")))
    assert any(one.stated is not None for one in judged) and any(one.critique is not None for one in judged)
    assert records and not any(word in r["solution"]["reasoning"] for r in records for word in ("sure", "Yes", "No"))

"""Events as lines of the program's own log: how grave each is, what it is about, and nothing that steers a terminal."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest

from agent0es.domain.events import Event
from agent0es.domain.task import Verification
from agent0es.history import log_lines
from agent0es.log import EventLog, NewEvent
from tests.unit.log.make_golden import example

D, INFO, W, E = logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR
LEVELS = {
    **dict.fromkeys(["ModelCalled", "ToolRequested", "AttemptStarted", "TaskProposed", "RewardAssigned"], D),
    **dict.fromkeys(["TaskCompleted", "TrainingProgressed", "RunStarted", "RunCompleted", "AdapterTrained"], INFO),
    **dict.fromkeys(["IterationCompleted", "RouteAnswered", "EvaluationCompleted", "AlertCleared", "JobStarted"], INFO),
    **dict.fromkeys(["AttemptAbandoned", "Retried", "AlarmRaised", "AlertRaised", "TrainingFailed"], W),
    **dict.fromkeys(["HandlerFailed", "RouteFailed"], E),
}


def made(kind: str, /, **changes: Any) -> Event:
    """An example of an event."""
    [model] = [model for model in get_args(Event) if model.__name__ == kind]
    content = {name: example(info.annotation, name) for name, info in model.model_fields.items()}
    event: Event = model.model_validate(content | changes)
    return event


@pytest.mark.parametrize(("kind", "level"), LEVELS.items())
def test_how_grave_an_event_is(kind: str, level: int) -> None:
    assert log_lines.level(made(kind)) == level


def verified(correct: bool | None) -> Event:
    return made(
        "Verified",
        verification=Verification(correct=correct, score=0, confidence=1, method="exact", explanation="42 is not 41"),
    )


def test_what_an_outcome_makes_of_it() -> None:
    assert [log_lines.level(verified(correct)) for correct in (True, False, None)] == [D, W, W]
    calls = [log_lines.level(made("ToolCalled", status=status)) for status in ("ok", "error", "denied", "timeout")]
    assert calls == [D, D, D, W]
    jobs = [log_lines.level(made("JobFinished", outcome=outcome)) for outcome in ("succeeded", "failed")]
    assert jobs == [INFO, E]


def test_every_event_has_a_level_and_words() -> None:
    for model in get_args(Event):
        assert log_lines.level(made(model.__name__)) in (D, INFO, W, E)


@pytest.fixture
def written(tmp_path: Path) -> Iterator[Path]:
    """Where lines are written as JSON, from INFO on."""
    logger, handler = logging.getLogger(log_lines.LOGGER), logging.FileHandler(tmp_path / "lines", encoding="utf-8")
    handler.setFormatter(log_lines.JsonLines())
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield tmp_path / "lines"
    logger.removeHandler(handler)
    handler.close()


def test_what_a_process_appends_is_told_at_once_with_its_ids(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_API_KEY", "correct-horse-battery-staple")
    failed = made(
        "HandlerFailed", handler="propose", task=3, error="401 for correct-horse-battery-staple\x1b[2J\nsecond line"
    )
    with EventLog.open("sqlite:///:memory:") as log:
        log.observe(log_lines.tell)
        log.append([NewEvent("run/r", made("RunStarted")), NewEvent("run/r", failed)], handler="cli")
        log.append([NewEvent("attempt/r/12/0", made("ToolRequested", attempt="12/0"))], handler="solve")  # quiet
        log.append([NewEvent("attempt/r/12/0", verified(False).model_copy(update={"attempt": "12/0"}))], handler="v")
    first, second, third = map(json.loads, written.read_text().splitlines())
    assert (first["level"], first["event"], first["run"], first["position"]) == ("INFO", "RunStarted", "r", 1)
    assert (second["level"], second["task"]) == ("ERROR", 3)
    assert "***" in second["message"] and "horse" not in written.read_text()
    assert second["message"].isprintable() and "\x1b" not in second["message"]
    assert (third["level"], third["attempt"], third["position"]) == ("WARNING", "12/0", 4)


def test_text_is_one_line_a_record_too() -> None:
    record = logging.makeLogRecord({"name": "agent0es", "levelname": "INFO", "msg": "a\nb\x1b[31m", "created": 0.0})
    assert log_lines.TextLines().format(record) == "1970-01-01T00:00:00.000Z INFO   : a b [31m"

"""Somebody watches over a store: alerts reach the log, a web hook and a program, once, whoever watches."""

import json
import logging
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from agent0es.configuration import AlertRule, AlertRules, AlertsSettings, RecentRule
from agent0es.errors import ConfigurationError
from agent0es.log import EventLog, NewEvent
from agent0es.runs import alerting, notifying
from agent0es.runs.alerting import listed, watched
from tests.support.commands import answer, json_answers
from tests.support.http_server import Answer, HttpServer, Request, json_answer, status
from tests.unit.history.test_log_lines import made, verified

VARIABLE = "ALERTS_GO_TO"
NO_DISK = AlertRules(disk_full=AlertRule(above=None, clear=0.0))
"""The machine that tests run on may be full."""


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alerting, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(alerting, "OTHER_SECONDS", 0.1)
    monkeypatch.setattr(notifying, "PAUSE_SECONDS", 0.01)


@contextmanager
def hook() -> Iterator[HttpServer]:
    async def answers(request: Request) -> Answer:
        return json_answer({})

    with HttpServer(answers) as server:
        yield server


def until(what: Callable[[], Any], seconds: float = 10.0) -> Any:
    """Wait until it is true."""
    deadline = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)
    return found


def failed(log: EventLog) -> None:
    log.append([NewEvent("run/r", made("HandlerFailed", task=None, error="ValueError: no"))], handler="solve")


def goes_on(log: EventLog) -> None:
    log.append([NewEvent("task/r/1", made("RewardAssigned"))], handler="reward")


def test_an_alert_is_in_the_log_and_at_the_web_hook_and_a_program_gets_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = (sys.executable, "-c", "import sys; open('told', 'a').write(sys.stdin.read() + '\\n')")
    monkeypatch.chdir(tmp_path)
    settings = AlertsSettings(rules=NO_DISK, webhook_env=VARIABLE, command=program)
    with hook() as server, EventLog.open(tmp_path / "log.db") as log:
        monkeypatch.setenv(VARIABLE, f"{server.url}/services/T000/secret-part")
        with watched(tmp_path, log, settings):
            until(lambda: "alerts" in log.drivers())
            failed(log)
            until(lambda: len(server.requests) == 1)
            goes_on(log)
            until(lambda: len(server.requests) == 2)
        raised, cleared = (request.json for request in server.requests)
        assert [request.path for request in server.requests] == ["/services/T000/secret-part"] * 2
        assert (raised["event"], raised["rule"], raised["run"]) == ("AlertRaised", "run_failed", "r")
        assert raised["message"] == "an error stopped it: ValueError: no"
        assert (cleared["event"], cleared["rule"]) == ("AlertCleared", "run_failed")
        events = list(log.read(run="alerts"))
        assert [one.stream for one in events] == ["service/alerts/run_failed"] * 2
        assert [one.position for one in events] == [raised["position"], cleared["position"]]
        assert log.runs() == ["r"], "alerts are no run"
        assert log.drivers() == {}
        [row] = listed(log)
        assert row["cleared"] is not None
        assert "secret-part" not in json.dumps([row.event.model_dump() for row in log.read()])
    assert [json.loads(line)["event"] for line in Path("told").read_text().splitlines()] == [
        "AlertRaised",
        "AlertCleared",
    ]


def test_the_command_lists_what_is_active(tmp_path: Path) -> None:
    with EventLog.open(tmp_path / "log.db") as log:
        assert answer(tmp_path, "alerts") == "No alert is active.\n"
        with watched(tmp_path, log, AlertsSettings(rules=NO_DISK)):
            until(lambda: "alerts" in log.drivers())
            failed(log)
    [alert] = json_answers(tmp_path, "alerts")
    assert (alert["rule"], alert["run"], alert["cleared"], alert["above"]) == ("run_failed", "r", None, 0.0)
    assert "an error stopped it" in answer(tmp_path, "alerts")
    assert "AlertRaised" in answer(tmp_path, "events", "alerts")


def test_the_last_events_before_the_end_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alerting, "LOOK_SECONDS", 60.0)
    with EventLog.open(tmp_path / "log.db") as log:
        with watched(tmp_path, log, AlertsSettings(rules=NO_DISK)):
            until(lambda: "alerts" in log.drivers())
            time.sleep(0.2)
            failed(log)
        assert [row["rule"] for row in listed(log)] == ["run_failed"]


def test_a_run_that_is_over_at_once_is_looked_at_before_it_is_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alerting, "LOOK_SECONDS", 60.0)
    rules = NO_DISK.model_copy(update={"failure_rate": RecentRule(above=0.5, clear=0.4, last=2)})
    wrong = [verified(False).model_copy(update={"attempt": f"1/{n}", "task": 1}) for n in range(2)]
    with EventLog.open(tmp_path / "log.db") as log:
        with watched(tmp_path, log, AlertsSettings(rules=rules)):
            until(lambda: "alerts" in log.drivers())
            time.sleep(0.2)
            log.append([NewEvent("attempt/r/1/0", one) for one in wrong], handler="verify")
            log.append([NewEvent("run/r", made("RunCompleted"))], handler="schedule")
        [row] = listed(log)
        assert (row["rule"], row["run"], row["subject"]) == ("failure_rate", "r", "attempts")
        assert row["cleared"] is not None, "the run is completed"


def test_two_watch_and_one_of_them_tells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = AlertsSettings(rules=NO_DISK, webhook_env=VARIABLE)
    with hook() as server, EventLog.open(tmp_path / "log.db") as log, EventLog.open(tmp_path / "log.db") as other:
        monkeypatch.setenv(VARIABLE, server.url)
        with watched(tmp_path, other, settings):
            with watched(tmp_path, log, settings):
                until(lambda: "alerts" in log.drivers())
                failed(log)
                until(lambda: server.requests)
            goes_on(log)  # whoever watched first may be gone; the other goes on within OTHER_SECONDS
            until(lambda: len(server.requests) == 2 or listed(log)[-1]["cleared"] is not None)
        assert [one.event.type for one in log.read(run="alerts")] == ["AlertRaised", "AlertCleared"]


def test_an_alert_of_before_is_known_to_who_watches_next(tmp_path: Path) -> None:
    with EventLog.open(tmp_path / "log.db") as log:
        for _ in range(2):
            with watched(tmp_path, log, AlertsSettings(rules=NO_DISK)):
                until(lambda: "alerts" in log.drivers())
                failed(log)
        assert [one.event.type for one in log.read(run="alerts")] == ["AlertRaised"]


def test_a_web_hook_that_fails_is_asked_again_and_one_that_refuses_is_not(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def tell(server: HttpServer) -> None:
        notifying.notify({"event": "AlertRaised"}, f"{server.url}/secret-part", ())

    with hook() as server, caplog.at_level(logging.ERROR, logger="agent0es"):
        server.fail(status(500, {}), status(503, {}))
        tell(server)
        assert len(server.requests) == 3 and not caplog.records
        server.fail(*[status(500, {})] * 3)
        tell(server)
        assert len(server.requests) == 6 and "status 500" in caplog.text
        server.fail(status(403, {}))
        tell(server)
        assert len(server.requests) == 7 and "status 403" in caplog.text
    notifying.notify({}, f"{server.url}/secret-part", ())  # nobody listens
    assert "ConnectError" in caplog.text
    assert "secret-part" not in caplog.text


def test_a_program_that_is_not_there_is_told_of_and_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    notifying.notify({}, None, ("/no/such/program",))
    notifying.notify({}, None, (sys.executable, "-c", "import sys; sys.exit(3)"))
    assert "/no/such/program could not be run: FileNotFoundError" in caplog.text
    assert "ended with exit code 3" in caplog.text


@pytest.mark.parametrize("value", [None, "", "file:///etc/passwd", "hooks.example.com"])
def test_a_web_hook_that_is_none_is_refused_before_anything_begins(
    monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    if value is not None:
        monkeypatch.setenv(VARIABLE, value)
    with pytest.raises(ConfigurationError, match=f"{VARIABLE!r} has no URL") as refused:
        notifying.webhook_of(AlertsSettings(webhook_env=VARIABLE))
    assert "passwd" not in str(refused.value)


def test_a_log_that_was_altered_is_told_of(tmp_path: Path) -> None:
    from tests.unit.log.samples import tampering

    rules = NO_DISK.model_copy(update={"chain_broken": NO_DISK.chain_broken.model_copy(update={"seconds": 0.01})})
    with EventLog.open(tmp_path / "log.db") as log:
        goes_on(log)
        with tampering(tmp_path / "log.db") as raw:
            raw.execute("UPDATE events SET state = replace(state, 'teacher', 'student') WHERE seq = 1")
        with watched(tmp_path, log, AlertsSettings(rules=rules)):
            until(lambda: "alerts" in log.drivers())
            goes_on(log)
            until(lambda: listed(log))
        assert listed(log)[0]["rule"] == "chain_broken"
        assert "has been altered" in listed(log)[0]["message"]


def test_a_disk_that_is_nearly_full_is_told_of(tmp_path: Path) -> None:
    rules = AlertRules(disk_full=AlertRule(above=1e-9, clear=0.0))
    with EventLog.open(tmp_path / "log.db") as log, watched(tmp_path, log, AlertsSettings(rules=rules)):
        assert until(lambda: listed(log))[0]["rule"] == "disk_full"
    usage = os.statvfs(tmp_path)
    assert usage.f_blocks > usage.f_bfree, "the test needs a disk with something on it"


def test_who_could_not_look_at_the_disk_watches_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    look, failures = shutil.disk_usage, [OSError("stale"), OSError("stale")]

    def usage(folder: Path) -> Any:
        if failures:
            raise failures.pop()
        return look(folder)

    monkeypatch.setattr("agent0es.runs.alerting.shutil.disk_usage", usage)
    monkeypatch.setattr("agent0es.runs.alerting.OTHER_SECONDS", 0.05)
    monkeypatch.setattr("agent0es.runs.alerting.DISK_SECONDS", 0.0)
    rules = AlertRules(disk_full=AlertRule(above=1e-9, clear=0.0))
    with EventLog.open(tmp_path / "log.db") as log, watched(tmp_path, log, AlertsSettings(rules=rules)):
        assert until(lambda: listed(log))[0]["rule"] == "disk_full"
    assert not failures

"""What an operator sees and does on the pages: alerts, schedules, checkpoints, actions, and what is said of errors."""

import re
import shutil
import time
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from agent0es.cli.main import cli
from agent0es.domain import events as ev
from agent0es.log import EventLog, NewEvent
from agent0es.projections import Projections
from agent0es.runs import launching, scheduling, watching
from agent0es.runs.checkpoints import kept
from tests.support.serving import Served, answering, served

HTML = {"Accept": "text/html,application/xhtml+xml"}
PATIENT = 400.0
CONFIG = "execution: {iterations: 2}\nseed: 41\n"


@pytest.fixture(scope="module")
def store(completed_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shutil.copytree(completed_store, tmp_path_factory.mktemp("operated") / "store")


@pytest.fixture(scope="module")
def told(store: Path) -> dict[str, int]:
    """Alerts that nobody watches over: rule to the position at which each was raised."""
    made: dict[str, Any] = {"value": 0.9, "above": 0.5, "message": "<b>9 of 10</b> failed"}
    with EventLog.open(store / "log.db") as log:
        first = log.append(
            [
                alert("failure_rate", ev.AlertRaised(rule="failure_rate", run="one", subject="attempts", **made)),
                alert("disk_full", ev.AlertRaised(rule="disk_full", run=None, subject="disk", **made)),
                alert("timeouts", ev.AlertRaised(rule="timeouts", run="one", subject="tool calls", **made)),
            ],
            handler="alerts",
        )
        over = ev.AlertCleared(rule="timeouts", run="one", subject="tool calls", message="it is over", value=0.0)
        log.append([alert("timeouts", over)], handler="alerts")
    return {one.event.rule: one.position for one in first if isinstance(one.event, ev.AlertRaised)}


def alert(rule: str, event: ev.AlertRaised | ev.AlertCleared) -> NewEvent:
    return NewEvent(f"service/alerts/{rule}", event)


@pytest.fixture(scope="module")
def desk(store: Path, told: dict[str, int]) -> Iterator[httpx.Client]:
    """A browser at a service that does not watch, so that alerts stay as they are."""
    with answering(store) as url, httpx.Client(base_url=url, headers=HTML, timeout=PATIENT) as client:
        yield client


@pytest.fixture(scope="module")
def configured(completed_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, Path]]:
    """A service that was started with a configuration, and its file."""
    folder = tmp_path_factory.mktemp("configured")
    (folder / "mine.yaml").write_text(CONFIG)
    store = shutil.copytree(completed_store, folder / "store")
    with served(store, "--config", str(folder / "mine.yaml"), "--set", "execution.attempts=3") as service:
        yield service, folder / "mine.yaml"


def command_of(page: httpx.Response) -> str:
    """The equivalent command that a page shows."""
    assert page.status_code == 200, page.text
    found = re.search(r"<pre[^>]*>(agent0es [^<]*)</pre>", page.text)
    assert found is not None, page.text
    return unescape(found[1])


def confirmed(client: httpx.Client, page: httpx.Response, action: str) -> httpx.Response:
    """Press the button under a command."""
    fields = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)">', page.text)
    return client.post(f"/do/{action}", data={name: unescape(value) for name, value in fields})


def test_alerts_that_are_not_over_stand_over_the_runs_and_on_the_run_s_page(
    desk: httpx.Client, told: dict[str, int], store: Path
) -> None:
    at = told["failure_rate"]
    runs, run, alerts = (desk.get(path).text for path in ("/runs", "/runs/one", "/alerts"))
    for page in (runs, run, alerts):
        assert "&lt;b&gt;9 of 10&lt;/b&gt; failed" in page and f'href="/runs/one?at={at}"' in page
    assert "disk full" in runs and "disk full" not in run
    assert "timeouts" not in runs and "timeouts" in alerts.partition("Over</h2>")[2]
    assert desk.get("/alerts/raised").text.count("<p") == 2
    with EventLog.open(store / "log.db", read_only=True) as log, Projections.open(log) as tables:
        tables.catch_up()
        raised = {
            position: [one["rule"] for one in watching.moment(log, tables, "one", position)["raised"]]
            for position in (at - 1, at, told["timeouts"], None)
        }
    assert raised == {
        at - 1: [],
        at: ["failure_rate"],
        told["timeouts"]: ["timeouts", "failure_rate"],
        None: ["failure_rate"],
    }


def test_alerts_over_rest_are_those_of_the_command_line(desk: httpx.Client, told: dict[str, int]) -> None:
    active = desk.get("/api/v1/alerts").json()
    assert [one["rule"] for one in active] == ["disk_full", "failure_rate"]
    every = desk.get("/api/v1/alerts", params={"all": True}).json()
    assert [(one["rule"], one["cleared"] is None) for one in every] == [
        ("timeouts", False),
        ("disk_full", True),
        ("failure_rate", True),
    ]
    before = {"all": True, "before": every[1]["position"], "limit": 1}
    assert [one["rule"] for one in desk.get("/api/v1/alerts", params=before).json()] == ["failure_rate"]


def test_a_schedule_is_added_shown_and_removed_after_the_command_was_shown(desk: httpx.Client, store: Path) -> None:
    assert "Nothing is scheduled" in desk.get("/schedules").text
    form = {"name": "look", "command": "agent0es show one --json", "kind": "cron", "time": "0 2 * * *"}
    asked = desk.post("/do/schedule", data=form)
    command = command_of(asked)
    assert command == f"agent0es schedule add look --cron '0 2 * * *' --store {store} -- show one --json"
    done = confirmed(desk, asked, "schedule")
    assert (done.status_code, done.headers["location"]) == (303, "/schedules")
    page = desk.get("/schedules").text
    assert "show one --json" in page and "02:00:00" in page and "not run yet" in page
    with EventLog.open(store / "log.db") as log:
        ended = scheduling.run_job(store, log, "look")
        assert ended is not None and ended.outcome == "succeeded", ended
    assert 'data-status="succeeded"' in desk.get("/schedules").text
    asked = desk.get("/do/unschedule", params={"name": "look"})
    assert command_of(asked) == f"agent0es schedule remove look --store {store}"
    assert confirmed(desk, asked, "unschedule").headers["location"] == "/schedules"
    assert "Nothing is scheduled" in desk.get("/schedules").text


def test_a_job_leads_to_the_run_that_it_began(completed_store: Path, tmp_path: Path) -> None:
    store = shutil.copytree(completed_store, tmp_path / "store")
    with EventLog.open(store / "log.db") as log:
        scheduling.add(log, scheduling.new_schedule(log, "nightly", ["run"], cron="0 2 * * *"))
        begun = ev.JobStarted(schedule="nightly", job="nightly-1", command=("run",), due=None, start=1)
        log.append([NewEvent("service/schedules/nightly", begun)], handler="schedule")
        started = next(log.read(run="one", types=["RunStarted"])).event
        log.append([NewEvent("run/three", started, {"job": "nightly-1"})], handler="cli")
        [row] = scheduling.listed(log)
    assert (row["last_job"], row["run"], row["status"]) == ("nightly-1", "three", "interrupted")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"name": "a b"}, "at most 40 letters"),
        ({"kind": "every", "time": "often"}, "write a number and a unit"),
        ({"kind": "cron", "time": "at noon"}, "write five fields"),
        ({"kind": "when-new", "time": "-1"}, "give a number of trajectories"),
        ({"kind": "whenever"}, "does not say when"),
        ({"command": ""}, "say what to run"),
        ({"command": "run 'unclosed"}, "close every quotation mark"),
    ],
)
def test_a_schedule_that_can_t_be_is_refused_before_it_is_confirmed(
    desk: httpx.Client, changed: dict[str, str], said: str
) -> None:
    form = {"name": "x", "command": "runs", "kind": "every", "time": "6h"} | changed
    answer = desk.post("/do/schedule", data=form)
    assert answer.status_code == 400 and said in unescape(answer.text), answer.text


def test_what_is_no_command_is_refused_in_the_words_of_the_command_line(desk: httpx.Client) -> None:
    asked = desk.post("/do/schedule", data={"name": "x", "command": "fly", "kind": "every", "time": "6h"})
    done = confirmed(desk, asked, "schedule")
    assert done.status_code == 400 and "has no command 'fly'" in unescape(done.text), done.text
    words = {"schedule": "x", "command": ["fly"], "when": "every", "time": "6h"}
    problem = desk.post("/api/v1/schedules", json=words)
    assert problem.status_code == 400 and "has no command 'fly'" in problem.json()["detail"]


def test_schedules_over_rest(desk: httpx.Client) -> None:
    new = {"schedule": "rest", "command": ["runs"], "when": "every", "time": "6h"}
    once = {"Idempotency-Key": "monday"}
    answers = [desk.post("/api/v1/schedules", json=new, headers=once) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201], answers[0].text
    [row] = desk.get("/api/v1/schedules").json()
    assert (row["schedule"], row["command"], row["status"]) == ("rest", ["runs"], None) and row["next"]
    assert desk.delete("/api/v1/schedules/rest").json() == {"schedule": "rest"}
    assert desk.delete("/api/v1/schedules/rest").status_code == 404


def test_checkpoints_that_the_command_line_wrote_are_listed_and_held_against_the_log(
    desk: httpx.Client, store: Path, told: dict[str, int]
) -> None:
    assert "Sign one every 6 hours" in desk.get("/audit").text
    (store / "exports").mkdir(exist_ok=True)
    for name, words in (("one.txt", ["--sign"]), ("two.txt", [])):
        file = str(store / "exports" / name)
        done = CliRunner().invoke(cli, ["log", "checkpoint", *words, "-o", file, "--store", str(store)])
        assert done.exit_code == 0, done.output
        time.sleep(0.02)
    (store / "exports" / "rows.jsonl").write_text("{}\n")
    signed = (store / "exports" / "one.txt").read_text()
    origin, size, root, *rest = signed.splitlines()
    (store / "exports" / "other.txt").write_text("\n".join([origin, str(int(size) - 1), root, *rest]) + "\n")
    with EventLog.open(store / "log.db", read_only=True) as log:
        found = {one.file.name: (one.signature, one.agrees) for one in kept(log, store, 20)}
    assert found == {"other.txt": ("wrong", False), "two.txt": ("none", True), "one.txt": ("valid", True)}
    page = desk.get("/audit").text
    assert "other.txt" in page and "differs" in page and "rows.jsonl" not in page
    assert "altered" in desk.post("/audit/verify").text  # against the last one, which is no checkpoint of this log
    (store / "exports" / "other.txt").unlink()
    assert "of the checkpoint two.txt, which nobody signed" in desk.post("/audit/verify").text


def test_a_run_is_started_as_the_service_was(configured: tuple[Served, Path]) -> None:
    service, file = configured
    with httpx.Client(base_url=service.url, headers=HTML, timeout=PATIENT) as browser:
        form = browser.get("/do/start").text
        assert 'value="41"' in form and f"--config {file}" in unescape(form)
        given = {"seed": "41", "execution.iterations": "5", "execution.attempts": "3"}
        asked = browser.post("/do/start", data=given)
        command = command_of(asked)
        assert command.startswith(
            f"agent0es run --config {file} --set execution.attempts=3 --set execution.iterations=5 --store"
        )
        fork = browser.post("/do/fork", data={"run": "one", "at": "20"})
        assert command_of(fork).startswith(
            "agent0es fork one --at 20 --store"
        )  # it goes on with the run's own settings


def test_a_log_elsewhere_is_named_in_the_commands_without_its_password(tmp_path: Path) -> None:
    url = "postgresql://me:hunter22hunter22@db/log"
    said = launching.command(tmp_path, ["run", "--resume", "one"], url)
    assert said.startswith("AGENT0ES_LOG__URL='postgresql://me:***@db/log' agent0es run") and "hunter" not in said


@pytest.mark.parametrize(
    ("method", "path", "headers", "status", "said"),
    [
        ("GET", "/nothing", {}, 404, "there is nothing at /nothing"),
        ("GET", "/audit/verify", {}, 405, "can't be asked with GET"),
        ("DELETE", "/runs", {}, 405, "/runs can't be asked with DELETE"),
        ("GET", "/runs", {"Host": "evil.example"}, 421, "allow it with --allow-host"),
        ("POST", "/audit/verify", {"Origin": "https://evil.example"}, 403, "another site may not write here"),
        ("GET", "/runs/one/tasks/abc", {}, 422, "path.number"),
        ("GET", "/runs/nobody", {}, 404, "there is no run"),
    ],
)
def test_a_browser_is_told_of_an_error_by_a_page_and_a_program_as_ever(
    desk: httpx.Client, method: str, path: str, headers: dict[str, str], status: int, said: str
) -> None:
    page = desk.request(method, path, headers=headers)
    assert page.status_code == status and page.headers["content-type"].startswith("text/html")
    assert said in unescape(page.text) and "<style>" in page.text and 'href="/runs"' in page.text
    assert "style-src 'sha256-" in page.headers["content-security-policy"]
    plain = desk.request(method, path, headers={**headers, "Accept": "application/json"})
    assert plain.status_code == status and plain.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("path", ["/api/v1/nothing", "/v1/nothing"])
def test_programs_are_never_answered_with_a_page(desk: httpx.Client, path: str) -> None:
    answer = desk.get(path)
    assert answer.status_code == 404 and "json" in answer.headers["content-type"]
    assert ("error" in answer.json()) == path.startswith("/v1/")


def test_a_fault_of_the_service_is_a_page_too(desk: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(log: object) -> None:
        raise ZeroDivisionError("secret of the house")

    monkeypatch.setattr("agent0es.runs.scheduling.listed", broken)
    page = desk.get("/schedules")
    assert page.status_code == 500 and "a fault of the service" in page.text and "please report" in page.text
    assert "secret of the house" not in page.text

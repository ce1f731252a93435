"""REST: what the command line shows and does, over HTTP."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from agent0es.domain import events as ev
from agent0es.domain.names import stream
from agent0es.log import EventLog, NewEvent
from agent0es.service.following import KEPT
from tests.integration.test_docs import ENVIRONMENT, ROOT
from tests.support import world
from tests.support.serving import answering, served

PREFIX = "/api/v1"
PATIENT = 400.0
"""Seconds; the machine may be busy."""


@pytest.fixture(scope="module")
def store(completed_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the store, in which things may happen."""
    return shutil.copytree(completed_store, tmp_path_factory.mktemp("api") / "store")


@pytest.fixture(scope="module")
def api(store: Path) -> Iterator[httpx.Client]:
    with answering(store) as url, httpx.Client(base_url=url + PREFIX, timeout=PATIENT) as client:
        yield client


def said_by(store: Path, *words: str) -> Any:
    """What the command line says, with --json."""
    command = [sys.executable, "-m", "agent0es", *words, "--store", str(store), "--json"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout.splitlines()
    return [json.loads(line) for line in lines]


def in_utc(value: Any) -> Any:
    """The value, with `Z` in the one of two ways to write UTC."""
    return json.loads(json.dumps(value).replace("+00:00", "Z"))


def problem(answer: httpx.Response) -> tuple[int, str]:
    """Status and kind of what went wrong."""
    assert answer.headers["content-type"] == "application/problem+json"
    found = answer.json()
    assert found["status"] == answer.status_code and found["detail"] and found["title"]
    return answer.status_code, found["type"].removeprefix("urn:agent0es:problem:")


def test_a_run_is_what_the_command_line_shows(api: httpx.Client, store: Path) -> None:
    listed = api.get("/runs").json()
    assert [(one["run"], one["status"], one["parent"]) for one in listed] == [
        ("one", "completed", None),
        ("two", "not started", "one"),
    ]
    [shown] = said_by(store, "show", "one")
    found = api.get("/runs/one").json()
    assert found.keys() == shown.keys()
    for name in ("iterations", "curriculum", "evaluations", "adapters", "files", "status", "solved", "seed"):
        assert in_utc(found[name]) == in_utc(shown[name]), name
    assert api.get("/runs/on").json() == api.get("/runs/one").json()


def test_the_state_at_any_position(api: httpx.Client, store: Path) -> None:
    last = api.get("/runs/one/state").json()
    assert last["status"] == "completed" and last["practice"]["completed"] == 3
    early = api.get("/runs/one/state", params={"position": 20}).json()
    assert (early["position"], early["status"], early["practice"]["completed"]) == (20, "running", 0)
    [shown] = said_by(store, "show", "one", "--at", "20")
    assert early == shown
    by_time = api.get("/runs/one/state", params={"time": "2999-01-01T00:00:00Z"}).json()
    assert by_time["practice"] == last["practice"]
    assert problem(api.get("/runs/one/state", params={"position": 100_000})) == (404, "position-not-found")
    assert problem(api.get("/runs/one/state", params={"position": 1, "time": "2999-01-01"}))[0] == 400


def test_tasks_attempts_adapters_lineage_and_calls(api: httpx.Client) -> None:
    tasks = api.get("/runs/one/tasks").json()
    assert [one["task"] for one in tasks] == [1, 2, 3]
    assert [one["task"] for one in api.get("/runs/one/tasks", params={"after": 1, "limit": 1}).json()] == [2]
    assert api.get("/runs/one/tasks/1").json()["attempts"][0]["attempt"] == "1/0"
    attempt = api.get("/runs/one/attempts/1/0").json()
    assert attempt["steps"][0]["kind"] == "reply" and attempt["verdict"] in ("right", "wrong")
    assert [one["adapter"] for one in api.get("/runs/one/adapters").json()] == ["student-1"]
    assert api.get("/runs/one/adapters/student-1").json()["status"] == "promoted"
    back = api.get("/runs/one/adapters/student-1/lineage").json()
    assert back["dataset"]["examples"] == len(back["attempts"])
    assert api.get("/runs/one/tasks/1/lineage").json()["task"] == 1
    calls = api.get("/runs/one/calls", params={"attempt": "1/0"}).json()
    assert calls[0]["call"] == "1/0#1" and calls[0]["tool"] == "python"
    assert api.get("/runs/one/calls/1/0%231").json() == calls[0]
    assert api.get("/runs/two/diff").json()["runs"] == ["one", "two"]
    assert api.get("/evaluations").json() == [] and api.get("/routes").json() == []


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/runs/nothing", "run-not-found"),
        ("/runs/one/tasks/99", "unknown-name"),
        ("/runs/one/attempts/99/0", "unknown-name"),
        ("/runs/one/attempts/..%2f..%2fetc%2fpasswd", "unknown-name"),
        ("/runs/one/adapters/nothing", "unknown-name"),
        ("/runs/one/adapters/..%2f..%2fetc/lineage", "not-found"),
        ("/runs/one/calls/1/0%2399", "unknown-name"),
        ("/evaluations/eval-1", "run-not-found"),
        ("/evaluations/one", "unknown-name"),
        ("/routes/route-1", "unknown-name"),
        ("/nothing", "not-found"),
    ],
)
def test_what_there_is_not_is_a_problem_404(api: httpx.Client, path: str, kind: str) -> None:
    assert problem(api.get(path)) == (404, kind)


def test_events_come_in_pages(api: httpx.Client, store: Path) -> None:
    found, after = [], 0
    while True:
        page = api.get("/events", params={"run": "one", "after": after, "limit": 50}).json()
        found += page["events"]
        after = page["after"]
        if not page["more"]:
            break
    assert found == said_by(store, "events", "one")
    only = api.get("/events", params={"run": "one", "type": ["TaskProposed", "Verified"], "task": 1}).json()["events"]
    assert {one["type"] for one in only} == {"TaskProposed", "Verified"}
    everything = api.get("/events", params={"limit": 1000}).json()
    assert len(everything["events"]) == everything["after"] and not everything["more"]
    assert problem(api.get("/events", params={"type": "Nothing"}))[0] == 422
    assert problem(api.get("/events", params={"task": 1}))[0] == 400
    assert api.get("/events", params={"after": 10**9}).json() == {"events": [], "after": 10**9, "more": False}


def stream_of(api: httpx.Client, count: int, **how: Any) -> list[tuple[int, str, dict[str, Any], float]]:
    """The first events of a stream: id, type, data, and when it was there."""
    found: list[tuple[int, str, dict[str, Any], float]] = []
    with api.stream("GET", "/events/stream", timeout=PATIENT, **how) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        place, kind = 0, ""
        for line in answer.iter_lines():
            name, _, value = line.partition(": ")
            if name == "id":
                place = int(value)
            elif name == "event":
                kind = value
            elif name == "data":
                found.append((place, kind, json.loads(value), time.time()))
                if len(found) == count:
                    return found
    return found


def test_the_stream_goes_on_where_a_viewer_was(api: httpx.Client) -> None:
    first = stream_of(api, 30, params={"after": 0})
    assert [one[0] for one in first] == list(range(1, 31))
    pages = api.get("/events", params={"limit": 30}).json()["events"]
    assert [one[2] for one in first] == pages and [one[1] for one in first] == [one["type"] for one in pages]
    again = stream_of(api, 3, params={"after": 0}, headers={"Last-Event-ID": "30"})
    assert [one[0] for one in again] == [31, 32, 33]
    assert [one[2]["stream"] for one in stream_of(api, 1, params={"after": 0, "run": "two"})] == ["run/two"]


def test_a_new_event_is_there_at_once_for_every_viewer(api: httpx.Client, store: Path) -> None:
    """Appended by another connection to the log, as by another process."""
    waiting = api.get("/events", params={"limit": 1000}).json()["after"]
    found: list[Any] = []
    viewers = [
        threading.Thread(target=lambda: found.append(stream_of(api, 2, params={"after": waiting}))) for _ in range(5)
    ]
    for viewer in viewers:
        viewer.start()
    time.sleep(1.0)
    with EventLog.open(store / "log.db") as log:
        for task in (7, 8):
            again = ev.Retried(handler="solve", task=task, name=None, retry=1, error="a test")
            log.append([NewEvent(stream("run", "one"), again)], handler="test")
    for viewer in viewers:
        viewer.join(PATIENT)
    assert len(found) == 5 and all(one[0][2] == found[0][0][2] for one in found)
    assert {one[1] for pair in found for one in pair} == {"Retried"}
    late = [arrived - data["meta"]["time"] for pair in found for _, _, data, arrived in pair]
    assert min(late) < 1.0, late  # the promise is 0.1 s, measured on an idle machine


def test_a_viewer_that_is_far_behind_reads_the_log(tmp_path: Path) -> None:
    """More events than are kept, with viewers that come before, in between and after."""
    with EventLog.open(tmp_path / "log.db") as log:
        world.begin(log, "one")
        with answering(tmp_path) as url, httpx.Client(base_url=url + PREFIX, timeout=PATIENT) as api:
            stream_of(api, 1, params={"after": 0})
            begin = log.head()
            count = KEPT + 700
            again = ev.Retried(handler="solve", task=1, name=None, retry=1, error="a test")
            log.append([NewEvent(stream("run", "one"), again)] * count, handler="test")
            found = stream_of(api, begin + count, params={"after": 0})
            assert [one[0] for one in found] == list(range(1, begin + count + 1))


@pytest.mark.parametrize(
    "query",
    [
        "COPY runs TO '/tmp/agent0es-copied.csv'",
        "FROM read_csv('/etc/passwd')",
        "FROM read_text('/etc/passwd')",
        "FROM '/etc/passwd'",
        "FROM glob('/*')",
        "ATTACH '/tmp/agent0es.db'",
        "INSTALL httpfs",
        "LOAD icu",
        "SET memory_limit = '64GB'",
        "PRAGMA enable_external_access",
        "CREATE TABLE mine AS FROM runs",
        "DELETE FROM runs",
        "SELECT 1; SELECT 2",
        "SELECT getenv('HOME')",
        "EXPLAIN ANALYZE DELETE FROM runs",
        "nonsense",
        "",
    ],
)
def test_the_query_box_only_reads_its_tables(api: httpx.Client, query: str) -> None:
    assert problem(api.post("/sql", json={"query": query})) == (400, "query-error")
    assert not Path("/tmp/agent0es-copied.csv").exists()


def test_a_query_has_its_rows_within_a_time_and_a_size(api: httpx.Client) -> None:
    found = api.post(
        "/sql", json={"query": "SELECT run, started, 1e400 AS big, [1] AS l FROM runs ORDER BY run"}
    ).json()
    assert found["columns"] == ["run", "started", "big", "l"] and not found["more"]
    assert found["rows"][0][0] == "one" and found["rows"][0][1].endswith("+00:00")
    assert found["rows"][0][2:] == [None, [1]]
    few = api.post("/sql", json={"query": "FROM range(100)", "limit": 7}).json()
    assert len(few["rows"]) == 7 and few["more"]
    slow = {"query": "SELECT count(*) FROM range(100000000000)", "seconds": 0.5}
    assert problem(api.post("/sql", json=slow)) == (400, "query-error")
    assert problem(api.post("/sql", json={"query": "SELECT repeat('x', 9000000)"})) == (400, "query-error")
    assert "runs" in [one["name"] for one in api.get("/tables").json()]


def test_what_if_writes_nothing(api: httpx.Client) -> None:
    before = api.get("/events", params={"limit": 1}).json()["more"], api.get("/runs").json()
    found = api.post("/runs/one/whatif", json={"settings": {"rewards.weights.novelty": 0.5}}).json()
    assert found["rewards"]["student"]["moved"] > 0
    assert problem(api.post("/runs/one/whatif", json={"settings": {"seed": "x"}})) == (400, "configuration-error")
    assert (api.get("/events", params={"limit": 1}).json()["more"], api.get("/runs").json()) == before


def test_a_retraction_is_made_once(api: httpx.Client) -> None:
    sent = {"what": "1", "reason": "the reference is wrong"}
    first = api.post("/runs/one/retractions", json=sent, headers={"Idempotency-Key": "a"})
    assert first.status_code == 201 and [one["adapter"] for one in first.json()["tainted"]] == ["student-1"]
    again = api.post("/runs/one/retractions", json=sent, headers={"Idempotency-Key": "a"})
    assert again.json() == first.json() and again.headers["idempotent-replayed"] == "true"
    other = api.post("/runs/one/retractions", json={**sent, "what": "2"}, headers={"Idempotency-Key": "a"})
    assert problem(other) == (422, "key-misused")
    assert problem(api.post("/runs/one/retractions", json=sent)) == (409, "retraction-error")
    refused = {"Idempotency-Key": "b"}
    for _ in range(2):  # what was refused was not done, so its key is free
        assert problem(api.post("/runs/one/retractions", json=sent, headers=refused)) == (409, "retraction-error")
    [retracted] = api.get("/events", params={"run": "one", "type": "Retracted"}).json()["events"]
    assert retracted["content"]["what"] == "1" and retracted["position"] == first.json()["position"]


def test_another_site_can_start_nothing(api: httpx.Client) -> None:
    for headers in ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        assert problem(api.post("/runs", json={}, headers=headers)) == (403, "cross-site")


def test_what_cannot_be_driven_is_refused(api: httpx.Client) -> None:
    assert problem(api.post("/runs", json={"settings": {"seed": "x"}})) == (400, "configuration-error")
    assert problem(api.post("/runs", json={"settings": {}, "more": 1})) == (422, "invalid-request")
    assert problem(api.post("/runs/one/stop")) == (409, "run-not-driven")
    assert problem(api.post("/runs/nothing/resume")) == (404, "run-not-found")
    assert problem(api.post("/runs/one/forks", json={"position": 0})) == (422, "invalid-request")
    assert problem(api.post("/runs/one/forks", json={"position": 5, "settings": {"seed": "x"}}))[0] == 400


def test_a_run_is_started_stopped_and_goes_on_when_the_service_is_killed(completed_store: Path, tmp_path: Path) -> None:
    store = shutil.copytree(completed_store, tmp_path / "store")
    long = {"models.student.options": {"delay_seconds": 0.3}, "execution.tasks_per_iteration": 2000}
    with served(store, environment=ENVIRONMENT) as service, httpx.Client(timeout=PATIENT) as client:
        at = service.url + PREFIX
        started = client.post(f"{at}/runs", json={"settings": long}, headers={"Idempotency-Key": "monday"})
        assert started.status_code == 201, started.text
        run = started.json()["run"]
        assert client.get(f"{at}/runs/{run}").json()["status"] == "running"
        again = client.post(f"{at}/runs", json={"settings": long}, headers={"Idempotency-Key": "monday"})
        assert again.json()["run"] == run and len(client.get(f"{at}/runs").json()) == 3
        assert problem(client.post(f"{at}/runs/{run}/resume")) == (409, "run-in-use")
        assert client.post(f"{at}/runs/{run}/stop").status_code == 202
        wait(lambda: client.get(f"{at}/runs/{run}").json()["status"] == "interrupted")
        assert client.post(f"{at}/runs/{run}/resume").json() == {"run": run, "driven": True}
        os.kill(service.process.pid, signal.SIGKILL)
        service.process.wait()
    with EventLog.open(store / "log.db", read_only=True) as log:
        killed_at = log.head()
        wait(lambda: log.head() > killed_at + 20)
        assert run in log.drivers()
    with served(store, environment=ENVIRONMENT) as service, httpx.Client(timeout=PATIENT) as client:
        at = service.url + PREFIX
        assert client.get(f"{at}/runs/{run}").json()["status"] == "running"
        assert client.post(f"{at}/runs/{run}/stop").status_code == 202
        wait(lambda: client.get(f"{at}/runs/{run}").json()["status"] == "interrupted")
        assert client.post(f"{at}/runs/one/resume").json() == {"run": "one", "driven": False}  # it is completed
        position = client.get(f"{at}/runs/{run}/state").json()["position"]
        sent = {"position": position, "start": False, "settings": {"execution.attempts": 3}}
        forked = client.post(f"{at}/runs/{run}/forks", json=sent)
        assert forked.status_code == 201, forked.text
        assert client.get(f"{at}/runs/{forked.json()['run']}").json()["parent"] == run
        assert problem(client.post(f"{at}/runs/{run}/forks", json={"position": 10**6})) == (404, "position-not-found")


def wait(until: Any) -> None:
    end = time.monotonic() + PATIENT
    while not until():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_the_page_names_every_path_and_no_other(api: httpx.Client) -> None:
    page = (ROOT / "docs" / "rest.md").read_text()
    table = [line for line in page.splitlines() if line.startswith(("| GET", "| POST", "| DELETE"))]
    named = {(line.split("|")[1].strip(), path) for line in table for path in re.findall(r"`(/[^`]*)`", line)}
    document = api.get("/openapi.json").json()
    known = {(method.upper(), path.removeprefix(PREFIX)) for path, item in document["paths"].items() for method in item}
    assert named == known

"""`/metrics` of a real service, over a real log that others append to."""

import time
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from agent0es.log import EventLog, NewEvent
from agent0es.runs import scheduling
from agent0es.service.metrics import due
from tests.support.serving import served
from tests.unit.history.test_log_lines import made

TOKEN = "correct-horse-battery"


def events(text: str) -> float:
    [family] = [one for one in text_string_to_metric_families(text) if one.name == "agent0es_log_events"]
    return family.samples[0].value


def test_a_scrape_sees_what_was_appended_since_the_last_one(tmp_path: Path) -> None:
    quiet = ("--set", "alerts.rules.disk_full.above=null")
    with served(tmp_path, *quiet) as service, EventLog.open(tmp_path / "log.db") as log:
        first = httpx.get(f"{service.url}/metrics", timeout=60)
        assert first.status_code == 200 and first.headers["content-type"].startswith("text/plain")
        assert events(first.text) == 0
        log.append([NewEvent("run/r", made("RunStarted"))], handler="cli")
        assert events(httpx.get(f"{service.url}/metrics", timeout=60).text) == 1
        assert service.stop() == (0, "")


def test_without_the_token_nobody_learns_a_figure(tmp_path: Path) -> None:
    environment = {"AGENT0ES_SERVICE_TOKEN": TOKEN}
    with served(tmp_path, environment=environment) as service:
        assert httpx.get(f"{service.url}/metrics").status_code == 401
        allowed = httpx.get(f"{service.url}/metrics", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=60)
        assert allowed.status_code == 200


def test_a_job_that_nobody_begins_is_seen_to_be_due(tmp_path: Path) -> None:
    with EventLog.open(tmp_path / "log.db") as log:
        for name in ("hourly", "running", "gone"):
            scheduling.add(log, scheduling.new_schedule(log, name, ["runs"], every_seconds=3600))
        scheduling.add(log, scheduling.new_schedule(log, "learn", ["train", "{run}"], trajectories=500))
        scheduling.remove(log, "gone")
        log.append(
            [NewEvent("service/schedules/running", made("JobStarted", schedule="running", job="j"))], handler="x"
        )
        [found] = due(log)
    assert found.labels == ("hourly",), "one goes on, and one waits for something else"
    assert 3590 < found.values[0] - time.time() <= 3600

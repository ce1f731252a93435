"""A batch: a file of questions, answered in order, and again from where it was cut off."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from agent0es.cli.main import cli
from agent0es.domain import events as ev
from agent0es.errors import StoreError, UserError
from agent0es.history.routes import verify_routes
from agent0es.log import EventLog
from agent0es.models.base import ModelUnavailable
from agent0es.rollouts.routing import Router
from agent0es.runs.batching import Asking, Progress, name_of, questions, summary
from tests.support.routing import Counted, router
from tests.support.world import configured

RIGHT = "12 * 34"
UNSURE = (RIGHT, "1", "2", "3", "4", "5", "6", "7")
LINES = (
    {"question": "What is 12 times 34?", "answer": "408", "id": "a"},
    {"question": "What is 34 times 12?", "reference": 999},
    {"question": "What is 12 times 34, please?", "domain": "math"},
    {"nonsense": 1},
    {"question": "What is 12 times 34?", "answer": "408"},
)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[EventLog]:
    """A log of which, in the end, every decision follows from the events before it."""
    with EventLog.open(":memory:") as opened:
        yield opened
        report = asyncio.run(verify_routes(opened))
        assert report.difference is None, report.difference


def written(tmp_path: Path, *lines: dict[str, Any]) -> Path:
    file = tmp_path / "tasks.jsonl"
    file.write_text("".join(f"{json.dumps(line)}\n\n" for line in lines))
    return file


class Told:
    def __init__(self, stop_after: int | None = None) -> None:
        self.progress: list[Progress] = []
        self.stop_after = stop_after

    def opened(self, batch: str, progress: Progress) -> None:
        self.progress.append(progress)

    def answered(self, progress: Progress) -> None:
        self.progress.append(progress)
        if progress.done == self.stop_after:
            raise StoreError("the disk is full")


def ask(
    log: EventLog, of: Router, file: Path, at_once: int = 2, told: Told | None = None, both: bool = False
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The records that were written, and the batch in short."""
    records: list[dict[str, Any]] = []
    asking = Asking("batch-1", log, of, questions(file, "math"), told or Told(), records.append, both)
    try:
        asyncio.run(asking.ask(at_once))
    except ExceptionGroup:
        assert told is not None and told.stop_after, "it was to be cut off"
    return records, summary("batch-1", asking.progress, 1.0)


def test_each_line_is_answered_in_order_and_one_that_is_none_says_why(tmp_path: Path, log: EventLog) -> None:
    local = Counted(RIGHT, name="small")
    records, short = ask(log, router(tmp_path, log, local, run="batch-1"), written(tmp_path, *LINES), at_once=4)
    assert [one["line"] for one in records] == [1, 3, 5, 7, 9]  # with an empty one between them
    assert [one.get("answer") for one in records] == ["408", "408", "408", None, "408"]
    assert [one["id"] for one in records] == ["a", None, None, None, None]
    assert "its keys (nonsense, domain) are of no known format" in records[3]["error"]
    assert [one.get("verdict") for one in records] == [True, False, None, None, True]
    assert records[4]["cached"] == records[0]["route"] and local.requests == 3 * 6
    assert {key: short[key] for key in ("lines", "answered", "failed", "local", "cloud", "cached")} == {
        "lines": 5,
        "answered": 4,
        "failed": 1,
        "local": 3,
        "cloud": 0,
        "cached": 1,
    }
    assert (short["judged"], short["right"], short["accuracy"]) == (3, 2, pytest.approx(2 / 3))
    assert 0 < short["low"] < 2 / 3 < short["high"] < 1 and short["cost_usd"] == 0.0


def test_what_the_log_has_is_not_asked_again(tmp_path: Path, log: EventLog) -> None:
    lines = [{"question": f"What is 12 times 34? ({number})", "answer": "408"} for number in range(6)]
    file = written(tmp_path, *lines)
    local, cloud = Counted(*UNSURE, name="small"), Counted(RIGHT, name="large")
    first, _ = ask(log, router(tmp_path, log, local, cloud, run="batch-1"), file, 1, Told(stop_after=3))
    assert len(first) == 3
    told, before = Told(), cloud.requests
    again, short = ask(log, router(tmp_path, log, local, cloud, run="batch-1"), file, 1, told)
    assert again[:3] == first and len(again) == 6 and told.progress[0].done == 3
    assert cloud.requests - before == 3 * 2  # two turns each
    paid = [
        one.event.cost_usd for one in log.read(types=["CostSettled"]) if one.stream.startswith("budget/routes/run-")
    ]
    assert short["cost_usd"] == pytest.approx(sum(paid)) and len(paid) == 12
    whole, _ = ask(log, router(tmp_path, log, local, cloud, run="batch-1"), file)
    assert whole == again and cloud.requests - before == 3 * 2


def test_what_failed_is_asked_again_and_its_cost_stays_counted(tmp_path: Path, log: EventLog) -> None:
    file = written(tmp_path, LINES[0])
    down = ModelUnavailable("no route to host")
    local, cloud = Counted(RIGHT, name="small", down=down), Counted(RIGHT, name="large", down=down)
    [failed], short = ask(log, router(tmp_path, log, local, cloud, run="batch-1"), file)
    assert failed["error"] == "nobody could answer: local: no route to host; cloud: no route to host"
    assert (short["answered"], short["failed"], short["accuracy"]) == (0, 1, None)
    cloud.down = None
    [there], short = ask(log, router(tmp_path, log, local, cloud, run="batch-1"), file)
    assert (there["answer"], there["candidate"], short["failed"]) == ("408", "cloud", 0)


def test_the_budget_of_a_run_is_that_of_the_batch(tmp_path: Path, log: EventLog) -> None:
    lines = [{"question": f"What is 12 times 34? ({number})"} for number in range(8)]
    local, cloud = Counted(*UNSURE, name="small"), Counted(RIGHT, name="large")
    of = router(tmp_path, log, local, cloud, "budget.per_run=0.012", run="batch-1")
    records, short = ask(log, of, written(tmp_path, *lines), at_once=8)
    assert 0 < short["cost_usd"] <= 0.012
    assert {one["candidate"] for one in records} == {"local", "cloud"}, "the rest is answered by the local model"


def test_both_models_answer_where_they_are_to_be_compared(tmp_path: Path, log: EventLog) -> None:
    local, cloud = Counted(RIGHT, name="small"), Counted("12 + 34", name="large")
    of = router(tmp_path, log, local, cloud, "compare=true", run="batch-1")
    [record], _ = ask(log, of, written(tmp_path, LINES[0]))
    assert (record["answer"], record["candidate"], cloud.requests) == ("408", "local", 2)
    verdicts = {
        one.event.attempt: one.event.verification.correct for one in log.read() if isinstance(one.event, ev.Verified)
    }
    assert [verdict for name, verdict in verdicts.items() if "/cloud-" in name] == [False]
    decided = [one.event for one in log.read(types=["RouteDecided"]) if isinstance(one.event, ev.RouteDecided)]
    assert [(one.action, one.reason) for one in decided] == [
        ("ask", "first"),
        ("ask", "compare"),
        ("accept", "confident"),
    ]


def test_what_only_one_of_both_models_could_answer_is_asked_again(tmp_path: Path, log: EventLog) -> None:
    local, cloud = Counted(RIGHT, name="small"), Counted(RIGHT, name="large", down=ModelUnavailable("gone"))
    of, file = (
        router(tmp_path, log, local, cloud, "compare=true", "cache_size=0", run="batch-1"),
        written(tmp_path, LINES[0]),
    )
    for _ in range(2):
        [record], _ = ask(log, of, file, both=True)
        assert record["candidate"] == "local"
        cloud.down = None
    assert cloud.requests == 1 + 2
    ask(log, of, file, both=True)
    assert cloud.requests == 1 + 2, "now it has both"


def test_a_batch_has_the_same_name_while_it_is_asked_in_the_same_way(tmp_path: Path) -> None:
    lines = questions(written(tmp_path, *LINES), "math")
    same, dearer = configured("router.budget.per_day=1"), configured("router.confidence_threshold=0.9")
    assert name_of(lines, configured()) == name_of(lines, same) != name_of(lines, dearer)
    assert name_of(lines, configured()) != name_of(lines[:-1], configured())


def test_a_file_without_a_question_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no question in it"):
        questions(written(tmp_path), "math")
    [line] = questions(written(tmp_path, {"question": "6 * 7?", "domain": "alchemy"}), "math")
    assert line.task is None and (line.error or "").startswith("domain: there is no 'alchemy'")


def test_the_command_writes_the_answers_and_says_what_they_come_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a scripted model, with the real sandbox."""
    monkeypatch.setenv("AGENT0ES_ROUTER__LOCAL__BACKEND", "scripted")
    monkeypatch.setenv("AGENT0ES_ROUTER__LOCAL__NAME", "tests.support.world:respond")
    file, output = written(tmp_path, LINES[0], LINES[3]), tmp_path / "answers.jsonl"
    words = ["batch", str(file), "-o", str(output), "--store", str(tmp_path / "store")]
    for expected in ("begins", "goes on"):
        done = CliRunner().invoke(cli, words)
        assert done.exit_code == 1, done.output  # a line failed
        records = [json.loads(line) for line in output.read_text().splitlines()]
        assert records[0]["verdict"] is True and "error" in records[1]
        assert f": {expected}" in done.output and "1 of 1 judged, 100.0%" in done.output
    told = json.loads(CliRunner().invoke(cli, [*words, "--json"]).output)
    assert (told["answered"], told["failed"], told["output"]) == (1, 1, str(output))


SETTINGS = """
router:
  local: {backend: scripted, name: "tests.support.world:respond"}
  cloud: {backend: scripted, name: "tests.support.world:respond", input_price: 1, output_price: 10,
          observations: continued, reminders: 0}
  confidence_threshold: 1.0
  budget: {per_run: 0.5}
  signals: {agreement: 1.0}
"""


def test_a_batch_that_is_killed_after_a_paid_attempt_pays_nothing_twice(tmp_path: Path) -> None:
    """With the real sandbox, in processes of its own. Each question takes two paid requests."""
    written(tmp_path, *({"question": f"What is {number} times 34?"} for number in range(12, 16)))
    (tmp_path / "router.yaml").write_text(SETTINGS)
    words = "batch tasks.jsonl -o answers.jsonl --concurrency 2 --config router.yaml --json".split()

    def run(**environment: str) -> "subprocess.CompletedProcess[str]":
        known = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3]), **environment}
        done = [sys.executable, "-m", "agent0es", *words]
        return subprocess.run(done, cwd=tmp_path, env=known, capture_output=True, text=True, timeout=300, check=False)

    assert run(AGENT0ES_CRASH_AT="route.attempted:8").returncode == -9
    done = run()
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["answered"] == 4
    with EventLog.open(tmp_path / "store" / "log.db") as log:
        paid = [one for one in log.read(types=["CostReserved"]) if one.stream.startswith("budget/routes/run-")]
        assert len(paid) == 4 * 2 and any(log.read(types=["AttemptsReused"]))
        report = asyncio.run(verify_routes(log))
        assert report.difference is None, report.difference

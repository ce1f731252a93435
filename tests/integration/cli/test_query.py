"""The commands that look at a store: runs, show, events, sql, export."""

import csv
import io
import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agent0es.cli.main import cli
from agent0es.domain import events as ev
from agent0es.errors import QueryError, RunNotFound, StoreError
from agent0es.log import EventLog, NewEvent
from tests.unit.projections.history import called, history

ROOT = Path(__file__).parents[3]
HOSTILE = (
    "red \x1b[31m, up \x1b[1A, title \x1b]0;owned\x07, csi \x9b2J, bidi \u202e, [bold red]markup[/], tab\tline\nend"
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("store")
    with EventLog.open(folder / "log.db") as log:
        for number in range(2):
            log.append(history(random.Random(number), f"2026-{number}", iterations=2), handler="test")
        log.append(
            [
                NewEvent("run/zhostile", ev.RunStarted(seed=1, configuration={}, code_version="1", weights={})),
                NewEvent("attempt/zhostile/1/1", called("student", 1, "1/1", None, HOSTILE)),
            ],
            handler="test",
        )
    return folder


def run(store: Path, *arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(cli, [*arguments, "--store", str(store)], input=stdin)


def answer(store: Path, *arguments: str) -> str:
    result = run(store, *arguments)
    assert result.exception is None, result.exception
    return result.output


def lines(store: Path, *arguments: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in answer(store, *arguments).splitlines()]


def test_runs_lists_every_run_in_order(store: Path) -> None:
    text = answer(store, "runs")
    assert [line.split()[0] for line in text.splitlines()][:4] == ["run", "2026-0", "2026-1", "zhostile"]
    assert [row["run"] for row in lines(store, "runs", "--json")] == ["2026-0", "2026-1", "zhostile"]


def test_runs_of_an_empty_log_says_how_to_start_one(tmp_path: Path) -> None:
    EventLog.open(tmp_path / "log.db").close()
    assert "agent0es run" in answer(tmp_path, "runs")


def test_without_a_log_the_error_names_the_place(tmp_path: Path) -> None:
    result = run(tmp_path, "runs")
    assert isinstance(result.exception, StoreError)
    assert str(tmp_path) in str(result.exception)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("wanted", "found"), [("2026-1", "2026-1"), ("z", "zhostile"), ("latest", "zhostile")])
def test_a_run_is_named_by_a_unique_prefix_or_as_the_latest(store: Path, wanted: str, found: str) -> None:
    assert json.loads(answer(store, "show", wanted, "--json"))["run"] == found


@pytest.mark.parametrize("command", [["show"], ["events"], ["export", "trajectories"]])
@pytest.mark.parametrize("wanted", ["2026", "nobody"])
def test_a_run_that_is_not_one_is_an_error(store: Path, command: list[str], wanted: str) -> None:
    assert isinstance(run(store, *command, wanted).exception, RunNotFound)


def test_show_tells_how_a_run_is_going(store: Path) -> None:
    text = answer(store, "show", "2026-1")
    for part in ("completed", "Iterations", "Curriculum", "latest", "Adapters", "Evaluation of", "log.db", "in use"):
        assert part in text
    assert "\x1b" not in text


def test_show_as_json_has_the_tables(store: Path) -> None:
    found = json.loads(answer(store, "show", "2026-1", "--json"))
    assert found["status"] == "completed"
    assert [row["iteration"] for row in found["iterations"]] == [1, 2]
    assert {"family", "iteration", "solve_rate", "difficulty"} <= found["curriculum"][0].keys()
    assert {"adapter", "status", "serving", "share"} <= found["adapters"][0].keys()
    assert Path(found["files"]["log"]).exists()


def test_show_of_a_run_that_has_only_begun(store: Path) -> None:
    text = answer(store, "show", "zhostile")
    assert "interrupted" in text
    assert f"agent0es run --resume zhostile --store {store}" in text
    assert "base model" in text


def test_events_come_in_order_with_content_meta_and_hashes(store: Path) -> None:
    events = lines(store, "events", "2026-1", "--json")
    with EventLog.open(store / "log.db", read_only=True) as log:
        recorded = list(log.read(run="2026-1"))
    assert [e["position"] for e in events] == [r.position for r in recorded]
    assert [e["hash"] for e in events] == [r.content_hash for r in recorded]
    assert [e["chain_hash"] for e in events] == [r.chain_hash for r in recorded]
    assert [e["content"] for e in events] == [r.event.model_dump(mode="json") for r in recorded]
    assert events[0]["meta"]["handler"] == "test"
    assert events[0].keys() == {"position", "stream", "version", "type", "content", "meta", "hash", "chain_hash"}


def test_events_can_be_chosen(store: Path) -> None:
    every = lines(store, "events", "2026-1", "--json")
    chosen = [e for e in every if e["type"] in ("Verified", "TaskProposed")]
    asked = ["events", "2026-1", "--json", "--type", "Verified", "--type", "TaskProposed"]
    assert lines(store, *asked) == chosen
    assert lines(store, *asked, "--limit", "2") == chosen[:2]
    assert lines(store, *asked, "--after", str(chosen[0]["position"]), "--limit", "1") == chosen[1:2]


def test_an_event_type_that_is_not_one_is_an_error(store: Path) -> None:
    result = run(store, "events", "latest", "--type", "TaskSolved")
    assert isinstance(result.exception, QueryError)
    assert "TaskProposed" in str(result.exception)


def test_sql_as_a_table_json_and_csv(store: Path) -> None:
    query = "SELECT run, seed, weights FROM runs WHERE run LIKE '2026%' ORDER BY run"
    table = answer(store, "sql", query).splitlines()
    assert table[0].split() == ["run", "seed", "weights"]
    assert table[1].split() == ["2026-0", "7", '{"m":"ab"}']
    assert lines(store, "sql", query, "--json")[0] == {"run": "2026-0", "seed": 7, "weights": {"m": "ab"}}
    assert lines(store, "sql", query, "--format", "json") == lines(store, "sql", query, "--json")
    rows = list(csv.reader(io.StringIO(answer(store, "sql", query, "--format", "csv"))))
    assert rows == [["run", "seed", "weights"], ["2026-0", "7", '{"m":"ab"}'], ["2026-1", "7", '{"m":"ab"}']]


def test_sql_values_of_every_kind_are_json(store: Path) -> None:
    query = (
        "SELECT 1 AS a, 2 AS a, NULL AS n, 'nan'::DOUBLE AS f, DATE '2026-01-02' AS d, TIMESTAMP '2026-01-02 03:04:05'"
        " AS t, [1, NULL] AS l, MAP {'k': 1.5} AS m, {'x': 'y'} AS s, 1.25::DECIMAL(4, 2) AS c, 'b'::BLOB AS b,"
        " INTERVAL 2 SECONDS IS NOT NULL AS i, 170141183460469231731687303715884105727 AS h"
    )
    assert lines(store, "sql", query, "--json") == [
        {
            "a": 1,
            "a_2": 2,
            "n": None,
            "f": None,
            "d": "2026-01-02",
            "t": "2026-01-02T03:04:05Z",
            "l": [1, None],
            "m": {"k": 1.5},
            "s": {"x": "y"},
            "c": 1.25,
            "b": "62",
            "i": True,
            "h": 170141183460469231731687303715884105727,
        }
    ]


def test_sql_reads_the_query_from_standard_input(store: Path) -> None:
    result = run(store, "sql", "-", "--json", stdin="SELECT 42 AS x")
    assert json.loads(result.output) == {"x": 42}


@pytest.mark.parametrize("query", ["SELEC 1", "DELETE FROM events", "FROM '/etc/passwd'", "SELECT 'x'::INTEGER"])
def test_sql_that_does_not_run_is_an_error_on_one_line(store: Path, query: str) -> None:
    result = run(store, "sql", query)
    assert isinstance(result.exception, QueryError)
    assert "\n" not in str(result.exception)


@pytest.mark.parametrize(
    "arguments",
    [
        ["sql", "SELECT text FROM model_calls WHERE run = 'zhostile'"],
        ["sql", "SELECT text AS \"\x1b[31m\" FROM model_calls WHERE run = 'zhostile'"],
        ["sql", "SELECT [text] AS list, {'t': text} AS struct FROM model_calls WHERE run = 'zhostile'"],
        ["sql", "SELECT text FROM model_calls WHERE run = 'zhostile'", "--json"],
        ["sql", "SELECT content FROM events WHERE run = 'zhostile'", "--json"],
        ["events", "zhostile"],
        ["events", "zhostile", "--json"],
    ],
)
def test_what_a_model_wrote_can_not_steer_the_terminal(store: Path, arguments: list[str]) -> None:
    text = answer(store, *arguments)
    assert "[bold red]markup[/]" in text
    assert text.replace("\n", "").isprintable()


def test_hostile_text_reads_back_from_json_as_it_was(store: Path) -> None:
    [row] = lines(store, "sql", "SELECT text FROM model_calls WHERE run = 'zhostile'", "--json")
    assert row["text"] == HOSTILE
    assert lines(store, "events", "zhostile", "--json")[1]["content"]["text"] == HOSTILE


def test_on_a_terminal_tables_are_drawn_and_hostile_text_is_still_harmless(store: Path) -> None:
    query = "SELECT text FROM model_calls WHERE run = 'zhostile'"
    for arguments in (["sql", query], ["sql", query, "--format", "csv"], ["events", "zhostile"], ["show", "2026-1"]):
        text = on_a_terminal("agent0es", *arguments, "--store", str(store))
        steering = [part for part in ("\x1b[1A", "\x1b]0;", "\x9b", "\u202e", "\x1b[31m") if part in text]
        assert steering == []
    assert "━" in text, "a table should be drawn"


def on_a_terminal(module: str, *arguments: str) -> str:
    """What a command writes when its standard output is a terminal."""
    import pty

    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "300"}
    with subprocess.Popen(
        [sys.executable, "-m", module, *arguments], cwd=ROOT, stdout=theirs, stderr=theirs, env=environment
    ) as process:
        os.close(theirs)
        read = []
        while True:
            try:
                data = os.read(ours, 65536)
            except OSError:  # Linux: the other side is closed
                break
            if not data:
                break
            read.append(data)
        assert process.wait() == 0
    os.close(ours)
    return b"".join(read).decode()


def test_export_writes_one_trajectory_a_line(store: Path, tmp_path: Path) -> None:
    records = lines(store, "export", "trajectories", "2026-1")
    assert records
    assert all(r.keys() >= {"task", "solution", "verification", "rewards", "timestamp"} for r in records)

    file = tmp_path / "out.jsonl"
    result = run(store, "export", "trajectories", "2026-1", "-o", str(file))
    assert result.stdout == ""
    assert str(len(records)) in result.stderr
    assert [json.loads(line) for line in file.read_text().splitlines()] == records


def test_export_to_a_place_that_can_not_be_written_is_an_error(store: Path, tmp_path: Path) -> None:
    result = run(store, "export", "trajectories", "2026-1", "-o", str(tmp_path / "missing" / "out.jsonl"))
    assert isinstance(result.exception, StoreError)


@pytest.mark.parametrize("command", ["events 2026-1 --json", "sql 'FROM range(300000)'", "export trajectories 2026-1"])
def test_a_reader_that_stops_early_is_no_error(store: Path, command: str) -> None:
    process = subprocess.run(
        f"{sys.executable} -m agent0es {command} --store {store} | head -n 1",
        shell=True,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert process.stdout.count("\n") == 1
    assert process.stderr == ""

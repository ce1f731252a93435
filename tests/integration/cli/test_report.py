"""`agent0es report`: the saved queries, and those of a user."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agent0es.cli.main import cli
from agent0es.cli.report import bars, sparkline
from agent0es.errors import QueryError, RunNotFound, StoreError
from agent0es.log import EventLog
from agent0es.projections.reports import saved_queries
from tests.integration.cli.test_query import on_a_terminal
from tests.unit.projections.history import history


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("store")
    with EventLog.open(folder / "log.db") as log:
        log.append(history(random.Random(1), "other"), handler="test")
        log.append(history(random.Random(3), "r", iterations=2, tasks=8), handler="test")
    return folder


def report(store: Path, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["report", *arguments, "--store", str(store)])


def rows(store: Path, *arguments: str) -> dict[str, list[dict[str, Any]]]:
    found = [json.loads(line) for line in report(store, "r", "--json", *arguments).output.splitlines()]
    return {part["name"]: part["rows"] for part in found}


def test_a_run_is_shown_in_figures(store: Path) -> None:
    text = report(store, "latest").output
    for query in saved_queries():
        assert query.title in text and query.explanation
    found = rows(store)
    assert [row["iteration"] for row in found["01_tasks"]] == [1, 2]
    assert {row["role"] for row in found["06_rewards"]} == {"student", "teacher"}
    [latency] = [row for row in found["09_latency"] if row["what"] == "call of python"]
    assert latency["p50"] == latency["p99"] == 0.125
    assert all(row["tokens_a_task"] >= 3 * 120 for row in found["10_cost"])


def test_figures_are_those_of_the_run_alone(store: Path) -> None:
    with EventLog.open(store / "log.db", read_only=True) as log:
        calls = sum(1 for _ in log.read(run="r", types=["ToolRequested"]))
    assert sum(row["calls"] for row in rows(store)["04_tools"]) == calls


def test_a_user_changes_the_queries(store: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    assert report(store, "--save", str(mine)).exit_code == 0
    assert {path.stem for path in mine.iterdir()} == {query.name for query in saved_queries()}
    for path in mine.iterdir():
        path.unlink()
    (mine / "own.sql").write_text("-- My title\n-- bars: n\nSELECT 1 AS n, $run AS run")
    (mine / "plain.sql").write_text("SELECT count(*) AS n FROM runs")
    assert rows(store, "--queries", str(mine)) == {"own": [{"n": 1, "run": "r"}], "plain": [{"n": 2}]}
    assert "My title" in report(store, "r", "--queries", str(mine)).output


@pytest.mark.parametrize(
    ("arguments", "kind", "said"),
    [
        (["nobody"], RunNotFound, "nobody"),
        (["r", "--queries", "/nowhere"], QueryError, "/nowhere"),
        (["r", "--queries", "{empty}"], QueryError, "no .sql file"),
        (["r", "--queries", "{wrong}"], QueryError, "broken.sql"),
        (["--save", "{wrong}"], StoreError, "already exists"),
    ],
)
def test_what_can_not_be_shown_is_one_line(
    store: Path, tmp_path: Path, arguments: list[str], kind: type[Exception], said: str
) -> None:
    places = {"{empty}": tmp_path / "empty", "{wrong}": tmp_path / "wrong"}
    for place in places.values():
        place.mkdir()
    (places["{wrong}"] / "broken.sql").write_text("SELEC 1")
    (places["{wrong}"] / "01_tasks.sql").write_text("SELECT 1")
    done = report(store, *(str(places.get(argument, argument)) for argument in arguments))
    assert type(done.exception) is kind
    assert said in str(done.exception) and "\n" not in str(done.exception)
    assert (places["{wrong}"] / "01_tasks.sql").read_text() == "SELECT 1"


def test_bars_and_lines() -> None:
    assert bars([0.0, 1.0, 0.5, None, -1.0]) == ["", "█" * 24, "█" * 12, "", ""]
    assert bars([0, 0]) == ["", ""]
    assert sparkline([0, 1, 2, 7]) == "▁▂▃█"
    assert sparkline([5, 5]) == "▁▁"
    assert len(sparkline([float(n) for n in range(1000)])) == 32


def test_on_a_terminal_bars_are_drawn_where_there_is_something_to_compare(store: Path, tmp_path: Path) -> None:
    assert "█" in on_a_terminal("agent0es", "report", "r", "--store", str(store))
    (tmp_path / "one.sql").write_text("-- One\n-- bars: n\nSELECT 1 AS n")
    assert "█" not in on_a_terminal("agent0es", "report", "r", "--queries", str(tmp_path), "--store", str(store))
    assert "█" not in report(store, "r").output.replace("█▅▁", "")

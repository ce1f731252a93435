"""`agent0es sql`: formats, files, scripts, the shell, and what happens while others are at work."""

import json
import os
import random
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from pyarrow import parquet

from agent0es.cli.main import cli
from agent0es.cli.shell import complete
from agent0es.errors import QueryError, StoreError
from agent0es.log import EventLog
from agent0es.projections import Projections, schema
from agent0es.projections.catalogue import catalogue
from tests.integration.projections.test_real_log import WRITER
from tests.unit.projections.history import history

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("store")
    with EventLog.open(folder / "log.db") as log:
        log.append(history(random.Random(1), "r", iterations=2), handler="test")
    return folder


def sql(store: Path, *arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(cli, ["sql", *arguments, "--store", str(store)], input=stdin)


def agent0es(store: Path, *arguments: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "agent0es", *arguments, "--store", str(store)]
    return subprocess.Popen(command, cwd=ROOT, stdout=-1, stderr=-1, text=True)


def test_rows_go_to_a_file_in_every_format(store: Path, tmp_path: Path) -> None:
    query = "SELECT run, count(*) AS events, sum(position) AS total FROM events GROUP BY run"
    expected = json.loads(sql(store, query, "--json").output)
    for form in ("table", "json", "csv", "parquet"):
        file = tmp_path / f"out.{form}"
        done = sql(store, query, "--format", form, "-o", str(file))
        assert (done.exit_code, done.output) == (0, ""), done.exception
        if form == "parquet":
            [row] = parquet.read_table(file).to_pylist()
            assert {**row, "total": int(row["total"])} == expected
        else:
            assert str(expected["total"]) in file.read_text()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out.csv", "out.json", "out.parquet", "out.table"]


@pytest.mark.parametrize("form", ["table", "json", "csv", "parquet"])
@pytest.mark.parametrize("query", ["SELEC 1", "SELECT CAST(run AS INTEGER) FROM runs", "COPY runs TO 'x.csv'"])
def test_a_query_that_fails_leaves_no_file(store: Path, tmp_path: Path, form: str, query: str) -> None:
    done = sql(store, query, "--format", form, "-o", str(tmp_path / "out"))
    assert isinstance(done.exception, QueryError)
    assert "\n" not in str(done.exception)
    assert list(tmp_path.iterdir()) == []


def test_what_parquet_can_not_do_is_said(store: Path, tmp_path: Path) -> None:
    assert "-o" in str(sql(store, "FROM runs", "--format", "parquet").exception)
    done = sql(store, "SELECT INTERVAL 1 MONTH AS i", "--format", "parquet", "-o", str(tmp_path / "out"))
    assert isinstance(done.exception, QueryError)
    done = sql(store, "-", "--format", "parquet", "-o", str(tmp_path / "out"), stdin="SELECT 1; SELECT 2")
    assert isinstance(done.exception, QueryError)
    done = sql(store, "FROM runs", "--format", "csv", "-o", str(tmp_path / "missing" / "out"))
    assert isinstance(done.exception, StoreError)
    assert list(tmp_path.iterdir()) == []


def test_statements_of_a_script_are_answered_in_order(store: Path) -> None:
    script = "SELECT 'a;b' AS x; -- not; here\nSELECT 2 AS x;"
    done = sql(store, "--json", stdin=script)
    assert done.output == '{"x": "a;b"}\n{"x": 2}\n'
    assert sql(store, stdin="SELECT 1 AS x; SELECT 2 AS y").output == "x\n1\n\ny\n2\n"


def test_a_script_stops_at_what_does_not_run(store: Path) -> None:
    done = sql(store, "--json", stdin="SELECT 1 AS x; SELECT nothing FROM runs; SELECT 3 AS x;")
    assert isinstance(done.exception, QueryError)
    assert done.output == '{"x": 1}\n'


def test_every_table_and_column_says_what_it_means() -> None:
    described = catalogue()
    assert [table.name for table in described] == list(schema.TABLES)
    silent = [f"{t.name}.{c.name}" for t in described for c in t.columns if len(c.meaning) < 3]
    assert silent + [table.name for table in described if not table.meaning.endswith(".")] == []


def test_the_schema_is_shown_without_a_store(tmp_path: Path) -> None:
    text = sql(tmp_path, "--schema").output
    for table in catalogue():
        assert f"{table.name}: {table.meaning}" in text
    rows = [json.loads(line) for line in sql(tmp_path, "--schema", "--json").output.splitlines()]
    assert {"events", "alerts"} <= {row["table"] for row in rows}
    assert rows[0].keys() == {"table", "table_meaning", "column", "type", "meaning"}
    assert list(tmp_path.iterdir()) == []


def test_a_store_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    done = agent0es(tmp_path / "none", "sql", "FROM runs")
    _, error = done.communicate(timeout=60)
    assert done.returncode == 2
    assert error.count("\n") == 1 and "none" in error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        ("SELECT 1;", True),
        ("SELECT 1", False),
        ("SELECT ';", False),
        ("SELECT ';'", False),
        ("SELECT ';'; -- done;", True),
        ("SELECT 1 -- no;", False),
        ('SELECT 1 AS ";"', False),
        ("SELECT $$;$$;", True),
        ("SELECT $$;", False),
        ("/* ; */", False),
        ("/* ;", False),
        ("SELECT 'it''s';\n", True),
    ],
)
def test_a_semicolon_ends_a_statement_only_outside_of_quotes(text: str, ends: bool) -> None:
    assert complete(text) is ends


@pytest.fixture
def terminal(store: Path, tmp_path: Path) -> "Iterator[Terminal]":
    opened = Terminal(store, tmp_path)
    yield opened
    opened.process.kill()
    opened.process.wait()


class Terminal:
    """The shell, on a terminal of its own."""

    def __init__(self, store: Path, home: Path) -> None:
        import pty

        self._ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "agent0es", "sql", "--store", str(store), "--json"],
            cwd=ROOT,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**os.environ, "TERM": "dumb", "XDG_STATE_HOME": str(home)},
        )
        os.close(theirs)
        self._seen = ""
        self.read_until("agent0es> ")

    def read_until(self, part: str) -> str:
        deadline = time.monotonic() + 60
        while part not in self._seen:
            assert select.select([self._ours], [], [], deadline - time.monotonic())[0], self._seen
            self._seen += os.read(self._ours, 65536).decode(errors="replace")  # a read may end inside a character
        before, _, self._seen = self._seen.partition(part)
        return before

    def work(self, seconds: float) -> None:
        """Wait until the shell has worked so many seconds more."""
        begun, deadline = self._cpu_seconds(), time.monotonic() + 60
        while self._cpu_seconds() < begun + seconds:
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def interrupt(self) -> None:
        """Ctrl-C once the shell waits. One between the prompt and the wait for a key is seen with the next key only."""
        deadline = time.monotonic() + 60
        while self._stat()[0] != "S":
            assert time.monotonic() < deadline
            time.sleep(0.01)
        self.process.send_signal(signal.SIGINT)

    def _cpu_seconds(self) -> float:
        fields = self._stat()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _stat(self) -> list[str]:
        """The state of the main thread, and what else Linux says of the process."""
        return Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()

    def type(self, line: str) -> str:
        os.write(self._ours, f"{line}\n".encode())
        return self.read_until("> ")


def test_the_shell_answers_statement_by_statement(terminal: Terminal, store: Path, tmp_path: Path) -> None:
    assert '{"x": 42}' in terminal.type("SELECT 42 AS x;")
    terminal.type("SELECT 43")
    assert '{"x": 43}' in terminal.type("  AS x;")
    assert "SELEC" in terminal.type("SELEC 1;")
    assert "one SELECT" in terminal.type(".help")
    assert "curriculum" in terminal.type(".tables")
    assert "solve_rate" in terminal.type(".schema curriculum")
    assert "there is no .nothing" in terminal.type(".nothing")
    before = terminal.type("SELECT count(*) AS events FROM events;")
    with EventLog.open(store / "log.db") as log:
        log.append(history(random.Random(2), "later"), handler="test")
    assert terminal.type("SELECT count(*) AS events FROM events;") != before, "new events should be seen"
    os.write(terminal._ours, b".quit\n")
    assert terminal.process.wait(timeout=30) == 0
    assert "SELECT 42 AS x;" in (tmp_path / "agent0es" / "sql_history").read_text()


def test_the_shell_outlives_mistakes_and_interruptions(terminal: Terminal) -> None:
    assert "there is no table nothing; there are: " in terminal.type(".schema nothing").replace("\r\n", "")
    assert "there is no .color; type .help" in terminal.type(".color red")
    assert "agent0es: " in terminal.type("SELECT nothing FROM runs;")
    os.write(terminal._ours, b"SELECT \xff;\n")
    assert "not UTF-8" in terminal.read_until("> ")
    os.write(terminal._ours, b"SELECT sum(a.range * b.range) FROM range(1000000) a, range(1000000) b;\n")
    terminal.work(seconds=1.0)
    terminal.interrupt()
    terminal.read_until("agent0es> ")
    terminal.type("SELECT")
    terminal.interrupt()
    terminal.read_until("agent0es> ")
    assert '{"x": 42}' in terminal.type("SELECT 42 AS x;")
    terminal.type("SELECT 1 AS never")
    os.write(terminal._ours, b"\x04")
    terminal.read_until("has no semicolon")
    assert terminal.process.wait(timeout=30) == 0


def test_two_at_once_while_a_run_is_written(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path / "log.db")], cwd=ROOT, stdout=-1, text=True
    ) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        queries = ("SELECT count(*) AS n, max(position) AS last FROM events", "SELECT count(*) AS n FROM runs")
        asking = [agent0es(tmp_path, "sql", query, "--json") for query in queries * 2]
        for process in asking:
            output, error = process.communicate(timeout=120)
            assert process.returncode == 0, error
            found = json.loads(output)
            assert found["n"] > 0
            assert found["n"] == found.get("last", found["n"])
        assert writer.stdout.readline(), "the writer should go on"
        writer.kill()
    assert not list(tmp_path.glob(".projections-*")), "private files should be gone"


def test_a_position_after_the_end_is_an_error(store: Path) -> None:
    process = agent0es(store, "events", "latest", "--after", "1000000")
    _, error = process.communicate(timeout=60)
    assert process.returncode == 2
    assert error.count("\n") == 1 and "ends at position" in error


ENDLESS = {
    "one value": "SELECT count(*) FROM range(1000000000) a, range(1000000000) b",
    "rows": "SELECT a.range FROM range(1000000000) a, range(1000000000) b WHERE a.range + b.range = -1",
    "times": "SELECT now() + a.range * INTERVAL 1 SECOND FROM range(1000000000) a, range(1000000000) b "
    "WHERE a.range + b.range = -1",
}


@pytest.mark.parametrize("query", ENDLESS.values(), ids=ENDLESS)
@pytest.mark.parametrize("form", ["json", "parquet"])
def test_a_query_that_would_never_end_is_stopped(store: Path, query: str, form: str, tmp_path: Path) -> None:
    begin = time.monotonic()
    result = sql(store, query, "--timeout", "0.2", "--format", form, "-o", str(tmp_path / "out"))
    assert isinstance(result.exception, QueryError), result.output
    assert "took too long and was stopped" in str(result.exception)
    assert "--timeout" in str(result.exception)
    assert time.monotonic() - begin < 30
    assert not (tmp_path / "out").exists()
    assert sql(store, "SELECT 1 AS one", "--timeout", "20", "--json").output == '{"one": 1}\n'


def test_time_in_which_rows_are_read_does_not_count(store: Path) -> None:
    with EventLog.open(store / "log.db", read_only=True) as log, Projections.open(log) as tables:
        rows = tables.query("FROM range(50000)", seconds=1.0).rows
        count = 0
        for _ in rows:
            if count % 10_000 == 0:
                time.sleep(0.3)
            count += 1
        assert count == 50_000

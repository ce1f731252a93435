"""What can't be done is said in one line with exit code 2, by every command, and nothing is written."""

import shutil
import sqlite3
import sys
from pathlib import Path

import pytest

from agent0es.cli import main
from agent0es.domain.events import IterationStarted
from agent0es.log import EventLog, NewEvent
from agent0es.log.mapper import Content, encode_state
from agent0es.log.recorders import NewRow
from tests.support import world

NEWER = 99
OF_A_RUN = (
    "show RUN",
    "events RUN",
    "replay RUN",
    "replay RUN --verify",
    "fork RUN --at 5 --no-run",
    "diff RUN",
    "diff run RUN",
    "whatif RUN --set rewards.weights.novelty=0.5",
    "retract 1 --reason bad --run RUN",
    "lineage student-1 --run RUN",
    "lineage RUN/student-1",
    "train RUN --without-retracted",
    "report RUN",
    "audit RUN",
    "audit show 1/0#1 --run RUN",
    "export trajectories RUN",
    "run --resume RUN",
)
"""Commands that name a run."""

OF_A_STORE = (
    *(command.replace("RUN", "run") for command in OF_A_RUN),
    "runs",
    "sql SELECT_1",
    "log verify",
    "log checkpoint",
    "log checkpoint --sign",
    "log export -o FOLDER/log.ndjson",
    "log import FOLDER/whole.ndjson",
)
"""Commands that open a store."""

OTHERS = (
    ("show run --at 99999", "99999"),
    ("show run --at 0", "0"),
    ("show run --at -1", "-1"),
    ("show run --time yesterday-ish", "yesterday-ish"),
    ("show run --time 2001-01-01", "began at"),
    ("replay run --from 99999", "99999"),
    ("replay run --to 99999", "99999"),
    ("replay run --from 9 --to 3", "9"),
    ("replay run --speed fast", "fast"),
    ("fork run --at 99999", "99999"),
    ("fork run --at 10 --set rewards.weights.style=1", "style"),
    ("fork run --at 10 --set curriculum.domain=logic", "domain"),
    ("whatif run --set execution.attempts=9", "execution.attempts"),
    ("whatif run --set rewards.weights.novelty=much", "novelty"),
    ("events run --type Nothing", "Nothing"),
    ("retract 99 --reason bad", "99"),
    ("lineage student-9", "student-9"),
    ("audit show 9/9#9", "9/9#9"),
    ("sql SELEC", "SELEC"),
    ("sql SELECT_nothing_FROM_runs", "nothing"),
    ("sql DELETE_FROM_events", "not a query"),
    ("sql SELECT_1 --format parquet", "-o"),
    ("sql SELECT_1 -o /nowhere/x.csv --format csv", "/nowhere"),
    ("report run --queries /nowhere", "/nowhere"),
    ("export trajectories run -o /nowhere/x", "/nowhere"),
    ("log export -o /nowhere/x", "/nowhere"),
    ("log import FOLDER/whole.ndjson", "empty store"),
    ("log import FOLDER/corrupt.ndjson --store FOLDER/empty", "corrupt.ndjson"),
    ("log import FOLDER/changed.ndjson --store FOLDER/empty", "changed.ndjson"),
    ("log import FOLDER/newer.ndjson --store FOLDER/empty", "newer agent0es"),
    ("log import FOLDER/missing.ndjson --store FOLDER/empty", "missing.ndjson"),
    ("log verify --export FOLDER/corrupt.ndjson", "corrupt.ndjson"),
    ("log verify --checkpoint FOLDER/corrupt.ndjson", "corrupt.ndjson"),
    ("log checkpoint -o /nowhere/x", "/nowhere"),
)
"""Bad input, and what the line says of it."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a finished run, a newer one, and exports that can and can't be read."""
    folder = tmp_path_factory.mktemp("folder")
    with EventLog.open(folder / "log.db") as log:
        world.begin(log, "run")
        world.complete(log, "run", folder)
        log.export(folder / "whole.ndjson")
    whole = (folder / "whole.ndjson").read_text()
    (folder / "corrupt.ndjson").write_text(whole[: len(whole) // 2])
    (folder / "changed.ndjson").write_text(whole.replace(r"\"task\":1", r"\"task\":7", 1))
    first, rest = whole.split("\n", 1)
    (folder / "newer.ndjson").write_text(first.replace(":1", f":{NEWER}", 1) + "\n" + rest)
    (folder / "newer").mkdir()
    shutil.copy(folder / "log.db", folder / "newer" / "log.db")
    with sqlite3.connect(folder / "newer" / "log.db") as connection:
        connection.execute(f"PRAGMA user_version = {NEWER}")
    return folder


def files(folder: Path) -> dict[str, object]:
    """Every file but those that are made anew whenever they are missing; of a log what is in its tables."""
    made = (
        "projections.duckdb",
        "projections.duckdb.lock",
        "projections.duckdb.readers",
        "snapshots.db",
        "log.db-shm",
        "log.db-wal",
    )
    found = [path for path in folder.rglob("*") if path.is_file() and path.name not in made]
    return {str(path): tables(path) if path.name == "log.db" else path.read_bytes() for path in found}


def tables(path: Path) -> list[object]:
    with sqlite3.connect(path) as connection:
        return [connection.execute(f"SELECT * FROM {table}").fetchall() for table in ("events", "handled", "leases")]


def refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], folder: Path, command: str) -> str:
    """The one line that the command writes; all of the folder stays as it was."""
    words = [word.replace("FOLDER", str(folder)) for word in command.split()]
    words = [word.replace("_", " ") if words[0] == "sql" and word.isidentifier() else word for word in words]
    where = [] if "--store" in words else ["--store", str(folder)]
    monkeypatch.setattr(sys, "argv", ["agent0es", *words, *where])
    before = files(folder)
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main.main()
    said = capsys.readouterr()
    assert ended.value.code == 2, said
    assert said.out == ""
    assert files(folder) == before
    [line] = said.err.splitlines()
    assert line.startswith("agent0es: ")
    return line


@pytest.mark.parametrize("command", OF_A_RUN)
def test_an_unknown_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], folder: Path, command: str
) -> None:
    assert "nobody" in refused(monkeypatch, capsys, folder, command.replace("RUN", "nobody"))


@pytest.mark.parametrize("command", OF_A_STORE)
def test_a_store_of_a_newer_version(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], folder: Path, command: str
) -> None:
    line = refused(monkeypatch, capsys, folder, f"{command} --store FOLDER/newer")
    assert "newer agent0es" in line


@pytest.mark.parametrize("command", [command for command in OF_A_STORE if not command.startswith("log import")])
def test_a_store_that_is_not_there(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], folder: Path, command: str
) -> None:
    refused(monkeypatch, capsys, folder, f"{command} --store FOLDER/none")
    assert not (folder / "none").exists()


@pytest.mark.parametrize(("command", "said"), OTHERS, ids=[command for command, _ in OTHERS])
def test_bad_input(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], folder: Path, command: str, said: str
) -> None:
    assert said in refused(monkeypatch, capsys, folder, command)


def test_an_event_of_a_newer_version(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], folder: Path, tmp_path: Path
) -> None:
    shutil.copy(folder / "log.db", tmp_path / "log.db")
    with EventLog.open(tmp_path / "log.db") as log:
        [recorded] = log.append([NewEvent("run/run", IterationStarted(iteration=9))], handler="test")
        content = Content(
            "IterationStarted@99", b'{"iteration":9,"type":"IterationStarted","version":99}', "0" * 64, {}
        )
        row = NewRow("run/run", recorded.version + 1, content.topic, encode_state(content, recorded.meta), "run", "x")
        with log._datastore.write() as connection:
            log.recorder.append(connection, [row])  # type: ignore[attr-defined]
    for command in ("show run", "sql FROM_runs", "diff run run", "fork run --at 5 --no-run"):
        assert "newer agent0es" in refused(monkeypatch, capsys, tmp_path, command), command

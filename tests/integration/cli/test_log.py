"""`agent0es log`: verify, checkpoint, export, import, on a file and on a server."""

import json
import random
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agent0es.cli.main import cli
from agent0es.errors import StoreError
from agent0es.log import EventLog
from tests.support.postgresql import Server
from tests.unit.log.samples import tampering
from tests.unit.log.test_log_admission import forged, renamed
from tests.unit.projections.history import history


@pytest.fixture
def store(tmp_path: Path) -> Path:
    folder = tmp_path / "store"
    folder.mkdir()
    with EventLog.open(folder / "log.db") as log:
        log.append(history(random.Random(1), "2026-1", iterations=1), handler="test")
    return folder


def run(*arguments: str | Path, url: str | None = None) -> Result:
    return CliRunner().invoke(cli, ["log", *map(str, arguments)], env={"AGENT0ES_LOG__URL": url})


def answer(*arguments: str | Path, url: str | None = None) -> str:
    result = run(*arguments, url=url)
    assert result.exception is None, result.exception
    return result.stdout


def refused(*arguments: str | Path, url: str | None = None) -> str:
    result = run(*arguments, url=url)
    assert isinstance(result.exception, StoreError), result.output
    assert "\n" not in str(result.exception)
    return str(result.exception)


def test_a_whole_log_verifies(store: Path) -> None:
    assert answer("verify", "--store", store).startswith("ok: ")
    report = json.loads(answer("verify", "--store", store, "--json"))
    assert report["ok"] is True
    assert report["events"] > 10
    assert report["problem"] is None


def test_a_changed_log_is_told_with_exit_code_1(store: Path) -> None:
    with tampering(store / "log.db") as connection:
        connection.execute("UPDATE events SET version = 9 WHERE seq = 4")
    result = run("verify", "--store", store)
    assert result.exit_code == 1
    assert result.stdout == "The log has been altered: position 4: the chain hash does not fit the stored bytes\n"
    result = run("verify", "--store", store, "--json")
    assert (result.exit_code, json.loads(result.stdout)["first_bad"]) == (1, 4)
    result = run("checkpoint", "--sign", "--store", store, "-o", store / "checkpoint")
    assert result.exit_code == 1, "what was changed is not signed"
    assert not (store / "checkpoint").exists()
    assert not (store / "checkpoint.key").exists()


def test_a_checkpoint_finds_a_log_that_was_cut_off(store: Path, tmp_path: Path) -> None:
    file = tmp_path / "checkpoint"
    answer("checkpoint", "--store", store, "-o", file)
    assert answer("checkpoint", "--store", store) == file.read_text()
    assert answer("verify", "--store", store, "--checkpoint", file).startswith("ok")
    with tampering(store / "log.db") as connection:
        connection.execute("DELETE FROM events WHERE seq > 8")
        connection.execute("UPDATE sqlite_sequence SET seq = 8")
    assert answer("verify", "--store", store).startswith("ok")
    result = run("verify", "--store", store, "--checkpoint", file)
    assert result.exit_code == 1
    assert "position 9: the checkpoint was made of" in result.stdout


def test_a_signed_checkpoint_is_believed_with_its_key_only(store: Path, tmp_path: Path) -> None:
    file = tmp_path / "checkpoint"
    result = run("checkpoint", "--sign", "--store", store, "-o", file)
    assert result.exit_code == 0
    assert f"Created the key {store / 'checkpoint.key'}" in result.stderr
    assert (store / "checkpoint.key").stat().st_mode & 0o777 == 0o600
    assert answer("verify", "--store", store, "--checkpoint", file).startswith("ok")
    again = json.loads(answer("checkpoint", "--sign", "--store", store, "--json"))
    assert again["note"] == file.read_text()
    assert again["public_key"] == (store / "checkpoint.key.pub").read_text().strip()
    assert "Made" not in run("checkpoint", "--sign", "--store", store).stderr

    kept = shutil.copy(store / "checkpoint.key.pub", tmp_path / "kept.pub")
    assert answer("verify", "--store", store, "--checkpoint", file, "--key", kept).startswith("ok")
    assert "a public key, which can't sign" in refused("checkpoint", "--key", kept, "--store", store)
    for name in ("checkpoint.key", "checkpoint.key.pub"):
        (store / name).unlink()
    assert "checkpoint.key.pub: can't be read" in refused("verify", "--store", store, "--checkpoint", file)
    run("checkpoint", "--sign", "--store", store, "-o", tmp_path / "forged")
    said = refused("verify", "--store", store, "--checkpoint", tmp_path / "forged", "--key", kept)
    assert "has no valid signature" in said
    answer("checkpoint", "--store", store, "-o", tmp_path / "unsigned")
    said = refused("verify", "--store", store, "--checkpoint", tmp_path / "unsigned", "--key", kept)
    assert "has no valid signature" in said


def test_a_log_moves_from_a_file_to_a_server_and_back(store: Path, tmp_path: Path, postgresql: Server) -> None:
    url = postgresql.new_url()
    file, second = tmp_path / "log.ndjson", tmp_path / "second.ndjson"
    head = json.loads(answer("export", "--store", store, "-o", file, "--json"))
    assert head == json.loads(answer("verify", "--export", file, "--json"))
    assert head == json.loads(answer("import", file, "--store", tmp_path / "there", "--json", url=url))
    assert head == json.loads(answer("verify", "--store", tmp_path / "there", "--json", url=url))
    answer("export", "--store", tmp_path / "there", "-o", second, url=url)
    assert head == json.loads(answer("import", second, "--store", tmp_path / "back", "--json"))
    checkpoint = tmp_path / "checkpoint"
    answer("checkpoint", "--store", store, "-o", checkpoint)
    assert answer("verify", "--export", second, "--checkpoint", checkpoint).startswith("ok")
    assert answer("verify", "--store", tmp_path / "back", "--checkpoint", checkpoint).startswith("ok")
    assert "this log already has events" in refused("import", file, "--store", store)
    reading = CliRunner().invoke(cli, ["runs", "--store", str(tmp_path / "there")], env={"AGENT0ES_LOG__URL": url})
    assert "2026-1" in reading.output


def test_a_corrupt_export_writes_nothing(store: Path, tmp_path: Path) -> None:
    file = tmp_path / "log.ndjson"
    answer("export", "--store", store, "-o", file)
    file.write_text(file.read_text().replace("2026-1", "2026-2", 1))
    assert "chain hash" in refused("import", file, "--store", tmp_path / "there")
    assert run("verify", "--export", file).exit_code == 1
    file.write_text("no export\n")
    assert "line 1 is damaged" in refused("import", file, "--store", tmp_path / "there")
    assert "line 1 is damaged" in refused("verify", "--export", file)
    assert not (tmp_path / "there").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("verify",), "there is no log"),
        (("checkpoint",), "there is no log"),
        (("export", "-o", "x"), "there is no log"),
        (("import", "none"), "none: No such file"),
        (("verify", "--export", "none"), "none: No such file"),
        (("verify", "--checkpoint", "none"), "none: can't be read"),
    ],
)
def test_what_is_missing_is_told_and_nothing_is_written(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    assert said in refused(*arguments, "--store", tmp_path / "none")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["../../X", "..", "\x1b[2J"])
def test_an_export_with_a_hostile_name_is_refused(name: str, store: Path, tmp_path: Path) -> None:
    answer("export", "-o", tmp_path / "export", "--store", store)
    lines = [json.loads(line) for line in (tmp_path / "export").read_text().splitlines()]
    forged(renamed(lines, name), tmp_path / "export")
    before = sorted(tmp_path.rglob("*"))
    assert "nothing was imported" in refused("import", tmp_path / "export", "--store", tmp_path / "new" / "store")
    new = set(tmp_path.rglob("*")) - set(before)
    assert all(path.is_relative_to(tmp_path / "new") for path in new)
    assert not list(tmp_path.rglob("*.jsonl"))

"""A run whose log is on a server: started, resumed, looked at, and nowhere a password."""

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from agent0es.domain import events as ev
from agent0es.log import EventLog
from tests.support.commands import answer
from tests.support.postgresql import PASSWORD, Server

ROOT = Path(__file__).parents[3]
SCRIPTED = ROOT / "tests" / "e2e" / "crash.yaml"


def agent0es(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "agent0es", *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_run_keeps_its_log_on_a_server(tmp_path: Path, postgresql: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    url, store = postgresql.new_url(), str(tmp_path / "store")
    small = ("--config", str(SCRIPTED), "--iterations", "1", "--tasks", "3", "--set", "execution.attempts=1")
    done = agent0es("run", "--store", store, *small, "--set", f"log.url={url}")
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "store" / "log.db").exists()

    with EventLog.open(url, read_only=True) as log:
        recorded = list(log.read())
        assert isinstance(recorded[-1].event, ev.RunCompleted)
        assert log.verify().ok
    started = recorded[0].event
    assert isinstance(started, ev.RunStarted)
    assert started.configuration["log"]["url"].startswith("postgresql://agent0es@/postgres?host=")
    with psycopg.connect(url) as connection:
        states = connection.execute("SELECT convert_from(state, 'UTF8') FROM events").fetchall()
    for secret in (PASSWORD, "open-sesame"):
        assert not any(secret in state for (state,) in states)
        assert secret not in done.stdout + done.stderr
        assert not any(secret.encode() in file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())

    monkeypatch.setenv("AGENT0ES_LOG__URL", url)
    looks = (["runs"], ["show", "latest"], ["sql", "SELECT count(*) FROM tasks"], ["log", "verify"])
    for command in (*looks, ["run", "--resume", "latest"]):
        assert answer(tmp_path / "store", *command)


def test_a_server_that_is_not_there_is_told(tmp_path: Path) -> None:
    url = "postgresql://user:secret@127.0.0.1:1/log"
    for command in (["run", "--set", f"log.url={url}"], ["runs"]):
        done = agent0es(*command, "--store", str(tmp_path), AGENT0ES_LOG__URL=url)
        assert done.returncode == 2
        [line] = done.stderr.splitlines()
        assert line.startswith("agent0es: postgresql://user@127.0.0.1:1/log: the server can't be reached or turned us")
        assert "secret" not in line
        assert done.stdout == ""

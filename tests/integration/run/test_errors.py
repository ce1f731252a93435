"""What a user meets when something is wrong: one clear line, exit code 2, nothing lost."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agent0es.log import EventLog

ROOT = Path(__file__).parents[3]
SCRIPTED = ROOT / "tests" / "e2e" / "crash.yaml"


def run(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "agent0es", "run", *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def one_line(done: "subprocess.CompletedProcess[str]") -> str:
    assert done.returncode == 2, done.stderr
    assert done.stdout in ("", "checking the weights, the tools and the sandbox\n")
    [line] = done.stderr.splitlines()
    assert line.startswith("agent0es: ")
    return line


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (("--set", "execution.atempts=3"), "unknown key; did you mean execution.attempts?"),
        (("--tasks", "0"), "--tasks must be at least 1, not 0"),
        (("--set", "models.student.name=/no/such.gguf"), "/no/such.gguf: no such model"),
        (("--config", "/no/such.yaml"), "/no/such.yaml: No such file or directory"),
        (("--resume", "latest"), "there is no log; start a run first"),
        (("--resume", "latest", "--tasks", "3"), "--resume uses the stored configuration; remove the other options"),
        (("--resume", ""), "there is no log; start a run first"),
    ],
)
def test_a_wrong_setting_is_named_before_anything_is_written(
    tmp_path: Path, settings: tuple[str, ...], said: str
) -> None:
    assert said in one_line(run("--store", str(tmp_path / "store"), *settings))
    log = tmp_path / "store" / "log.db"
    if log.exists():
        with EventLog.open(log, read_only=True) as opened:
            assert opened.head() == 0


def test_a_configuration_that_is_not_yaml_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("execution: [1,\n")
    assert "broken.yaml: not YAML" in one_line(run("--config", str(tmp_path / "broken.yaml"), "--store", str(tmp_path)))


def test_a_store_that_is_a_file_or_no_log_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "--store" in one_line(run("--store", str(tmp_path / "file")))
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "log.db").write_text("this is not a database, it is a text of some length" * 20)
    before = (tmp_path / "store" / "log.db").read_bytes()
    one_line(run("--store", str(tmp_path / "store")))
    assert (tmp_path / "store" / "log.db").read_bytes() == before


def test_a_run_is_driven_by_one_process_at_a_time_and_a_signal_stops_it_cleanly(tmp_path: Path) -> None:
    first = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "agent0es",
            "run",
            "--store",
            str(tmp_path),
            "--config",
            str(SCRIPTED),
            "--tasks",
            "400",
        ],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        deadline = time.monotonic() + 60
        while not (tmp_path / "log.db").exists():
            assert time.monotonic() < deadline
            time.sleep(0.1)
        with EventLog.open(tmp_path / "log.db", read_only=True) as log:
            while log.head() < 20:
                assert time.monotonic() < deadline and first.poll() is None
                time.sleep(0.05)
        refused = one_line(run("--store", str(tmp_path), "--resume", "latest"))
        assert str(first.pid) in refused
        first.send_signal(signal.SIGINT)
        _, error = first.communicate(timeout=30)
    finally:
        first.kill()
    assert first.returncode == 130
    assert "Stopped; nothing is lost. Resume it with: agent0es run --resume" in error
    with EventLog.open(tmp_path / "log.db", read_only=True) as log:
        assert log.verify().ok

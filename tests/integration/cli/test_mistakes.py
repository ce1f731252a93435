"""The ten common mistakes, at every command where they can be made: one line, exit code 2, what to do."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from agent0es.cli import main
from agent0es.log import EventLog
from tests.support import world

ROOT = Path(__file__).parents[3]
NOT_TEXT = "\udcff"
"""A byte of an argument that is not UTF-8, as Python has it."""

MISTAKES: dict[str, tuple[tuple[str, str], ...]] = {
    "wrong key": (
        ("run --set execution.atempts=3", "atempts"),
        ("run --set nothing", "nothing"),
        ("tools list --set tools.timeout=3", "timeout"),
        ("fork run --at 10 --set execution.nothing=1", "nothing"),
        ("whatif run --set nothing=1", "nothing"),
    ),
    "wrong value": (
        ("run --tasks many", "many"),
        ("run --iterations 1.5", "1.5"),
        ("tools list --set tools.timeout_seconds=-1", "timeout_seconds"),
        ("show run --at first", "first"),
        ("events run --limit 0", "0"),
        ("sql SELECT --format xml", "xml"),
        ("verify nothing --reference 1 --answer 1", "nothing"),
        ("sandbox test --tier strong", "strong"),
        ("sandbox test --attack nothing-of-that-name", "--attack"),
    ),
    "wrong file": (
        ("run --config MISSING", "MISSING"),
        ("run --config FOLDER", "FOLDER"),
        ("tools run python --input MISSING", "MISSING"),
        ("tools run python --input FOLDER", "FOLDER"),
        ("tools run python --code 1 --dir MISSING", "MISSING"),
        ("verify --batch MISSING", "MISSING"),
        ("verify --batch FOLDER", "FOLDER"),
        ("verify --batch BINARY", "BINARY"),
        ("verify math --task BINARY --answer 1", "BINARY"),
        ("report run --queries MISSING", "MISSING"),
        ("report run --queries BINARY", "BINARY"),
        ("log import FOLDER", "FOLDER"),
        ("log verify --export BINARY", "BINARY"),
        ("log verify --checkpoint MISSING", "MISSING"),
        ("log checkpoint --sign --key BINARY", "BINARY"),
    ),
    "no regular file": (
        ("sql FROM_runs -o FOLDER", "is a folder"),
        ("sql FROM_runs -o LOG", "is a database"),
        ("sql FROM_runs -o /dev/full", "No space left"),
        ("sql FROM_runs --format parquet -o LOG", "is a database"),
        ("export trajectories run -o LOG", "is a database"),
        ("export trajectories run -o FOLDER", "is a folder"),
        ("log export -o LOG", "is a database"),
        ("log export -o /dev/full", "No space left"),
        ("log checkpoint -o FOLDER", "is a folder"),
        ("report --save BINARY", "BINARY"),
    ),
    "encoding": (
        ("run --config LATIN", "LATIN"),
        ("verify --batch LATIN", "line 2"),
        ("verify math --task LATIN --answer 1", "LATIN"),
        ("tools run python --input LATIN", "LATIN"),
        ("report run --queries QUERIES", "UTF-8"),
        ("log import LATIN", "LATIN"),
        ("log verify --checkpoint LATIN", "LATIN"),
        *(
            (command.replace("*", NOT_TEXT), r"\udcff")
            for command in ("show *", "lineage *", "audit *", "*", "run --*")
        ),
        (f"sql SELECT_{NOT_TEXT}", "UTF-8"),
        (f"whatif run --set rewards.weights.{NOT_TEXT}=1", r"\udcff"),
    ),
    "path": (
        ("runs --store BINARY", "BINARY"),
        ("show run --store BINARY", "BINARY"),
        ("run --store BINARY", "BINARY"),
        ("run --store /dev/null/x", "/dev/null/x"),
        ("sql FROM_runs -o BINARY/x", "BINARY/x"),
        ("log export -o MISSING/x", "MISSING/x"),
    ),
    "wrong run": (
        ("show nobody", "nobody"),
        ("run --resume nobody", "nobody"),
        ("diff run nobody", "nobody"),
    ),
    "wrong option": (
        ("", "Usage"),
        ("nothing", "nothing"),
        ("runs --nothing", "--nothing"),
        ("show run --at", "--at"),
        ("log import", "FILE"),
        ("train latest --role both", "--role"),
        ("verify math --answer 1", "--reference"),
        ("tools run python", "--code"),
        ("retract 1", "--reason"),
    ),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("folder")
    with EventLog.open(folder / "log.db") as log:
        world.begin(log, "run")
        world.complete(log, "run", folder)
    (folder / "FOLDER").mkdir()
    (folder / "QUERIES").mkdir()
    (folder / "BINARY").write_bytes(bytes(range(256)))
    (folder / "LATIN").write_bytes('{"domain": "math"}\n{"answer": "café"}\n'.encode("latin-1"))
    (folder / "QUERIES" / "one.sql").write_bytes("SELECT 'café'".encode("latin-1"))
    (folder / "LOG").symlink_to("log.db")
    return folder


NEEDS_NO_STORE = ("tools", "verify", "sandbox")


def words(command: str, folder: Path) -> list[str]:
    """A command's words, with the files of the folder in place of their names."""
    names = ("FOLDER", "QUERIES", "BINARY", "LATIN", "LOG", "MISSING")
    found = []
    for word in command.split():
        first, _, rest = word.partition("/")
        found.append(f"{folder / first}{'/' + rest if rest else ''}" if first in names else word)
    if found[:1] == ["sql"]:
        found[1] = found[1].replace("_", " ")
    return found


@pytest.mark.parametrize(
    ("command", "said"), [case for cases in MISTAKES.values() for case in cases], ids=lambda text: ascii(text)
)
def test_a_mistake_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], folder: Path, command: str, said: str
) -> None:
    arguments = words(command, folder)
    if arguments and arguments[0] not in NEEDS_NO_STORE and "--store" not in command:
        arguments += ["--store", str(folder)] if arguments[-1] != "--at" else []
    monkeypatch.setattr(sys, "argv", ["agent0es", *arguments])
    before = (folder / "log.db").read_bytes()
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main.main()
    shown = capsys.readouterr()
    assert ended.value.code == 2, shown
    assert shown.out == ""
    if said != "Usage":  # of no command at all the help is shown
        [line] = shown.err.splitlines()
        assert line.startswith("agent0es: ")
    assert said in shown.err
    assert (folder / "log.db").read_bytes() == before


def test_a_long_argument_is_shortened(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["x" * 10**5], ["runs", "--" + "x" * 10**5], ["tools", "list", "--set", "x" * 10**5 + "=1"]):
        monkeypatch.setattr(sys, "argv", ["agent0es", *arguments])
        with pytest.raises(SystemExit):
            main.main()
        line = capsys.readouterr().err
        assert len(line) < 1200 and "xxx" in line


def shell(folder: Path, command: str, **environment: str) -> tuple[int, str, str]:
    """Exit code and what a command line in a shell writes."""
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"],
        cwd=ROOT,
        env={**os.environ, "S": str(folder), "A": f"{sys.executable} -m agent0es", **environment},
        capture_output=True,
        timeout=120,
        check=False,
    )
    return done.returncode, done.stdout.decode("utf-8", "backslashreplace"), done.stderr.decode()


STREAMS: tuple[tuple[str, int, str, str], ...] = (
    ("$A sql --schema >/dev/full", 2, "", "agent0es: standard output: No space left on device"),
    ("$A --help >/dev/full", 2, "", "agent0es: standard output: No space left on device"),
    ("$A sql --schema >&-", 2, "", "agent0es: standard output: Bad file descriptor"),
    ("$A --version 2>&- | wc -l", 0, "1\n", ""),
    ("$A show nobody --store $S 2>/dev/full", 2, "", ""),
    ("$A sql 'FROM range(30000)' --store $S | head -1", 141, "range\n", ""),
    ("$A --help | true", 141, "", ""),
    ("$A sql --store $S <&-", 0, "", ""),
    (r"printf 'SELECT \xff' | $A sql --store $S", 2, "", "agent0es: standard input, line 1: this is not UTF-8 text"),
)
"""What is done to the streams, the exit code, standard output, and how standard error begins."""


@pytest.mark.parametrize(("command", "code", "output", "error"), STREAMS, ids=[case[0] for case in STREAMS])
def test_streams_that_can_not_be_written(folder: Path, command: str, code: int, output: str, error: str) -> None:
    found = shell(folder, command)
    assert found[:2] == (code, output), found
    assert found[2].startswith(error) and len(found[2].splitlines()) == bool(error)


def test_an_encoding_that_lacks_characters(folder: Path) -> None:
    """A person and JSON get escapes; CSV, which has none, is refused."""
    query = "SELECT '→é😀' AS x"
    latin, ascii_only = {"PYTHONIOENCODING": "latin-1"}, {"PYTHONIOENCODING": "ascii"}
    assert shell(folder, f'$A sql "{query}" --store $S', **latin) == (0, "x\n\\u2192\\xe9\\U0001f600\n", "")
    found = shell(folder, f'$A sql --json "{query}" --store $S', **ascii_only)
    assert found == (0, '{"x": "\\u2192\\u00e9\\ud83d\\ude00"}\n', "")
    code, _, error = shell(folder, f'$A sql --format csv "{query}" --store $S', **latin)
    assert code == 2 and error.startswith("agent0es: standard output is latin-1 and can't hold \\u2192")


def test_a_crash_of_native_code_says_in_which_line() -> None:
    program = """
import os, sys
from agent0es.cli import main
def crash(*a, **k): os.abort()
main.cli = crash
main.main()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == -6
    assert done.stderr.startswith("Fatal Python error: Aborted") and " in crash\n" in done.stderr

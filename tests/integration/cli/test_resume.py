"""`agent0es run --resume`: what is said before anything is opened."""

from pathlib import Path

import pytest

from agent0es import bootstrap
from agent0es.errors import ConfigurationError, RunNotFound
from agent0es.log import EventLog
from tests.support import world
from tests.support.commands import answer, invoke, json_answer


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("store")
    with EventLog.open(folder / "log.db") as log:
        world.begin(log, "run")
        world.complete(log, "run", folder)
    return folder


@pytest.fixture(autouse=True)
def nothing_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(*_: object, **__: object) -> None:
        raise AssertionError("models, tools or sandbox were opened")

    monkeypatch.setattr(bootstrap, "open_ports", opened)


def test_a_completed_run_says_so_with_what_it_came_to(store: Path) -> None:
    before = (store / "log.db").read_bytes()
    said = answer(store, "run", "--resume", "run")
    assert "Run run is completed" in said and "Held-out: families never practised" in said
    found = json_answer(store, "run", "--resume", "latest")
    assert (found["run"], found["status"]) == ("run", "completed")
    assert (store / "log.db").read_bytes() == before


def test_one_that_has_something_left_to_do_is_opened(store: Path, tmp_path: Path) -> None:
    with EventLog.open(tmp_path / "log.db") as log:
        world.begin(log, "begun")
    found = invoke(tmp_path, "run", "--resume", "begun")
    assert isinstance(found.exception, AssertionError)


@pytest.mark.parametrize("other", [["--tasks", "3"], ["--iterations", "2"], ["--domains", "math"], ["--set", "seed=1"],
                                   ["--config", "my.yaml"]])  # fmt: skip
@pytest.mark.parametrize("run", ["run", "", "nobody"])
def test_other_options_are_refused(store: Path, run: str, other: list[str]) -> None:
    found = invoke(store, "run", "--resume", run, *other).exception
    assert isinstance(found, ConfigurationError)
    assert str(found) == "--resume uses the stored configuration; remove the other options"


@pytest.mark.parametrize("command", ["run --resume", "show", "events", "replay", "diff"])
def test_an_empty_name_is_no_run(store: Path, command: str) -> None:
    found = invoke(store, *command.split(), "").exception
    assert isinstance(found, RunNotFound) and "the run's name is empty" in str(found)


def test_numbers_and_names_that_make_no_run(store: Path) -> None:
    for options, line in (
        (["--tasks", "0"], "--tasks must be at least 1, not 0"),
        (["--iterations", "-3"], "--iterations must be at least 1, not -3"),
        (["--domains", ""], "--domains has an empty name in it; write e.g. --domains math,logic"),
        (["--domains", "math,,logic"], "--domains has an empty name in it; write e.g. --domains math,logic"),
        (["--domains", "math,math"], "--domains: math is given twice"),
        (["--domains", "mth, logic"], "--domains: no task domain is called 'mth': did you mean 'math'?"),
    ):
        found = invoke(store, "run", *options).exception
        assert isinstance(found, ConfigurationError) and str(found).startswith(line)

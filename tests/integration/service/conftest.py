"""A store with a completed run, made once for these tests."""

from pathlib import Path

import pytest

from agent0es.log import EventLog
from tests.support import world


@pytest.fixture(scope="session")
def completed_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a completed run `one`, and `two`, a fork of it that was only created. Copy it where you write to it."""
    folder = tmp_path_factory.mktemp("completed") / "store"
    folder.mkdir()
    with EventLog.open(folder / "log.db") as log:
        world.begin(log, "one")
        world.complete(log, "one", folder)
        world.fork(log, "two", "one", 20)
    return folder

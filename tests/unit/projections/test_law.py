"""The law of projections: however the log was folded, the tables are those of one rebuild.

Events come in portions of any size, are folded in batches of any size, and now and then the process dies: in the
middle of a batch, between batches, before or after the file has got what was committed.
"""

import random
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from agent0es.projections import Projections, fold
from tests.unit.projections.fake_log import FakeLog
from tests.unit.projections.history import history, interleave
from tests.unit.projections.test_fold import contents, rebuilt


class Crash(Exception):
    """The process is gone."""


class Dying:
    """A connection whose n-th statement is the last thing that happens."""

    def __init__(self, connection: Any, statements: int) -> None:
        self._connection = connection
        self._left = statements

    def execute(self, *arguments: Any) -> Any:
        if self._left == 0:
            raise Crash
        self._left -= 1
        return self._connection.execute(*arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


class Folding(RuleBasedStateMachine):
    """A log that grows, and tables in a file that follow it."""

    @initialize(seed=st.integers(0, 2**32), runs=st.integers(1, 3))
    def begin(self, seed: int, runs: int) -> None:
        rng = random.Random(seed)
        self.coming = interleave(rng, [history(rng, f"run-{n}", tasks=rng.randint(1, 3)) for n in range(runs)])
        self.log = FakeLog()
        self.folder = Path(tempfile.mkdtemp(prefix="law-"))
        self.path = self.folder / "projections.duckdb"
        self.tables = Projections.open(self.log, self.path)

    @rule(count=st.integers(1, 80))
    def something_happens(self, count: int) -> None:
        self.log.append(self.coming[:count])
        del self.coming[:count]

    @rule(batch=st.sampled_from([3, 17, 1000]), checkpoint=st.sampled_from([1, 40, 10**9]))
    def catch_up(self, batch: int, checkpoint: int) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(fold, "BATCH_EVENTS", batch)
            patch.setattr(fold, "CHECKPOINT_EVENTS", checkpoint)
            self.tables.catch_up()
        assert self.tables.position == self.log.head()

    @rule(statements=st.integers(0, 60))
    def die_in_mid_transaction(self, statements: int) -> None:
        whole = self.tables._connection
        self.tables._connection = Dying(whole, statements)
        try:
            self.tables.catch_up()
            died = False
        except Crash:
            died = True
        finally:
            self.tables._connection = whole
        if died:
            with suppress(duckdb.Error):
                whole.execute("ROLLBACK")  # what the dead process had open, nobody commits
            self.kill_and_open_again()

    @rule()
    def kill_and_open_again(self) -> None:
        left = self.path.with_name("left")
        shutil.copy(self.path, left)  # what the disk holds at this moment
        self.tables.close()
        left.replace(self.path)
        self.tables = Projections.open(self.log, self.path)
        assert self.tables.kept

    @rule()
    def close_and_open_again(self) -> None:
        before = self.tables.position
        self.tables.close()
        self.tables = Projections.open(self.log, self.path)
        assert self.tables.position == before

    def teardown(self) -> None:
        if hasattr(self, "tables"):
            self.log.append(self.coming)
            self.tables.catch_up()
            assert contents(self.tables) == rebuilt(self.log)
            self.tables.close()
            shutil.rmtree(self.folder)


Folding.TestCase.settings = settings(
    max_examples=8, stateful_step_count=10, deadline=None, suppress_health_check=list(HealthCheck)
)
test_any_way_of_folding_gives_what_one_rebuild_gives = Folding.TestCase

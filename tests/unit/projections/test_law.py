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

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from agent0es.projections import Projections, database, fold, tables
from tests.unit.projections.fake_log import FakeLog
from tests.unit.projections.history import history, interleave
from tests.unit.projections.test_fold import contents, rebuilt


class Crash(Exception):
    """The process is gone."""


class Dying:
    """A connection whose n-th statement is the last thing that happens; what the disk then holds is kept aside."""

    def __init__(self, connection: Any, statements: int, file: Path) -> None:
        self._connection = connection
        self._left = statements
        self._file = file

    def execute(self, *arguments: Any) -> Any:
        if self._left == 0:
            shutil.copy(self._file, self._file.with_name("left"))
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

    @rule(
        batch=st.sampled_from([3, 17, 1000]),
        checkpoint=st.sampled_from([1, 40, 10**9]),
        copy=st.sampled_from([0, 100, 10**9]),
    )
    def catch_up(self, batch: int, checkpoint: int, copy: int) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(tables, "COPY_EVENTS", copy)
            patch.setattr(fold, "BATCH_EVENTS", batch)
            patch.setattr(fold, "CHECKPOINT_EVENTS", checkpoint)
            self.tables.catch_up()
        assert self.tables.position == self.log.head()

    @rule(statements=st.integers(0, 60))
    def die_in_mid_transaction(self, statements: int) -> None:
        connect, left = database.connect, self.path.with_name("left")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(database, "connect", lambda path: path and Dying(connect(path), statements, self.path))
            with suppress(Crash):
                self.tables.catch_up()
        self.tables.close()
        if left.exists():
            left.replace(self.path)
        self.tables = Projections.open(self.log, self.path)

    @rule(batch=st.sampled_from([3, 17, 1000]))
    def somebody_reads_on_while_others_fold(self, batch: int) -> None:
        self.tables.catch_up()
        answer = self.tables.query("SELECT position FROM events ORDER BY ALL").rows
        read = [next(answer)] if self.tables.position else []
        self.log.append(self.coming[:5])
        del self.coming[:5]
        before = self.tables.position
        with pytest.MonkeyPatch.context() as patch, Projections.open(self.log, self.path) as other:
            patch.setattr(fold, "BATCH_EVENTS", batch)
            other.catch_up()
            assert other.kept and other.position == self.log.head()
        assert self.tables.position == before
        assert [*read, *answer] == [(position,) for position in range(1, before + 1)]

    @rule()
    def close_and_open_again(self) -> None:
        kept = self.tables.position if self.tables.kept else 0
        self.tables.close()
        self.tables = Projections.open(self.log, self.path)
        assert kept <= self.tables.position <= self.log.head(), "others may have folded more"

    def teardown(self) -> None:
        if hasattr(self, "tables"):
            self.log.append(self.coming)
            self.tables.catch_up()
            assert contents(self.tables) == rebuilt(self.log)
            self.tables.close()
            shutil.rmtree(self.folder)


class FoldingOften(Folding):
    """The same, on more logs."""


FEW = settings(max_examples=4, stateful_step_count=10, deadline=None, suppress_health_check=list(HealthCheck))
Folding.TestCase.settings = FEW
FoldingOften.TestCase.settings = settings(FEW, max_examples=40)
test_any_way_of_folding_gives_what_one_rebuild_gives = Folding.TestCase
test_any_way_of_folding_gives_what_one_rebuild_gives_on_more_logs = pytest.mark.slow(FoldingOften.TestCase)

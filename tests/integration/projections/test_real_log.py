"""Projections over the real log: the same tables as from events in memory, also while another process writes."""

import random
import subprocess
import sys
from pathlib import Path

from agent0es.log import EventLog, History
from agent0es.projections import Projections, schema
from agent0es.projections.state import state_at
from agent0es.projections.trajectories import trajectories
from tests.unit.projections.fake_log import FakeLog
from tests.unit.projections.history import history, interleave

ROOT = Path(__file__).parents[3]
MEASURED = {
    "events": "EXCLUDE (time, handler, meta, content_hash, chain_hash)",
    "runs": "EXCLUDE (started, last_event, ended)",
    "iterations": "EXCLUDE (started, practised)",
    "tasks": "EXCLUDE (requested, proposed, completed)",
    "attempts": "EXCLUDE (started, submitted, seconds)",
    "tool_calls": "EXCLUDE (requested, ended)",
    "adapters": "EXCLUDE (started, trained, decided)",
    "curriculum": "",
    "histories": "",
    "evaluation_families": "",
    "measurements": "EXCLUDE (started, ended)",
    "routes": "EXCLUDE (asked, ended)",
    "alerts_raised": "EXCLUDE (raised, cleared)",
    "jobs": "EXCLUDE (started, finished)",
    "texts": "",
}
"""Columns that tell of time and hashes, which differ from log to log; `time` where nothing is said."""

WRITER = """
import random, sys
from agent0es.log import EventLog
from tests.unit.projections.history import history
with EventLog.open(sys.argv[1]) as log:
    for number in range(1000):
        for event in history(random.Random(number), f"w{number}"):
            log.append([event], handler="test")
            print(flush=True)
"""


def contents(tables: Projections) -> dict[str, list[object]]:
    return {
        name: list(tables.query(f"FROM {name} SELECT * {MEASURED.get(name, 'EXCLUDE (time)')} ORDER BY ALL").rows)
        for name in schema.TABLES
    }


def test_the_real_log_and_the_one_in_memory_fold_to_the_same_tables(tmp_path: Path) -> None:
    events = interleave(random.Random(0), [history(random.Random(n), f"r{n}", iterations=2) for n in range(4)])
    with EventLog.open(tmp_path / "log.db") as log, Projections.open(FakeLog(events)) as other:
        log.append(events, handler="test")
        other.catch_up()
        with Projections.open(log, tmp_path / "projections.duckdb") as tables:
            tables.catch_up()
            assert contents(tables) == contents(other)
        assert state_at(log, "r1") == state_at(FakeLog(events), "r1")
        assert [t["attempt"] for t in trajectories(History.of(log, "r1"))] == [
            t["attempt"] for t in trajectories(History.of(FakeLog(events), "r1"))
        ]


def test_tables_follow_a_log_that_another_process_writes(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], cwd=ROOT, stdout=-1) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        with (
            EventLog.open(path, read_only=True) as log,
            Projections.open(log, tmp_path / "projections.duckdb") as tables,
        ):
            folded = 0
            for _ in range(5):
                for _ in range(10):
                    assert writer.stdout.readline(), "the writer should go on while tables are folded"
                folded += tables.catch_up()
                assert folded >= 50 or folded == tables.position
                [(count, last)] = tables.query("SELECT count(*), max(position) FROM events").rows
                assert count == last == tables.position == folded
            writer.kill()
            writer.wait()
            tables.catch_up()
            incremental = {name: list(tables.query(f"FROM {name} ORDER BY ALL").rows) for name in schema.TABLES}
            tables.rebuild()
            rebuilt = {name: list(tables.query(f"FROM {name} ORDER BY ALL").rows) for name in schema.TABLES}
    assert incremental == rebuilt

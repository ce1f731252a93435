"""Every decision of a run comes out of its log again; one that was changed does not."""

import asyncio
import hashlib
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent0es.history.novelties import Novelties
from agent0es.history.verification import Report, verify_decisions
from agent0es.log import EventLog
from agent0es.log.mapper import Content, decode_meta, encode_state, split_state
from tests.support import world
from tests.unit.log.samples import tampering


def verified(log: EventLog, run: str, *, novelty: bool = False) -> Report:
    rules = world.rules(log, run, Novelties(world.HashEmbedder()) if novelty else None)
    return asyncio.run(verify_decisions(log, run, rules))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a finished run and a fork of it."""
    store = tmp_path_factory.mktemp("store")
    with EventLog.open(store / "log.db") as log:
        world.begin(log, "run", "execution.iterations=2")
        world.complete(log, "run", store)
        position = [recorded.position for recorded in log.read(run="run", types=["Verified"])][3]
        world.fork(log, "child", "run", position, "seed=3", "rewards.weights.correctness=1.0")
        world.complete(log, "child", store)
    return store


def test_a_run_verifies_to_its_last_decision(store: Path) -> None:
    with EventLog.open(store / "log.db", read_only=True) as log:
        report = verified(log, "run", novelty=True)
        events = list(log.read(run="run"))
    assert report.difference is None
    count = {
        kind: sum(r.event.type in kind.split() for r in events)
        for kind in (
            "RewardAssigned TaskCompleted",
            "TaskProposed ProposalRejected",
            "SolutionSubmitted",
            "Verified",
            "DatasetBuilt",
            "AdapterEvaluated",
            "AdapterPromoted AdapterRejected",
        )
    }
    names = ("rewards", "proposals", "solutions", "verifications", "datasets", "evaluations", "gates")
    assert [report.checked[name] for name in names] == list(count.values())
    assert all(count.values())
    assert report.checked["student's turns"] > report.checked["student's calls"] > 0
    assert report.checked["course of the run"] > 6


def test_of_a_fork_its_own_decisions_are_verified(store: Path) -> None:
    with EventLog.open(store / "log.db", read_only=True) as log:
        report = verified(log, "child", novelty=True)
        own = sum(r.event.type == "Verified" for r in log.read(run="child"))
    assert report.difference is None
    assert report.checked["verifications"] == own


def test_a_run_that_is_not_finished_verifies_as_far_as_it_went(tmp_path: Path) -> None:
    with EventLog.open(":memory:") as log:
        world.begin(log, "run")
        assert verified(log, "run").checked == {}
        world.complete(log, "run", tmp_path)
        for position in (20, 60, 110):
            world.fork(log, f"at-{position}", "run", position)
            assert verified(log, f"at-{position}").difference is None


def plant(store: Path, copy: Path, kind: str, change: Callable[[dict[str, Any]], object], holding: str = "") -> Report:
    """Change the content of the first event with `holding` in it, with a hash that fits, and verify."""
    with sqlite3.connect(store / "log.db") as source, sqlite3.connect(copy) as target:
        source.backup(target)
    with tampering(copy) as connection:
        query = "SELECT seq, state FROM events WHERE run = 'run' AND topic LIKE ? AND state LIKE ? ORDER BY seq LIMIT 1"
        position, state = connection.execute(query, (f"{kind}@%", f"%{holding}%")).fetchone()
        parts = split_state(state.encode())
        content = json.loads(parts.content)
        change(content)
        data = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        planted = Content(kind, data, hashlib.sha256(data).hexdigest(), {})
        state = encode_state(planted, decode_meta(parts.meta)).decode()
        connection.execute("UPDATE events SET state = ? WHERE seq = ?", (state, position))
    with EventLog.open(copy, read_only=True) as log:
        report = verified(log, "run", novelty=True)
    assert report.difference is None or report.difference.position == position
    return report


@pytest.mark.parametrize(
    ("kind", "change", "what"),
    [
        ("TaskRequested", lambda c: c.update(novelty_bar=0.5), "course of the run"),
        ("TaskProposed", lambda c: c["proposal"].update(reference="7"), "proposals"),
        ("TaskProposed", lambda c: c.update(demonstrations=1), "proposals"),
        ("ToolRequested", lambda c: c.update(input="1 + 1"), "student's calls"),
        ("SolutionSubmitted", lambda c: c["solution"].update(answer="planted"), "solutions"),
        ("Verified", lambda c: c["verification"].update(correct=None), "verifications"),
        ("Verified", lambda c: c.update(second_instance=False), "verifications"),
        ("RewardAssigned", lambda c: c.update(total=0.99), "rewards"),
        ("TaskCompleted", lambda c: c.update(solved=99), "rewards"),
        ("IterationCompleted", lambda c: c.update(solved=99), "course of the run"),
        ("DatasetBuilt", lambda c: c.update(sha256="0" * 64), "datasets"),
        ("AdapterEvaluated", lambda c: c["scores"][0].update(correct=0, low=0.0), "evaluations"),
        ("AdapterPromoted", lambda c: c.update(score=0.1), "gates"),
    ],
)
def test_a_planted_decision_is_found_with_both_sides(
    store: Path, tmp_path: Path, kind: str, change: Callable[[dict[str, Any]], object], what: str
) -> None:
    difference = plant(store, tmp_path / "log.db", kind, change).difference
    assert difference is not None and difference.kind == what
    assert json.loads(difference.log)["type"] == json.loads(difference.recomputed)["type"] == kind
    assert difference.log_hash != difference.recomputed_hash


def test_a_p_value_may_be_another_in_its_last_bits_only(store: Path, tmp_path: Path) -> None:
    """SciPy worked it out before; its sum is not exact."""

    def times(factor: float) -> Callable[[dict[str, Any]], object]:
        def change(content: dict[str, Any]) -> None:
            for comparison in content["comparisons"]:
                comparison["p_value"] *= factor

        return change

    assert plant(store, tmp_path / "one.db", "AdapterEvaluated", times(1 - 1e-15)).difference is None
    assert plant(store, tmp_path / "two.db", "AdapterEvaluated", times(1 - 1e-6)).difference is not None


def test_a_planted_novelty_is_found_with_the_embedder_only(store: Path, tmp_path: Path) -> None:
    difference = plant(store, tmp_path / "log.db", "TaskProposed", lambda c: c.update(novelty=0.5)).difference
    assert difference is not None and json.loads(difference.recomputed)["novelty"] == 1.0
    with EventLog.open(tmp_path / "log.db", read_only=True) as log:
        found = verified(log, "run").difference
    assert found is not None and found.kind == "rewards", "the novelty is believed, the reward for it doesn't fit"


def test_a_decision_that_is_missing_is_found_and_any_other_gap_is_met_calmly(store: Path, tmp_path: Path) -> None:
    with EventLog.open(store / "log.db", read_only=True) as log:
        events = list(log.read(run="run"))
    kinds: dict[str, Report] = {}
    for number, recorded in enumerate({r.event.type: r for r in events[1:-1]}.values()):
        copy = tmp_path / f"{number}.db"
        with sqlite3.connect(store / "log.db") as source, sqlite3.connect(copy) as target:
            source.backup(target)
        with tampering(copy) as connection:
            connection.execute("DELETE FROM events WHERE seq = ?", (recorded.position,))
        with EventLog.open(copy, read_only=True) as log:
            kinds[recorded.event.type] = verified(log, "run")
    missed = {kind for kind, report in kinds.items() if report.difference is None}
    assert missed == {"TrainingStarted"}, "no decision follows from that"

"""Looking back: the state anywhere, the timeline, two runs side by side, one run under other settings."""

import json
import re
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from agent0es.bootstrap import load_rewards
from agent0es.cli.main import cli
from agent0es.domain.events import DatasetBuilt, Event, ModelCalled, Retracted, RunStarted, TaskProposed
from agent0es.domain.prompt import Tokens
from agent0es.errors import ConfigurationError, PositionNotFound, QueryError, RunNotFound
from agent0es.handlers.datasets import Datasets
from agent0es.history.comparison import compare, parting
from agent0es.history.positions import position_at
from agent0es.history.timeline import timeline
from agent0es.history.whatif import other_settings, whatif
from agent0es.log import EventLog, History, NewEvent
from agent0es.projections import Projections, snapshots
from agent0es.projections.examples import student_examples
from agent0es.projections.practice import practice
from agent0es.projections.snapshots import Snapshots
from agent0es.projections.state import state_at
from agent0es.runs.settings import configuration_of
from tests.support import world


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with a finished run, and a fork of it that was finished under other rewards."""
    store = tmp_path_factory.mktemp("store")
    with EventLog.open(store / "log.db") as log:
        world.begin(log, "run")
        world.complete(log, "run", store)
        position = [recorded.position for recorded in log.read(run="run", types=["Verified"])][1]
        world.fork(log, "fork", "run", position, "rewards.weights.correctness=0.9")
        world.complete(log, "fork", store)
    return store


@pytest.fixture
def log(store: Path) -> Iterator[EventLog]:
    with EventLog.open(store / "log.db", read_only=True) as log:
        yield log


def agent0es(store: Path, *arguments: str) -> Result:
    return CliRunner().invoke(cli, [*arguments, "--store", str(store)])


def answer(store: Path, *arguments: str) -> str:
    result = agent0es(store, *arguments)
    assert result.exception is None, result.exception
    return result.output


# The state anywhere


def test_from_a_snapshot_the_state_is_what_it_is_from_the_beginning(
    log: EventLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "EVERY", 16)
    path = tmp_path / "snapshots.db"
    with Snapshots(log, path) as kept:
        for run in ("run", "fork"):
            for position in [*range(1, log.head(), 7), None]:
                assert kept.state_at(run, position) == state_at(log, run, position)
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM snapshots").fetchone()[0] > 10
        connection.execute("UPDATE snapshots SET chain_hash = 'another log' WHERE run = 'run'")
        connection.execute("UPDATE snapshots SET fingerprint = 'older code' WHERE run = 'fork'")
    with Snapshots(log, path) as kept:
        assert kept.state_at("fork") == state_at(log, "fork")
    with sqlite3.connect(path) as connection:
        assert not connection.execute("SELECT * FROM snapshots WHERE fingerprint = 'older code'").fetchall()


def test_a_damaged_file_of_snapshots_is_made_anew(log: EventLog, tmp_path: Path) -> None:
    path = tmp_path / "snapshots.db"
    path.write_bytes(b"no database at all, and long enough to be looked at " * 50)
    with Snapshots(log, path) as kept:
        assert kept.state_at("run") == state_at(log, "run")
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM snapshots").fetchone() == (0,)


def test_show_at_tells_the_state_as_it_was(store: Path, log: EventLog) -> None:
    position = [recorded.position for recorded in log.read(run="run", types=["Verified"])][1]
    found = json.loads(answer(store, "show", "run", "--at", str(position), "--json"))
    state = state_at(log, "run", position)
    assert (found["iteration"], found["phase"], found["event"]) == (1, "practice", "Verified")
    assert found["novelty_index_size"] == state.proposed == 2
    assert [task["task"] for task in found["in_flight"]] == sorted(state.in_flight)
    end = json.loads(answer(store, "show", "run", "--at", str(list(log.read(run="run"))[-1].position), "--json"))
    assert end["status"] == "completed" and end["serving"]["student"] == "student-1"
    assert end["curriculum"]["math"]["tasks"] == 3 - end["practice"]["given_up"]
    assert end["adapters"][0]["scores"]
    text = answer(store, "show", "run", "--at", str(position))
    assert "Tasks in flight" in text and "2 tasks in the index" in text
    assert f"from run up to event {position}" in answer(store, "show", "fork")


def test_a_time_names_the_last_position_before_it(log: EventLog) -> None:
    events = list(History.of(log, "fork").read())
    for recorded in events[::20]:
        wanted = recorded.meta.time + 1e-5
        expected = max(r.position for r in events if r.meta.time <= wanted)
        assert position_at(log, "fork", datetime.fromtimestamp(wanted, UTC)) == expected
    with pytest.raises(PositionNotFound, match="began at"):
        position_at(log, "run", datetime(2020, 1, 1))


def test_a_time_still_names_a_position_where_the_clock_was_set_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with EventLog.open(tmp_path / "log.db") as log:
        world.begin(log, "run")
        began = next(log.read(run="run")).meta.time
        noted = []
        for seconds in (10, 20, -50, -40, 30):
            monkeypatch.setattr("time.time", lambda seconds=seconds: began + seconds)
            [recorded] = log.append([NewEvent("run/run", Retracted(what="1", reason="x", actor="a"))], handler="cli")
            noted.append(recorded)
        assert [event.meta.time - began for event in noted] == pytest.approx([10, 20, -50, -40, 30])
        for seconds, expected in ((5, noted[3]), (25, noted[3]), (30, noted[4])):
            assert position_at(log, "run", datetime.fromtimestamp(began + seconds + 1e-3, UTC)) == expected.position
        with pytest.raises(PositionNotFound, match="began at"):
            position_at(log, "run", datetime.fromtimestamp(began - 45, UTC))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (["show", "run", "--at", "99999"], PositionNotFound, "its history goes from 1 to"),
        (["show", "nobody", "--at", "1"], RunNotFound, "there is no run 'nobody'"),
        (["show", "run", "--time", "yesterday"], QueryError, "write it as in"),
        (["show", "run", "--at", "1", "--time", "2030-01-01"], QueryError, "leave one out"),
        (["replay", "run", "--to", "99999"], PositionNotFound, "no position 99999"),
        (["replay", "run", "--novelty"], QueryError, "needs --verify"),
        (["replay", "run", "--verify", "--from", "3"], QueryError, "from its beginning"),
        (["fork", "run", "--at", "99999"], PositionNotFound, "no position 99999"),
        (["fork", "nobody", "--at", "1"], RunNotFound, "there is no run"),
        (["diff", "run", "nobody"], RunNotFound, "there is no run"),
        (["diff", "run"], RunNotFound, "was not forked from another one"),
        (["whatif", "run", "--set", "seed=1"], ConfigurationError, "agent0es fork"),
        (["whatif", "run", "--set", "rewards.weights.style=1"], ConfigurationError, "no reward component is called"),
    ],
)
def test_what_is_not_there_is_said_in_one_line_and_nothing_is_written(
    store: Path, log: EventLog, arguments: list[str], error: type[Exception], message: str
) -> None:
    head = log.head()
    found = agent0es(store, *arguments).exception
    assert isinstance(found, error) and message in str(found) and "\n" not in str(found)
    assert log.head() == head


# Replay


def test_every_event_is_told_in_words(log: EventLog) -> None:
    for run in ("run", "fork"):
        moments = list(timeline(log, run))
        assert [m.recorded.position for m in moments] == [r.position for r in History.of(log, run).read()]
        assert all(m.words and m.words != m.recorded.event.type for m in moments)
        assert moments[0].offset == 0.0
        plurals = r"(?<![\d.])1 (?:tries|tasks|attempts|tokens|examples|families|steps|iterations|worked examples)\b"
        assert not any(re.search(plurals, m.words) for m in moments)
    some = list(timeline(log, "run", 5, 9))
    assert [m.recorded.position for m in some] == [5, 6, 7, 8, 9]


def test_replay_and_its_verification_use_no_port(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: Any, **options: Any) -> Any:
        raise AssertionError("a port was used")

    for port in (
        "agent0es.models.factory.create_backend",
        "agent0es.models.embedder.Embedder.embed",
        "agent0es.models.scripted.ScriptedBackend.generate",
        "agent0es.models.openvino.OpenVinoBackend.__init__",
        "agent0es.sandbox.IsolatedSandbox.__init__",
        "agent0es.tools.load_tools",
        "agent0es.training.trainer.ProcessTrainer.train",
        "asyncio.create_subprocess_exec",
        "subprocess.Popen.__init__",
        "socket.socket.connect",
    ):
        monkeypatch.setattr(port, refuse)
    monkeypatch.setattr("agent0es.taskdomains.load_task_domains", lambda names, families: {"math": world.SmallDomain()})
    for run in ("run", "fork"):
        assert answer(store, "replay", run).splitlines()[-1].endswith("the run is completed after 1 iteration")
        assert "match the log" in answer(store, "replay", run, "--verify")
        report = json.loads(answer(store, "replay", run, "--verify", "--json"))
        assert report["difference"] is None and report["checked"]["rewards"] > 3


def test_a_difference_ends_with_one_and_shows_both_sides(store: Path) -> None:
    # The whole domain has other families than the small one that the run was made with.
    result = agent0es(store, "replay", "run", "--verify")
    assert result.exit_code == 1
    assert "in the log" in result.output and "recomputed" in result.output


def test_replay_takes_its_time(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    clock = [0.0]

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock[0] += seconds

    monkeypatch.setattr("agent0es.cli.replay.time.sleep", sleep)
    monkeypatch.setattr("agent0es.cli.replay.time.monotonic", lambda: clock[0])
    last = json.loads(answer(store, "replay", "run", "--json").splitlines()[-1])
    answer(store, "replay", "run", "--speed", "4")
    assert sum(slept) == pytest.approx(last["offset"] / 4, abs=1e-4)
    assert agent0es(store, "replay", "run", "--speed", "0").exit_code == 2


# Two runs, and other settings


def test_a_fork_parts_from_its_parent_where_it_was_forked(log: EventLog, store: Path) -> None:
    [forked] = log.read(run="fork", types=["RunForked"])
    with Projections.open(log) as tables:
        tables.catch_up()
        found = compare(log, tables, "run", "fork")
    assert found["parting"]["shared_until"] == forked.event.position  # type: ignore[union-attr]
    assert found["parting"]["positions"][1] == forked.position
    assert found["configuration"] == {"rewards.weights.correctness": [0.2, 0.9]}
    assert found["a"]["iterations"][0]["tasks"] == found["b"]["iterations"][0]["tasks"]
    assert found["a"]["iterations"][0]["student_reward"] < found["b"]["iterations"][0]["student_reward"]
    assert found["a"]["cost"]["tokens"]["completion"] > 0
    text = answer(store, "diff", "run", "fork")
    assert answer(store, "diff", "fork") == text
    for part in ("They share their past up to event", "rewards.weights.correctness", "Practice", "Adapters", "Cost"):
        assert part in text


def test_runs_that_decide_the_same_part_nowhere(tmp_path: Path) -> None:
    with EventLog.open(":memory:") as log:
        for run in ("one", "two"):
            world.begin(log, run, "execution.deterministic=true")
            world.complete(log, run, tmp_path)
        world.begin(log, "three", "execution.deterministic=true", "seed=5")
        with Projections.open(log) as tables:
            tables.catch_up()
            assert parting(log, tables, "one", "one")["positions"] == [None, None]
            same = parting(log, tables, "one", "two")
            assert same["types"] in ([None, None], ["AdapterTrained", "AdapterTrained"])  # a path names the run
            assert parting(log, tables, "one", "three")["types"] == ["RunStarted", "RunStarted"]


def what_if(log: EventLog, run: str, *overrides: str) -> dict[str, Any]:
    before = configuration_of(log, run)
    after = other_settings(before, overrides)
    return whatif(History.of(log, run), before, after, load_rewards(after.rewards.weights))


def test_with_the_same_settings_nothing_moves(log: EventLog) -> None:
    found = what_if(log, "run", "evaluation.margin=0.0")
    assert all(sums["moved"] == 0 and sums["count"] for sums in found["rewards"].values())
    for dataset in found["datasets"]:
        assert not dataset["comes_in"] and not dataset["drops_out"] and dataset["examples"][0] > 0
    assert found["gates"] == [{"adapter": "student-1", "promoted": [True, True]}]


def test_other_weights_move_the_rewards_and_other_filters_the_datasets(log: EventLog, store: Path) -> None:
    heavier = what_if(log, "run", "rewards.weights.novelty=1.2")
    student = heavier["rewards"]["student"]
    assert student["moved"] == student["count"] > 0 and student["total"][1] > student["total"][0]
    fewer = what_if(log, "run", "curriculum.novelty_bar=1.0", "evaluation.margin=0.9")
    assert fewer["refused"]
    assert any(dataset["drops_out"] for dataset in fewer["datasets"])
    assert fewer["gates"] == [{"adapter": "student-1", "promoted": [True, False]}]
    surer = what_if(log, "run", "evaluation.significance=0.05")
    assert surer["gates"] == [{"adapter": "student-1", "promoted": [True, False]}], "of four problems nothing is sure"
    more = what_if(log, "run", "training.roles=[student,teacher]", "training.minimum_examples=100")
    [student_set, teacher_set] = more["datasets"]
    assert teacher_set["comes_in"] and teacher_set["examples"][0] == 0
    assert student_set["trains"] == [True, False]
    [mended] = what_if(log, "run", "training.learn_from=correct")["datasets"]
    assert mended["examples"][1] >= mended["examples"][0] and not mended["drops_out"]
    text = answer(store, "whatif", "run", "--set", "rewards.weights.novelty=1.2")
    assert "nothing was written" in text and "Rewards" in text


def test_what_was_retracted_before_a_dataset_was_built_is_in_neither(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*_: Any) -> None:
        raise KeyboardInterrupt

    with EventLog.open(tmp_path / "log.db") as log:
        world.begin(log, "run")
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(Datasets, "choose", dies)
            world.complete(log, "run", tmp_path)
        [ended] = log.read(types=["IterationCompleted"])
        assert ended.position == log.head(), "the practice is over and nothing is built"
        source = student_examples(practice(log.read()))[0].source
        log.append([NewEvent("run/run", Retracted(what=source, reason="no", actor="me"))], handler="cli")
        world.complete(log, "run", tmp_path)
        [built] = [r.event for r in log.read(types=["DatasetBuilt"]) if isinstance(r.event, DatasetBuilt)]
        assert source not in built.sources
        log.append([NewEvent("run/run", Retracted(what=built.sources[0], reason="no", actor="me"))], handler="cli")

        [dataset] = what_if(log, "run", "training.examples_per_family=100")["datasets"]
    assert dataset["examples"][0] == len(built.sources), "before: as it was built, whatever was retracted later"
    assert source not in dataset["comes_in"] and not dataset["drops_out"]


def test_looking_back_writes_nothing(store: Path) -> None:
    def content() -> dict[str, bytes]:
        return {
            str(path): path.read_bytes()
            for path in store.rglob("*")
            if path.is_file() and path.suffix not in (".db-shm", ".db-wal") and path.name != "snapshots.db"
        }

    before = content()
    answer(store, "whatif", "run", "--set", "rewards.weights.novelty=0.5")
    answer(store, "diff", "run", "fork")
    answer(store, "replay", "fork")
    answer(store, "show", "fork", "--at", "30")
    assert content() == before


def test_a_fork_is_created_on_the_command_line_and_taken_up_later(tmp_path: Path) -> None:
    scripted = [f"models.{role}.{key}" for role in ("teacher", "student") for key in ("backend=scripted",)]
    names = [f"models.{role}.name=tests.support.world:respond" for role in ("teacher", "student")]
    with EventLog.open(tmp_path / "log.db") as log:
        world.begin(log, "run", *scripted, *names)
    created = json.loads(answer(tmp_path, "fork", "run", "--at", "1", "--set", "seed=4", "--no-run", "--json"))
    assert (created["parent"], created["position"]) == ("run", 1)
    with EventLog.open(tmp_path / "log.db", read_only=True) as log:
        assert [r.event.type for r in History.of(log, created["run"]).read()] == ["RunStarted", "RunForked"]
        assert configuration_of(log, created["run"]).seed == 4
    rows = [json.loads(line) for line in answer(tmp_path, "runs", "--json").splitlines()]
    assert [(row["run"], row["parent"], row["forked_at"]) for row in rows] == [
        ("run", None, None),
        (created["run"], "run", 1),
    ]


@pytest.mark.parametrize(("method", "rows"), [("grpo", "groups"), ("dpo", "pairs")])
def test_pairs_and_groups_are_recomputed_too(log: EventLog, method: str, rows: str) -> None:
    """As they would be of a model that says which tokens it writes, and wrote nothing that was new."""

    def sampled(event: Event) -> Event:
        match event:
            case RunStarted():
                training = {**event.configuration["training"], "method": method, "reward": "total"}
                return event.model_copy(update={"configuration": {**event.configuration, "training": training}})
            case ModelCalled():
                return event.model_copy(update={"tokens": Tokens(ids=(1, 2), logprobs=(-0.1, -0.2))})
            case TaskProposed():
                return event.model_copy(update={"novelty": 0.5})
            case DatasetBuilt():
                return event.model_copy(update={"rows": rows})
            case _:
                return event

    with EventLog.open(":memory:") as other:
        other.append([NewEvent(r.stream, sampled(r.event)) for r in log.read(run="run")], handler="test")
        [same] = what_if(other, "run", "training.minimum_examples=99")["datasets"]
        assert same["examples"][0] == same["examples"][1] > 0 and not same["drops_out"]
        assert same["trains"] == [True, False]
        weightless = {f"rewards.weights.{name}=0.0" for name in ("correctness", "uncertainty", "tool_use")}
        [alike] = what_if(other, "run", *weightless)["datasets"]
        assert alike["examples"][1] == (0 if rows == "groups" else same["examples"][0]), "a pair is right and wrong"
        [none] = what_if(other, "run", "curriculum.novelty_bar=0.6")["datasets"]
        assert none["examples"] == [same["examples"][0], 0] and len(none["drops_out"]) == same["examples"][0]

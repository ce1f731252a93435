"""`agent0es export metrics`: TensorBoard and MLflow, read by their own libraries, have what the log has, each once."""

import random
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from agent0es.domain import events as ev
from agent0es.errors import NotInstalled, StoreError, UserError
from agent0es.log import EventLog, NewEvent, Recorded
from agent0es.projections import Projections
from agent0es.runs.exporting_metrics import Subject, Target, export
from agent0es.runs.exporting_to_mlflow import MLflow
from agent0es.runs.exporting_to_tensorboard import TensorBoard
from tests.support.commands import invoke
from tests.unit.projections.history import history

Read = dict[str, Counter[tuple[str, int, int, float]]]
"""Run or `run/adapter` to its figures: name, step, time in milliseconds, value."""


class Board:
    """A folder of TensorBoard."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "board"
        self.option = ("--tensorboard", str(self.folder))

    def target(self) -> AbstractContextManager[Target]:
        return TensorBoard(self.folder)

    def read(self) -> Read:
        from tensorboard.backend.event_processing.event_multiplexer import EventMultiplexer

        board = EventMultiplexer().AddRunsFromDirectory(str(self.folder))
        board.Reload()
        return {
            run: Counter(
                (tag, scalar.step, round(1000 * scalar.wall_time), round(scalar.value, 4))
                for tag in board.GetAccumulator(run).Tags()["scalars"]
                for scalar in board.GetAccumulator(run).Scalars(tag)
            )
            for run in board.Runs()
        }


class Tracking:
    """A database of MLflow."""

    def __init__(self, folder: Path) -> None:
        shutil.copy(_empty_database(), folder / "mlflow.db")
        self.uri = f"sqlite:///{folder / 'mlflow.db'}"
        self.option = ("--mlflow", self.uri)

    def target(self) -> AbstractContextManager[Target]:
        return nullcontext(MLflow(self.uri))

    def runs(self) -> dict[str, Any]:
        from mlflow import MlflowClient

        client = MlflowClient(tracking_uri=self.uri)
        experiment = client.get_experiment_by_name("agent0es")
        assert experiment is not None
        found = client.search_runs([experiment.experiment_id])
        assert len({run.info.run_name for run in found}) == len(found)
        return {run.info.run_name: run for run in found}

    def read(self) -> Read:
        from mlflow import MlflowClient

        client = MlflowClient(tracking_uri=self.uri)
        return {
            name: Counter(
                (metric.key, metric.step, metric.timestamp, round(metric.value, 4))
                for key in run.data.metrics
                for metric in client.get_metric_history(run.info.run_id, key)
            )
            for name, run in self.runs().items()
        }


@cache
def _empty_database() -> Path:
    """MLflow takes seconds to make one."""
    file = Path(tempfile.mkdtemp()) / "mlflow.db"
    MLflow(f"sqlite:///{file}")
    return file


@pytest.fixture(params=[Board, Tracking])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    return request.param(tmp_path)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[EventLog]:
    with EventLog.open(tmp_path / "log.db") as log:
        yield log


def exported(log: EventLog, run: str, place: Any) -> int:
    with place.target() as target, Projections.open(log) as tables:
        return sum(export(log, tables, run, target))


def figures(recorded: Recorded) -> Iterator[tuple[str | None, str, int, float | None]]:
    """What an event tells: adapter, name, step and value."""
    match event := recorded.event:
        case ev.TrainingProgressed():
            told = event.model_dump(include={"loss", "gradient_norm", "learning_rate", "tokens"}) | event.metrics
            speed = recorded.meta.measured.get("tokens_per_second")
            for name, value in {**told, "tokens_per_second": speed}.items():
                yield event.adapter, f"training/{name}", event.step, value
        case ev.PracticeMeasured():
            labels = event.computed + event.confirmed + event.doubted
            yield None, "practice/label_accuracy", event.iteration, (event.computed + event.confirmed) / labels
            yield None, "practice/diversity", event.iteration, event.diversity
            yield None, "practice/log_probability", event.iteration, event.log_probability
        case ev.IterationCompleted(attempts=attempts) if attempts:
            yield None, "practice/solve_rate", event.iteration, event.solved / attempts
            yield None, "practice/tasks", event.iteration, event.tasks
        case ev.AdapterEvaluated():
            for score in event.scores:
                for name, value in (("", score.correct / score.problems), ("_low", score.low), ("_high", score.high)):
                    group = f"{event.role}_{score.split}"
                    if score.arm == event.adapter:
                        yield score.arm, f"{group}/accuracy{name}", event.iteration, value
                    arm = "new_adapter" if score.arm == event.adapter else score.arm
                    yield None, f"{group}/{arm}{name}", event.iteration, value


def expected(events: list[Recorded], run: str) -> Read:
    found: Read = {}
    for recorded in events:
        for adapter, name, step, value in figures(recorded):
            if value is not None:
                point = name, step, round(1000 * recorded.meta.time), round(value, 4)
                found.setdefault(f"{run}/{adapter}" if adapter else run, Counter())[point] += 1
    return found


def test_what_the_log_has_is_there_once_with_its_step_and_the_time_of_its_event(log: EventLog, place: Any) -> None:
    log.append(history(random.Random(4), "run", iterations=3, tasks=5), handler="test")
    written = exported(log, "run", place)
    found, wanted = place.read(), expected(list(log.read(run="run")), "run")
    assert {name: wanted[name] - found[name] for name in wanted} == {name: Counter() for name in wanted}
    assert sum(counts.total() for counts in found.values()) == written
    assert all(count == 1 for counts in found.values() for count in counts.values())
    more = {name for counts in found.values() for name, *_ in counts} - {n for c in wanted.values() for n, *_ in c}
    assert more == {
        f"practice/{name}"
        for name in ("difficulty", "novelty", "student_reward", "teacher_reward", "tokens", "repeated")
    }
    novelty = {value for name, _, _, value in found["run"] if name == "practice/novelty"}
    assert novelty == {0.75}  # as each task of the history has it


@pytest.mark.parametrize("seed", range(2))
def test_an_export_that_is_repeated_at_any_moments_comes_to_the_same_as_one_at_the_end(
    tmp_path: Path, log: EventLog, place: Any, seed: int
) -> None:
    rng = random.Random(seed)
    events = history(rng, "run", iterations=2, tasks=3)
    cuts = sorted(rng.sample(range(1, len(events)), 2))
    for start, end in zip([0, *cuts], [*cuts, len(events)], strict=True):
        log.append(events[start:end], handler="test")
        exported(log, "run", place)
    assert exported(log, "run", place) == 0
    (tmp_path / "once").mkdir()
    once = type(place)(tmp_path / "once")
    exported(log, "run", once)
    assert place.read() == once.read()


@pytest.mark.parametrize("share", [0.2, 0.6, 0.95])
def test_a_fork_that_goes_on_as_its_parent_did_has_the_same_curves(log: EventLog, place: Any, share: float) -> None:
    events = history(random.Random(4), "parent", iterations=2, tasks=4)
    log.append(events, handler="test")
    position = round(share * len(events))
    said = events[0].event.model_dump(exclude={"type", "version"})
    forked = ev.RunForked.model_validate({**said, "parent": "parent", "position": position})
    later = [replace(new, stream=new.stream.replace("/parent", "/fork")) for new in events[position:]]
    log.append([NewEvent("run/fork", forked), *later], handler="test")
    for run in ("parent", "fork"):
        exported(log, run, place)
    found = place.read()
    for name in [name for name in found if name.startswith("parent")]:
        fork = found[name.replace("parent", "fork")]
        assert sorted((n, s, v) for n, s, _, v in found[name]) == sorted((n, s, v) for n, s, _, v in fork)


def test_with_follow_what_is_appended_is_written_when_it_comes(log: EventLog, place: Any) -> None:
    events = history(random.Random(4), "run", iterations=2, tasks=3)
    begin = next(n for n, one in enumerate(events) if isinstance(one.event, ev.TrainingProgressed))
    log.append(events[:begin], handler="test")
    waits: list[None] = []
    with place.target() as target, Projections.open(log) as tables:
        exporting = export(log, tables, "run", target, follows=True, idle=lambda: waits.append(None))
        next(exporting)
        log.append(events[begin : begin + 1], handler="test")
        assert next(exporting) == 6  # loss, norm, rate, tokens, speed, the method's own
        assert place.read()["run/student-1"].total() == 6
        log.append(events[begin + 1 :], handler="test")
        assert sum(exporting) > 6
    assert waits == [None]
    assert exported(log, "run", place) == 0


def test_a_record_that_a_kill_cut_off_is_written_again(log: EventLog, tmp_path: Path) -> None:
    log.append(history(random.Random(4), "run", tasks=3), handler="test")
    board = Board(tmp_path)
    exported(log, "run", board)
    whole = board.read()
    [file] = (board.folder / "run").glob("events.*")
    file.write_bytes(file.read_bytes()[:-7])
    assert exported(log, "run", board) == 1
    assert board.read() == whole


def test_a_second_export_into_a_folder_says_that_there_is_another(log: EventLog, tmp_path: Path) -> None:
    events = history(random.Random(4), "run", iterations=2, tasks=3)
    log.append(events[:-20], handler="test")
    board = Board(tmp_path)
    with board.target() as first, Projections.open(log) as tables:
        following = export(log, tables, "run", first, follows=True)
        next(following)
        with pytest.raises(StoreError, match="run: another export is writing there; wait"):
            exported(log, "run", board)
        log.append(events[-20:], handler="test")
        assert sum(following) > 0
    assert exported(log, "run", board) == 0, "now it may, and all is there"
    assert max(points.most_common(1)[0][1] for points in board.read().values() if points) == 1


def test_figures_that_mlflow_had_before_a_kill_are_not_there_twice(log: EventLog, tmp_path: Path) -> None:
    log.append(history(random.Random(4), "run", iterations=2, tasks=3), handler="test")
    tracking = Tracking(tmp_path)

    class Killed(MLflow):
        def _say_how_it_stands(self, run_id: str, subject: Subject) -> None:
            if subject.adapter is not None:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), Projections.open(log) as tables:
        sum(export(log, tables, "run", Killed(tracking.uri)))
    before = tracking.read()
    assert set(before) == {"run", "run/student-1"}
    exported(log, "run", tracking)
    after = tracking.read()
    assert all(before[name] == after[name] for name in before)
    assert all(count == 1 for counts in after.values() for count in counts.values())


def test_mlflow_has_what_a_run_and_its_trainings_were_started_with_and_how_they_ended(
    log: EventLog, tmp_path: Path
) -> None:
    events = history(random.Random(4), "run", iterations=2, tasks=3)
    begun = ev.RunStarted(
        seed=2**63,
        configuration={"seed": 2**63, "models": {"student": {"options": {"api_key": "***"}}}, "domains": ["math"]},
        code_version="0.1.0",
        weights={},
    )
    log.append([NewEvent("run/run", begun), *events[1:-1]], handler="test")
    tracking = Tracking(tmp_path)
    exported(log, "run", tracking)
    run, trained = (tracking.runs()[name] for name in ("run", "run/student-1"))
    assert run.data.params == {
        "seed": str(2**63),
        "models.student.options.api_key": "***",
        "domains": '["math"]',
        "code_version": "0.1.0",
    }
    assert trained.data.params == {"rank": "16", "target_modules": '["q", "v"]'}
    assert trained.data.tags["mlflow.parentRunId"] == run.info.run_id
    assert (run.info.status, trained.info.status) == ("KILLED", "FINISHED")
    log.append(events[-1:], handler="test")
    exported(log, "run", tracking)
    [completed] = log.read(run="run", types=["RunCompleted"])
    ended = tracking.runs()["run"].info
    assert (ended.status, ended.end_time) == ("FINISHED", round(1000 * completed.meta.time))


def test_tensorboard_has_them_too(log: EventLog, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams.metadata import parse_session_start_info_plugin_data as parse

    log.append(history(random.Random(4), "run", tasks=3), handler="test")
    board = Board(tmp_path)
    exported(log, "run", board)
    run, trained = (EventAccumulator(str(board.folder / name)).Reload() for name in ("run", "run/student-1"))
    [text] = run.Tensors("configuration")
    assert b"    seed: 7\n" in text.tensor_proto.string_val[0]
    settings = parse(trained.PluginTagToContent("hparams")["_hparams_/session_start_info"])
    assert settings.hparams["rank"].number_value == 16
    assert settings.group_name == "run/student-1"


def test_names_from_a_log_lead_nowhere_else(log: EventLog, place: Any, tmp_path: Path) -> None:
    events = history(random.Random(4), "run", tasks=3)
    name = "metrics/../../x\n<b>"
    hostile = [
        replace(one, event=one.event.model_copy(update={"metrics": {name: 1.0}}))
        if isinstance(one.event, ev.TrainingProgressed)
        else one
        for one in events
    ]
    log.append(hostile, handler="test")
    exported(log, "run", place)
    names = {name for counts in place.read().values() for name, *_ in counts}
    assert "training/metrics_.._.._x__b_" in names

    outside = [
        replace(one, event=one.event.model_copy(update={"adapter": "../../outside"}))
        for one in events
        if isinstance(one.event, ev.TrainingStarted)
    ]
    log.append(outside, handler="test")
    with pytest.raises(StoreError, match="not a path in the store"):
        exported(log, "run", Board(tmp_path))
    assert not list(tmp_path.glob("**/outside"))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "give either --tensorboard DIR or --mlflow URI"),
        (("--tensorboard", "x", "--mlflow", "y"), "give either --tensorboard DIR or --mlflow URI"),
        (("--tensorboard", "/dev/null/x"), "Not a directory; name another folder"),
        (("--mlflow", "http://me:secret-word@127.0.0.1:1"), "a command line is no place for a password"),
        (("--mlflow", "http://127.0.0.1:1"), "--mlflow http://127.0.0.1:1: "),
        (("--mlflow", "nothing://x"), "--mlflow nothing://x: "),
    ],
)
def test_a_place_that_takes_nothing_is_one_line(
    log: EventLog, tmp_path: Path, options: tuple[str, ...], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    log.append(history(random.Random(4), "run", tasks=1), handler="test")
    failed = invoke(tmp_path, "export", "metrics", *options)
    message = str(failed.exception or failed.output)
    assert isinstance(failed.exception, UserError) or failed.exit_code == 2
    assert said in message + failed.output
    assert "secret-word" not in message + failed.output
    assert isinstance(failed.exception, SystemExit) or "\n" not in message


@pytest.mark.parametrize(("library", "option"), [("tensorboard", "--tensorboard"), ("mlflow", "--mlflow")])
def test_what_is_not_installed_is_named(
    log: EventLog, tmp_path: Path, library: str, option: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.append(history(random.Random(4), "run", tasks=1), handler="test")
    monkeypatch.setitem(sys.modules, library, None)
    failed = invoke(tmp_path, "export", "metrics", option, str(tmp_path / "x"))
    assert isinstance(failed.exception, NotInstalled)
    assert f"pip install '.[{library}]'" in str(failed.exception)

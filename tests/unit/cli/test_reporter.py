"""What a run tells while it goes on: something from the first second, everything once, and nothing cut."""

import io
import random
import re
from pathlib import Path

import pytest
from rich.console import Console

from agent0es.cli import progress
from agent0es.cli.meters import Bars, Lines, announced
from agent0es.cli.progress import Reporter
from agent0es.configuration import Configuration
from agent0es.domain import events as ev
from agent0es.domain.run import RunState, evolve
from agent0es.log import EventLog, NewEvent
from agent0es.runs.tally import Problems, Tally
from tests.unit.projections.fake_log import FakeLog
from tests.unit.projections.history import history


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_lines_come_at_the_beginning_now_and_then_and_at_the_end() -> None:
    said: list[str] = []
    clock = Clock()
    lines = Lines(said.append, clock)
    lines.show("opening", 0, None, "")
    for clock.now, done, note in ((1, 0, ""), (2, 1, "9 tokens/s"), (31, 10, "9 tokens/s"), (40, 11, ""), (61, 20, "")):
        lines.show("practice 1", done, 20, note)
    lines.show("training", 0, None, "starting the trainer")
    assert said == [
        "opening",
        "practice 1: 0/20",
        "practice 1: 10/20, 0:30 so far, 0:30 left, 9 tokens/s",
        "practice 1: 20/20, 1:00 so far",
        "training: starting the trainer",
    ]


@pytest.mark.parametrize(
    ("what", "note"),
    [
        ("held-out base-few-shot-led", "1234 tokens/s"),
        ("practice 1", "writing a copy of the weights in Q8_0"),
        ("training", "loss 0.123, 12345 tokens/s"),
        ("opening the models, the tools and the sandbox", ""),
    ],
)
def test_a_bar_fits_80_columns_whole(what: str, note: str) -> None:
    output = io.StringIO()
    bars = Bars(Console(file=output, width=80, force_terminal=True, color_system=None))
    bars.show(what, 123, 1320, note)
    bars.close()
    shown = [line for line in re.sub(r"\x1b\[[^a-zA-Z]*[a-zA-Z]", "", output.getvalue()).splitlines() if what in line]
    assert shown
    assert all(len(line) <= 80 and note in line and "123/1320" in line and "…" not in line for line in shown)


def test_what_is_done_before_a_run_is_announced(capsys: pytest.CaptureFixture[str]) -> None:
    for as_json, said in ((False, "checking the weights\n"), (True, "")):
        with announced("checking the weights", as_json):
            assert capsys.readouterr().out == said


def report(folder: Path, capsys: pytest.CaptureFixture[str], *last: ev.Event, configuration: Configuration) -> str:
    """What is told of a run with these events at its end."""
    with EventLog.open(folder / "log.db") as log:
        log.append(history(random.Random(1), "r", iterations=1), handler="test")
        recorded = [*log.read(run="r")]
    reporter = Reporter("r", folder, configuration, as_json=False)
    reporter._began = 0  # what is read here happens now
    reporter.opened([], "full", [])
    state = RunState()
    for one in recorded:
        state = evolve(state, one.event)
        reporter.event(one, state)
    reporter.summary(state)
    reporter.close()
    return capsys.readouterr().out


def test_every_table_is_shown_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = report(tmp_path, capsys, configuration=Configuration())
    print(text)
    assert text.count("Iteration 1\n") == 1
    assert text.count("Held-out: families never practised") == 1
    assert "practice 1: 0/" in text
    assert f"agent0es show r --store {tmp_path}" in text


def test_the_result_of_a_teacher_is_told_as_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Both adapters of an iteration are judged; its practice is shown once, with what the student learnt."""
    students = [new.event for new in history(random.Random(1), "r", iterations=1)]
    ended = next(e for e in students if isinstance(e, ev.AdapterPromoted | ev.AdapterRejected))
    evaluated = next(e for e in students if isinstance(e, ev.AdapterEvaluated))
    built = next(e for e in students if isinstance(e, ev.DatasetBuilt))
    own = {"role": "teacher", "adapter": "teacher-1"}
    scores = tuple(
        score.model_copy(update={"arm": "teacher-1" if score.arm == ended.adapter else score.arm})
        for score in evaluated.scores
        if score.split == "practised"
    )
    teachers = [
        built.model_copy(update=own | {"examples": 4321}),
        evaluated.model_copy(update=own | {"scores": scores, "comparisons": ()}),
        ended.model_copy(update=own | {"reason": "the teacher's"}),
    ]
    at = students.index(evaluated)
    reporter = Reporter("r", tmp_path, Configuration(training={"roles": ("student", "teacher")}), as_json=False)
    reporter._began = 0
    reporter.opened([], "full", [])
    for one in FakeLog([NewEvent("run/r", event) for event in (*students[:at], *teachers, *students[at:])]).read():
        reporter.event(one, RunState())
    said = capsys.readouterr().out
    outcome = "promoted" if isinstance(ended, ev.AdapterPromoted) else "not promoted"
    assert f"{ended.adapter}: {outcome}, {ended.reason}" in said and f"teacher-1: {outcome}, the teacher's" in said
    assert said.count("Iteration 1\n") == 1
    [table] = re.findall(r"^Iteration 1\n.*\n.*", said, re.MULTILINE)
    assert table.split()[-1] == str(built.examples)
    assert said.count("Held-out: a teacher's requests, practised families") == 1
    assert said.count("families never practised") == 1, "a teacher has none"


def test_answers_to_a_teachers_requests_are_no_answers_to_problems() -> None:
    """Although arms of both have the same names."""
    events = [new.event for new in history(random.Random(1), "r", iterations=1)]
    answered = next(e for e in events if isinstance(e, ev.Verified) and e.task is None)
    names = ("eval/base-zero-shot/0", "eval-teacher/base-zero-shot/0", "eval/base-zero-shot/1")
    verified = [answered.model_copy(update={"attempt": name}) for name in names]
    tally = Tally()
    for one in FakeLog([NewEvent("run/r", e) for e in (ev.IterationStarted(iteration=1), *verified)]).read():
        tally.take(one)
    assert tally.eval_answers == {("eval", "base-zero-shot"): 2, ("eval-teacher", "base-zero-shot"): 1}
    problems = Problems({"practised": 5, "held_out": 7})
    assert (problems.asked("eval", "base-zero-shot"), problems.asked("eval-teacher", "base-zero-shot")) == (12, 48)


def test_an_evaluation_counts_its_own_answers_only() -> None:
    """A fork whose baselines are others than its parent's asks them again."""
    recorded = FakeLog(history(random.Random(1), "r", iterations=1)).recorded
    trained = next(place for place, one in enumerate(recorded) if one.event.type == "AdapterTrained")
    tally = Tally()
    for one in recorded:
        tally.take(one)
    answered = dict(tally.eval_answers)
    for one in recorded[trained:]:
        tally.take(one)
    assert sum(answered.values()) > 0
    assert tally.eval_answers == answered


def test_too_few_examples_are_named_as_the_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    configuration = Configuration.model_validate({"training": {"minimum_examples": 10**6}})
    text = report(tmp_path, capsys, configuration=configuration)
    assert "training.minimum_examples is 1000000" in text
    assert "verified solutions from" not in text


def test_what_is_not_learnt_is_told_with_the_reason_and_what_was_enough_is_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = {"adapter": "student-1", "role": "student", "iteration": 1}
    built = ev.DatasetBuilt.model_validate(
        {
            **own,
            "examples": 20,
            "sha256": "a" * 64,
            "per_family": {"gcd": 20},
            "sources": [f"{task}/0" for task in range(20)],
            "left_out": {"band": 9, "cap": 40, "doubtful": 3},
        }
    )
    trained = {**own, "path": "adapters/r/student-1", "files": {}, "steps": 1, "loss": [0.5]}
    events = [NewEvent("run/r", ev.RunStarted(seed=0, configuration={}, code_version="0", weights={}))]
    events += [
        NewEvent("adapter/r/student-1", built),
        NewEvent("adapter/r/student-1", ev.AdapterTrained.model_validate(trained), {"unused": 2}),
    ]
    reporter = Reporter("r", tmp_path, Configuration(), as_json=False)
    reporter._began = 0
    for one in FakeLog(events).read():
        reporter.event(one, RunState())
    said = capsys.readouterr().out
    assert "Left out: 9 of tasks outside training.band, 3 doubtful tasks (all attempts contradict" in said
    assert "Left out: 2 examples longer than training.max_tokens" in said and "40" not in said


@pytest.mark.parametrize(
    ("rows", "role", "said"),
    [
        ("filtered", "student", "on 20 verified solutions from 1 family"),
        ("pairs", "student", "on 20 pairs of attempts from 1 family"),
        ("groups", "student", "on 20 attempts from 1 family"),
        ("groups", "teacher", "on 20 proposals from 1 family"),
    ],
)
def test_what_is_learnt_has_its_name_and_why_nothing_was_is_told_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], rows: str, role: str, said: str
) -> None:
    own = {"adapter": "a", "role": role, "iteration": 1}
    asked = ev.TrainingRequested.model_validate({**own, "replaces": None, "settings": {}})
    built = {
        **own,
        "rows": rows,
        "examples": 20,
        "sha256": "a" * 64,
        "per_family": {"gcd": 20},
        "sources": ["1/0"] * 20,
    }
    failed = ev.TrainingFailed.model_validate({**own, "reason": "it has no weights"})
    begun = ev.RunStarted(seed=0, configuration={}, code_version="0", weights={})
    events = [begun, ev.RunCompleted(iterations=1, serving={}), asked, ev.DatasetBuilt.model_validate(built), failed]
    reporter = Reporter("r", tmp_path, Configuration(), as_json=False)
    reporter._began = 0
    state = RunState()
    for one in FakeLog([NewEvent("run/r", event) for event in events]).read():
        state = evolve(state, one.event)
        reporter.event(one, state)
    reporter.summary(state)
    told = capsys.readouterr().out
    assert f"Training a {said}\n" in told
    assert "it has no weights" in told and "Nothing was trained" not in told


def test_a_fault_that_cuts_off_many_attempts_is_told_in_two_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reporter = Reporter("r", tmp_path, Configuration(), as_json=False)
    for task in range(1, 51):
        cut = ev.AttemptAbandoned(attempt=f"{task}/0", task=task, retried_as=f"{task}/0.1", reason="it died")
        reporter._tell(cut, RunState())
    reporter._tell(ev.TaskCompleted(task=1, iteration=1, family="f", difficulty=0, attempts=2, solved=1), RunState())
    assert capsys.readouterr().out.splitlines() == [
        "Attempt 1/0 is retried as 1/0.1: it died",
        "49 more attempts are retried for the same reason",
    ]


def test_what_is_loaded_is_told_only_while_nothing_happens(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    reporter = Reporter("r", tmp_path, Configuration(), as_json=False)
    reporter.begin("opening")
    reporter.loading("loading the weights")
    assert capsys.readouterr().out == "opening\n"
    monkeypatch.setattr(progress, "QUIET_SECONDS", -1.0)
    monkeypatch.setattr("agent0es.cli.meters.LINE_EVERY_SECONDS", -1.0)
    reporter.loading("")
    reporter.loading("loading the weights")
    assert capsys.readouterr().out == "opening: 0:00 so far, loading the weights\n"


def test_a_run_whose_output_is_closed_is_stopped_and_no_handler_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped: list[bool] = []
    reporter = Reporter("r", tmp_path, Configuration(), as_json=False, stop=lambda: stopped.append(True))
    monkeypatch.setattr("sys.stdout", open("/dev/full", "w"))  # noqa: PTH123, SIM115
    progressed = {"step": 1, "steps": 2, "loss": 1.0, "tokens_per_second": 9.0}
    reporter.training(progressed)
    assert stopped == [True] and isinstance(reporter.failed, OSError)

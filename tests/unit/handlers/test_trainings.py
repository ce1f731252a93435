"""How a training goes is in the log; one that breaks is tried again, and what stays broken costs the run an adapter."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent0es.configuration import Configuration
from agent0es.decisions.train import too_early
from agent0es.domain import events as ev
from agent0es.domain.run import RunState
from agent0es.errors import ConfigurationError, StoreError, TrainingRefused
from agent0es.history.verification import verify_decisions
from agent0es.log import EventLog
from agent0es.models.base import Weights
from agent0es.models.scripted import ScriptedBackend
from agent0es.rollouts import retry
from agent0es.runs.driving import drive, is_over
from agent0es.runs.settings import configuration_of, configuration_to_drive
from agent0es.runs.training import Plan, Wanted, plan, request
from agent0es.training.base import Trained, TrainerLost, TrainerOutOfMemory, TrainingJob
from agent0es.training.course import Course, said
from agent0es.training.packed import Packed
from tests.support import world
from tests.support.crashes import decided

RUN = "r"
STEPS = 50
Breaks = Callable[[int, TrainingJob, int], Exception | None]
"""(which start, job, step) to what ends the trainer after the step."""


class Stepwise(world.NoTrainer):
    """Makes its steps as the real one does, in no time; what it keeps is the course."""

    def __init__(self, store: Path, breaks: Breaks = lambda start, job, step: None) -> None:
        super().__init__(Packed(), store / "base")
        object.__setattr__(self, "breaks", breaks)
        object.__setattr__(self, "kept", {})
        object.__setattr__(self, "at_once", [])

    breaks: Breaks
    kept: dict[Path, Course]
    at_once: list[int | None]

    async def train(self, job: TrainingJob, on_progress: Any) -> Trained:
        self.at_once.append(job.micro_batch)
        course = self.kept.setdefault(job.output, Course())
        begun_at = course.step
        while course.step < STEPS:
            step = course.step + 1
            if error := self.breaks(len(self.at_once), job, step):
                raise error
            course.loss.append(2 / step)
            course.gradient_norm.append(1.0)
            course.metrics.append({})
            course.tokens += 10
            await on_progress(said(course, STEPS, 0.001, 1.0, begun_at, 10))
        return await super().train(job, on_progress)

    def forget(self, output: Path) -> None:
        self.kept.pop(output, None)


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "BACKOFF_SECONDS", 0.0)


def finish(log: EventLog, store: Path, trainer: Stepwise) -> RunState:
    return asyncio.run(drive(world.ports(store, log, RUN, configuration_of(log, RUN), trainer=trainer), []))


def events_of(log: EventLog, kind: type[ev.Event]) -> list[Any]:
    return [r.event for r in log.read(run=RUN) if isinstance(r.event, kind)]


def check(log: EventLog, run: str = RUN) -> None:
    report = asyncio.run(verify_decisions(log, run, world.rules(log, run)))
    assert report.difference is None, report.difference


def test_a_training_tells_how_it_goes_in_a_bounded_number_of_rows(tmp_path: Path) -> None:
    with EventLog.open(tmp_path / "log.db") as log:
        world.begin(log, RUN)
        finish(log, tmp_path, Stepwise(tmp_path))
        told = events_of(log, ev.TrainingProgressed)
        assert len(told) == 20 and (told[-1].step, told[-1].steps, told[-1].tokens) == (STEPS, STEPS, 500)
        measured = [r.meta.measured for r in log.read(types=["TrainingProgressed"])]
        assert all(one.keys() == {"tokens_per_second", "seconds"} for one in measured)
        check(log)


def test_a_trainer_that_dies_goes_on_where_it_was_and_the_log_says_the_same(tmp_path: Path) -> None:
    lost = {1: 7, 2: 8}
    trainer = Stepwise(
        tmp_path / "b", lambda start, job, step: TrainerLost("ended by SIGKILL") if lost.get(start) == step else None
    )
    with EventLog.open(tmp_path / "whole.db") as whole, EventLog.open(tmp_path / "log.db") as log:
        for each, one in ((whole, Stepwise(tmp_path / "a")), (log, trainer)):
            world.begin(each, RUN, "execution.deterministic=true")
            finish(each, tmp_path, one)
        assert [r.error for r in events_of(log, ev.Retried)] == ["TrainerLost: ended by SIGKILL"] * 2
        assert decided(list(log.read())) == decided(list(whole.read()))
        assert not trainer.kept, "what was kept is not kept for ever"


def test_a_training_that_stays_broken_leaves_the_run_going_with_the_adapter_it_had(tmp_path: Path) -> None:
    def breaks(start: int, job: TrainingJob, step: int) -> Exception | None:
        return TrainerLost("ended by SIGSEGV") if job.output.name == "student-2" else None

    trainer = Stepwise(tmp_path, breaks)
    with EventLog.open(tmp_path / "log.db") as log:
        world.begin(log, RUN, "execution.iterations=3", "evaluation.margin=0.0")
        state = finish(log, tmp_path, trainer)
        [failed] = events_of(log, ev.TrainingFailed)
        assert (failed.adapter, failed.reason) == ("student-2", "ended by SIGSEGV")
        assert len(trainer.at_once) == 5, "once, and two repetitions of the one that fails"
        assert state.status == "completed" and state.adapters["student-1"].outcome == "promoted"
        answered = {e.adapter for e in events_of(log, ev.AttemptStarted) if e.task and 6 < e.task <= 9}
        assert answered == {"student-1"}, "in the iteration after"
        assert not trainer.kept
        check(log)


def test_a_training_without_memory_halves_what_is_computed_at_once_also_when_it_is_resumed(tmp_path: Path) -> None:
    """The dataset's rows fit two at a time. While it finds out, the run is cut off, by a full disk."""

    def breaks(start: int, job: TrainingJob, step: int) -> Exception | None:
        if start == 3 and step == 9:
            return StoreError("the disk is full")
        return TrainerOutOfMemory("the trainer ran out of memory: no room") if job.micro_batch != 2 else None

    trainer = Stepwise(tmp_path, breaks)
    with EventLog.open(tmp_path / "log.db") as log:
        world.begin(log, RUN)
        with pytest.raises(StoreError):
            finish(log, tmp_path, trainer)
        assert finish(log, tmp_path, trainer).status == "completed"
        assert trainer.at_once == [8, 4, 2, 2]
        halved = events_of(log, ev.MicroBatchHalved)
        assert [event.micro_batch for event in halved] == [4, 2] and "no room" in halved[0].reason
        steps = [event.step for event in events_of(log, ev.TrainingProgressed)]
        assert steps == sorted(set(steps)) and steps[-1] == STEPS, "no part is told twice"
        check(log)


@pytest.mark.parametrize(("engine", "rests"), [("hf", True), ("packed", False)])
def test_models_in_memory_make_room_for_a_trainer_that_needs_it(tmp_path: Path, engine: str, rests: bool) -> None:
    said: list[str] = []

    class InMemory(ScriptedBackend):
        async def rest(self) -> None:
            said.append("rests")

    class Watched(Stepwise):
        async def train(self, job: TrainingJob, on_progress: Any) -> Trained:
            said.append("trains")
            return await super().train(job, on_progress)

    with EventLog.open(tmp_path / "log.db") as log:
        world.begin(log, RUN, f"training.engine={engine}")
        weights = Weights("scripted", tmp_path / "base.gguf", "b" * 64)
        settings = configuration_of(log, RUN)
        ports = world.ports(tmp_path, log, RUN, settings, InMemory(world.respond, weights=weights), Watched(tmp_path))
        asyncio.run(drive(ports, []))
    assert said[-2:] == ["rests", "trains"] if rests else said == ["trains"]


def test_where_not_even_one_example_fits_the_failure_says_what_to_do(tmp_path: Path) -> None:
    trainer = Stepwise(tmp_path, lambda start, job, step: TrainerOutOfMemory("no room"))
    with EventLog.open(tmp_path / "log.db") as log:
        world.begin(log, RUN)
        assert finish(log, tmp_path, trainer).status == "completed"
        assert trainer.at_once == [8, 4, 2, 1]
        [failed] = events_of(log, ev.TrainingFailed)
        assert (
            "even one example at a time is too much" in failed.reason and "lower training.max_tokens" in failed.reason
        )


def test_a_training_with_too_few_examples_says_why_there_are_no_more(tmp_path: Path) -> None:
    with EventLog.open(tmp_path / "log.db") as log:
        world.begin(log, RUN, "training.method=dpo", "training.minimum_examples=1000")
        finish(log, tmp_path, Stepwise(tmp_path))
        [failed] = events_of(log, ev.TrainingFailed)
        assert "with no other to make a pair with" in failed.reason and failed.reason.endswith("examples is 1000")


def test_a_run_that_trained_nothing_can_be_learnt_from_afterwards(tmp_path: Path) -> None:
    """With settings of its own, which hold when it was cut off and is resumed, and when it is verified."""

    def go_on(log: EventLog, configuration: Configuration, trainer: Stepwise, asked: Plan | None = None) -> RunState:
        ports = world.ports(tmp_path, log, RUN, configuration, trainer=trainer)
        if asked is not None:
            request(ports, asked.requested)
        return asyncio.run(drive(ports, []))

    full = Stepwise(tmp_path, lambda start, job, step: StoreError("the disk is full") if step == 9 else None)
    with EventLog.open(tmp_path / "log.db") as log:
        world.begin(log, RUN, "training.roles=[]")
        world.complete(log, RUN, tmp_path)
        assert is_over(log, RUN) and configuration_to_drive(log, RUN) == configuration_of(log, RUN)
        asked = plan(log, RUN, Wanted(("training.rank=2",)))
        rates = [plan(log, RUN, Wanted((f"training.method={name}",))).requested for name in ("rft", "grpo", "dpo")]
        assert [each.settings["learning_rate"] for each in rates] == [1e-3, 1e-5, 5e-6], "each has its own"
        with pytest.raises(StoreError):
            go_on(log, asked.configuration, full, asked)
        again = plan(log, RUN, Wanted(name="another"))
        assert again.resumed and again.requested == asked.requested and not is_over(log, RUN)
        world.fork(log, "fork", RUN, log.head(), "execution.iterations=2", "training.epochs=3")
        state = world.complete(log, "fork", tmp_path)
        [anew] = [r.event for r in log.read(run="fork", types=["TrainingStarted"])]
        assert isinstance(anew, ev.TrainingStarted) and anew.adapter == "student-1-rft"
        assert (anew.settings["rank"], anew.settings["epochs"]) == (2, 3), "as it was asked for, and as the fork is set"
        check(log, "fork")
        state = go_on(log, configuration_to_drive(log, RUN), Stepwise(tmp_path))
        assert is_over(log, RUN) and state.adapters["student-1-rft"].settled
        [started] = events_of(log, ev.TrainingStarted)
        assert (started.adapter, started.settings["rank"]) == ("student-1-rft", 2), "and no other"
        assert started.settings["learning_rate"] == 1e-3, "what null stands for"
        check(log)
        assert plan(log, RUN, Wanted()).requested.adapter == "student-1-rft-2"


def test_what_goes_on_from_an_adapter_of_another_shape_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with EventLog.open(tmp_path / "log.db") as log:
        world.begin(log, RUN, "execution.iterations=2")
        state = world.complete(log, RUN, tmp_path)
        assert state.adapters["student-1"].outcome == "promoted"
        end = log.head()
        for method, changed, said in (
            ("dpo", ("training.rank=4",), "student-1, from which dpo goes on, has training.rank 32: set it so, or"),
            (
                "grpo",
                ("training.alpha=8",),
                "student-1, from which grpo goes on, has training.alpha 64.0: set it",
            ),
            ("dpo", ("training.target_modules=[q_proj]",), "training.target_modules [q_proj, k_proj, v_proj, "),
            ("dpo", ("training.rank=4", "training.frozen_share=0.0"), "rank 32, training.frozen_share 0.33"),
        ):
            with pytest.raises(ConfigurationError) as refused:
                plan(log, RUN, Wanted((f"training.method={method}", *changed)))
            assert said in str(refused.value) and "\n" not in str(refused.value)
        with pytest.raises(ConfigurationError, match=r"has training.rank 32: set it so, or training.method to rft"):
            world.fork(log, "fork", RUN, end, "execution.iterations=3", "training.method=dpo", "training.rank=4")
        assert log.head() == end
        plan(log, RUN, Wanted(("training.method=dpo", "training.dropout=0.5")))
        plan(log, RUN, Wanted(("training.rank=4",)))


def test_a_run_that_goes_on_is_not_trained_from(tmp_path: Path) -> None:
    with EventLog.open(tmp_path / "log.db") as log:
        world.begin(log, RUN)
        with pytest.raises(TrainingRefused, match=r"not completed.*run --resume r"):
            plan(log, RUN, Wanted())


@pytest.mark.parametrize(
    ("settings", "warned"),
    [
        ((), False),
        (("training.method=dpo",), False),
        (("training.method=grpo",), True),
        (("training.method=grpo", "training.roles=[teacher]"), False),
        (("training.method=grpo", "curriculum.demonstrations=0"), False),
        (("training.method=grpo", "curriculum.demonstrations=0", "models.student.prompt=guide"), False),
        (
            (
                "training.method=grpo",
                "curriculum.demonstrations=0",
                "models.student.prompt=guide",
                "models.student.trained_prompt=short",
            ),
            True,
        ),
    ],
)
def test_grpo_learns_little_where_only_the_base_model_reads_worked_examples(
    settings: tuple[str, ...], warned: bool
) -> None:
    assert bool(too_early(world.configured(*settings), [])) is warned

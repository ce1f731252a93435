"""Every setting of a run has an effect on what happens: none is there for show."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from agent0es.bootstrap import practised_domains
from agent0es.configuration import (
    CurriculumSettings,
    EvaluationSettings,
    ExecutionSettings,
    GuardSettings,
    ModelSettings,
)
from agent0es.decisions.propose import is_retold
from agent0es.decisions.schedule import decide
from agent0es.domain import events as ev
from agent0es.domain.curriculum import DomainStatistics, FamilyStatistics
from agent0es.domain.run import RunState
from agent0es.domain.task import Task
from agent0es.errors import ConfigurationError, TransientError
from agent0es.evaluation.suite import HeldOut
from agent0es.handlers.dispatcher import HandlerError
from agent0es.log import EventLog
from agent0es.models.base import Completion, GenerationRequest, Weights
from agent0es.models.scripted import ScriptedBackend
from agent0es.rollouts import retry
from agent0es.runs.driving import drive
from agent0es.runs.settings import configuration_of
from tests.support import world

RUN = "r"
IN_A_RUN = {
    "curriculum.novelty_bar": "1.0",
    "curriculum.proposal_tries": "1",
    "curriculum.demonstrations": "0",
    "evaluation.practised_problems": "2",
    "evaluation.held_out_problems": "2",
    "evaluation.demonstrations": "1",
    "evaluation.margin": "1.0",
    "evaluation.significance": "null",
    "guard.on_fall": "ignore",
    "execution.iterations": "2",
    "execution.attempts": "1",
    "execution.reflection": "[confidence]",
    "models.student.observations": "turns",
    "training.roles": "[]",
    "training.band": "0.1",
    "training.examples_per_family": "1",
    "training.minimum_examples": "1000",
}
IN_THE_SCHEDULE = {
    "curriculum.freeform_share": "1.0",
    "curriculum.steered": "false",
    "curriculum.start_difficulty": "0.7",
    "curriculum.band": "0.01",
    "curriculum.domain_floor": "0.5",
    "curriculum.novelty_share": "1.0",
    "curriculum.review_share": "0.0",
    "curriculum.candidates": "3",
    "evaluation.max_difficulty": "0.1",
    "execution.tasks_per_iteration": "5",
    "execution.tasks_in_flight": "6",
}
ELSEWHERE = {"curriculum.domains", "curriculum.families", "evaluation.refuse_leaks"} | {
    f"execution.{key}" for key in ("deterministic", "on_error", "retries")
}
"""Each has a test of its own below."""
IN_THE_GUARD = {"guard.fall", "guard.patience"}
"""Each has a test in tests/unit/decisions/test_guard.py."""


def test_no_setting_is_forgotten_here() -> None:
    sections = {
        "curriculum": CurriculumSettings,
        "evaluation": EvaluationSettings,
        "guard": GuardSettings,
        "execution": ExecutionSettings,
    }
    keys = {f"{section}.{key}" for section, model in sections.items() for key in model.model_fields}
    changed = IN_A_RUN.keys() | IN_THE_SCHEDULE.keys() | ELSEWHERE | IN_THE_GUARD
    assert {key for key in changed if not key.startswith(("training.", "models."))} == keys


def happened(store: Path, *overrides: str) -> list[tuple[str, str]]:
    """What a small run decided: all events but the first, which holds the settings themselves."""
    with EventLog.open(":memory:") as log:
        world.begin(log, RUN, "execution.deterministic=true", "execution.tasks_per_iteration=4", *overrides)
        world.complete(log, RUN, store)
        return [
            (recorded.event.type, recorded.content_hash)
            for recorded in log.read(run=RUN)
            if not isinstance(recorded.event, ev.RunStarted | ev.TrainingStarted)
        ]


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, str]]:
    return happened(tmp_path_factory.mktemp("before"))


@pytest.mark.parametrize("key", IN_A_RUN)
def test_a_setting_changes_what_happens(tmp_path: Path, before: list[tuple[str, str]], key: str) -> None:
    assert happened(tmp_path, f"{key}={IN_A_RUN[key]}") != before


def test_without_a_change_the_same_happens(tmp_path: Path, before: list[tuple[str, str]]) -> None:
    assert happened(tmp_path) == before


def test_a_freely_written_task_that_tells_a_held_out_problem_is_refused_but_in_runs_of_before() -> None:
    words = {"description": "What is 3 times 4?", "reference": "12", "reference_action": "", "difficulty": 0.0}
    task = Task.model_validate({"domain": "math", "family": "freeform", "parameters": {}, "wording": 0, **words})
    problems = [HeldOut(0, "held_out", task)]
    without_a_test = EvaluationSettings(significance=None)
    assert is_retold(task, problems, without_a_test)
    assert not is_retold(task, problems, without_a_test.model_copy(update={"refuse_leaks": False}))


def requested(*overrides: str) -> list[ev.Event]:
    """The requests of an iteration in the middle of a run that knows two domains."""
    known = {
        f"{domain}-{n}": FamilyStatistics(domain, tasks=n, attempts=2 * n, solved=n, ability=2.0 * n - 6.0)
        for domain in ("math", "logic")
        for n in range(1, 6)
    }
    state = RunState(
        phase="practice",
        iteration=2,
        families=known,
        domains={"math": DomainStatistics(50, 1.0, earlier_level=1.0), "logic": DomainStatistics(50, 1.0, 3.0)},
    )
    families = {domain: [f"{domain}-{n}" for n in range(1, 8)] for domain in ("math", "logic")}
    configuration = world.configured("execution.tasks_per_iteration=40", "execution.tasks_in_flight=40", *overrides)
    return decide(ev.IterationStarted(iteration=2), state, configuration, families)


@pytest.mark.parametrize("key", IN_THE_SCHEDULE)
def test_a_setting_changes_what_is_asked_for(key: str) -> None:
    assert requested(f"{key}={IN_THE_SCHEDULE[key]}") != requested()


def test_domains_and_families_change_what_is_practised() -> None:
    assert set(practised_domains(world.configured("curriculum.domains=[math, logic]"))) == {"math", "logic"}
    with pytest.raises(ConfigurationError, match="nowhere"):
        practised_domains(world.configured("curriculum.families=[nowhere]"))


class Listening(ScriptedBackend):
    """Remembers what it was asked."""

    def __init__(self) -> None:
        super().__init__(world.respond, weights=Weights("scripted", Path("base.gguf"), "b" * 64))
        self.asked: list[GenerationRequest] = []

    async def generate(self, requests: Sequence[GenerationRequest], adapter: str | None = None) -> list[Completion]:
        self.asked += requests
        return await super().generate(requests, adapter)


WHICH_MODEL = {"backend", "name", "base_url", "api_key_env", "options"}
HOW_A_MODEL_IS_ASKED = {"temperature": "0.3", "top_p": "0.7", "max_tokens": "77", "stop": "[end]"}


def test_a_setting_of_a_model_reaches_every_request_that_it_is_about(tmp_path: Path) -> None:
    assert HOW_A_MODEL_IS_ASKED.keys() == ModelSettings.model_fields.keys() - WHICH_MODEL
    for role in ("teacher", "student"):
        settings = [f"models.{role}.{key}={value}" for key, value in HOW_A_MODEL_IS_ASKED.items()]
        model = Listening()
        with EventLog.open(":memory:") as log:
            world.begin(log, RUN, "training.roles=[teacher]", *settings)
            asyncio.run(drive(world.ports(tmp_path, log, RUN, configuration_of(log, RUN), model), []))
        own = [one for one in model.asked if one.messages[-1].content.startswith("Families:") == (role == "teacher")]
        assert own and all(one.max_tokens == 77 and "end" in one.stop for one in own)
        assert {(one.temperature, one.top_p) for one in own if one.temperature} == {(0.3, 0.7)}


class Watched(ScriptedBackend):
    """Counts the requests that are answered at once; the first ones fail."""

    def __init__(self, failures: int = 0) -> None:
        super().__init__(world.respond, weights=Weights("scripted", Path("base.gguf"), "b" * 64))
        self._failures, self.now, self.most = failures, 0, 0

    async def generate(self, requests: list[GenerationRequest], adapter: str | None = None) -> list[Completion]:  # type: ignore[override]
        if self._failures:
            self._failures -= 1
            raise TransientError("not now")
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            return await super().generate(requests, adapter)
        finally:
            self.now -= 1


def finish(store: Path, model: Watched, *overrides: str, **ports: object) -> Mapping[str, int]:
    with EventLog.open(":memory:") as log:
        world.begin(log, RUN, *overrides)
        made = replace(world.ports(store, log, RUN, configuration_of(log, RUN), model), **ports)  # type: ignore[arg-type]
        asyncio.run(drive(made, []))
        return world.contents(log, RUN)


@pytest.mark.parametrize("deterministic", [True, False])
def test_a_deterministic_run_asks_one_thing_at_a_time(tmp_path: Path, deterministic: bool) -> None:
    model = Watched()
    finish(tmp_path, model, f"execution.deterministic={str(deterministic).lower()}")
    assert (model.most == 1) is deterministic


def test_after_an_error_a_run_stops_or_continues(tmp_path: Path) -> None:
    broken = {"rewards": {"novelty": lambda inputs: float("nan")}}
    with pytest.raises(HandlerError):
        finish(tmp_path, Watched(), "execution.on_error=stop", "rewards.weights={novelty: 1.0}", **broken)
    said = finish(tmp_path, Watched(), "execution.on_error=continue", "rewards.weights={novelty: 1.0}", **broken)
    assert said["HandlerFailed"] and said["RunCompleted"]


def test_what_fails_is_retried_as_often_as_is_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "BACKOFF_SECONDS", 0.0)
    one_by_one = "execution.deterministic=true"
    assert finish(tmp_path, Watched(2), one_by_one, "execution.retries=2")["RunCompleted"]
    with pytest.raises(HandlerError):
        finish(tmp_path, Watched(2), one_by_one, "execution.retries=1")

"""A run that gets worse is seen, set back or stopped; one that is well is left alone."""

import asyncio
import json
import random
from dataclasses import replace
from functools import reduce
from pathlib import Path
from typing import Any

import pytest

from agent0es.configuration import GuardSettings
from agent0es.decisions import propose
from agent0es.decisions.guard import fell, stop, watch
from agent0es.decisions.schedule import decide
from agent0es.domain import events as ev
from agent0es.domain.practice import Practice, agrees, diversity, kind_of
from agent0es.domain.run import RunState, evolve
from agent0es.domain.task import Task, Verification
from agent0es.evaluation.suite import suite
from agent0es.history.verification import verify_decisions
from agent0es.log import EventLog
from agent0es.models.base import GenerationRequest, Weights
from agent0es.models.scripted import ScriptedBackend
from agent0es.runs.driving import drive
from agent0es.runs.settings import configuration_of
from tests.support import world

WELL = {
    "proposals": 200,
    "diversity": 0.8,
    "repeats": 10,
    "computed": 100,
    "confirmed": 95,
    "doubted": 5,
    "answers": 400,
    "log_probability": -0.2,
}


def measured(iteration: int, **other: Any) -> ev.PracticeMeasured:
    return ev.PracticeMeasured.model_validate({"iteration": iteration, **WELL, **other})


def adapter(name: str, outcome: str = "promoted", solved: int = 60, base: int = 40) -> list[ev.Event]:
    """Built, evaluated on 100 problems of each split, decided."""
    role, number = name.split("-")
    about = {"adapter": name, "role": role, "iteration": int(number)}
    scores = tuple(
        {"arm": arm, "split": split, "correct": count, "problems": 100, "low": 0, "high": 1, "by_family": {}}
        for arm, count in ((name, solved), ("base-zero-shot", base))
        for split in ("practised", "held_out")
    )
    built = {"examples": 20, "sha256": "d", "per_family": {}, "sources": ()}
    decided = {"promoted": ev.AdapterPromoted, "rejected": ev.AdapterRejected}[outcome]
    score = {"score": 0.6} if outcome == "promoted" else {}
    return [
        ev.DatasetBuilt.model_validate(about | built),
        ev.AdapterEvaluated.model_validate(about | {"scores": scores, "comparisons": ()}),
        decided.model_validate(about | score | {"reason": "so"}),
    ]


def run_of(*events: ev.Event, iteration: int) -> RunState:
    """A run whose gate has just decided on an iteration."""
    return replace(reduce(evolve, events, RunState(status="running")), iteration=iteration)


def seen(now: dict[str, Any], *before: ev.Event, **settings: Any) -> list[ev.Event]:
    """What the guard makes of the second iteration; `now` is what differs in it from the first, which went well."""
    state = run_of(measured(1), *before, measured(2, **now), iteration=2)
    return watch(state, GuardSettings.model_validate(settings))


TEACHERS = ("diversity", "repetition", "labels")
FALLS: dict[str, dict[str, Any]] = {
    "diversity": {"diversity": 0.6},
    "repetition": {"proposals": 120, "repeats": 60},
    "labels": {"confirmed": 60, "doubted": 40},
    "answers": {"log_probability": -0.0004},
}


@pytest.mark.parametrize("kind", FALLS)
def test_what_falls_raises_an_alarm_and_the_adapter_that_was_in_use_goes(kind: str) -> None:
    role = "teacher" if kind in TEACHERS else "student"
    worse = adapter("student-2", "rejected", solved=20) if kind == "answers" else []
    alarm, *_, back = seen(FALLS[kind], *adapter(f"{role}-1"), *worse)
    assert isinstance(alarm, ev.AlarmRaised) and (alarm.kind, alarm.role) == (kind, role)
    assert isinstance(back, ev.AdapterRolledBack)
    assert (back.adapter, back.to, back.reason) == (f"{role}-1", None, alarm.message)


@pytest.mark.parametrize(
    "since", [[], adapter("student-2", "rejected", solved=60), adapter("student-2", "promoted", solved=90)]
)
def test_an_adapter_that_is_sure_and_right_is_told_of_and_stays(since: list[ev.Event]) -> None:
    """Answers without entropy are a collapse only where held-out problems are solved less."""
    before = [measured(1), *adapter("student-1"), *since]
    state = run_of(*before, measured(2, **FALLS["answers"]), iteration=2)
    [alarm] = watch(state, GuardSettings())
    assert isinstance(alarm, ev.AlarmRaised) and alarm.kind == "answers"
    assert stop(evolve(state, alarm), GuardSettings(on_fall="stop"), ["student"]) is None


@pytest.mark.parametrize(
    "now",
    [
        {},
        {"diversity": 0.71},
        {"diversity": None},
        {"proposals": 10, "diversity": 0.1, "repeats": 9},
        {"proposals": 100, "diversity": 0.9},
        {"proposals": 400, "diversity": 0.6},  # of twice as many proposals: more of a kind is to be expected
        {"confirmed": 8, "doubted": 7},
        {"confirmed": 17, "doubted": 4},  # 0.81 after 0.95, but of 21 tasks
        {"confirmed": 88, "doubted": 12},
        {"log_probability": None},
        {"answers": 10, "log_probability": 0.0},
    ],
)
def test_what_is_well_or_can_not_be_told_raises_none(now: dict[str, Any]) -> None:
    assert seen(now, *adapter("teacher-1"), *adapter("student-1")) == []


def test_a_collapse_is_seen_in_the_first_iteration_too() -> None:
    state = run_of(measured(1, proposals=30, repeats=50), iteration=1)
    [alarm] = watch(state, GuardSettings())
    assert isinstance(alarm, ev.AlarmRaised) and alarm.kind == "repetition"
    assert alarm.message == "62% of the teacher's tasks repeat earlier ones, of which 50% would be usual"


def test_a_smaller_fall_can_be_let_pass_or_not() -> None:
    assert len(seen({"diversity": 0.75})) == 0
    assert len(seen({"diversity": 0.75}, fall=0.04)) == 1


def test_what_follows_is_set() -> None:
    def kinds(on_fall: str) -> list[str]:
        return [event.type for event in seen(FALLS["diversity"], *adapter("teacher-1"), on_fall=on_fall)]

    assert kinds("ignore") == []
    assert kinds("alarm") == ["AlarmRaised"]
    assert kinds("rollback") == kinds("stop") == ["AlarmRaised", "AdapterRolledBack"]
    fallen = run_of(*seen(FALLS["diversity"]), iteration=2)
    [alarm] = fallen.alarms
    assert stop(fallen, GuardSettings(), ["student"]) is None
    stopped = stop(fallen, GuardSettings(on_fall="stop"), ["student"])
    assert stopped is not None and (stopped.why, stopped.reason) == ("alarm", alarm.message)


def test_an_adapter_that_was_only_just_promoted_is_not_to_blame() -> None:
    [alarm] = seen(FALLS["diversity"], *adapter("teacher-2"))
    assert isinstance(alarm, ev.AlarmRaised)


def test_the_one_before_is_in_use_again_and_is_the_one_to_beat() -> None:
    before = [*adapter("student-1"), measured(1), *adapter("student-2"), measured(2), measured(3, **FALLS["answers"])]
    state = run_of(*before, *adapter("student-3", "rejected", solved=20), iteration=3)
    after = reduce(evolve, watch(state, GuardSettings()), state)
    assert after.serving["student"] == after.rival("student") == "student-1"
    assert after.adapters["student-2"].outcome == "rolled_back" and "alike" in (
        after.adapters["student-2"].reason or ""
    )
    assert watch(after, GuardSettings()) == [], "a fork that begins here does not do it twice"
    worse = adapter("student-4", "rejected", solved=20)
    again = reduce(evolve, [*worse, measured(4, **FALLS["answers"])], replace(after, iteration=4))
    assert reduce(evolve, watch(again, GuardSettings()), again).serving["student"] is None
    assert after.challengers("student") == 2, "its promotion was a try against student-1 as well"


def test_what_is_in_use_and_solves_less_than_the_base_model_on_new_problems_goes() -> None:
    """As in a fork with other problems, where an adapter shows that it was promoted by luck."""
    used = {
        "arm": "student-1",
        "split": "held_out",
        "correct": 30,
        "problems": 200,
        "low": 0,
        "high": 1,
        "by_family": {},
    }
    built, evaluated, rejected = adapter("student-2", "rejected", solved=50, base=60)
    assert isinstance(evaluated, ev.AdapterEvaluated)
    arms = (
        *evaluated.scores,
        ev.ArmScore.model_validate(used),
        ev.ArmScore.model_validate({**used, "split": "practised"}),
    )
    found = seen({}, *adapter("student-1"), built, evaluated.model_copy(update={"scores": arms}), rejected)
    assert [event.type for event in found] == ["AlarmRaised", "AdapterRolledBack"]
    assert found[0].message == "student-1 solves 0.150 of the held-out problems, the base model 0.600"  # type: ignore[union-attr]


def test_a_new_adapter_that_solves_less_than_an_earlier_one_is_told_and_nothing_is_rolled_back() -> None:
    [alarm] = seen({}, *adapter("student-1", solved=70), *adapter("student-2", "rejected", solved=45))
    assert isinstance(alarm, ev.AlarmRaised) and alarm.kind == "learning"
    assert alarm.message == "student-2 solves 0.450 of the held-out problems, student-1 solved 0.700"


def test_a_run_in_which_nothing_is_promoted_any_more_ends_early() -> None:
    families = {"math": ["gcd"]}
    rejected = [event for n in (2, 3, 4) for event in adapter(f"student-{n}", "rejected")]
    state = run_of(*adapter("student-1"), *rejected, iteration=4)

    def ends(*overrides: str) -> list[str]:
        configuration = world.configured("execution.iterations=9", *overrides)
        decided = decide(rejected[-1], state, configuration, families)
        return [event.type for event in decided]

    assert ends() == ["PracticeMeasured", "RunStopped", "RunCompleted"]
    assert ends("guard.patience=4") == ends("guard.patience=null") == ["PracticeMeasured", "IterationStarted"]
    assert ends("execution.iterations=4") == ["PracticeMeasured", "RunCompleted"], "it ends there anyway"


def test_a_promotion_counts_for_patience_also_when_it_was_rolled_back_since() -> None:
    """student-3 was promoted and has fallen: student-1 is in use again and has iterations left to show something."""
    rejected = [*adapter("student-2", "rejected"), *adapter("student-4", "rejected")]
    fallen = ev.AdapterRolledBack(adapter="student-3", role="student", iteration=4, to="student-1", reason="so")
    state = run_of(*adapter("student-1"), *adapter("student-3"), *rejected, fallen, iteration=4)
    assert stop(state, GuardSettings(), ["student"]) is None
    later = [*adapter("student-5", "rejected"), *adapter("student-6", "rejected")]
    stopped = stop(replace(reduce(evolve, later, state), iteration=6), GuardSettings(), ["student"])
    assert stopped is not None and stopped.reason.startswith("in 3 iterations no adapter was promoted or solved more")


def test_small_steps_are_a_gain_too() -> None:
    """Each adapter solves a little more than all before it, and none by so much that the gate lets it pass."""
    steps = [event for n in (1, 2, 3, 4) for event in adapter(f"student-{n}", "rejected", solved=40 + n)]
    state = run_of(*steps, iteration=4)
    assert stop(state, GuardSettings(), ["student"]) is None
    worse = [event for n in (5, 6, 7) for event in adapter(f"student-{n}", "rejected", solved=44)]
    assert stop(replace(reduce(evolve, worse, state), iteration=7), GuardSettings(), ["student"]) is not None


def test_of_a_thousand_steady_runs_few_raise_an_alarm() -> None:
    """Shares of 100 cases, drawn anew in each of ten iterations: every one is compared with the best one before."""
    rng = random.Random(0)
    false = 0
    for _ in range(1000):
        shares = [sum(rng.random() < 0.8 for _ in range(100)) / 100 for _ in range(10)]
        false += any(fell(shares[n], 100, max(shares[:n]), 100, 0.1) for n in range(1, 10))
    assert false <= 10
    assert fell(0.5, 100, 0.8, 100, 0.1)


def task(description: str, **parameters: Any) -> Task:
    about = {
        "domain": "math",
        "family": "gcd" if parameters else "math_freeform",
        "parameters": parameters,
        "wording": 0,
    }
    return Task.model_validate(
        {**about, "description": description, "reference": "1", "reference_action": "", "difficulty": 0.5}
    )


def test_tasks_are_of_a_kind_where_their_family_is_or_their_words_are() -> None:
    assert kind_of(task("What is the gcd of 4 and 6?", a=4, b=6)) == "gcd"
    one, two = kind_of(task("Add 3 and 4.")), kind_of(task("add 12, and 5!"))
    assert one == two != kind_of(task("Subtract 3 from 4."))
    assert [diversity(counts) for counts in ([1], [5], [1] * 9, [2, 2])] == [None, 0.0, 1.0, 0.5]


def judged(correct: bool | None) -> Verification:
    about = {"score": float(correct is True), "confidence": 1.0, "method": "exact", "explanation": ""}
    return Verification.model_validate({"correct": correct, **about})


@pytest.mark.parametrize(
    ("answers", "label"),
    [
        ([("7", True), ("7", True), ("8", False)], True),
        ([("8", False), ("8", False), ("7", True)], False),
        ([("8", False), ("7", True)], None),
        ([("8", None), ("8", None)], None),
        ([("8", False), (None, None), (None, None)], None),
        ([("8", False), ("8", False), (None, None), (None, None)], None),
        ([], None),
    ],
)
def test_a_label_is_doubted_where_most_attempts_give_one_other_answer(
    answers: list[tuple[str | None, bool | None]], label: bool | None
) -> None:
    given = [(key, judged(correct), 0.5) for key, correct in answers]
    assert agrees(given) is label
    counted = Practice().completed(True, given)
    assert (counted.confirmed, counted.doubted, counted.computed) == (label is True, label is False, 0)


def test_a_run_writes_down_what_its_practice_was_like_and_it_follows_from_the_log(tmp_path: Path) -> None:
    with EventLog.open(":memory:") as log:
        world.begin(log, "r", "execution.iterations=4", "guard.patience=1", "curriculum.freeform_share=0.5")
        state = world.complete(log, "r", tmp_path)
        found = world.contents(log, "r")
        report = asyncio.run(verify_decisions(log, "r", world.rules(log, "r")))
    assert report.difference is None
    assert found["PracticeMeasured"] == state.iteration < 4, "it ends when the second adapter is no better"
    assert found["RunStopped"] == found["RunCompleted"] == 1
    [first, *_] = state.measured
    assert first.proposals and first.answers and first.log_probability is not None


@pytest.mark.parametrize(
    ("family", "words", "slipped_through"),
    [
        ("product", ("Multiply", "MULTIPLY"), False),
        ("product", ("Multiply", "MULTIPLY"), True),
        ("quotient", ("as a decimal", "as a decimal number"), False),
    ],
)
def test_a_held_out_problem_is_not_practised_and_where_it_was_the_adapter_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, family: str, words: tuple[str, str], slipped_through: bool
) -> None:
    """The teacher writes down, as a task of its own, what the student will be asked."""
    configuration = world.configured("curriculum.freeform_share=1.0", "execution.tasks_per_iteration=1")
    problems = suite({"math": world.SmallDomain()}, configuration.evaluation, configuration.seed)
    asked = next(problem for problem in problems if problem.task.family == family)
    told = asked.task.description.replace(*words)
    assert told != asked.task.description
    numbers = [str(value) for value in asked.task.parameters.values()]
    if slipped_through:
        monkeypatch.setattr(propose, "held_out", lambda problems, settings: set())
        monkeypatch.setattr(propose, "is_retold", lambda task, problems, settings: False)

    def leaking(request: GenerationRequest, used: str | None) -> str:
        if request.messages[-1].content.startswith("Topic:"):
            operator = " * " if family == "product" else " / "
            return json.dumps({"task": told, "expression": operator.join(numbers)})
        knows = told in request.messages[-1].content
        return world.respond(request, "one that knows" if knows else used)

    model = ScriptedBackend(leaking, weights=Weights("scripted", tmp_path / "base.gguf", "b" * 64))
    with EventLog.open(":memory:") as log:
        world.begin(log, "r", "curriculum.freeform_share=1.0", "execution.tasks_per_iteration=1")
        asyncio.run(drive(world.ports(tmp_path, log, "r", configuration_of(log, "r"), model), []))
        decisions = [r.event for r in log.read(run="r", types=["AdapterPromoted", "AdapterRejected"])]
        refused = [r.event for r in log.read(run="r", types=["ProposalRejected"])]
        report = asyncio.run(verify_decisions(log, "r", world.rules(log, "r")))
    assert report.difference is None
    if not slipped_through:
        assert {one.reason for one in refused if isinstance(one, ev.ProposalRejected)} == {"duplicate"}
        assert decisions == []
        return
    [decision] = decisions
    assert isinstance(decision, ev.AdapterRejected)
    [leak] = decision.leaks
    assert leak.source in ("1/0", "1/1") and leak.problem == str(asked.number)
    said = f"student-1 learnt what it is asked: its example {leak.source} is held-out problem {leak.problem}; "
    assert decision.reason.startswith(said)

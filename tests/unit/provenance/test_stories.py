"""Lineage and retraction as functions of a run's events."""

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent0es.domain import events as ev
from agent0es.domain.adapter import Adapter, Outcome
from agent0es.domain.run import RunState
from agent0es.errors import RetractionError, TrainingRefused, UnknownName
from agent0es.log import NewEvent
from agent0es.projections import Projections
from agent0es.projections.state import state_at
from agent0es.provenance import adapters, trajectories
from agent0es.provenance.lineage import lineage_of_adapter, lineage_of_task, tainted
from agent0es.provenance.retraction import plan_rebuild, retract, unfinished
from tests.unit.projections.fake_log import FakeLog
from tests.unit.projections.history import attempt, history

RUN = "r"


def tables_of(log: Any) -> Projections:
    tables = Projections.open(log)
    tables.catch_up()
    return tables


def retracted(what: str) -> NewEvent:
    return NewEvent(f"run/{RUN}", ev.Retracted(what=what, reason="bad", actor="ada"))


def a_log(seed: int = 3, iterations: int = 2) -> FakeLog:
    return FakeLog(history(random.Random(seed), RUN, iterations=iterations))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 200), iterations=st.integers(1, 3))
def test_the_story_of_the_adapters_agrees_with_the_state_of_the_run(seed: int, iterations: int) -> None:
    log = a_log(seed, iterations)
    story, state = adapters.tell(log.read(run=RUN)), state_at(log, RUN)  # type: ignore[arg-type]
    assert {n: a.outcome for n, a in story.adapters.items()} == {n: a.outcome for n, a in state.adapters.items()}
    assert {n for n, a in story.adapters.items() if a.tainted_by} == {n for n, a in state.adapters.items() if a.tainted}
    serving = [name for name, adapter in story.adapters.items() if adapter.serving == "now"]
    assert serving == [name for name in state.serving.values() if name]
    assert story == adapters.tell(log.read(run=RUN, types=adapters.TYPES)), "TYPES names all that it reads"
    with tables_of(log) as tables:
        assert story == adapters.told(log, tables, RUN), "the tables know where they are"  # type: ignore[arg-type]


def test_the_lineage_of_an_adapter_of_a_fork_says_which_code_and_seed_it_is_of(tmp_path: Path) -> None:
    events = history(random.Random(3), RUN)
    started = events[0].event
    assert isinstance(started, ev.RunStarted)
    shared = started.model_dump(exclude={"type", "version"})
    forked = ev.RunForked.model_validate({**shared, "parent": "p", "position": 1})
    log: Any = FakeLog([NewEvent(events[0].stream, forked), *events[1:]])
    with tables_of(log) as tables:
        found = lineage_of_adapter(log, tables, tmp_path, RUN, "student-1")
    assert (found["code_version"], found["seed"]) == (forked.code_version, forked.seed)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 200))
def test_trajectories_of_a_task_are_all_that_the_log_has_of_it(seed: int) -> None:
    log = a_log(seed)
    events = [r.event for r in log.read(run=RUN)]
    with tables_of(log) as tables:
        for number in ("1", "2"):
            found = trajectories.collect(tables, RUN, {number})
            begun = [
                e.attempt for e in events if isinstance(e, ev.AttemptStarted) and e.attempt.startswith(f"{number}/")
            ]
            assert list(found.attempts) == begun
            calls = {e.call for e in events if isinstance(e, ev.ToolRequested) and e.attempt in begun}
            assert {call["call"] for a in found.attempts.values() for call in a["calls"]} == calls
            answers = {e.attempt: e.solution.answer for e in events if isinstance(e, ev.SolutionSubmitted)}
            assert {name: a["answer"] for name, a in found.attempts.items()} == {n: answers.get(n) for n in begun}
            asked = {
                str(e.task): (e.proposal.domain, e.iteration)
                for e in events
                if isinstance(e, ev.TaskProposed) and str(e.task) == number
            }
            assert {task: (row["domain"], row["iteration"]) for task, row in found.tasks.items()} == asked
            named = trajectories.collect(tables, RUN, set(begun))
            assert named.attempts == found.attempts, "an attempt's name leads to the same as its task's"


def test_a_call_that_was_cut_off_is_unknown_in_the_lineage() -> None:
    log = a_log()
    log.append(attempt(random.Random(1), RUN, "1/7", 1, True, None)[:3])
    with tables_of(log) as tables:
        found = lineage_of_task(log, tables, RUN, "1")  # type: ignore[arg-type]
    [cut_off] = [a for a in found["attempts"] if a["attempt"] == "1/7"]
    assert [(call["status"], call["output"]) for call in cut_off["calls"]] == [("unknown", None)]


def test_a_name_that_the_run_has_not_is_an_error_that_says_which_there_are(tmp_path: Path) -> None:
    log: Any = a_log()
    with tables_of(log) as tables:
        with pytest.raises(UnknownName, match="student-2, student-1"):
            lineage_of_adapter(log, tables, tmp_path, RUN, "student-7")
        for number in ("99", "9" * 30, "01"):
            with pytest.raises(UnknownName, match=f"no task {number}"):
                lineage_of_task(log, tables, RUN, number)


def test_files_that_a_log_from_elsewhere_names_oddly_are_looked_for_and_no_more(tmp_path: Path) -> None:
    log: Any = FakeLog()
    for event in history(random.Random(3), RUN):
        if isinstance(event.event, ev.AdapterTrained):
            event = NewEvent(event.stream, event.event.model_copy(update={"path": "/nowhere/a\0b"}))
        log.append([event])
    with tables_of(log) as tables:
        checks = lineage_of_adapter(log, tables, tmp_path, RUN, "student-1")["files"]
    assert [check["verdict"] for check in checks] == ["missing", "unreadable", "unreadable"]


def test_a_retraction_taints_the_datasets_that_hold_it() -> None:
    log = a_log()
    log.append([retracted("2/1")])
    story = adapters.tell(log.read(run=RUN))
    assert [(row["adapter"], row["holds"]) for row in tainted(story, "2/1")] == [
        ("student-1", ["2/1"]),
        ("student-2", ["2/1"]),
    ]
    assert tainted(story, "3") == []


def test_what_is_retracted_must_be_there_and_not_be_retracted_yet() -> None:
    log = a_log()  # task 1 is retracted at its end
    names = [r.event.attempt for r in log.read(run=RUN) if isinstance(r.event, ev.AttemptStarted)]
    second = next(name for name in names if name[0].isdigit() and not name.startswith("1/"))
    task = second.partition("/")[0]
    assert retract(second, "why", "ada", RUN, log.read(run=RUN)) == ev.Retracted(what=second, reason="why", actor="ada")
    assert retract(task, "why", "ada", RUN, log.read(run=RUN)).what == task
    first = next(name for name in names if name.startswith("1/"))
    for what in ("1", first):
        with pytest.raises(RetractionError, match="is retracted already: 1 by 'somebody' at 20"):
            retract(what, "why", "ada", RUN, log.read(run=RUN))
    for what in ("0", "01", "1/99", "eval/student-1/17", "", "2/"):
        with pytest.raises(UnknownName):
            retract(what, "why", "ada", RUN, log.read(run=RUN))


def completed(serving: str | None = None, **changes: Adapter) -> RunState:
    named = {name.replace("_", "-"): adapter for name, adapter in changes.items()}
    if serving is not None:
        named[serving] = replace(named[serving], serving="now")
    return RunState(status="completed", adapters=named)


def an_adapter(iteration: int, *, tainted: bool = False, outcome: Outcome = "rejected") -> Adapter:
    made = ev.AdapterTrained(
        adapter="x",
        role="student",
        iteration=iteration,
        path="p",
        files={"adapter/adapter_model.safetensors": "a", "merged.gguf": "m"},
        steps=1,
        loss=(1.0,),
    )
    trained = None if outcome in ("failed", "training") else made
    return Adapter("student", iteration, trained=trained, outcome=outcome, tainted_by=("1",) if tainted else ())


def test_the_tainted_adapter_that_serves_is_rebuilt_first_then_the_latest() -> None:
    one, two, three = (an_adapter(n, tainted=True) for n in (1, 2, 3))
    state = completed("student-1", student_1=one, student_2=two, student_3=three)
    assert plan_rebuild(state, RUN, None) == ("student-1", "student", 1, "student-1-clean")
    state = completed("student-1-clean", student_1=one, student_2=two, student_3=three, student_1_clean=an_adapter(1))
    assert plan_rebuild(state, RUN, "mine") == ("student-3", "student", 3, "mine")


def test_a_rebuild_that_is_tainted_or_failed_itself_does_not_count() -> None:
    for useless in (an_adapter(1, tainted=True), an_adapter(1, outcome="failed")):
        state = completed(student_1=an_adapter(1, tainted=True), student_1_clean=useless)
        assert plan_rebuild(state, RUN, None).adapter == "student-1-clean-2"


def test_another_adapter_that_was_asked_for_is_no_rebuild() -> None:
    """Both are of the same practice: one by `agent0es train --method dpo`, the other in place of the tainted one."""

    def asked(name: str, replaces: str | None, **made: bool) -> Adapter:
        wanted = ev.TrainingRequested(adapter=name, role="student", iteration=1, replaces=replaces, settings={})
        return replace(an_adapter(1, **made), requested=wanted)

    tainted_one, other = an_adapter(1, tainted=True), asked("student-1-dpo", None)
    assert plan_rebuild(completed(student_1=tainted_one, student_1_dpo=other), RUN, None).original == "student-1"
    of_other = completed(student_1=an_adapter(1), student_1_dpo=asked("student-1-dpo", None, tainted=True))
    assert plan_rebuild(of_other, RUN, None).original == "student-1-dpo"
    done = completed(student_1=tainted_one, student_1_dpo=other, student_1_clean=asked("student-1-clean", "student-1"))
    with pytest.raises(RetractionError, match="no adapter to rebuild"):
        plan_rebuild(done, RUN, None)


def test_a_task_reached_the_adapters_that_go_on_from_one_that_learnt_it() -> None:
    log: Any = FakeLog()
    for event in history(random.Random(3), RUN, iterations=2):
        if isinstance(event.event, ev.DatasetBuilt) and event.event.adapter == "student-2":
            later = {"start": "student-1", "sources": (), "method": "grpo"}
            event = NewEvent(event.stream, event.event.model_copy(update=later))
        log.append([event])
    with tables_of(log) as tables:
        reached = lineage_of_task(log, tables, RUN, "2")["adapters"]
    assert [(row["adapter"], row["holds"]) for row in reached] == [("student-1", ["2/1"]), ("student-2", [])]
    assert reached[1]["dataset"]["start"] == "student-1"


def test_there_is_nothing_to_rebuild_in_a_run_that_goes_on_or_is_clean() -> None:
    going_on = RunState(status="running", adapters={"student-1": an_adapter(1, tainted=True)})
    with pytest.raises(TrainingRefused, match="is not completed"):
        plan_rebuild(going_on, RUN, None)
    clean = completed(student_1=an_adapter(1), student_2=an_adapter(2, tainted=True, outcome="failed"))
    with pytest.raises(RetractionError, match="no adapter to rebuild"):
        plan_rebuild(clean, RUN, None)


def test_a_rebuild_without_an_outcome_is_unfinished() -> None:
    begun = an_adapter(1, outcome="training")
    assert unfinished(completed(student_1=an_adapter(1), student_1_clean=begun)) == ["student-1-clean"]
    assert unfinished(RunState(status="running", adapters={"student-1": begun})) == []

"""Trajectories: the records that others train on."""

import random

from agent0es.domain import events as ev
from agent0es.log import History
from agent0es.log.records import NewEvent
from agent0es.projections.trajectories import trajectories
from tests.unit.projections import history as make
from tests.unit.projections.fake_log import FakeLog


def test_a_rewarded_attempt_becomes_a_record_with_all_of_its_parts() -> None:
    rng = random.Random(1)
    components = {"correctness": 1.0, "novelty": 0.25}
    rewarded = ev.RewardAssigned(role="student", task=1, attempt="1/1", components=components, total=0.45)
    log = FakeLog(
        [
            NewEvent("run/r", ev.RunStarted(seed=7, configuration={}, code_version="0", weights={})),
            NewEvent("task/r/1", make.proposed(rng, 1, 1, "gcd", 1)),
            *make.attempt(rng, "r", "1/1", 1, True, None),
            NewEvent("task/r/1", rewarded),
        ]
    )
    [record] = trajectories(History.of(log, "r"))

    assert record["run"] == "r"
    assert record["attempt"] == "1/1"
    assert record["adapter"] is None
    assert record["task"].keys() == {"id", "domain", "description", "difficulty", "created_at", "metadata"}
    assert record["task"]["id"] == record["solution"]["task_id"] == "r/1"
    [call] = record["solution"]["tool_calls"]
    assert call["tool"] == "python"
    assert call["status"] == "ok"
    assert call["execution_time"] == 0.125
    steps = record["solution"]["reasoning"].split("\n")
    assert steps[0].startswith("Action: python[")
    assert f"Observation: {call['output'].strip()}" in steps
    assert steps[-1] == f"Answer: {record['solution']['answer']}"
    assert record["verification"].keys() >= {"correct", "score", "confidence", "explanation", "method"}
    assert record["rewards"] == {"correctness": 1.0, "novelty": 0.25, "total": 0.45}
    assert record["timestamp"] > record["task"]["created_at"]
    assert record["solution"]["execution_time"] > 0


def test_there_is_one_record_for_each_student_reward_and_none_for_what_was_cut_off() -> None:
    events = make.history(random.Random(3), "r", iterations=2, tasks=6)
    other = make.history(random.Random(4), "other")
    log = FakeLog(make.interleave(random.Random(0), [events, other]))
    rewarded = [
        e.event.attempt
        for e in events
        if e.event.type == "RewardAssigned" and e.event.role == "student" and e.event.task != 1  # which is retracted
    ]
    abandoned = {e.event.attempt for e in events if e.event.type == "AttemptAbandoned"}

    records = list(trajectories(History.of(log, "r")))

    assert abandoned
    assert [record["attempt"] for record in records] == rewarded
    assert abandoned.isdisjoint(rewarded)
    assert not any("eval" in record["attempt"] for record in records)


def test_what_is_retracted_is_left_out_or_marked() -> None:
    events = make.history(random.Random(1), "r", tasks=4)  # retracts task 1
    log = FakeLog([*events, NewEvent("run/r", ev.Retracted(what="2/2", reason="lucky", actor="me"))])
    history = History.of(log, "r")

    everything = {record["attempt"]: record["retracted"] for record in trajectories(history, include_retracted=True)}

    assert {"1/1", "2/2", "4/2"} < everything.keys()
    assert [name for name, retracted in everything.items() if retracted] == [
        name for name in everything if name.startswith("1/") or name == "2/2"
    ]
    assert {record["attempt"]: record["retracted"] for record in trajectories(history)} == {
        name: False for name, retracted in everything.items() if not retracted
    }


def test_a_fork_has_the_attempts_of_its_past_and_of_tasks_that_it_took_over() -> None:
    rng = random.Random(3)
    rewarded = [
        NewEvent(
            f"task/{run}/1",
            ev.RewardAssigned(role="student", task=1, attempt=attempt, components={"correctness": 1.0}, total=1.0),
        )
        for run, attempt in (("r", "1/1"), ("fork", "1/2"))
    ]
    log = FakeLog(
        [
            NewEvent("run/r", ev.RunStarted(seed=7, configuration={}, code_version="0", weights={})),
            NewEvent("task/r/1", make.proposed(rng, 1, 1, "gcd", 2)),
            *make.attempt(rng, "r", "1/1", 1, True, None),
            rewarded[0],
        ]
    )
    started = {
        "parent": "r",
        "position": log.head(),
        "seed": 7,
        "configuration": {},
        "code_version": "0",
        "weights": {},
    }
    log.append([NewEvent("run/fork", ev.RunForked.model_validate(started))])
    log.append([*make.attempt(rng, "fork", "1/2", 1, True, None), rewarded[1]])

    found = [(r["run"], r["attempt"], r["task"]["description"]) for r in trajectories(History.of(log, "fork"))]

    [proposed] = [r.event for r in log.recorded if isinstance(r.event, ev.TaskProposed)]
    assert found == [(run, name, proposed.proposal.description) for run, name in (("r", "1/1"), ("fork", "1/2"))]

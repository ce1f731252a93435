"""Two runs side by side: the tables come to what the events say, one by one."""

import random
from typing import Any

import pytest

from agent0es.domain import events as ev
from agent0es.domain.adapter import Adapters, follow
from agent0es.history.comparison import parting, summary
from agent0es.log import EventLog, NewEvent
from agent0es.projections import Projections
from agent0es.projections.moment import FIRST
from tests.unit.projections.fake_log import FakeLog
from tests.unit.projections.history import history, interleave

SECONDS = {ev.ModelCalled: ("model", "seconds"), ev.ToolCalled: ("tool", "wall_seconds")}


@pytest.mark.parametrize("seed", range(3))
def test_a_summary_counts_what_the_events_say(seed: int) -> None:
    rng = random.Random(seed)
    log: Any = FakeLog(interleave(rng, [history(rng, f"run-{n}", iterations=2, tasks=4) for n in range(2)]))
    with Projections.open(log) as tables:
        tables.catch_up()
        found = summary(log, tables, "run-0")
    adapters: Adapters = {}
    counted: dict[int, dict[str, float]] = {}
    rewards: dict[int, list[float]] = {}
    seconds = {"model": 0.0, "tool": 0.0}
    now = 0
    for one in log.read(run="run-0"):
        adapters = follow(adapters, one.event)
        if (kind := SECONDS.get(type(one.event))) is not None:
            seconds[kind[0]] += one.meta.measured.get(kind[1], 0.0)
        match one.event:
            case ev.IterationStarted(iteration=now):
                counted[now], rewards[now] = {"tasks": 0, "solved": 0, "given_up": 0}, []
            case ev.TaskCompleted(solved=solved):
                counted[now]["tasks"] += 1
                counted[now]["solved"] += solved
            case ev.ProposalRejected(tries_left=0):
                counted[now]["given_up"] += 1
            case ev.RewardAssigned(role="student", total=total):
                rewards[now].append(total)
    assert [
        (row["iteration"], {key: row[key] for key in ("tasks", "solved", "given_up")}) for row in found["iterations"]
    ] == [*counted.items()]
    for row in found["iterations"]:
        given = rewards[row["iteration"]]
        assert row["student_reward"] == (pytest.approx(sum(given) / len(given), abs=1e-6) if given else None)
        assert sum(family["tasks"] for family in row["families"].values()) == row["tasks"]
    assert [(row["adapter"], row["outcome"]) for row in found["adapters"]] == [
        (n, a.outcome) for n, a in adapters.items()
    ]
    assert {kind: found["cost"]["seconds"][kind] for kind in seconds} == pytest.approx(seconds, abs=1e-3)


def test_a_fork_has_what_its_parent_did_before_and_of_a_reward_the_later_one() -> None:
    rng = random.Random(1)
    events = history(rng, "run", tasks=3)
    at = next(n for n, new in enumerate(events, 1) if isinstance(new.event, ev.RewardAssigned))
    first = events[at - 1].event
    started = events[0].event
    assert isinstance(first, ev.RewardAssigned) and isinstance(started, ev.RunStarted)
    shared = started.model_dump(exclude={"type", "version"})
    log: Any = FakeLog(events)
    log.append([NewEvent("run/fork", ev.RunForked.model_validate({**shared, "parent": "run", "position": at}))])
    log.append([NewEvent(f"task/fork/{first.task}", first.model_copy(update={"total": 9.0}))])
    with Projections.open(log) as tables:
        tables.catch_up()
        found, parted = summary(log, tables, "fork"), parting(log, tables, "run", "fork")
    [row] = found["iterations"]
    assert row[f"{first.role}_reward"] == 9.0
    assert found["events"] == at + 2
    assert parted["shared_until"] == at
    assert parted["positions"] == [at + 1, len(events) + 1] and parted["types"][1] == "RunForked"


@pytest.mark.parametrize("same", [3, FIRST + 7])
def test_runs_part_at_the_first_event_that_is_not_the_same(same: int) -> None:
    with EventLog.open(":memory:") as log:
        for run, last in (("one", 1), ("two", 2)):
            begun = [ev.IterationStarted(iteration=n) for n in range(1, same + 1)]
            log.append(
                [
                    NewEvent(f"run/{run}", event)
                    for event in (begin(), *begun, ev.IterationStarted(iteration=1000 + last))
                ],
                handler="test",
            )
        with Projections.open(log) as tables:
            tables.catch_up()
            assert parting(log, tables, "one", "two")["positions"] == [same + 2, 2 * same + 4]
            assert parting(log, tables, "one", "one")["positions"] == [None, None]


def test_of_runs_that_differ_in_length_one_has_nothing() -> None:
    with EventLog.open(":memory:") as log:
        for run, count in (("one", 1), ("two", 2)):
            begun = [ev.IterationStarted(iteration=n) for n in range(1, count + 1)]
            log.append([NewEvent(f"run/{run}", event) for event in (begin(), *begun)], handler="test")
        with Projections.open(log) as tables:
            tables.catch_up()
            assert parting(log, tables, "one", "two")["positions"] == [None, 5]


def begin() -> ev.RunStarted:
    return ev.RunStarted(seed=0, configuration={}, code_version="1", weights={})

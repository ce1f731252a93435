"""Given these events, and what was looked up, these alerts are raised and those are over."""

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent0es.configuration import AlertRule, AlertRules, RecentRule
from agent0es.decisions.alerts import Observed, Seen, decide, evolve
from agent0es.domain import events as ev
from tests.unit.history.test_log_lines import made, verified

RUN = "r"
RULES = AlertRules(
    failure_rate=RecentRule(above=0.5, clear=0.25, last=4), timeouts=RecentRule(above=0.25, clear=0.0, last=4)
)
Told = list[tuple[str, str | None, str, bool]]
"""Rule, run, subject, and whether the alert is raised or over."""


class Story:
    """What happens, a second after the other, and what somebody is told."""

    def __init__(self, rules: AlertRules = RULES) -> None:
        self.rules, self.seen, self.time = rules, Seen(), 1_769_860_800.0  # 31 January 2026, noon UTC

    def happens(self, *events: ev.Event, run: str = RUN, **observed: Any) -> Told:
        for event in events:
            self.time += 1.0
            self.seen = evolve(self.seen, event, run, self.time, self.rules)
        told = decide(self.seen, Observed(self.time, **observed), self.rules)
        for alert in told:
            self.seen = evolve(self.seen, alert, "alerts", self.time, self.rules)
        return [(one.rule, one.run, one.subject, isinstance(one, ev.AlertRaised)) for one in told]


def attempts(*right: bool) -> Iterable[ev.Event]:
    return [verified(correct).model_copy(update={"attempt": f"{n}/0", "task": n}) for n, correct in enumerate(right, 1)]


def calls(*statuses: str) -> Iterable[ev.Event]:
    return [made("ToolCalled", call=f"1/0#{n}", status=status) for n, status in enumerate(statuses, 1)]


def test_failures_of_more_than_a_half_are_told_once_until_they_are_well_below() -> None:
    story = Story()
    assert story.happens(*attempts(False, False, False)) == []  # too few to say
    assert story.happens(*attempts(True)) == [("failure_rate", RUN, "attempts", True)]
    assert story.happens(*attempts(False)) == []  # it is known
    assert story.happens(*attempts(True, False)) == []  # one half: below the limit, and not yet clear
    assert story.happens(*attempts(True, True)) == [("failure_rate", RUN, "attempts", False)]


def test_half_of_the_attempts_may_fail() -> None:
    assert Story().happens(*attempts(True, False, True, False)) == []


def test_held_out_problems_and_verifiers_calls_are_not_counted() -> None:
    held_out = [verified(False).model_copy(update={"attempt": "eval/cot/1", "task": None})] * 9
    assert Story().happens(*held_out, *[made("ToolCalled", call="1/0#v", status="timeout")] * 9) == []


def test_calls_that_run_out_of_time_or_memory() -> None:
    story = Story()
    assert story.happens(*calls("ok", "timeout", "limit", "ok")) == [("timeouts", RUN, "tool calls", True)]
    assert story.happens(*calls("ok", "ok", "denied", "error")) == [("timeouts", RUN, "tool calls", False)]


def test_a_training_that_goes_on_with_less_memory() -> None:
    story = Story()
    assert story.happens(made("MicroBatchHalved")) == [("out_of_memory", RUN, "training", True)]
    story.time += 3600
    assert story.happens(made("TrainingProgressed")) == [("out_of_memory", RUN, "training", False)]


ENDED = "ModelOutOfMemory: smollm2: the engine: out of memory (std::bad_alloc)"


@pytest.mark.parametrize(
    ("event", "told"),
    [
        (made("Retried", error=ENDED), True),
        (made("AttemptAbandoned", reason=ENDED), True),
        (made("HandlerFailed", error=ENDED, task=3), True),
        (made("Retried", error=f"GenerationFailed: it said {ENDED}"), False),
        (made("AttemptAbandoned", reason="the run was interrupted"), False),
    ],
)
def test_a_model_whose_engine_ran_out_of_memory(event: ev.Event, told: bool) -> None:
    story = Story()
    assert story.happens(event) == ([("out_of_memory", RUN, "models", True)] if told else [])
    story.time += 3600
    assert story.happens(made("TrainingProgressed")) == ([("out_of_memory", RUN, "models", False)] if told else [])


def test_rewards_that_fall() -> None:
    def iteration(*rewards: float) -> list[ev.Event]:
        given = [made("RewardAssigned", role="student", attempt="1/0", total=total) for total in rewards]
        teachers = made("RewardAssigned", role="teacher", attempt=None, total=9.0)
        return [*given, teachers, made("IterationCompleted")]

    story = Story()
    assert story.happens(*iteration(0.4, 0.6)) == []
    assert story.happens(*iteration(0.47)) == []
    assert story.happens(*iteration(0.44)) == [("reward_decline", RUN, "attempts", True)]
    assert story.happens(*iteration(0.6)) == [("reward_decline", RUN, "attempts", False)]


def test_what_the_guard_says_is_passed_on_until_it_does_not_say_so_again() -> None:
    story = Story()
    alarm = made("AlarmRaised", kind="held_out", value=0.3, reference=0.5, message="student-2 solves less")
    assert story.happens(made("PracticeMeasured"), alarm) == [("guard", RUN, "held_out", True)]
    assert story.happens(made("IterationStarted"), made("PracticeMeasured"), alarm) == []
    assert story.happens(made("PracticeMeasured")) == [("guard", RUN, "held_out", False)]


def test_an_error_that_stops_a_run_and_a_run_that_goes_on() -> None:
    story = Story()
    dropped, stopped = made("HandlerFailed", task=3), made("HandlerFailed", task=None)
    assert story.happens(dropped) == []
    assert story.happens(stopped) == [("run_failed", RUN, "run", True)]
    assert story.happens(made("RewardAssigned")) == [("run_failed", RUN, "run", False)]


def test_a_run_in_which_nothing_happens() -> None:
    story = Story()
    assert story.happens(made("RunStarted"), driven=frozenset({RUN})) == []
    story.time += 1801
    assert story.happens(driven=frozenset()) == []  # nobody drives it: it is interrupted, and that is no fault
    assert story.happens(driven=frozenset({RUN}), since=story.time - 5) == []  # it was resumed just now
    assert story.happens(driven=frozenset({RUN})) == [("no_progress", RUN, "run", True)]
    assert story.happens(made("RewardAssigned"), driven=frozenset({RUN})) == [("no_progress", RUN, "run", False)]


def test_what_the_router_spends_in_a_day() -> None:
    story = Story(AlertRules(cost=AlertRule(above=1.0, clear=0.0)))

    def reserved(name: str, budget: str = "2026-01-31") -> ev.Event:
        return made("CostReserved", budget=budget, reservation=name, most_usd=0.8)

    def settled(name: str, cost: float | None) -> ev.Event:
        return made("CostSettled", budget="2026-01-31", reservation=name, cost_usd=cost)

    assert story.happens(reserved("a"), reserved("a", "run-x"), settled("a", 0.1), run="routes") == []
    assert story.happens(reserved("b"), settled("b", None), run="routes") == []
    assert story.happens(reserved("c"), run="routes") == [("cost", None, "router", True)]  # until it is settled
    story.time += 86_400
    assert story.happens() == [("cost", None, "router", False)]


def test_jobs_the_disk_and_the_chain() -> None:
    story = Story()
    failed, done = (made("JobFinished", schedule="nightly", outcome=one) for one in ("failed", "succeeded"))
    assert story.happens(failed, run="schedules") == [("job_failed", None, "nightly", True)]
    assert story.happens(failed, run="schedules") == []
    assert story.happens(done, run="schedules") == [("job_failed", None, "nightly", False)]
    assert story.happens(disk_used=0.96) == [("disk_full", None, "disk", True)]
    assert story.happens(disk_used=0.93) == []
    assert story.happens(disk_used=0.9) == [("disk_full", None, "disk", False)]
    assert story.happens(altered="event 3 is not what was written") == [("chain_broken", None, "log", True)]
    assert story.happens() == []  # nobody looked
    assert story.happens(altered="") == [("chain_broken", None, "log", False)]


def test_an_alert_about_a_run_is_over_when_the_run_is_completed() -> None:
    story = Story()
    story.happens(*attempts(False, False, False, False))
    assert story.happens(made("RunCompleted")) == [("failure_rate", RUN, "attempts", False)]
    assert story.happens() == []


def test_a_rule_without_a_limit_is_off_and_ends_what_it_said() -> None:
    story = Story()
    story.happens(disk_used=0.99)
    story.rules = AlertRules(disk_full=AlertRule(above=None, clear=0.0))
    assert story.happens(disk_used=0.99) == [("disk_full", None, "disk", False)]
    assert story.happens(disk_used=0.99) == []


def test_runs_are_told_apart() -> None:
    story = Story()
    assert story.happens(*attempts(False, False, False, False), run="a") == [("failure_rate", "a", "attempts", True)]
    assert story.happens(*attempts(True, True, True, True), run="b") == []


@given(st.lists(st.floats(0.0, 1.0), max_size=40))
def test_what_is_raised_is_cleared_before_it_is_raised_again(used: list[float]) -> None:
    story, active = Story(), False
    for value in used:
        told = story.happens(disk_used=value)
        assert len(told) <= 1
        if told:
            raised = told[0][3]
            assert raised is not active, "raised and cleared take turns"
            assert value > RULES.disk_full.above if raised else value <= RULES.disk_full.clear  # type: ignore[operator]
            active = raised
        elif active:
            assert value > RULES.disk_full.clear
        else:
            assert value <= RULES.disk_full.above  # type: ignore[operator]


def test_a_rule_that_would_flutter_is_refused() -> None:
    with pytest.raises(ValueError, match="clear must not be more than above"):
        AlertRule(above=0.1, clear=0.2)

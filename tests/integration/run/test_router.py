"""The router, from a question to an answer: who is asked, what is paid, what is kept, and what happens to faults."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent0es.domain import events as ev
from agent0es.history.routes import verify_routes
from agent0es.log import EventLog, NewEvent
from agent0es.models.base import GenerationFailed, ModelUnavailable
from agent0es.rollouts.routing import NobodyAnswered
from agent0es.router.memory import MEMORY_FILE
from tests.support.routing import Counted, asked, posed, router, types

RIGHT, WRONG = "12 * 34", "12 + 34"
UNSURE = (RIGHT, "1", "2", "3", "4", "5", "6", "7")


@pytest.fixture
def log(tmp_path: Path) -> Iterator[EventLog]:
    """A log of which, in the end, every decision follows from the events before it."""
    with EventLog.open(tmp_path / "log.db") as opened:
        yield opened
        report = asyncio.run(verify_routes(opened))
        assert report.difference is None, report.difference
        assert report.checked.get("choices", 0) == sum(1 for _ in opened.read(types=["RouteDecided"]))


def test_drafts_that_agree_are_the_answer_and_nobody_else_is_asked(tmp_path: Path, log: EventLog) -> None:
    local, cloud = Counted(RIGHT, name="small"), Counted(WRONG, name="large")
    [answer] = asked(router(tmp_path, log, local, cloud), posed())
    assert (answer.answer, answer.candidate, answer.model, answer.cost_usd) == ("408", "local", "small", 0.0)
    assert answer.confidence > 0.7 and answer.basis == "prior"
    assert (local.requests, cloud.requests) == (6, 0)  # three drafts of two turns, and none again
    assert types(log) == ["RouteAsked", "RouteDecided", "RouteDecided", "RouteAnswered"]
    assert log.runs() == [] and log.evaluations() == []
    calls = [one.event.call for one in log.read(run="routes") if isinstance(one.event, ev.ToolCalled)]
    assert f"{answer.attempt}#1" in calls


def test_drafts_that_do_not_agree_go_to_the_cloud_which_is_paid_once(tmp_path: Path, log: EventLog) -> None:
    local, cloud = Counted(*UNSURE, name="small"), Counted(RIGHT, name="large")
    ask = router(tmp_path, log, local, cloud)
    first, second = asked(ask, posed(), posed("  What is 12  times 34? "))
    assert (first.candidate, first.model, cloud.requests) == ("cloud", "large", 2)
    reserved = [one.event for one in log.read(types=["CostReserved"])]
    settled = [one.event for one in log.read(types=["CostSettled"])]
    assert len(reserved) == len(settled) == 2
    assert first.cost_usd == pytest.approx(sum(one.cost_usd for one in settled)) and first.cost_usd > 0
    assert all(one.most_usd >= paid.cost_usd for one, paid in zip(reserved, settled, strict=True))
    assert (second.cached, second.answer, second.cost_usd, cloud.requests) == (first.route, "408", 0.0, 2)


def test_an_answer_is_judged_where_the_right_one_is_known_and_the_next_prediction_knows(
    tmp_path: Path, log: EventLog
) -> None:
    ask = router(tmp_path, log, Counted(WRONG, name="small"), None, "signals={agreement: 1.0}")
    questions = [posed(f"What is 12 times 34? ({n})", "408") for n in range(11)]
    answers = asked(ask, *questions)
    assert [one.verdict for one in answers] == [False] * 11
    assert [one.basis for one in answers] == ["prior"] * 10 + ["history"]
    assert answers[0].confidence > 0.7 > answers[-1].confidence, (
        "a verdict on its own answer must not tell how sure it is"
    )
    asked(router(tmp_path, log, Counted(WRONG, name="small"), None, "signals={neighbours: 1.0}"), posed())
    last = [one.event for one in log.read(types=["RouteDecided"])][-1]
    assert isinstance(last, ev.RouteDecided) and [one.correct for one in last.neighbours] == [False] * 8


FAULTS = {
    "local down": (GenerationFailed("engine gone"), None, "cloud"),
    "cloud down": (None, ModelUnavailable("no route to host"), "local"),
    "both down": (GenerationFailed("engine gone"), ModelUnavailable("no route to host"), None),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_ends_in_an_answer_by_the_other_or_in_one_line(fault: str, tmp_path: Path, log: EventLog) -> None:
    here, there, who = FAULTS[fault]
    local, cloud = Counted(*UNSURE, name="small", down=here), Counted(RIGHT, name="large", down=there)
    [found] = asked(router(tmp_path, log, local, cloud), posed())
    if who is not None:
        assert (found.answer, found.candidate) == ("408", who)
        return
    assert isinstance(found, NobodyAnswered)
    assert str(found) == "nobody could answer: local: engine gone; cloud: no route to host"
    assert types(log)[-1] == "RouteFailed"


def test_a_model_that_is_too_slow_is_not_waited_for(tmp_path: Path, log: EventLog) -> None:
    local, cloud = Counted(RIGHT, name="small", delay_seconds=60.0), Counted(RIGHT, name="large")
    [found] = asked(router(tmp_path, log, local, cloud, "timeout_seconds=2"), posed())
    assert (found.answer, found.candidate) == ("408", "cloud")


def test_a_fallback_of_an_unsure_model_is_not_kept_for_when_the_better_one_is_back(
    tmp_path: Path, log: EventLog
) -> None:
    local, cloud = Counted(*UNSURE, name="small"), Counted(RIGHT, name="large", down=ModelUnavailable("gone"))
    ask = router(tmp_path, log, local, cloud)
    [first] = asked(ask, posed())
    cloud.down = None
    [second] = asked(ask, posed())
    assert (first.candidate, second.candidate, second.cached) == ("local", "cloud", None)


def test_what_might_pass_the_budget_is_not_asked(tmp_path: Path, log: EventLog) -> None:
    local, cloud = Counted(*UNSURE, name="small"), Counted(RIGHT, name="large")
    [found] = asked(router(tmp_path, log, local, cloud, "budget.per_request=0.001"), posed())
    assert (found.candidate, found.cost_usd, cloud.requests) == ("local", 0.0, 0)
    decided = [one.event for one in log.read(types=["RouteDecided"])][-1]
    assert isinstance(decided, ev.RouteDecided) and decided.reason == "fallback"
    assert "router.budget.per_request" in (decided.candidates[1].unavailable or "")


def test_a_price_that_nobody_knows_is_refused_under_a_budget_and_said_without_one(
    tmp_path: Path, log: EventLog
) -> None:
    local, cloud = Counted(*UNSURE, name="small"), Counted(RIGHT, name="large")
    [found] = asked(router(tmp_path, log, local, cloud, "budget.per_day=5", price=None), posed())
    assert (found.candidate, cloud.requests) == ("local", 0)
    [found] = asked(router(tmp_path, log, local, cloud, price=None), posed())
    assert (found.candidate, found.cost_usd) == ("cloud", None)


def test_a_bound_on_the_mean_cost_sends_no_more_to_the_cloud_than_earlier_questions_allow(
    tmp_path: Path, log: EventLog
) -> None:
    local, cloud = Counted(*UNSURE, name="small"), Counted(RIGHT, name="large")
    bound = ("budget.per_request=0.02", "mean_cost=0.002", "drafts=2", "confidence_threshold=1.0")
    ask = router(tmp_path, log, local, cloud, *bound)
    [before] = asked(ask, posed("first?"))
    assert (before.candidate, cloud.requests) == ("local", 0)
    both = ("budget.per_request=0.02", "drafts=2", "compare=true")
    asked(router(tmp_path, log, local, cloud, *both), *(posed(f"one {number}?") for number in range(9)))
    [now] = asked(ask, posed("now?"))  # it takes ten questions to know that one of 0.02 may be asked
    assert now.candidate == "cloud" and now.cost_usd <= 0.002
    decided = [one.event for one in log.read(types=["RouteDecided"]) if isinstance(one.event, ev.RouteDecided)]
    assert (decided[0].threshold, decided[-1].threshold) == (0.0, 1.0)


def test_a_cache_that_was_deleted_is_made_again(tmp_path: Path, log: EventLog) -> None:
    local = Counted(RIGHT, name="small")
    ask = router(tmp_path, log, local)
    [first] = asked(ask, posed())
    (tmp_path / MEMORY_FILE).unlink()
    [second] = asked(ask, posed())
    (tmp_path / MEMORY_FILE).write_bytes(b"no database")
    [third] = asked(router(tmp_path, log, local), posed())
    assert second.cached == third.cached == first.route and local.requests == 6


def test_the_answers_used_last_are_kept(tmp_path: Path, log: EventLog) -> None:
    local = Counted(RIGHT, name="small")
    ask = router(tmp_path, log, local, None, "cache_size=2")
    one, two, three = (posed(f"What is 12 times 34? {name}") for name in ("one", "two", "three"))
    answers = asked(ask, one, two, one, three, one, two)
    assert [answer.cached is not None for answer in answers] == [False, False, True, False, True, False]
    (tmp_path / MEMORY_FILE).unlink()
    assert [answer.cached is not None for answer in asked(router(tmp_path, log, local, None, "cache_size=2"), two)] == [
        True
    ]


def test_who_asks_the_same_at_the_same_time_waits_for_the_answer(tmp_path: Path, log: EventLog) -> None:
    cloud = Counted(RIGHT, name="large")
    ask = router(tmp_path, log, Counted(*UNSURE, name="small"), cloud)

    async def at_once() -> list[str | None]:
        return [(one.event.cached) for one in await asyncio.gather(*(ask.answer(posed()) for _ in range(5)))]

    found = asyncio.run(at_once())
    assert found.count(None) == 1 and cloud.requests == 2


def test_without_a_cache_each_answer_is_made_anew_also_at_the_same_time(tmp_path: Path, log: EventLog) -> None:
    local = Counted(RIGHT, name="small")
    ask = router(tmp_path, log, local, None, "cache_size=0")

    async def at_once() -> list[str]:
        return [one.event.attempt for one in await asyncio.gather(*(ask.answer(posed()) for _ in range(3)))]

    assert len(set(asyncio.run(at_once()))) == 3 and local.requests == 3 * 6


def test_explaining_asks_nobody_and_writes_nothing(tmp_path: Path, log: EventLog) -> None:
    local = Counted(RIGHT, name="small")
    decided = asyncio.run(router(tmp_path, log, local).explain(posed()))
    assert (decided.action, decided.candidate, decided.attempts, decided.predicted) == ("ask", "local", 3, None)
    assert local.requests == 0 and log.head() == 0


class Killed(BaseException):
    """What stands for the end of the process."""


def test_what_was_paid_is_found_again_wherever_the_process_ended(tmp_path: Path, log: EventLog) -> None:
    """It is cut off before each append in turn; then the question is asked again, as by another process."""
    append_async, cut, ended = log.append_async, 0, 0
    always = ("confidence_threshold=1.0", "drafts=2")  # the cloud model is asked
    while True:
        cut += 1
        task = posed(f"What is 12 times 34? ({cut})", "408")
        local, cloud = Counted(*UNSURE, name="small"), Counted(RIGHT, name="large")
        appended = [0]

        async def until_it_ends(*values: Any, at: int = cut, count: list[int] = appended, **options: Any) -> Any:
            count[0] += 1
            if count[0] == at:
                raise Killed
            return await append_async(*values, **options)

        log.append_async = until_it_ends  # type: ignore[method-assign]
        try:
            asked(router(tmp_path, log, local, cloud, *always), task)
            break
        except Killed:
            log.append_async = append_async  # type: ignore[method-assign]
        before = {name for name, verdict in verdicts(log).items() if verdict is not None}
        requests = cloud.requests
        [answer] = asked(router(tmp_path, log, local, cloud, *always), task)
        assert (answer.answer, answer.candidate, answer.verdict) == ("408", "cloud", True)
        paid = [name for name in before if name.startswith(latest(log, "RouteAsked", -2).route + "/cloud-")]
        if paid:
            ended += 1
            assert answer.attempt == paid[0] and cloud.requests == requests == 2, "it was not asked again"
            assert answer.cost_usd == pytest.approx(cost_of(log, paid[0])) and answer.cost_usd > 0
            again = asked(router(tmp_path, log, local, cloud, *always), task)[0]
            assert again.cached == answer.route and cloud.requests == 2
        reused = latest(log, "AttemptsReused", -1)
        assert reused is None or reused.route == answer.route or not paid
    assert ended >= 1 and cut > 8


def verdicts(log: EventLog) -> dict[str, bool | None]:
    """Attempt to what the verifier says."""
    found = [one.event for one in log.read(types=["Verified"]) if isinstance(one.event, ev.Verified)]
    return {one.attempt: one.verification.correct for one in found}


def latest(log: EventLog, kind: str, place: int) -> Any:
    found = [one.event for one in log.read(types=[kind])]
    return found[place] if len(found) >= -place else None


def cost_of(log: EventLog, attempt: str) -> float:
    called = log.read(stream=f"attempt/routes/{attempt}", types=["ModelCalled"])
    return sum(float(one.meta.measured["cost_usd"]) for one in called)


def test_an_attempt_is_not_reused_where_another_answer_is_right(tmp_path: Path, log: EventLog) -> None:
    local = Counted(RIGHT, name="small")
    append_async = log.append_async

    async def until_it_ends(values: Any, **options: Any) -> Any:
        if any(one.event.type == "RouteAnswered" for one in values):
            raise Killed
        return await append_async(values, **options)

    log.append_async = until_it_ends  # type: ignore[method-assign]
    with pytest.raises(Killed):
        asked(router(tmp_path, log, local), posed(reference="408"))
    log.append_async = append_async  # type: ignore[method-assign]
    [answer] = asked(router(tmp_path, log, local), posed(reference="409"))
    assert answer.verdict is False and local.requests == 2 * 6


def test_a_choice_that_does_not_follow_is_found(tmp_path: Path) -> None:
    with EventLog.open(tmp_path / "other.db") as log:
        ask = router(tmp_path, log, Counted(RIGHT, name="small"))
        asked(ask, posed())
        [first, second] = [
            one.event for one in log.read(types=["RouteDecided"]) if isinstance(one.event, ev.RouteDecided)
        ]
        [question] = [one.event for one in log.read(types=["RouteAsked"]) if isinstance(one.event, ev.RouteAsked)]
        changed = second.model_copy(update={"route": "route-x", "step": 0, "draft": None, "attempt": None})
        log.append(
            [
                NewEvent("route/routes/route-x", question.model_copy(update={"route": "route-x"})),
                NewEvent("route/routes/route-x", changed),
            ],
            handler="router",
        )
        report = asyncio.run(verify_routes(log))
        assert report.difference is not None and report.difference.kind == "choices"
        assert report.checked == {"choices": 2, "solutions": 3, "verifications": 3, "answers": 1} and first.step == 0

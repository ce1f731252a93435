"""The dispatcher: each cause is handled once, failures are recorded, a resumed run goes on."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from agent0es.configuration import ExecutionSettings
from agent0es.domain import events as ev
from agent0es.domain.run import RunState
from agent0es.errors import TransientError
from agent0es.handlers.base import Record
from agent0es.handlers.dispatcher import Dispatcher, HandlerError
from agent0es.log import EventLog, NewEvent, Recorded

RUN = "r"


class Begin:
    """RunStarted → IterationStarted."""

    name, causes, concurrency = "begin", frozenset({ev.RunStarted}), 1

    async def handle(self, cause: Recorded, state: RunState, record: Record) -> Sequence[NewEvent]:
        return [NewEvent(f"run/{RUN}", ev.IterationStarted(iteration=1))]


class End:
    """IterationStarted → RunCompleted, after failing as often as it is told."""

    name, causes, concurrency = "end", frozenset({ev.IterationStarted}), 1

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.calls = 0

    async def handle(self, cause: Recorded, state: RunState, record: Record) -> Sequence[NewEvent]:
        self.calls += 1
        assert state.iteration == 1, "the state is the fold up to the cause"
        if self.failures:
            raise self.failures.pop(0)
        return [NewEvent(f"run/{RUN}", ev.RunCompleted(iterations=1, serving={}))]


@pytest.fixture
def log(tmp_path: Path) -> EventLog:
    log = EventLog.open(tmp_path / "log.db")
    started = ev.RunStarted(seed=1, configuration={}, code_version="0", weights={})
    log.append([NewEvent(f"run/{RUN}", started)], handler="cli")
    return log


async def no_pause(seconds: float) -> None:
    await asyncio.sleep(0)


def dispatch(log: EventLog, *handlers: Begin | End, **settings: object) -> RunState:
    execution = ExecutionSettings.model_validate(settings)
    return asyncio.run(Dispatcher(log, RUN, handlers, execution, sleep=no_pause).run())


def types(log: EventLog) -> list[str]:
    return [recorded.event.type for recorded in log.read(run=RUN)]


def test_events_lead_to_events_until_the_run_is_completed(log: EventLog) -> None:
    assert dispatch(log, Begin(), End()).status == "completed"
    assert types(log) == ["RunStarted", "IterationStarted", "RunCompleted"]


def test_what_was_handled_is_not_handled_again(log: EventLog) -> None:
    dispatch(log, Begin(), End())
    end = End()
    dispatch(log, Begin(), end)
    assert types(log) == ["RunStarted", "IterationStarted", "RunCompleted"]
    assert end.calls == 0


class NothingLeft(Begin):
    """Finds that all it would do is in the log."""

    async def handle(self, cause: Recorded, state: RunState, record: Record) -> Sequence[NewEvent]:
        return []


def test_a_cause_whose_events_all_came_before_a_crash_is_marked_as_handled(log: EventLog) -> None:
    [started] = log.read()
    log.append([NewEvent(f"run/{RUN}", ev.IterationStarted(iteration=1))], handler="begin", cause=started)
    assert log.handled(RUN) == set()
    dispatch(log, NothingLeft(), End())
    assert log.handled(RUN) == {("begin", 1), ("end", 2)}
    assert types(log) == ["RunStarted", "IterationStarted", "RunCompleted"]


def test_a_transient_error_is_tried_again(log: EventLog) -> None:
    end = End(TransientError("busy"), TransientError("busy"))
    assert dispatch(log, Begin(), end, retries=2).status == "completed"
    assert end.calls == 3


def test_any_other_error_is_recorded_with_its_traceback_and_stops_the_run(log: EventLog) -> None:
    with pytest.raises(HandlerError, match="end failed on event 2: ValueError: broken"):
        dispatch(log, Begin(), End(ValueError("broken")))
    [failed] = [r.event for r in log.read(run=RUN, types=["HandlerFailed"])]
    assert isinstance(failed, ev.HandlerFailed)
    assert (failed.handler, failed.cause, failed.error) == ("end", 2, "ValueError: broken")
    assert "raise self.failures.pop(0)" in failed.traceback


def test_a_run_that_a_failure_stopped_can_be_taken_up_again_and_again(log: EventLog) -> None:
    for _ in range(2):
        with pytest.raises(HandlerError):
            dispatch(log, Begin(), End(ValueError("broken")))
    assert dispatch(log, Begin(), End()).status == "completed"
    assert types(log).count("HandlerFailed") == 2


class Fan:
    """IterationStarted → twenty tasks, counted in log order by whoever handles them."""

    name, causes, concurrency = "fan", frozenset({ev.IterationStarted}), 1

    async def handle(self, cause: Recorded, state: RunState, record: Record) -> Sequence[NewEvent]:
        return [
            NewEvent(
                f"task/{RUN}/{n}",
                ev.TaskRequested(
                    task=n,
                    iteration=1,
                    domain="math",
                    source="families",
                    families={"gcd": 0.0},
                    novelty_bar=0.0,
                    seed=n,
                ),
            )
            for n in range(1, 21)
        ]


class GiveUp:
    """TaskRequested → ProposalRejected, four at a time."""

    name, causes, concurrency = "give up", frozenset({ev.TaskRequested}), 4

    def __init__(self) -> None:
        self.busy = self.most = 0

    async def handle(self, cause: Recorded, state: RunState, record: Record) -> Sequence[NewEvent]:
        assert isinstance(cause.event, ev.TaskRequested)
        self.busy += 1
        self.most = max(self.most, self.busy)
        await asyncio.sleep(0.001)
        self.busy -= 1
        rejected = ev.ProposalRejected(
            task=cause.event.task, iteration=1, reason="duplicate", detail="", text="", tries_left=0
        )
        await record([NewEvent(cause.stream, rejected)], last=True)
        return []


class Finish:
    """The last of twenty ProposalRejected → RunCompleted."""

    name, causes, concurrency = "finish", frozenset({ev.ProposalRejected}), 1

    async def handle(self, cause: Recorded, state: RunState, record: Record) -> Sequence[NewEvent]:
        if state.given_up < 20:
            return []
        return [NewEvent(f"run/{RUN}", ev.RunCompleted(iterations=1, serving={}))]


@pytest.mark.parametrize(("deterministic", "at_once"), [(False, 4), (True, 1)])
def test_a_handler_works_on_as_many_causes_as_it_may_and_each_reaction_sees_the_state_at_its_cause(
    log: EventLog, deterministic: bool, at_once: int
) -> None:
    give_up = GiveUp()
    execution = ExecutionSettings(deterministic=deterministic)
    state = asyncio.run(Dispatcher(log, RUN, [Begin(), Fan(), give_up, Finish()], execution).run())
    assert state.status == "completed"
    assert give_up.most == at_once
    assert types(log).count("RunCompleted") == 1

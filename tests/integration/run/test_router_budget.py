"""A budget is never passed: by many tasks, by many processes, by those that are killed and started again."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent0es.configuration import BudgetSettings
from agent0es.domain import events as ev
from agent0es.domain.prompt import Message
from agent0es.log import EventLog
from agent0es.models.base import Capabilities, Completion, GenerationFailed, GenerationRequest, RequestRefused, Usage
from agent0es.models.simple import SimpleBackend
from agent0es.router.budget import Budget, BudgetExhausted, Purse, Spent, after, why_over
from agent0es.router.metered import Metered, Price, PriceUnknown

DAY = datetime(2026, 1, 31, 23, 59, tzinfo=UTC)
PRICE = Price(1.0, 10.0)
REQUEST = GenerationRequest((Message("user", "How much?"),), max_tokens=100)
MOST = PRICE.most(REQUEST)
COST = (20 * PRICE.read + REQUEST.max_tokens * PRICE.written) / 1e6
"""Of what `Paid` answers."""


class Paid(SimpleBackend):
    """Writes how often it was asked into a file, as a provider counts."""

    name = "paid"
    capabilities = Capabilities()

    def __init__(self, file: Path | None = None, error: Exception | None = None, seconds: float = 0.001) -> None:
        self._file, self._error, self._seconds = file, error, seconds
        self.requests = 0

    async def complete(self, request: GenerationRequest) -> Completion:
        self.requests += 1
        if self._file is not None:
            with self._file.open("ab") as counted:
                counted.write(b".")
        await asyncio.sleep(self._seconds)
        if self._error is not None:
            raise self._error
        return Completion("42", "stop", Usage(20, request.max_tokens), self.name, None, 0.001)


def metered(
    log: EventLog, model: Paid, limit: float | None, purse: Purse | None = None, price: Price | None = PRICE
) -> Metered:
    budget = Budget(log, BudgetSettings(per_day=limit), now=lambda: DAY)
    return Metered(model, price, budget, "route-1", "cloud", purse or Purse())


def spent(log: EventLog, budget: str = "2026-01-31") -> Spent:
    state = Spent()
    for one in log.read(stream=f"budget/routes/{budget}"):
        state = after(state, one.event)
    return state


def test_a_limit_is_reached_and_not_passed() -> None:
    limits = {"the day": 1.0, "the run": 5.0}
    assert why_over(limits, {"the day": 0.9, "the run": 0.9}, 0.1) is None
    assert why_over(limits, {"the day": 0.9, "the run": 0.9}, 0.2) == (
        "the day is $1, $0.1 of it are left, and this request may cost $0.2"
    )
    assert why_over(limits, {"the day": 0.0, "the run": 4.99}, 0.2) is not None


async def test_fifty_at_once_stop_at_the_limit() -> None:
    with EventLog.open(":memory:") as log:
        model = Paid()
        ask = metered(log, model, 10 * MOST)
        found = await asyncio.gather(*(ask.generate([REQUEST]) for _ in range(50)), return_exceptions=True)
        assert sum(isinstance(one, list) for one in found) == model.requests >= 10
        assert all(isinstance(one, list | BudgetExhausted) for one in found)
        assert spent(log).total <= 10 * MOST and spent(log).open == {}


async def test_two_that_look_at_the_same_time_do_not_both_get_the_last_dollar() -> None:
    """As two processes do: each has its own memory of the log."""
    with EventLog.open(":memory:") as log:
        models = [metered(log, Paid(), 3 * MOST) for _ in range(8)]
        found = await asyncio.gather(*(one.generate([REQUEST]) for one in models), return_exceptions=True)
        events = [one.event for one in log.read()]
        state, most = Spent(), 0.0
        for event in events:
            state = after(state, event)
            most = max(most, state.total)
        assert most <= 3 * MOST + 1e-9
        assert sum(isinstance(one, list) for one in found) >= 3


@pytest.mark.parametrize(
    ("error", "charged"), [(RequestRefused("too long"), False), (GenerationFailed("cut off"), True)]
)
async def test_what_nobody_knows_to_be_free_counts_in_full(error: Exception, charged: bool) -> None:
    with EventLog.open(":memory:") as log:
        purse = Purse()
        with pytest.raises(type(error)):
            await metered(log, Paid(error=error), 1.0, purse).generate([REQUEST])
        assert spent(log).total == purse.spent == (pytest.approx(MOST) if charged else 0.0)


async def test_who_is_not_waited_for_any_more_is_settled_all_the_same() -> None:
    with EventLog.open(":memory:") as log:
        purse = Purse()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1.0):
                await metered(log, Paid(seconds=60.0), 1.0, purse).generate([REQUEST])
        assert spent(log).open == {} and spent(log).total == purse.spent == pytest.approx(MOST)


async def test_no_price_is_refused_under_a_budget_only() -> None:
    with EventLog.open(":memory:") as log:
        with pytest.raises(PriceUnknown, match=r"router\.cloud\.input_price"):
            await metered(log, Paid(), 1.0, price=None).generate([REQUEST])
        purse = Purse()
        await metered(log, Paid(), None, purse, price=None).generate([REQUEST])
        assert purse.cost is None


async def test_a_run_has_a_budget_of_its_own_over_days() -> None:
    with EventLog.open(":memory:") as log:
        days = iter([DAY, DAY.replace(month=2, day=1), DAY.replace(month=3)] * 9)
        settings = BudgetSettings(per_run=2.5 * MOST)
        for run, most in (("night", 2), ("day", 2)):
            budget = Budget(log, settings, run, now=lambda: next(days))
            for _ in range(most):
                await budget.reserve("route-1", "cloud", MOST, Purse())
            with pytest.raises(BudgetExhausted, match=rf"the budget of {run} \(router.budget.per_run\)"):
                await budget.reserve("route-1", "cloud", MOST, Purse())


WORKER = """
import asyncio, sys
from pathlib import Path
from agent0es.log import EventLog
from tests.integration.run.test_router_budget import REQUEST, MOST, Paid, metered
from agent0es.router.budget import BudgetExhausted

async def main(folder, limit):
    with EventLog.open(folder / "log.db") as log:
        ask = metered(log, Paid(folder / "charged"), limit)
        found = await asyncio.gather(*(ask.generate([REQUEST]) for _ in range(50)), return_exceptions=True)
        bad = [one for one in found if not isinstance(one, (list, BudgetExhausted))]
        assert not bad, bad

asyncio.run(main(Path(sys.argv[1]), float(sys.argv[2])))
"""


def test_processes_that_are_killed_and_started_again_do_not_pass_it(tmp_path: Path) -> None:
    limit = 60 * MOST
    with EventLog.open(tmp_path / "log.db"):
        pass

    def start(**environment: str) -> "subprocess.Popen[bytes]":
        words = [sys.executable, "-c", WORKER, str(tmp_path), str(limit)]
        return subprocess.Popen(words, env={**os.environ, **environment})

    killed = [start(AGENT0ES_CRASH_AT=f"budget.reserved:{n}") for n in (3, 7)]
    killed.append(start(AGENT0ES_CRASH_AT="append.committed:4"))
    by_hand = start()
    while not (tmp_path / "charged").exists():
        time.sleep(0.01)
    by_hand.send_signal(signal.SIGKILL)
    assert [one.wait() for one in (*killed, by_hand)] == [-signal.SIGKILL] * 4
    assert [one.wait() for one in [start() for _ in range(2)]] == [0] * 2
    with EventLog.open(tmp_path / "log.db") as log:
        state, most = Spent(), 0.0
        for one in log.read(stream="budget/routes/2026-01-31"):
            state = after(state, one.event)
            most = max(most, state.total)
        reserved = sum(isinstance(one.event, ev.CostReserved) for one in log.read())
        assert log.verify().ok
    charged = (tmp_path / "charged").stat().st_size
    assert most <= limit + 1e-9 and len(state.open) >= 2  # of those that were killed
    assert charged <= reserved and charged * COST <= limit
    assert limit - state.total < MOST, "all that could be spent was"

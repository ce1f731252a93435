"""What the router may spend: reserved before a paid request, settled after it, in the log.

A budget is a stream, and a reservation is appended under the condition that nobody appended to it since it was read.
So however many processes ask at once, the sum of what was settled and of what is reserved never passes the limit. Who
was killed in between has not settled: that reservation counts in full, because nobody knows what was charged.
"""

import asyncio
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from agent0es.configuration import BudgetSettings
from agent0es.crash_points import reach
from agent0es.domain import events as ev
from agent0es.domain.names import ROUTES, stream
from agent0es.errors import ConcurrencyError, UserError
from agent0es.log import EventLog, NewEvent

SLACK = 1e-9
"""Dollars. Sums of many small numbers are not exact."""
PAUSE = 0.002
"""Seconds before somebody else who was first is followed."""

Now = Callable[[], datetime]


class BudgetExhausted(UserError):
    """A request might pass a budget, so it was not made."""


@dataclass(frozen=True, slots=True)
class Spent:
    """The state of one budget: a fold of its events."""

    settled: float = 0.0
    """Dollars that were settled."""
    open: Mapping[str, float] = field(default_factory=dict)
    """Reservation to its highest cost, of those that are not settled."""
    version: int = 0
    """Of the stream."""
    position: int = 0

    @property
    def total(self) -> float:
        """What counts as spent."""
        return self.settled + sum(self.open.values())


def after(spent: Spent, event: ev.Event) -> Spent:
    """The state after one more event. Pure."""
    match event:
        case ev.CostReserved():
            return replace(spent, open={**spent.open, event.reservation: event.most_usd})
        case ev.CostSettled() if event.reservation in spent.open:
            left = {name: most for name, most in spent.open.items() if name != event.reservation}
            cost = spent.open[event.reservation] if event.cost_usd is None else event.cost_usd
            return replace(spent, settled=spent.settled + cost, open=left)
        case _:
            return spent


def why_over(limits: Mapping[str, float], spent: Mapping[str, float], most: float) -> str | None:
    """Why a request of at most `most` dollars can't be made: the first limit that it might pass; None where it can.

    `limits` and `spent` are by the words for a budget. Pure.
    """
    for words, limit in limits.items():
        if spent[words] + most > limit + SLACK:
            left = max(0.0, limit - spent[words])
            return f"{words} is ${limit:g}, ${left:.6g} of it are left, and this request may cost ${most:.6g}"
    return None


@dataclass(frozen=True, slots=True)
class Reservation:
    """A paid request that may be made now."""

    name: str
    most_usd: float
    budgets: tuple[str, ...]
    """The budgets that it is reserved in."""


@dataclass(slots=True)
class Purse:
    """What one question has cost so far."""

    spent: float = 0.0
    """Dollars, with what is reserved."""
    unknown: bool = False
    """Whether something was asked whose cost nobody knows."""

    @property
    def cost(self) -> float | None:
        """Dollars; None where nobody knows."""
        return None if self.unknown else round(self.spent, 9)


class Budget:
    """The budgets of a store, as seen by one process; many tasks may use it."""

    def __init__(
        self, log: EventLog, settings: BudgetSettings, run: str | None = None, now: Now = lambda: datetime.now(UTC)
    ) -> None:
        """`run` is on whose behalf is spent."""
        self._log, self._settings, self._run, self._now = log, settings, run, now
        self._own = None if run is None else f"run-{run}"
        self._spent: dict[str, Spent] = {}
        self._turn = asyncio.Lock()

    @property
    def is_set(self) -> bool:
        """Whether there is a limit of any kind."""
        settings = self._settings
        per_run = None if self._run is None else settings.per_run
        return any(limit is not None for limit in (settings.per_day, per_run, settings.per_request))

    def why_not(self, most: float, purse: Purse) -> str | None:
        """Why a request of at most so many dollars would be refused now; None where it would not."""
        return self._why_not(most, purse, self._look())

    def _why_not(self, most: float, purse: Purse, budgets: Mapping[str, Spent]) -> str | None:
        settings, limits, spent = self._settings, dict[str, float](), dict[str, float]()
        if settings.per_request is not None:
            words = "the budget of one question (router.budget.per_request)"
            limits[words], spent[words] = settings.per_request, purse.spent
        for budget, state in budgets.items():
            is_run = budget == self._own
            limit = settings.per_run if is_run else settings.per_day
            if limit is not None:
                which = f"of {self._run} (router.budget.per_run)" if is_run else f"of {budget} (router.budget.per_day)"
                limits[f"the budget {which}"], spent[f"the budget {which}"] = limit, state.total
        return why_over(limits, spent, most)

    async def reserve(self, route: str, candidate: ev.CandidateName, most: float, purse: Purse) -> Reservation:
        """Count so many dollars as spent. Raises BudgetExhausted, in one line, where that would pass a limit."""
        name = uuid.uuid4().hex[:16]
        async with self._turn:
            while True:
                budgets = self._look()
                if why := self._why_not(most, purse, budgets):
                    raise BudgetExhausted(why)
                reserved = {
                    stream("budget", ROUTES, budget): ev.CostReserved(
                        budget=budget, reservation=name, route=route, candidate=candidate, most_usd=most
                    )
                    for budget in budgets
                }
                expected = {stream("budget", ROUTES, budget): state.version for budget, state in budgets.items()}
                events = [NewEvent(where, event) for where, event in reserved.items()]
                try:
                    await self._log.append_async(events, handler="router", expected=expected)
                    break
                except ConcurrencyError:
                    await asyncio.sleep(PAUSE)
            purse.spent += most
        reach("budget.reserved")
        return Reservation(name, most, tuple(budgets))

    async def settle(self, reservation: Reservation, cost: float | None, purse: Purse) -> None:
        """Say what it cost; None where nobody knows, and then it counts in full."""
        if cost is not None:
            purse.spent += cost - reservation.most_usd
        events = [
            NewEvent(
                stream("budget", ROUTES, budget),
                ev.CostSettled(budget=budget, reservation=reservation.name, cost_usd=cost),
            )
            for budget in reservation.budgets
        ]
        while True:
            try:
                await self._log.append_async(events, handler="router")
                return
            except ConcurrencyError:
                await asyncio.sleep(PAUSE)

    def _look(self) -> dict[str, Spent]:
        """The budgets that a request of now belongs to, each up to its last event."""
        budgets = (f"{self._now():%Y-%m-%d}", *(() if self._own is None else (self._own,)))
        for budget in budgets:
            spent = self._spent.get(budget, Spent())
            for recorded in self._log.read(stream=stream("budget", ROUTES, budget), after=spent.position):
                spent = replace(after(spent, recorded.event), version=recorded.version, position=recorded.position)
            self._spent[budget] = spent
        return {budget: self._spent[budget] for budget in budgets}

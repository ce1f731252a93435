"""Watching over a store: alerts are raised and cleared in the log, and told to whom the settings name.

One process watches a store at a time, whichever has the lease `alerts`: the service, or else a run. When it ends,
another one goes on. It looks at the log once a second, in a thread of its own.
"""

import logging
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent0es.domain.events import AlertCleared, AlertRaised, RunCompleted
from agent0es.domain.names import ALERTS, NO_RUNS, ROUTES, SCHEDULES, is_evaluation, stream
from agent0es.domain.text import iso
from agent0es.errors import Agent0Error, RunInUse, StoreError
from agent0es.log import EventLog, NewEvent

if TYPE_CHECKING:
    from agent0es.configuration import AlertsSettings
    from agent0es.decisions.alerts import Observed, Seen

LOOK_SECONDS = 1.0
"""How often the log is looked at."""
DISK_SECONDS = 60.0
"""How often the disk is."""
OTHER_SECONDS = 15.0
"""How often somebody who does not watch sees whether nobody else does any more."""
BEFORE = 5000
"""Events of before that are folded when somebody begins to watch."""

_log = logging.getLogger("agent0es.alerts")


@contextmanager
def watched(store: Path, log: EventLog, settings: "AlertsSettings") -> Iterator[None]:
    """Watch over a store in the background until the end of the block. Raises ConfigurationError for a web hook that
    can't be."""
    from agent0es.runs.notifying import webhook_of

    watch = Watch(store, log, settings, webhook_of(settings))
    thread = threading.Thread(target=watch.run, name="alerts", daemon=True)
    thread.start()
    try:
        yield
    finally:
        watch.stop.set()
        thread.join()


def listed(log: EventLog) -> list[dict[str, Any]]:
    """Every alert as a value of JSON, the latest last; `cleared` is None where it is not over."""
    found: list[dict[str, Any]] = []
    active: dict[tuple[str, str | None, str], dict[str, Any]] = {}
    for recorded in log.read(run=ALERTS):
        event = recorded.event
        if isinstance(event, AlertRaised):
            row = event.model_dump(exclude={"type", "version"})
            row |= {"raised": iso(recorded.meta.time), "cleared": None, "position": recorded.position}
            found.append(row)
            active[event.rule, event.run, event.subject] = row
        elif isinstance(event, AlertCleared) and (key := (event.rule, event.run, event.subject)) in active:
            active.pop(key)["cleared"] = iso(recorded.meta.time)
    return found


@dataclass(slots=True)
class Watch:
    """Who watches, or waits until nobody else does."""

    store: Path
    log: EventLog
    settings: "AlertsSettings"
    webhook: str | None
    stop: threading.Event = field(default_factory=threading.Event)
    _disk: float = 0.0
    _verified: tuple[float, int] = (0.0, 0)
    """When the log was verified last, and how many events it had."""

    def run(self) -> None:
        """Until `stop` is set. What goes wrong is said in the program's own log; a run does not end of it."""
        while not self.stop.is_set():
            try:
                with self.log.lease(ALERTS):
                    self._watch()
            except RunInUse:
                self.stop.wait(OTHER_SECONDS)
            # A full disk, a log that was moved: the run meets it, too, and says so.
            except (Agent0Error, OSError) as error:
                _log.info("nobody watches over the store for %s seconds: %s", OTHER_SECONDS, error)
                self.stop.wait(OTHER_SECONDS)

    def _watch(self) -> None:
        from agent0es.decisions.alerts import OF_RUNS, OF_THE_STORE, evolve

        position = self.log.head()
        seen = self._of_before(position)
        since = time.time()
        self._verified = (since, position)
        ended = False
        while not ended:
            ended = self.stop.wait(LOOK_SECONDS)  # and then looks a last time
            head = self.log.head()
            for one in self.log.read(after=position, until=head, types=(*OF_RUNS, *OF_THE_STORE)):
                if isinstance(one.event, RunCompleted):  # after which nothing is known of the run
                    seen = self._told(seen, since)
                seen = evolve(seen, one.event, one.run, one.meta.time, self.settings.rules)
            position = head
            seen = self._told(seen, since)

    def _told(self, seen: "Seen", since: float) -> "Seen":
        """What is known after everybody was told of what begins and ends now."""
        from agent0es.decisions.alerts import decide, evolve

        for event in decide(seen, self._observed(since), self.settings.rules):
            self._tell(event)
            seen = evolve(seen, event, ALERTS, time.time(), self.settings.rules)
        return seen

    def _of_before(self, head: int) -> "Seen":
        """What is known when somebody begins to watch."""
        from agent0es.decisions.alerts import OF_RUNS, Seen, evolve

        seen = Seen()
        today = stream("budget", ROUTES, f"{datetime.now(UTC):%Y-%m-%d}")
        parts = (
            self.log.read(run=ALERTS, until=head),
            self.log.read(run=SCHEDULES, until=head, types=("JobFinished",)),
            self.log.read(stream=today, until=head),
            self.log.read(after=max(0, head - BEFORE), until=head, types=OF_RUNS),
        )
        for part in parts:
            for one in part:
                seen = evolve(seen, one.event, one.run, one.meta.time, self.settings.rules)
        return seen

    def _observed(self, since: float) -> "Observed":
        from agent0es.decisions.alerts import Observed

        now = time.time()
        driven = {run for run in self.log.drivers() if run not in NO_RUNS and not is_evaluation(run)}
        used, altered = None, None
        if now - self._disk >= DISK_SECONDS:
            self._disk = now
            usage = shutil.disk_usage(self.store)
            used = usage.used / (usage.used + usage.free)  # as df counts it, without what only root may use
        if self.settings.rules.chain_broken.above is not None:
            altered = self._look_at_the_chain(now)
        return Observed(now, frozenset(driven), since, used, altered)

    def _look_at_the_chain(self, now: float) -> str | None:
        last, events = self._verified
        head = self.log.head()
        if now - last < self.settings.rules.chain_broken.seconds or head == events:
            return None
        self._verified = (now, head)
        report = self.log.verify()
        return "" if report.ok else f"the log has been altered: {report.finding}"

    def _tell(self, event: "AlertRaised | AlertCleared") -> None:
        from agent0es.runs.notifying import notify

        try:
            [recorded] = self.log.append([NewEvent(stream("service", ALERTS, event.rule), event)], handler="alerts")
            told = {"position": recorded.position, "time": iso(recorded.meta.time)}
        except StoreError:  # the alert may be about just that: somebody hears of it, and then the error is raised
            notify({"event": event.type, **event.model_dump(exclude={"type", "version"})}, self.webhook, self._command)
            raise
        said = {"event": event.type, **event.model_dump(exclude={"type", "version"}), **told}
        notify(said, self.webhook, self._command)

    @property
    def _command(self) -> tuple[str, ...]:
        return self.settings.command

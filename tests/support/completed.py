"""What must hold of a run that was completed in spite of everything."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import TypeVar

from agent0es.domain import events as ev
from agent0es.history.verification import verify_decisions
from agent0es.log import EventLog, Recorded
from tests.support import world

E = TypeVar("E", bound=ev.Event)


def check_completed(log: EventLog, run: str) -> list[Recorded]:
    """Of a run of one iteration: everything once, and as the rules say. Its events."""
    assert log.verify().ok
    recorded = list(log.read(run=run))
    report = asyncio.run(verify_decisions(log, run, world.rules(log, run)))
    assert report.difference is None, report.difference
    ends = Counter(event.attempt.split(".")[0] for event in events_of(recorded, ev.Verified))
    assert set(ends.values()) == {1}, "no attempt is judged twice"
    completed = Counter(event.task for event in events_of(recorded, ev.TaskCompleted))
    assert set(completed.values()) == {1}
    for kind in (ev.TrainingStarted, ev.AdapterTrained, ev.AdapterEvaluated, ev.RunCompleted):
        assert len(events_of(recorded, kind)) == 1, kind.__name__
    return recorded


def events_of(recorded: Sequence[Recorded], kind: type[E]) -> list[E]:
    """The events of a kind."""
    return [r.event for r in recorded if isinstance(r.event, kind)]

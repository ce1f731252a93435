"""The state of a run at any position."""

import random

from agent0es.projections.state import state_at
from tests.unit.projections.fake_log import FakeLog
from tests.unit.projections.history import history, interleave


def test_the_state_is_that_after_the_event_at_the_position() -> None:
    rng = random.Random(2)
    log = FakeLog(interleave(rng, [history(rng, "one", iterations=2), history(rng, "two")]))
    own = [r for r in log.recorded if r.run == "one"]
    second = next(r for r in own if r.event.type == "IterationStarted" and r.event.iteration == 2)

    assert state_at(log, "one", 0).status == "empty"
    assert state_at(log, "one", second.position - 1).iteration == 1
    assert state_at(log, "one", second.position).iteration == 2
    assert state_at(log, "one").status == "completed"
    assert state_at(log, "one", own[-1].position - 1).status == "running"

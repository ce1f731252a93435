"""promote: the gate. An adapter serves only when it beats what serves now on the held-out problems. Pure.

What serves now and learnt from something retracted is no bar: then what was promoted before it counts. After the
decision the backend is told to let go of the adapters that nobody will ask any more.
"""

from collections.abc import Sequence

from agent0es.domain import events as ev
from agent0es.domain.promotion import gate
from agent0es.domain.run import RunState, evolve
from agent0es.handlers.base import Ports, Record
from agent0es.handlers.serving import retire
from agent0es.log import NewEvent, Recorded


class Promote:
    """AdapterPromoted or AdapterRejected."""

    name = "promote"
    causes = frozenset({ev.AdapterEvaluated})
    concurrency = 1

    def __init__(self, ports: Ports) -> None:
        self._ports = ports

    async def handle(self, cause: Recorded, state: RunState, record: Record) -> Sequence[NewEvent]:
        evaluated = cause.event
        assert isinstance(evaluated, ev.AdapterEvaluated)
        decision = gate(evaluated, state.rival(evaluated.role), self._ports.configuration.evaluation.margin)
        await retire(self._ports, evolve(state, decision), evaluated.role)
        return [NewEvent(self._ports.stream("run"), decision)]

"""Whether a trained adapter is promoted: only when it beats the one that it must beat, by a test."""

from agent0es.domain import events as ev
from agent0es.domain.promotion import gate
from agent0es.domain.run import RunState


def decide(evaluated: ev.AdapterEvaluated, state: RunState, margin: float) -> ev.AdapterPromoted | ev.AdapterRejected:
    """The gate's decision. A tainted adapter in use is not the one to beat: the one promoted before it is."""
    return gate(evaluated, state.rival(evaluated.role), margin)

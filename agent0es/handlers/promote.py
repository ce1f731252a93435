"""promote: the gate. An adapter is promoted only when it beats the one in use on the held-out problems, by a test, and
learnt none of them.

After the decision, adapters that nobody will ask again are retired.
"""

from collections.abc import Sequence

from agent0es.configuration import Configuration
from agent0es.decisions import promote
from agent0es.domain import events as ev
from agent0es.domain.names import stream
from agent0es.domain.run import RunState, evolve
from agent0es.evaluation.suite import suite
from agent0es.handlers.base import Record
from agent0es.handlers.serving import Serving
from agent0es.log import History, NewEvent, Recorded
from agent0es.taskdomains import Domains


class Promote:
    """AdapterPromoted or AdapterRejected."""

    name = "promote"
    causes = frozenset({ev.AdapterEvaluated})
    concurrency = 1

    def __init__(
        self, run: str, history: History, configuration: Configuration, domains: Domains, serving: Serving
    ) -> None:
        self._run = run
        self._history = history
        self._settings, self._seed = configuration.evaluation, configuration.seed
        self._domains = domains
        self._serving = serving

    async def handle(self, cause: Recorded, state: RunState, record: Record) -> Sequence[NewEvent]:
        evaluated = cause.event
        assert isinstance(evaluated, ev.AdapterEvaluated)
        proposed = self._history.read(until=cause.position, types=["TaskProposed"])
        problems = suite(self._domains, self._settings, self._seed)
        leaks = promote.leaks_of(evaluated, state, proposed, problems)
        decision = promote.decide(evaluated, state, self._settings, leaks)
        await self._serving.retire(evolve(state, decision), evaluated.role)
        return [NewEvent(stream("run", self._run), decision)]

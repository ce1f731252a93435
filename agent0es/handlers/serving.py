"""Which adapters must answer, and which are not asked again; the deployments of their models do the rest."""

from collections.abc import Iterable, Mapping

from agent0es.domain import events as ev
from agent0es.domain.names import stream
from agent0es.domain.run import RunState
from agent0es.errors import Agent0Error
from agent0es.handlers.base import Record
from agent0es.log import NewEvent
from agent0es.models.deployments import Deployments
from agent0es.rollouts.retry import described


class Serving:
    """What is served of a run's adapters."""

    def __init__(self, run: str, deployments: Mapping[ev.Role, Deployments]) -> None:
        self._run, self._deployments = run, deployments

    async def serve(self, state: RunState, adapters: Iterable[str], record: Record) -> None:
        """Deploy these adapters, so that they can be asked. Raises StoreError, and what the backend raises."""

        async def mended(name: str, error: Agent0Error) -> None:
            retried = ev.Retried(handler="serve", task=None, name=name, retry=1, error=described(error))
            await record([NewEvent(stream("run", self._run), retried)])

        for name in dict.fromkeys(adapters):
            trained = state.adapters[name].trained
            if trained is not None:
                await self._deployments[trained.role].serve(trained, mended)

    async def retire(self, state: RunState, role: ev.Role) -> None:
        """Unload a role's adapters that are settled and not in use: nobody will ask them again."""
        await self._deployments[role].retire(
            name
            for name, adapter in state.adapters.items()
            if adapter.role == role and adapter.settled and name != state.serving[role]
        )

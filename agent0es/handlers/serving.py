"""Which adapters must answer, and which are not asked again; the deployments of their models do the rest."""

from collections.abc import Iterable

from agent0es.domain import events as ev
from agent0es.domain.run import RunState
from agent0es.errors import Agent0Error
from agent0es.handlers.base import Ports, Record
from agent0es.handlers.retry import described
from agent0es.log import NewEvent


async def serve(ports: Ports, state: RunState, adapters: Iterable[str], record: Record) -> None:
    """Deploy these adapters. Raises StoreError, and what the backend raises."""

    async def mended(name: str, error: Agent0Error) -> None:
        retried = ev.Retried(handler="serve", task=None, name=name, retry=1, error=described(error))
        await record([NewEvent(ports.stream("run"), retried)])

    for name in dict.fromkeys(adapters):
        trained = state.adapters[name].trained
        if trained is not None:
            await ports.deployments[trained.role].serve(trained, mended)


async def retire(ports: Ports, state: RunState, role: ev.Role) -> None:
    """Retire a role's adapters that are settled and not in use."""
    await ports.deployments[role].retire(
        name
        for name, adapter in state.adapters.items()
        if adapter.role == role and adapter.settled and name != state.serving[role]
    )

"""Which adapters are loaded: each is deployed before it is asked, and retired when nobody will ask it again.

Files are compared with the log's hashes before they are loaded. A merged file that is missing or changed is made again
from the adapter and the base, and is used when its hash is the log's.
"""

import asyncio
from collections.abc import Iterable
from pathlib import Path

from agent0es.domain import events as ev
from agent0es.domain.names import in_store
from agent0es.domain.run import RunState
from agent0es.errors import StoreError
from agent0es.handlers.base import Ports, Record
from agent0es.log import NewEvent
from agent0es.log.sqlite import explain_os_error
from agent0es.models.base import Deployment, WrongWeights
from agent0es.models.made_once import sha256_of
from agent0es.rollouts.retry import described


async def serve(ports: Ports, state: RunState, adapters: Iterable[str], record: Record) -> None:
    """Deploy these adapters. Raises StoreError, and what the backend raises."""
    for name in dict.fromkeys(adapters):
        trained = state.adapters[name].trained
        if trained is None:
            continue
        model, wanted = ports.models[trained.role], deployment(ports.store, trained)
        try:
            await model.deploy(wanted)
        except WrongWeights as error:
            await asyncio.to_thread(_mend, ports, trained, error)
            retried = ev.Retried(handler="serve", task=None, name=name, retry=1, error=described(error))
            await record([NewEvent(ports.stream("run"), retried)])
            await model.deploy(wanted)


async def retire(ports: Ports, state: RunState, role: ev.Role) -> None:
    """Retire a role's adapters that are settled and not in use."""
    for name, adapter in state.adapters.items():
        if adapter.role == role and adapter.settled and name != state.serving[role]:
            await ports.models[role].retire(name)


def deployment(store: Path, trained: ev.AdapterTrained) -> Deployment:
    """A trained adapter as a backend loads it."""
    folder = in_store(store, trained.path)
    return Deployment(
        name=trained.adapter,
        adapter_dir=folder / "adapter",
        merged_gguf=folder / "merged.gguf",
        merged_sha256=trained.merged_sha256,
    )


def _mend(ports: Ports, trained: ev.AdapterTrained, error: WrongWeights) -> None:
    """Write the merged file again, if the adapter is what was trained. Raises StoreError."""
    from agent0es.training.merge import merge_again

    folder, weights = in_store(ports.store, trained.path), ports.models[trained.role].weights
    adapter = folder / "adapter" / "adapter_model.safetensors"
    found = sha256_of(adapter) if adapter.is_file() else None
    advice = (
        f"restore the folder {folder} from a copy, or retrain in a fork: "
        f"agent0es fork RUN --at POSITION, with the position of {trained.adapter}'s DatasetBuilt"
    )
    if weights is None or found != trained.adapter_sha256:
        what = "is missing" if found is None else f"has sha256 {found}, but should have {trained.adapter_sha256}"
        raise StoreError(f"{error}; it can't be made again, because {adapter} {what}; {advice}")
    merged = folder / "merged.gguf"
    try:
        merge_again(weights.path, folder / "adapter", merged)
    except OSError as failed:
        raise StoreError(explain_os_error(failed, merged)) from None
    except ValueError as failed:
        raise StoreError(f"{error}; it can't be made again: {failed}; {advice}") from None
    if (made := sha256_of(merged)) != trained.merged_sha256:
        raise StoreError(
            f"{merged} was made again from the adapter, but is not what was trained: its sha256 is {made}, the log has "
            f"{trained.merged_sha256}; was the base model, {weights.path}, changed? {advice}"
        )

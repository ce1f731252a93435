"""What of a model's adapters is served: deployed when one must answer, retired when nobody will ask it again.

Files are compared with the log's hashes before they are loaded. What follows from the adapter and its base, such as the
merged file, is made again when it is missing or changed, and is used when its hash is the log's.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

from agent0es.domain.events import AdapterTrained
from agent0es.domain.names import in_store
from agent0es.errors import StoreError
from agent0es.log.sqlite import explain_os_error
from agent0es.models.artifacts import DERIVED, PEFT, Artifacts, compare, why_wrong
from agent0es.models.base import Deployment, ModelBackend, Weights, WrongWeights

Remake = Callable[[Weights, Artifacts], None]
"""Writes the files that follow from an adapter and its base again (`Trainer.remake`)."""
Mended = Callable[[str, WrongWeights], Awaitable[object]]
"""Is told which adapter's file was made again, and what had been wrong with it."""


class Deployments:
    """The adapters of one model."""

    def __init__(self, model: ModelBackend, store: Path, remake: Remake) -> None:
        self._model, self._store, self._remake = model, store, remake

    async def serve(self, trained: AdapterTrained, mended: Mended) -> None:
        """Have an adapter answer under its name. Raises StoreError, and what the backend raises."""
        deployment = Deployment(trained.adapter, artifacts_of(self._store, trained))
        try:
            await self._model.deploy(deployment)
        except WrongWeights as error:
            await asyncio.to_thread(self._mend, deployment, error)
            await mended(trained.adapter, error)
            await self._model.deploy(deployment)

    async def retire(self, names: Iterable[str]) -> None:
        """Unload adapters, where they are loaded."""
        for name in names:
            await self._model.retire(name)

    def _mend(self, deployment: Deployment, error: WrongWeights) -> None:
        """Write what follows from the adapter again, if the adapter is what was trained. Raises StoreError."""
        artifacts, weights = deployment.artifacts, self._model.weights
        derived = sorted(DERIVED & artifacts.files.keys())
        advice = (
            f"restore the folder {artifacts.folder} from a copy, or retrain in a fork: "
            f"agent0es fork RUN --at POSITION, with the position of {deployment.name}'s DatasetBuilt"
        )
        if weights is None or not derived:
            raise StoreError(f"{error}; it can't be made again without the base model's weights; {advice}")
        for name, recorded in artifacts.files.items():
            if not name.startswith(f"{PEFT}/"):
                continue
            if why := why_wrong(artifacts.folder / name, recorded):
                raise StoreError(f"{error}; it can't be made again, because {why}; {advice}")
        try:
            self._remake(weights, artifacts)
        except OSError as failed:
            raise StoreError(explain_os_error(failed, artifacts.folder / derived[-1])) from None
        except ValueError as failed:
            raise StoreError(f"{error}; it can't be made again: {failed}; {advice}") from None
        for name in derived:
            verdict, made = compare(artifacts.folder / name, artifacts.files[name])
            if verdict != "same":
                raise StoreError(
                    f"{artifacts.folder / name} was made again, but is not what was trained: its sha256 is {made}, "
                    f"the log has {artifacts.files[name]}; was the base model, {weights.path}, changed? {advice}"
                )


def artifacts_of(store: Path, trained: AdapterTrained) -> Artifacts:
    """The files that the log says an adapter has. Raises StoreError for a path that leads out of the store."""
    folder = in_store(store, trained.path)
    for name in trained.files:
        in_store(folder, name)
    return Artifacts(folder, trained.files)

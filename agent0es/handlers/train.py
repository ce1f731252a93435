"""train: after an iteration's practice adapters are trained from the base model, each in a process of its own.

First the examples are chosen, for all roles at once; a dataset in the log is what starts a training. So a dataset that
was built for another reason, without what has been retracted, is trained on in the same way.
"""

import hashlib
import time
from collections.abc import Sequence
from pathlib import Path

from agent0es.crash_points import reach
from agent0es.decisions.train import built, dataset_of
from agent0es.domain import events as ev
from agent0es.domain.names import adapter_name, in_store
from agent0es.domain.run import RunState
from agent0es.domain.seeds import derive_seed
from agent0es.errors import StoreError
from agent0es.handlers.base import Ports, Record
from agent0es.log import NewEvent, Recorded
from agent0es.log.sqlite import explain_os_error
from agent0es.projections.datasets import Dataset, dataset_file, events_of_dataset
from agent0es.training.base import TrainingError, TrainingJob, why_not_trained


class Train:
    """DatasetBuilt for each role; for each of those TrainingStarted, then AdapterTrained or TrainingFailed."""

    name = "train"
    causes: frozenset[type[ev.Event]] = frozenset({ev.IterationCompleted, ev.DatasetBuilt})
    concurrency = 1

    def __init__(self, ports: Ports) -> None:
        self._ports = ports

    async def handle(self, cause: Recorded, state: RunState, record: Record) -> Sequence[NewEvent]:
        event = cause.event
        if isinstance(event, ev.IterationCompleted):
            return [
                build_dataset(self._ports, role, event.iteration, adapter_name(role, event.iteration))
                for role in self._ports.configuration.training.roles
            ]
        assert isinstance(event, ev.DatasetBuilt)
        if cause.run != self._ports.run:
            return self._anew(event)
        await self._train(event, cause, state, record)
        return []

    def _anew(self, built: ev.DatasetBuilt) -> Sequence[NewEvent]:
        """The fork restarts what its parent began: its dataset and settings may be others."""
        ended = self._ports.history.read(stream=("adapter", built.adapter), types=["AdapterTrained", "TrainingFailed"])
        return [] if any(ended) else [build_dataset(self._ports, built.role, built.iteration, built.adapter)]

    async def _train(self, built: ev.DatasetBuilt, cause: Recorded, state: RunState, record: Record) -> None:
        """Train one adapter, resumed where the log says that it stopped."""
        ports, settings = self._ports, self._ports.configuration.training
        adapter, role, iteration = built.adapter, built.role, built.iteration
        known = {type(r.event) for r in ports.log.read(stream=cause.stream)}
        if known & {ev.AdapterTrained, ev.TrainingFailed}:
            return

        async def fail(reason: str) -> None:
            failed = ev.TrainingFailed(adapter=adapter, role=role, iteration=iteration, reason=reason)
            await record([NewEvent(cause.stream, failed)])

        weights = ports.models[role].weights
        if weights is None:
            await fail(f"{ports.models[role].name} has no weights to train from")
            return
        if why := why_not_trained(ports.trainer, ports.models[role]):
            await fail(why)
            return
        if built.examples < settings.minimum_examples:
            await fail(
                f"examples to learn from: {built.examples}; training.minimum_examples is {settings.minimum_examples}"
            )
            return
        path = dataset_file(ports.store, ports.run, adapter)
        if _sha256(path) != built.sha256:
            made = _dataset(ports, role, iteration, cause.position)
            if made.sha256 != built.sha256:
                await fail(f"the log gives other examples now ({made.sha256}) than when they were chosen")
                return
            _write(path, made)
        if ev.TrainingStarted not in known:
            started = ev.TrainingStarted(
                adapter=adapter,
                role=role,
                iteration=iteration,
                dataset_sha256=built.sha256,
                base_sha256=weights.sha256,
                settings=settings.model_dump(mode="json"),
            )
            await record([NewEvent(cause.stream, started)])
        folder = in_store(ports.store, "adapters", ports.run, adapter)
        job = TrainingJob(
            base=weights,
            dataset=path,
            output=folder,
            # Not of the adapter's name: one that is rebuilt differs from the first in its examples only.
            seed=derive_seed(state.seed, "training", adapter_name(role, iteration)),
            settings=settings,
            deterministic=ports.configuration.execution.deterministic,
        )
        begin = time.perf_counter()
        try:
            trained = await ports.trainer.train(job, ports.on_training_progress)
        except TrainingError as error:
            await fail(str(error))
            return
        reach("adapter.trained")
        event = ev.AdapterTrained(
            adapter=adapter,
            role=role,
            iteration=iteration,
            path=str(folder.relative_to(ports.store)),
            files=dict(trained.artifacts.files),
            steps=trained.steps,
            loss=tuple(round(loss, 4) for loss in trained.loss),
        )
        await record(
            [
                NewEvent(
                    cause.stream,
                    event,
                    {"seconds": round(time.perf_counter() - begin, 1), "precision": trained.precision},
                )
            ]
        )


def build_dataset(ports: Ports, role: ev.Role, iteration: int, adapter: str) -> NewEvent:
    """Choose what an adapter is to learn from, as of now, and write it into the store. Returns the event of it."""
    dataset = _dataset(ports, role, iteration, None)
    _write(dataset_file(ports.store, ports.run, adapter), dataset)
    reach("dataset.written")
    return NewEvent(ports.stream("adapter", adapter), built(role, iteration, adapter, dataset))


def _dataset(ports: Ports, role: ev.Role, iteration: int, position: int | None) -> Dataset:
    """The examples of the practice up to the end of an iteration, without what was retracted up to `position`."""
    return dataset_of(
        role,
        events_of_dataset(ports.history, iteration, position),
        ports.models[role],
        ports.domains,
        ports.configuration.training.examples_per_family,
        ports.configuration.seed,
    )


def _sha256(path: Path) -> str | None:
    """Hash of a file; None when there is none."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


def _write(path: Path, dataset: Dataset) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(dataset.jsonl)
    except OSError as error:
        raise StoreError(explain_os_error(error, path)) from None

"""train: after an iteration's practice adapters are trained from the base model, each in a process of its own.

First the examples are chosen, for all roles at once; a dataset in the log is what starts a training. So a dataset that
was built for another reason, without what has been retracted, is trained on in the same way.
"""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from agent0es.configuration import Configuration
from agent0es.crash_points import reach
from agent0es.domain import events as ev
from agent0es.domain.names import adapter_name, in_store
from agent0es.domain.run import RunState
from agent0es.domain.seeds import derive_seed
from agent0es.handlers.base import Record
from agent0es.handlers.datasets import Datasets
from agent0es.log import History, NewEvent, Recorded
from agent0es.models.artifacts import CONFIG, WEIGHTS, Artifacts, why_wrong
from agent0es.models.base import ModelBackend
from agent0es.models.deployments import artifacts_of
from agent0es.training.base import ProgressCallback, Trainer, TrainingError, TrainingJob, why_not_trained


class Train:
    """DatasetBuilt for each role; for each of those TrainingStarted, then AdapterTrained or TrainingFailed."""

    name = "train"
    causes: frozenset[type[ev.Event]] = frozenset({ev.IterationCompleted, ev.DatasetBuilt})
    concurrency = 1

    def __init__(
        self,
        run: str,
        store: Path,
        history: History,
        configuration: Configuration,
        models: Mapping[ev.Role, ModelBackend],
        datasets: Datasets,
        trainer: Trainer,
        on_progress: ProgressCallback,
    ) -> None:
        self._run, self._store, self._history = run, store, history
        self._settings = configuration.training
        self._deterministic = configuration.execution.deterministic
        self._models, self._datasets = models, datasets
        self._trainer, self._on_progress = trainer, on_progress

    async def handle(self, cause: Recorded, state: RunState, record: Record) -> Sequence[NewEvent]:
        event = cause.event
        if isinstance(event, ev.IterationCompleted):
            return [
                self._datasets.choose(role, event.iteration, adapter_name(role, event.iteration))
                for role in self._settings.roles
            ]
        assert isinstance(event, ev.DatasetBuilt)
        known = list(self._history.read(stream=("adapter", event.adapter)))
        if any(isinstance(one.event, ev.AdapterTrained | ev.TrainingFailed) for one in known):
            return []
        if cause.run != self._run:
            # The fork restarts what its parent began: its dataset and settings may be others.
            return [self._datasets.choose(event.role, event.iteration, event.adapter)]
        begun = any(one.run == self._run and isinstance(one.event, ev.TrainingStarted) for one in known)
        await self._train(event, cause, begun, state, record)
        return []

    async def _train(
        self, built: ev.DatasetBuilt, cause: Recorded, begun: bool, state: RunState, record: Record
    ) -> None:
        """Train one adapter. `begun`: the log has its TrainingStarted already."""
        adapter, role, iteration = built.adapter, built.role, built.iteration

        async def append(event: ev.Event, **measured: str | float) -> None:
            await record([NewEvent(cause.stream, event, measured)])

        async def fail(reason: str) -> None:
            await append(ev.TrainingFailed(adapter=adapter, role=role, iteration=iteration, reason=reason))

        model, settings = self._models[role], self._settings
        weights = model.weights
        if weights is None:
            await fail(f"{model.name} has no weights to train from")
            return
        if why := why_not_trained(self._trainer, model, settings):
            await fail(why)
            return
        if built.examples < settings.minimum_examples:
            await fail(
                f"examples to learn from: {built.examples}; training.minimum_examples is {settings.minimum_examples}"
            )
            return
        try:
            start = self._start(built, state)
            dataset = self._datasets.file(built, cause.position)
        except ValueError as error:
            await fail(str(error))
            return
        if not begun:
            started = ev.TrainingStarted(
                adapter=adapter,
                role=role,
                iteration=iteration,
                dataset_sha256=built.sha256,
                base_sha256=weights.sha256,
                settings=settings.model_dump(mode="json"),
            )
            await append(started)
        folder = in_store(self._store, "adapters", self._run, adapter)
        job = TrainingJob(
            base=weights,
            dataset=dataset,
            output=folder,
            # Not of the adapter's name: one that is rebuilt differs from the first in its examples only.
            seed=derive_seed(state.seed, "training", adapter_name(role, iteration)),
            settings=settings,
            start=start,
            deterministic=self._deterministic,
        )
        begin = time.perf_counter()
        try:
            trained = await self._trainer.train(job, self._on_progress)
        except TrainingError as error:
            await fail(str(error))
            return
        reach("adapter.trained")
        done = ev.AdapterTrained(
            adapter=adapter,
            role=role,
            iteration=iteration,
            path=str(folder.relative_to(self._store)),
            files=dict(trained.artifacts.files),
            steps=trained.steps,
            loss=tuple(round(loss, 4) for loss in trained.loss),
        )
        await append(done, seconds=round(time.perf_counter() - begin, 1), precision=trained.precision)

    def _start(self, built: ev.DatasetBuilt, state: RunState) -> Artifacts | None:
        """The files of the adapter that a training goes on from. Raises ValueError when they are not what they were."""
        if built.start is None:
            return None
        trained = state.adapters[built.start].trained
        if trained is None:
            raise ValueError(f"{built.start}, from which it is to go on, was not trained")
        artifacts = artifacts_of(self._store, trained)
        for name in {CONFIG, WEIGHTS} & artifacts.files.keys():
            if why := why_wrong(artifacts.folder / name, artifacts.files[name]):
                raise ValueError(f"{built.start}, from which it is to go on: {why}")
        return artifacts

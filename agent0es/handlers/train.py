"""train: after an iteration's practice adapters are trained from the base model, each in a process of its own.

First the examples are chosen, for all roles at once; a dataset in the log is what starts a training. So one that a
user asked for is trained in the same way; the settings are then the ones that were asked for
(`runs/settings.py: configuration_to_drive`).

A trainer that dies is tried again, and goes on where it was; one that lacks memory goes on with fewer examples at once.
What stays broken is a TrainingFailed, and the run goes on with the adapter that it had.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from agent0es.configuration import Configuration
from agent0es.crash_points import reach
from agent0es.decisions import train
from agent0es.domain import events as ev
from agent0es.domain.names import adapter_name, in_store, stream
from agent0es.domain.run import RunState
from agent0es.domain.seeds import derive_seed
from agent0es.domain.text import left_out
from agent0es.errors import TransientError
from agent0es.handlers.base import Record
from agent0es.handlers.datasets import Datasets
from agent0es.log import History, NewEvent, Recorded
from agent0es.models.artifacts import CONFIG, WEIGHTS, Artifacts, why_wrong
from agent0es.models.base import ModelBackend, Rests
from agent0es.models.deployments import artifacts_of
from agent0es.rollouts.retry import GivenUp, Retries, described
from agent0es.training.base import (
    Trained,
    Trainer,
    TrainerOutOfMemory,
    TrainingError,
    TrainingJob,
    why_not_trained,
)
from agent0es.training.methods import with_learning_rate


class Train:
    """DatasetBuilt for each role, or for what was asked for; then TrainingStarted, TrainingProgressed on the way, and
    AdapterTrained or TrainingFailed."""

    name = "train"
    causes: frozenset[type[ev.Event]] = frozenset({ev.IterationCompleted, ev.TrainingRequested, ev.DatasetBuilt})
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
        retries: Retries,
        on_progress: Callable[[Mapping[str, Any]], object],
    ) -> None:
        self._run, self._store, self._history = run, store, history
        self._settings = configuration.training
        self._deterministic = configuration.execution.deterministic
        self._models, self._datasets = models, datasets
        self._trainer, self._retries, self._on_progress = trainer, retries, on_progress

    async def handle(self, cause: Recorded, state: RunState, record: Record) -> Sequence[NewEvent]:
        event = cause.event
        if isinstance(event, ev.IterationCompleted):
            return [
                self._datasets.choose(role, event.iteration, adapter_name(role, event.iteration))
                for role in self._settings.roles
            ]
        if isinstance(event, ev.TrainingRequested):
            return [self._datasets.choose(event.role, event.iteration, event.adapter)]
        assert isinstance(event, ev.DatasetBuilt)
        known = list(self._history.read(stream=("adapter", event.adapter)))
        if any(isinstance(one.event, ev.AdapterTrained | ev.TrainingFailed) for one in known):
            self._trainer.forget(self._folder(event.adapter))
            return []
        if cause.run != self._run:
            # The fork restarts what its parent began: its dataset and settings may be others.
            return [self._datasets.choose(event.role, event.iteration, event.adapter)]
        await self._train(event, cause, [one.event for one in known if one.run == self._run], state, record)
        return []

    def _folder(self, adapter: str) -> Path:
        return in_store(self._store, "adapters", self._run, adapter)

    async def _train(
        self, built: ev.DatasetBuilt, cause: Recorded, known: list[ev.Event], state: RunState, record: Record
    ) -> None:
        """Train one adapter. `known` is in the log of this training already."""
        adapter, role, iteration = built.adapter, built.role, built.iteration

        async def append(event: ev.Event, **measured: str | float) -> None:
            await record([NewEvent(cause.stream, event, measured)])

        async def fail(reason: str) -> None:
            await append(ev.TrainingFailed(adapter=adapter, role=role, iteration=iteration, reason=reason))

        model, settings = self._models[role], with_learning_rate(self._settings)
        weights = model.weights
        if weights is None:
            await fail(f"{model.name} has no weights to train from")
            return
        if why := why_not_trained(self._trainer, model, settings):
            await fail(why)
            return
        if built.examples < settings.minimum_examples:
            without = f" (left out: {why})" if (why := left_out(built.left_out)) else ""
            await fail(
                f"examples to learn from: {built.examples}{without}; training.minimum_examples is "
                f"{settings.minimum_examples}"
            )
            return
        try:
            start = self._start(built, state)
            dataset = self._datasets.file(built, cause.position)
        except ValueError as error:
            await fail(str(error))
            return
        if not any(isinstance(event, ev.TrainingStarted) for event in known):
            started = ev.TrainingStarted(
                adapter=adapter,
                role=role,
                iteration=iteration,
                dataset_sha256=built.sha256,
                base_sha256=weights.sha256,
                settings=settings.model_dump(mode="json"),
            )
            await append(started)
        folder = self._folder(adapter)
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
        trained = await self._through(job, built, known, cause.stream, record)
        if isinstance(trained, str):
            await fail(trained)
        else:
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
            unused = built.examples - trained.examples  # too long, or nothing to learn in them
            seconds = round(time.perf_counter() - begin, 1)
            await append(done, seconds=seconds, precision=trained.precision, **({"unused": unused} if unused else {}))
        self._trainer.forget(folder)

    async def _through(
        self, job: TrainingJob, built: ev.DatasetBuilt, known: list[ev.Event], at: str, record: Record
    ) -> Trained | str:
        """What the job gave in the end, or why it gave nothing. What is tried again goes on where it was. `known` is in
        the log of this training; what is added to it, in the stream `at`, too."""

        async def append(event: ev.Event, **measured: float) -> None:
            known.append(event)
            await record([NewEvent(at, event, measured)])

        async def said(progress: Mapping[str, Any]) -> None:
            self._on_progress(progress)
            if (event := train.progressed(built, progress, known)) is not None:
                await append(event, tokens_per_second=progress["tokens_per_second"], seconds=progress["seconds"])

        async def failed(retry: int, error: TransientError) -> None:
            again = ev.Retried(handler=self.name, task=None, name=built.adapter, retry=retry, error=described(error))
            await record([NewEvent(stream("run", self._run), again, error.measured)])

        while True:
            if job.settings.engine == "hf":  # needs the room, which on one card may be all that there is
                for model in self._models.values():
                    if isinstance(model, Rests):
                        await model.rest()
            at_once = train.micro_batch(job.settings.batch_size, known)
            try:
                act = partial(self._trainer.train, replace(job, micro_batch=at_once), said)
                return await self._retries(act, failed)
            except (TrainingError, GivenUp) as error:
                return str(error)
            except TrainerOutOfMemory as error:
                event = train.halved(built, at_once, str(error))
            if isinstance(event, str):
                return event
            await append(event)

    def _start(self, built: ev.DatasetBuilt, state: RunState) -> Artifacts | None:
        """The files of the adapter that a training goes on from. Raises ValueError when they are not what they were,
        or it is of another shape."""
        if built.start is None:
            return None
        trained = state.adapters[built.start].trained
        if trained is None:
            raise ValueError(f"{built.start}, from which it is to go on, was not trained")
        if why := train.why_other_shape(self._settings, state.adapters[built.start], built.start):
            raise ValueError(why)
        artifacts = artifacts_of(self._store, trained)
        for name in {CONFIG, WEIGHTS} & artifacts.files.keys():
            if why := why_wrong(artifacts.folder / name, artifacts.files[name]):
                raise ValueError(f"{built.start}, from which it is to go on: {why}")
        return artifacts

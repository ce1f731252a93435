"""train: after an iteration's practice the student's adapter is trained from the base, in a process of its own."""

import time
from collections.abc import Sequence

from agent0es.agents.student import opening
from agent0es.domain import events as ev
from agent0es.domain.run import RunState
from agent0es.domain.seeds import derive_seed
from agent0es.handlers.base import Ports, Record
from agent0es.log import NewEvent, Recorded
from agent0es.projections.datasets import Dataset, build, candidates, choose
from agent0es.training.jobs import TrainingError, TrainingJob, train_adapter


class Train:
    """DatasetBuilt, TrainingStarted, then AdapterTrained or TrainingFailed."""

    name = "train"
    causes = frozenset({ev.IterationCompleted})
    concurrency = 1

    def __init__(self, ports: Ports) -> None:
        self._ports = ports

    async def handle(self, cause: Recorded, state: RunState, record: Record) -> Sequence[NewEvent]:
        ports, settings = self._ports, self._ports.configuration.training
        adapter = f"student-{state.iteration}"
        stream = ports.stream("adapter", adapter)
        known = {type(r.event) for r in ports.log.read(stream=stream)}
        dataset = self._dataset(cause.position)
        path = ports.store / "datasets" / ports.run / f"{adapter}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(dataset.jsonl)
        if ev.DatasetBuilt not in known:
            await record([NewEvent(stream, self._dataset_built(adapter, state.iteration, dataset))])
        if len(dataset.examples) < settings.minimum_examples:
            reason = f"{len(dataset.examples)} examples, training.minimum_examples is {settings.minimum_examples}"
            return [NewEvent(stream, self._failed(adapter, state.iteration, reason))]
        if ev.TrainingStarted not in known:
            started = ev.TrainingStarted(
                adapter=adapter,
                role="student",
                iteration=state.iteration,
                dataset_sha256=dataset.sha256,
                base_sha256=ports.weights_sha256,
                settings=settings.model_dump(mode="json"),
            )
            await record([NewEvent(stream, started)])
        folder = ports.store / "adapters" / ports.run / adapter
        job = TrainingJob(
            base_dir=ports.base_dir,
            base_gguf=ports.base_gguf,
            dataset=path,
            out_dir=folder,
            seed=derive_seed(state.seed, "training", adapter),
            rank=settings.rank,
            alpha=settings.alpha,
            dropout=settings.dropout,
            target_modules=settings.target_modules,
            learning_rate=settings.learning_rate,
            epochs=settings.epochs,
            batch_size=settings.batch_size,
            gradient_accumulation=settings.gradient_accumulation,
            warmup_steps=settings.warmup_steps,
        )
        begin = time.perf_counter()
        try:
            trained = await train_adapter(job, ports.on_training_progress)
        except TrainingError as error:
            return [NewEvent(stream, self._failed(adapter, state.iteration, str(error)))]
        event = ev.AdapterTrained(
            adapter=adapter,
            role="student",
            iteration=state.iteration,
            path=str(folder.relative_to(ports.store)),
            adapter_sha256=trained.adapter_sha256,
            merged_sha256=trained.merged_sha256,
            steps=trained.steps,
            loss=tuple(round(loss, 4) for loss in trained.loss),
        )
        return [NewEvent(stream, event, {"seconds": round(time.perf_counter() - begin, 1)})]

    def _dataset(self, position: int) -> Dataset:
        """The examples that the log holds up to the end of the iteration's practice."""
        ports = self._ports
        model, settings = ports.models["student"], ports.configuration.training
        found = candidates(ports.log.read(run=ports.run, until=position))
        chosen = choose(found, settings.examples_per_family, ports.configuration.seed)
        return build(
            chosen, lambda description: "".join(opening(model, ports.domain.system, (), description)), model.end_of_turn
        )

    @staticmethod
    def _dataset_built(adapter: str, iteration: int, dataset: Dataset) -> ev.DatasetBuilt:
        return ev.DatasetBuilt(
            adapter=adapter,
            role="student",
            iteration=iteration,
            examples=len(dataset.examples),
            sha256=dataset.sha256,
            per_family=dataset.per_family,
            sources=tuple(example.attempt for example in dataset.examples),
        )

    @staticmethod
    def _failed(adapter: str, iteration: int, reason: str) -> ev.TrainingFailed:
        return ev.TrainingFailed(adapter=adapter, role="student", iteration=iteration, reason=reason)

"""train: after an iteration's practice adapters are trained from the base model, each in a process of its own."""

import time
from collections.abc import Callable, Iterable, Sequence

from agent0es.agents import student, teacher
from agent0es.agents.prompt import two_parts
from agent0es.domain import events as ev
from agent0es.domain.run import RunState
from agent0es.domain.seeds import derive_seed
from agent0es.handlers.base import Ports, Record
from agent0es.log import NewEvent, Recorded
from agent0es.models.base import ChatTemplate
from agent0es.projections.datasets import Dataset, build, choose, student_examples, teacher_examples
from agent0es.taskdomains.base import TaskDomain
from agent0es.training.jobs import TrainingError, TrainingJob, train_adapter


class Train:
    """For each role: DatasetBuilt, TrainingStarted, then AdapterTrained or TrainingFailed."""

    name = "train"
    causes = frozenset({ev.IterationCompleted})
    concurrency = 1

    def __init__(self, ports: Ports) -> None:
        self._ports = ports

    async def handle(self, cause: Recorded, state: RunState, record: Record) -> Sequence[NewEvent]:
        for role in self._ports.configuration.training.roles:
            await self._train(role, cause, state, record)
        return []

    async def _train(self, role: ev.Role, cause: Recorded, state: RunState, record: Record) -> None:
        """One adapter, taken up where the log says that it stopped."""
        ports, settings = self._ports, self._ports.configuration.training
        adapter = f"{role}-{state.iteration}"
        stream = ports.stream("adapter", adapter)
        if any(ports.history.read(stream=("adapter", adapter), types=["AdapterTrained", "TrainingFailed"])):
            return
        # What a fork's parent began, the fork begins anew: its dataset and settings may be others.
        known = {type(r.event) for r in ports.log.read(stream=stream)}
        dataset = dataset_of(
            role,
            ports.history.read(until=cause.position),
            ports.models[role],
            ports.domain,
            settings.examples_per_family,
            ports.configuration.seed,
        )
        path = ports.store / "datasets" / ports.run / f"{adapter}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(dataset.jsonl)
        if ev.DatasetBuilt not in known:
            await record([NewEvent(stream, built(role, state.iteration, dataset))])

        async def fail(reason: str) -> None:
            failed = ev.TrainingFailed(adapter=adapter, role=role, iteration=state.iteration, reason=reason)
            await record([NewEvent(stream, failed)])

        weights = ports.models[role].weights
        if weights is None:
            await fail(f"{ports.models[role].name} has no weights to train from")
            return
        if len(dataset.examples) < settings.minimum_examples:
            await fail(f"{len(dataset.examples)} examples, training.minimum_examples is {settings.minimum_examples}")
            return
        if ev.TrainingStarted not in known:
            started = ev.TrainingStarted(
                adapter=adapter,
                role=role,
                iteration=state.iteration,
                dataset_sha256=dataset.sha256,
                base_sha256=weights.sha256,
                settings=settings.model_dump(mode="json"),
            )
            await record([NewEvent(stream, started)])
        folder = ports.store / "adapters" / ports.run / adapter
        job = TrainingJob(
            base=weights.path,
            cache=ports.store / "base",
            dataset=path,
            output=folder,
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
            await fail(str(error))
            return
        event = ev.AdapterTrained(
            adapter=adapter,
            role=role,
            iteration=state.iteration,
            path=str(folder.relative_to(ports.store)),
            adapter_sha256=trained.adapter_sha256,
            merged_sha256=trained.merged_sha256,
            steps=trained.steps,
            loss=tuple(round(loss, 4) for loss in trained.loss),
        )
        await record([NewEvent(stream, event, {"seconds": round(time.perf_counter() - begin, 1)})])


def built(role: ev.Role, iteration: int, dataset: Dataset) -> ev.DatasetBuilt:
    """The event of a dataset. Pure."""
    return ev.DatasetBuilt(
        adapter=f"{role}-{iteration}",
        role=role,
        iteration=iteration,
        examples=len(dataset.examples),
        sha256=dataset.sha256,
        per_family=dataset.per_family,
        sources=tuple(example.source for example in dataset.examples),
    )


def dataset_of(
    role: ev.Role,
    recorded: Iterable[Recorded],
    template: ChatTemplate,
    domain: TaskDomain,
    per_family: int,
    seed: int,
) -> Dataset:
    """What a role learns from events up to the end of an iteration's practice. Pure."""
    prompt: Callable[[str], tuple[str, str]]
    if role == "student":
        examples = student_examples(recorded)

        def prompt(request: str) -> tuple[str, str]:
            return student.opening(template, domain.system, (), request)
    else:
        examples = teacher_examples(recorded)

        def prompt(request: str) -> tuple[str, str]:
            return two_parts(template, teacher.zero_shot(domain), request)

    chosen = choose(examples, per_family, seed)
    return build(chosen, lambda request: "".join(prompt(request)), template.end_of_turn)

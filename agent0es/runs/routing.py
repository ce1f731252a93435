"""Ask the router: open what it needs, answer questions, say what it would do. What every face calls."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent0es import bootstrap
from agent0es.configuration.secrets import text_without_secrets
from agent0es.domain.adapter import TYPES, Adapters, follow, in_use
from agent0es.domain.events import ToolCalled, ToolRequested
from agent0es.domain.names import ROUTES, stream
from agent0es.domain.text import storable
from agent0es.errors import ConfigurationError, UserError
from agent0es.log import EventLog
from agent0es.rollouts.routing import NobodyAnswered as NobodyAnswered
from agent0es.rollouts.routing import Router as Router
from agent0es.runs.settings import configuration_of

if TYPE_CHECKING:
    from agent0es.configuration import Configuration, RoutedModelSettings
    from agent0es.domain.adapter import Adapter
    from agent0es.domain.events import CandidateName, RouteAnswered
    from agent0es.domain.task import Task
    from agent0es.models.base import ModelBackend
    from agent0es.rollouts.answering import Answerer
    from agent0es.rollouts.toolbox import Toolbox
    from agent0es.taskdomains import TaskDomain


TRAINED_WITH = ("prompt", "trained_prompt", "observations", "reminders", "stop", "max_tokens")
"""Settings of a student that its adapter was trained with."""


@dataclass(frozen=True, slots=True)
class InUse:
    """An adapter that a run promoted and that is in use there."""

    run: str
    name: str
    adapter: "Adapter"


def adapter_in_use(log: EventLog, weights_sha256: str | None) -> InUse | None:
    """The student's adapter in use of the run that was begun last and has one, if it was trained on these weights."""
    for run in reversed(log.runs()):
        adapters: Adapters = {}
        for recorded in log.read(run=run, types=TYPES):
            adapters = follow(adapters, recorded.event)
        name = in_use(adapters, "student")
        if name is None or adapters[name].trained is None:
            continue
        training = adapters[name].training
        if weights_sha256 is not None and training is not None and training.base_sha256 == weights_sha256:
            return InUse(run, name, adapters[name])
    return None


def as_trained(log: EventLog, adapter: InUse, settings: "RoutedModelSettings") -> "RoutedModelSettings":
    """How an adapter is asked: in the words and the form in which its run had its student asked."""
    student = configuration_of(log, adapter.run).models.student
    return settings.model_copy(update={key: getattr(student, key) for key in TRAINED_WITH})


@asynccontextmanager
async def open_router(
    store: Path, log: EventLog, configuration: "Configuration", run: str | None = None
) -> "AsyncIterator[Router]":
    """The router of a store, with nothing loaded: models and sandbox are opened when they are first needed.

    `run` is on whose behalf is asked, for `router.budget.per_run`. The adapter in use is looked up now. Raises
    ConfigurationError for a signal that can't be used.
    """
    from agent0es.models.embedder import Embedder
    from agent0es.models.embedding_cache import EMBEDDINGS_FILE
    from agent0es.router.base import load_signals
    from agent0es.router.memory import MEMORY_FILE, Memory

    settings = configuration.router
    signals = load_signals(settings.signals)
    async with AsyncExitStack() as stack:
        memory = Memory(log, store / MEMORY_FILE, settings.cache_size)
        stack.callback(memory.close)
        embedder = Embedder(store / EMBEDDINGS_FILE)
        stack.callback(embedder.close)
        answerers = [_answerer(store, log, configuration, "local", settings.local, stack)]
        if settings.cloud is not None:
            answerers.append(_answerer(store, log, configuration, "cloud", settings.cloud, stack))
        toolboxes: dict[str, Toolbox] = {}
        opening = asyncio.Lock()

        async def toolbox(domain: "TaskDomain") -> "Toolbox":
            async with opening:
                if domain.name not in toolboxes:
                    opened = bootstrap.open_toolbox(configuration, {domain.name: domain})
                    toolboxes[domain.name] = await stack.enter_async_context(opened)
            return toolboxes[domain.name]

        yield Router(log, configuration, answerers, toolbox, memory, signals, embedder, run)


def posed(question: str, domain: str) -> "Task":
    """A question whose answer nobody knows. A secret of this process is masked in it: the log keeps what is asked."""
    from agent0es.domain.task import Task

    return Task(
        domain=domain,
        family="question",
        parameters={},
        wording=0,
        description=storable(text_without_secrets(question)),
        reference="",
        reference_action="",
        difficulty=0.0,
    )


def _answerer(
    store: Path,
    log: EventLog,
    configuration: "Configuration",
    name: "CandidateName",
    settings: "RoutedModelSettings",
    stack: AsyncExitStack,
) -> "Answerer":
    """A candidate, with nothing opened. One that can't even be named is found out when it is asked."""
    from agent0es.agents.likeness import shelf_of
    from agent0es.rollouts.answering import Answerer
    from agent0es.router.metered import price_of

    model: ModelBackend | None = None
    problem: UserError | None = None
    try:
        with _said_of(name):
            model = bootstrap.model_of("student", settings, store, configuration.execution.deterministic)
        stack.push_async_callback(model.close)
    except UserError as error:
        problem = error
    weights = None if model is None or model.weights is None else model.weights.sha256
    adapter = adapter_in_use(log, weights) if name == "local" and weights is not None else None
    if adapter is not None:
        settings = as_trained(log, adapter, settings)
    own = _asked_as(configuration, settings, trained=adapter is not None)
    lock, opened = asyncio.Lock(), False

    async def open_it() -> "ModelBackend":
        nonlocal opened
        if model is None:
            assert problem is not None
            raise problem
        async with lock:
            if not opened:
                with _said_of(name):
                    await asyncio.to_thread(_see_that_it_can, own, model)
                    if adapter is not None:
                        await _serve(store, log, configuration, model, adapter)
                opened = True
        return model

    @cache
    def domain(wanted: str) -> "TaskDomain":
        only = own.curriculum.model_copy(update={"domains": (wanted,), "families": ()})
        return bootstrap.practised_domains(own.model_copy(update={"curriculum": only}))[wanted]

    return Answerer(
        name=name,
        settings=settings,
        model=settings.name if model is None else _named(model, settings.name),
        adapter=None if adapter is None else adapter.name,
        adapter_run=None if adapter is None else adapter.run,
        price=price_of(settings),
        domain=domain,
        shelf=cache(lambda wanted: shelf_of(domain(wanted))),
        open=open_it,
    )


def _asked_as(configuration: "Configuration", settings: "RoutedModelSettings", *, trained: bool) -> "Configuration":
    """The configuration of a run whose student is this model."""
    models = configuration.models.model_copy(update={"student": settings})
    training = configuration.training.model_copy(update={"roles": ("student",) if trained else ()})
    return configuration.model_copy(update={"models": models, "training": training})


def _see_that_it_can(configuration: "Configuration", model: "ModelBackend") -> None:
    """Raises ConfigurationError where it can't do what is asked of it. A server is asked now."""
    from agent0es.models.requirements import why_not

    if why := why_not(configuration, {"student": model}):
        raise ConfigurationError(why)


async def _serve(
    store: Path, log: EventLog, configuration: "Configuration", model: "ModelBackend", adapter: InUse
) -> None:
    """Have the adapter answer."""
    from agent0es.domain import events as ev
    from agent0es.errors import Agent0Error
    from agent0es.log import NewEvent
    from agent0es.models.deployments import Deployments
    from agent0es.rollouts.retry import described

    assert adapter.adapter.trained is not None, "it is in use"

    async def mended(which: str, error: Agent0Error) -> None:
        retried = ev.Retried(handler="serve", task=None, name=which, retry=1, error=described(error))
        await log.append_async([NewEvent(stream("adapter", ROUTES, which), retried)], handler="router")

    trainer = bootstrap.trainer_of(store, configuration.training)
    await Deployments(model, store, trainer.remake).serve(adapter.adapter.trained, mended)


def _named(model: "ModelBackend", otherwise: str) -> str:
    """The model's name; that of the settings where only a server could tell, and does not."""
    try:
        return model.name
    except UserError:
        return otherwise


@contextmanager
def _said_of(name: str) -> Iterator[None]:
    """What is said of the student's model in here, said of this candidate."""
    try:
        yield
    except UserError as error:
        place = f"router.{name}"
        error.args = tuple(
            str(said).replace("models.<role>", place).replace("models.student", place) for said in error.args
        )
        raise


def routed(log: EventLog, event: "RouteAnswered") -> dict[str, Any]:
    """What came of a question, as a value of JSON: the answer, the calls behind it, and the decision that took it."""
    attempt = event.attempt
    calls: dict[str, dict[str, Any]] = {}
    for one in log.read(stream=stream("attempt", ROUTES, attempt), types=["ToolRequested", "ToolCalled"]):
        if isinstance(one.event, ToolRequested) and one.event.purpose == "solution":
            calls[one.event.call] = {"call": one.event.call, "tool": one.event.tool, "input": one.event.input}
        elif isinstance(one.event, ToolCalled) and one.event.call in calls:
            calls[one.event.call] |= {"status": one.event.status, "output": one.event.output}
    said = event.model_dump(mode="json", exclude={"type", "version"})
    return {**said, "calls": list(calls.values()), "decisions": decisions(log, event.cached or event.route)}


def decisions(log: EventLog, route: str) -> list[dict[str, Any]]:
    """What was decided about a question, in order, as values of JSON."""
    found = log.read(stream=stream("route", ROUTES, route), types=["RouteDecided"])
    return [one.event.model_dump(mode="json", exclude={"type", "version", "route"}) for one in found]

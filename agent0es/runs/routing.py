"""Ask the router: open what it needs, answer questions, say what it would do. What every face calls."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent0es import bootstrap
from agent0es.configuration.secrets import text_without_secrets
from agent0es.decisions.route import least
from agent0es.domain.events import RouteAnswered, RouteDecided, ToolCalled, ToolRequested
from agent0es.domain.names import ROUTES, stream
from agent0es.domain.text import storable
from agent0es.log import EventLog
from agent0es.rollouts.routing import NobodyAnswered as NobodyAnswered
from agent0es.rollouts.routing import Router as Router
from agent0es.runs.answerers import Candidates

if TYPE_CHECKING:
    from agent0es.configuration import Configuration
    from agent0es.domain.task import Task
    from agent0es.rollouts.toolbox import Toolbox
    from agent0es.taskdomains import TaskDomain


@asynccontextmanager
async def open_router(
    store: Path, log: EventLog, configuration: "Configuration", run: str | None = None
) -> "AsyncIterator[Router]":
    """The router of a store, with nothing loaded: models and sandbox are opened when they are first needed.

    `run` is on whose behalf is asked, for `router.budget.per_run`. Raises ConfigurationError for a signal that can't be
    used.
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
        candidates = Candidates(store, log, configuration)
        stack.push_async_callback(candidates.close)
        await candidates.look()
        toolboxes: dict[str, Toolbox] = {}
        opening = asyncio.Lock()

        async def toolbox(domain: "TaskDomain") -> "Toolbox":
            async with opening:
                if domain.name not in toolboxes:
                    opened = bootstrap.open_toolbox(configuration, {domain.name: domain})
                    toolboxes[domain.name] = await stack.enter_async_context(opened)
            return toolboxes[domain.name]

        yield Router(log, configuration, candidates, toolbox, memory, signals, embedder, run)


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


def told(decided: RouteDecided) -> dict[str, Any]:
    """What would be done with a question, as a value of JSON; `least` is how likely right a local answer must be."""
    found = decided.model_dump(mode="json", exclude={"type", "version", "route", "step"})
    return {**found, "least": least(decided.threshold, decided.candidates)}


def routed(log: EventLog, event: RouteAnswered) -> dict[str, Any]:
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


def answer(log: EventLog, route: str) -> dict[str, Any] | None:
    """What came of a question by the name of its route, as `routed` says it; None where it has no answer."""
    for one in log.read(stream=stream("route", ROUTES, route), types=["RouteAnswered"]):
        if isinstance(one.event, RouteAnswered):
            return routed(log, one.event)
    return None


def decisions(log: EventLog, route: str) -> list[dict[str, Any]]:
    """What was decided about a question, in order, as values of JSON."""
    found = log.read(stream=stream("route", ROUTES, route), types=["RouteDecided"])
    return [one.event.model_dump(mode="json", exclude={"type", "version", "route"}) for one in found]

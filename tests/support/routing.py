"""A router in this process, without a sandbox or an engine: scripted models, and tools that compute in memory."""

import asyncio
from collections.abc import Callable
from contextlib import nullcontext
from functools import cache
from pathlib import Path
from typing import Any

from agent0es.agents.likeness import Shelf, shelf_of
from agent0es.configuration import CloudModelSettings, RoutedModelSettings, load_configuration
from agent0es.domain.events import CandidateName
from agent0es.domain.task import Task
from agent0es.log import EventLog
from agent0es.models.base import GenerationRequest, ModelBackend
from agent0es.models.scripted import ScriptedBackend
from agent0es.rollouts.answering import Answerer
from agent0es.rollouts.routing import Router
from agent0es.rollouts.toolbox import Toolbox
from agent0es.router.base import load_signals
from agent0es.router.memory import MEMORY_FILE, Memory
from agent0es.router.metered import Price
from agent0es.runs.routing import posed as question
from agent0es.taskdomains import TaskDomain
from tests.support.world import HashEmbedder, MemoryTool, SmallDomain

QUESTION = "What is 12 times 34?"
FREE, DEAR = Price(0.0, 0.0), Price(1.0, 10.0)


def solver(*expressions: str) -> Callable[[GenerationRequest, str | None], str]:
    """A model that calls python with the first expression where it is greedy, else with one that its seed picks."""

    def respond(request: GenerationRequest, adapter: str | None) -> str:
        words = request.messages[-1].content + request.prefill
        if "Observation: " in words:
            seen = words.rsplit("Observation: ", 1)[1].split("\n")[0]
            return f" {seen}\n" if words.endswith("Answer:") else f"Answer: {seen}\n"
        picked = expressions[request.seed % len(expressions) if request.temperature else 0]
        call = f"python[{picked}]"
        return f" {call}\n" if request.prefill.endswith("Action:") else f"Action: {call}\n"

    return respond


class Counted(ScriptedBackend):
    """A scripted model that counts its requests and may be down."""

    def __init__(self, *expressions: str, name: str, down: Exception | None = None, delay_seconds: float = 0.0) -> None:
        super().__init__(solver(*expressions), name, delay_seconds)
        self.requests, self.down = 0, down

    async def generate(self, requests: Any, adapter: str | None = None) -> Any:
        self.requests += len(requests)
        if self.down is not None:
            raise self.down
        return await super().generate(requests, adapter)


def router(
    folder: Path,
    log: EventLog,
    local: ModelBackend,
    cloud: ModelBackend | None = None,
    *settings: str,
    price: Price | None = DEAR,
    run: str | None = None,
) -> Router:
    """The router of these models; `price` is that of the cloud one."""
    configuration = load_configuration(overrides=[f"router.{one}" for one in settings], environment={})

    @cache
    def domain(name: str) -> TaskDomain:
        return SmallDomain()

    @cache
    def shelf(name: str) -> Shelf:
        return shelf_of(domain(name))

    async def toolbox(domain: TaskDomain) -> Toolbox:
        async def no_program(*_: Any) -> Any:
            raise AssertionError("nobody runs a program here")

        return Toolbox({"python": MemoryTool("python")}, no_program, "memory")

    def answerer(name: CandidateName, model: ModelBackend, asked: RoutedModelSettings, price: Price | None) -> Answerer:
        async def opened() -> ModelBackend:
            return model

        return Answerer(name, asked, model.name, None, None, price, domain, shelf, opened)

    answerers: dict[CandidateName, Answerer] = {"local": answerer("local", local, configuration.router.local, FREE)}
    if cloud is not None:
        told = CloudModelSettings(observations="continued", reminders=0)
        answerers["cloud"] = answerer("cloud", cloud, told, price)
    memory = Memory(log, folder / MEMORY_FILE, configuration.router.cache_size)
    embedder: Any = HashEmbedder()
    return Router(
        log,
        configuration,
        lambda: nullcontext(answerers),
        toolbox,
        memory,
        load_signals(configuration.router.signals),
        embedder,
        run,
    )


def posed(text: str = QUESTION, reference: str = "") -> Task:
    return question(text, "math").model_copy(update={"reference": reference})


def types(log: EventLog) -> list[str]:
    """What happened in streams of routes, in order."""
    return [one.event.type for one in log.read(run="routes") if one.stream.startswith("route/")]


def asked(ask: Router, *questions: Task) -> list[Any]:
    """What came of these questions, asked one after the other: the event, or the error."""

    async def all_of_them() -> list[Any]:
        found: list[Any] = []
        for one in questions:
            try:
                found.append((await ask.answer(one)).event)
            except Exception as error:  # noqa: BLE001 — the test looks at it
                found.append(error)
        return found

    return asyncio.run(all_of_them())

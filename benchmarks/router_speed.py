"""How fast the router is by itself: the parts of `python benchmarks/router.py speed`."""

import asyncio
import random
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agent0es.bootstrap import open_store
from agent0es.configuration import Configuration, load_configuration
from agent0es.decisions.route import key_of
from agent0es.domain import events as ev
from agent0es.log import EventLog, NewEvent
from agent0es.models.base import GenerationRequest
from agent0es.rollouts.routing import NobodyAnswered
from agent0es.runs.routing import open_router, posed

ROUNDS = 200


def unsure(request: GenerationRequest, adapter: str | None) -> str:
    """A model whose answer depends on its seed."""
    return f"Answer: {request.seed}\n"


def sure(request: GenerationRequest, adapter: str | None) -> str:
    """One that always says the same."""
    return "Answer: 42\n"


def scripted(*settings: str) -> Configuration:
    local = ("router.local.backend=scripted", "router.local.name=router_speed:sure", "router.local.demonstrations=0")
    return load_configuration(overrides=[*local, *settings], environment={})


def milliseconds(seconds: Sequence[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    return {"p50_ms": 1000 * ordered[len(ordered) // 2], "p95_ms": 1000 * ordered[int(0.95 * (len(ordered) - 1))]}


async def hits(store: Path, entries: int) -> dict[str, Any]:
    """A question whose answer is kept, among so many: from the question to the answer, with the events that say so."""
    configuration = scripted()
    with open_store(store, create=True) as log:
        async with open_router(store, log, configuration) as router:
            first = await router.answer(posed("question 0", "math"))
            [asked] = [one.event for one in log.read(types=["RouteAsked"])]
            assert isinstance(asked, ev.RouteAsked)
            for begin in range(1, entries, 500):
                events = []
                for number in range(begin, min(entries, begin + 500)):
                    key = key_of(f"question {number}", "math", {}, asked.candidates)
                    route = f"route-{number}"
                    made = first.event.model_copy(update={"route": route, "key": key, "confidence": 0.9})
                    events.append(NewEvent(f"route/routes/{route}", made))
                log.append(events, handler="router")
            begin = time.perf_counter()
            await router.answer(posed("question 0", "math"))
            folded, seconds = time.perf_counter() - begin, []
            used, numbers = time.process_time(), random.Random(0).sample(range(1, entries), min(ROUNDS, entries - 1))
            for number in numbers:
                task = posed(f"question {number}", "math")
                at = time.perf_counter()
                found = await router.answer(task)
                seconds.append(time.perf_counter() - at)
                assert found.event.cached is not None, "it is kept"
            cpu = {"cpu_ms": 1000 * (time.process_time() - used) / len(numbers)}
    return {"entries": entries, "first_after_start_seconds": round(folded, 3), **milliseconds(seconds), **cpu}


async def overhead(store: Path) -> dict[str, Any]:
    """What is known and decided of a question that was never asked, without drafts."""
    configuration = scripted("router.drafts=0", "router.cache_size=0")
    with open_store(store, create=True) as log:
        async with open_router(store, log, configuration) as router:
            for number in range(30):  # so that there are judged answers, and neighbours to look for
                await router.answer(
                    posed(f"How much is {number} + {number}?", "math").model_copy(update={"reference": "42"})
                )
            await router.explain(posed("What is 1 times 1?", "math"))  # which loads the embedder
            seconds, used = [], time.process_time()
            for number in range(ROUNDS):
                task = posed(f"What is {number} times {number + 1}?", "math")
                at = time.perf_counter()
                await router.explain(task)
                seconds.append(time.perf_counter() - at)
            cpu = {"cpu_ms": 1000 * (time.process_time() - used) / ROUNDS}
    return {"judged": 30, **milliseconds(seconds), **cpu}


async def fifty(store: Path) -> dict[str, Any]:
    """Fifty questions at once, of which the budget allows some to be asked of the model that is paid."""
    limit = 0.006
    configuration = scripted(
        "router.local.name=router_speed:unsure",
        "router.cloud.backend=scripted",
        "router.cloud.name=router_speed:sure",
        "router.cloud.max_tokens=100",
        "router.cloud.input_price=1.0",
        "router.cloud.output_price=10.0",
        f"router.budget.per_day={limit}",
    )
    with open_store(store, create=True) as log:
        async with open_router(store, log, configuration) as router:
            begin = time.perf_counter()
            tasks = (router.answer(posed(f"question {number}?", "math")) for number in range(50))
            found = await asyncio.gather(*tasks, return_exceptions=True)
            seconds = time.perf_counter() - begin
        bad = [one for one in found if isinstance(one, Exception) and not isinstance(one, NobodyAnswered)]
        if bad:
            raise bad[0]
        return {"limit_usd": limit, "most_usd": most_spent(log), "answers": len(found), "seconds": round(seconds, 2)}


def most_spent(log: EventLog) -> float:
    """The highest sum, at any time, of what was settled and what was reserved."""
    from agent0es.router.budget import Spent, after

    state, most = Spent(), 0.0
    for one in log.read(types=["CostReserved", "CostSettled"]):
        state = after(state, one.event)
        most = max(most, state.total)
    return most

"""The router as a server of OpenAI's kind, so that a client uses it by another base URL.

An answer is known when its attempt has ended, so its text is streamed in one piece, and never taken back; what is done
before that is told on the way. Who asked and is gone has started something all the same: it goes on, its cost is
settled, and the answer is in the cache for the next one.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from agent0es.configuration.secrets import text_without_secrets
from agent0es.errors import Agent0Error, ConfigurationError
from agent0es.log import Recorded
from agent0es.plugins import TASK_DOMAINS, installed
from agent0es.runs.routing import NobodyAnswered, Router, posed, routed
from agent0es.service.context import Service, service_of
from agent0es.service.openai_wire import (
    ChatRequest,
    Question,
    Refused,
    Writing,
    domain_of,
    extension,
    models,
    question_of,
)
from agent0es.service.problems import FAULT, openai_error, status_of

ROUTE = "X-Agent0es-Route"
NO_RETRY = {"X-Should-Retry": "false"}
"""What OpenAI's own clients obey."""
QUIET_SECONDS = 15.0
"""A stream that has nothing to say says so, or proxies close it."""
KINDS = {
    "budget": (402, "insufficient_quota"),
    "refused": (400, "invalid_question"),
    "unavailable": (503, "unavailable"),
}
"""Why nobody answered, to status and code. 402, because clients try a 429 again."""

routes = APIRouter(prefix="/v1", include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Failure:
    """What is said where there is no answer."""

    status: int
    message: str
    code: str
    param: str | None = None

    @property
    def body(self) -> dict[str, Any]:
        return openai_error(self.status, self.message, self.code, self.param)

    def response(self, route: str | None) -> Response:
        headers = {} if self.status in (500, 503) else NO_RETRY
        return JSONResponse(self.body, self.status, {**headers, **({} if route is None else {ROUTE: route})})


def failure_of(error: Exception) -> Failure:
    """How an error is told. Raises it again where it is a fault of ours."""
    match error:
        case Refused():
            return Failure(error.status, str(error), error.code, error.param)
        case NobodyAnswered():
            status, code = KINDS[error.kind]
            return Failure(status, text_without_secrets(str(error)), code)
        case ConfigurationError():  # of the service, not of the client
            return Failure(503, text_without_secrets(str(error)), "misconfigured")
        case Agent0Error():
            return Failure(max(500, status_of(error)), text_without_secrets(str(error)), "unavailable")
        case _:
            raise error


class Asking:
    """One question on its way: what happens to it, and what comes of it."""

    def __init__(self, service: Service, router: Router, question: Question) -> None:
        self._service, self._router, self._question = service, router, question
        self.route: str | None = None
        self._steps: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self._work = service.start(self._answer())
        self._work.add_done_callback(lambda work: self._steps.put_nowait(None))

    async def found(self) -> dict[str, Any]:
        """What came of it, as `agent0es ask --json` has it. Raises what `Router.answer` raises, and Refused where the
        service stops."""
        try:
            return await asyncio.shield(self._work)
        except asyncio.CancelledError:
            if self._work.cancelled():
                raise Refused("the service is stopping", "model", status=503, code="stopping") from None
            raise

    async def begun(self) -> None:
        """Until the first event is in the log, or there will be none."""
        first = await self._steps.get()
        if first is None:
            self._steps.put_nowait(None)

    async def steps(self) -> AsyncIterator[dict[str, Any] | None]:
        """The decisions as they are taken, until there is an answer or none; None when it was quiet for a while."""
        while True:
            try:
                async with asyncio.timeout(QUIET_SECONDS):
                    step = await self._steps.get()
            except TimeoutError:
                yield None
                continue
            if step is None:
                return
            yield step

    async def _answer(self) -> dict[str, Any]:
        asked = await self._router.answer(posed(self._question.text, self._question.domain), self._happened)
        found = await asyncio.to_thread(routed, self._service.log, asked.event)
        return {**found, "seconds": round(asked.seconds, 4), "ignored": list(self._question.ignored)}

    def _happened(self, recorded: Recorded) -> None:
        match recorded.event.model_dump():
            case {"type": "RouteAsked", "route": route}:
                self.route = route
                self._steps.put_nowait({"action": "asked", "route": route})
            case {"type": "RouteDecided", "action": action, "reason": reason, "candidate": who, "attempts": count}:
                self._steps.put_nowait({"action": action, "reason": reason, "candidate": who, "attempts": count})
            case _:
                pass


def install(app: FastAPI) -> None:
    """Add the endpoint to the service."""
    app.include_router(routes)
    app.add_exception_handler(Refused, _refused)


async def _refused(request: Request, error: Exception) -> Response:
    return failure_of(error).response(None)


def _router(service: Service) -> Router:
    if service.router is None:
        raise Refused(
            "this service answers no questions; start it with --router", "model", status=404, code="no_router"
        )
    return service.router


@routes.post("/chat/completions")
async def complete(request: Request, said: ChatRequest) -> Response:
    """A chat completion."""
    service = service_of(request)
    asking = Asking(service, _router(service), question_of(said, installed(TASK_DOMAINS)))
    begin = int(time.time())
    await asking.begun()
    options = said.stream_options
    writing = Writing(asking.route or "", said.model, begin, options is not None and options.include_usage)
    if said.stream and asking.route is not None:
        return StreamingResponse(
            _streamed(asking, writing), media_type="text/event-stream", headers={ROUTE: asking.route}
        )
    try:
        found = await asking.found()
    except (Agent0Error, Refused) as error:
        return failure_of(error).response(asking.route)
    return JSONResponse(writing.whole(found), headers={ROUTE: found["route"]})


async def _streamed(asking: Asking, writing: Writing) -> AsyncIterator[str]:
    """The pieces of an answer: what is decided on the way, the text, how it ended."""
    yield _event(writing.chunk({"role": "assistant", "content": ""}))
    async for step in asking.steps():
        yield ": waiting\n\n" if step is None else _event(writing.chunk({}, more={"step": step}))
    try:
        found = await asking.found()
    except (Agent0Error, Refused) as error:
        yield _event(failure_of(error).body)
        return
    except Exception:  # a fault of ours, which `Service.start` logs; the status was sent long ago
        yield _event(openai_error(500, FAULT, "fault"))
        raise
    yield _event(writing.chunk({"content": found["answer"]}))
    yield _event(writing.chunk({}, "stop", extension(found)))
    if writing.with_usage:
        yield _event(writing.last(found))
    yield "data: [DONE]\n\n"


def _event(value: dict[str, Any]) -> str:
    return f"data: {json.dumps(value)}\n\n"


@routes.get("/models")
async def all_models(request: Request) -> dict[str, Any]:
    """What may be asked: the router, and the router for each task domain; with the models that it may ask."""
    router = _router(service_of(request))
    return {"object": "list", "data": [_model(name, router) for name in models(installed(TASK_DOMAINS))]}


@routes.get("/models/{name}")
async def one_model(request: Request, name: str) -> dict[str, Any]:
    """One of them."""
    router = _router(service_of(request))
    domain_of(name, installed(TASK_DOMAINS))
    return _model(name, router)


def _model(name: str, router: Router) -> dict[str, Any]:
    candidates = [
        {
            "candidate": one.name,
            "model": one.model,
            "adapter": one.adapter,
            "adapter_run": one.adapter_run,
            "input_price": None if one.price is None else one.price.read,
            "output_price": None if one.price is None else one.price.written,
        }
        for one in router.answerers
    ]
    return {"id": name, "object": "model", "created": 0, "owned_by": "agent0es", "agent0es": {"candidates": candidates}}

"""How the service says what went wrong: a page to a browser, problem+json (RFC 9457) to programs, under /v1/
in OpenAI's shape."""

import re
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from agent0es.configuration.secrets import text_without_secrets
from agent0es.errors import (
    Agent0Error,
    ConcurrencyError,
    ModelNotFound,
    PositionNotFound,
    RetractionError,
    RunInUse,
    RunNotDriven,
    RunNotFound,
    SandboxUnavailable,
    StoreError,
    TrainingRefused,
    TransientError,
    UnknownName,
    UserError,
)
from agent0es.service.once import KeyInUse, KeyMisused
from agent0es.service.pages.rendering import bare_page

OPENAI = "/v1/"
FOR_PROGRAMS = ("/api/", OPENAI)
"""Beginnings of paths under which nobody is answered with a page."""
STATUS: Mapping[type[Agent0Error], int] = {
    RunNotFound: 404,
    PositionNotFound: 404,
    UnknownName: 404,
    RunInUse: 409,
    RunNotDriven: 409,
    RetractionError: 409,
    TrainingRefused: 409,
    ConcurrencyError: 409,
    StoreError: 503,
    ModelNotFound: 503,
    SandboxUnavailable: 503,
    TransientError: 503,
    KeyInUse: 409,
    KeyMisused: 422,
    UserError: 400,
    Agent0Error: 500,
}
"""Class of an error to the HTTP status; of several the first one that it is."""
FAULT = "a fault of the service; its log has more"


TO_DO: Mapping[str, str] = {
    "not-found": "See that the address is right, or find what you look for from the list of runs.",
    "method-not-allowed": "This address does something when a button of its page is pressed; go there first.",
    "unknown-host": "Open it by the address that it said when it was started, or start it again with that option.",
    "cross-site": "Open this service by itself, and press the button there.",
    "fault": "Try again. When it happens again, the last lines of what the service wrote say why: please report them.",
}
"""What somebody who looks at a page can do, where the message does not say it."""


def wants_page(request: Request) -> bool:
    """Whether a browser asked for something to look at."""
    return "text/html" in request.headers.get("accept", "") and not request.url.path.startswith(FOR_PROGRAMS)


def status_of(error: Agent0Error) -> int:
    """The HTTP status of an error."""
    return next(status for kind, status in STATUS.items() if isinstance(error, kind))


def openai_error(status: int, message: str, code: str, param: str | None = None) -> dict[str, Any]:
    """An error as clients of OpenAI read it; `param` is the parameter that is wrong."""
    kinds = {401: "authentication_error", 402: "insufficient_quota"}
    kind = kinds.get(status, "invalid_request_error" if status < 500 else "server_error")
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def problem(
    request: Request, status: int, name: str, detail: str, headers: Mapping[str, str] | None = None, **more: Any
) -> Response:
    """A refusal of a request, in the shape that who asked for it reads. `name` says what kind it is."""
    if request.url.path.startswith(OPENAI):
        return JSONResponse(openai_error(status, detail, name.replace("-", "_"), more.get("param")), status, headers)
    title = name.replace("-", " ").capitalize()
    if wants_page(request):
        todo = TO_DO.get(name, "")
        return bare_page("error", status, headers, title=title, status=status, said=detail, todo=todo)
    said = {
        "type": f"urn:agent0es:problem:{name}",
        "title": title,
        "status": status,
        "detail": detail,
        "instance": request.url.path,
        **more,
    }
    return JSONResponse(said, status, headers, media_type="application/problem+json")


def kind_of(error: Exception) -> str:
    """`RunNotFound` as `run-not-found`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", type(error).__name__).lower()


def install(app: FastAPI) -> None:
    """Have every error answered so."""
    app.add_exception_handler(Agent0Error, _known)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(Exception, _fault)


async def _known(request: Request, error: Exception) -> Response:
    assert isinstance(error, Agent0Error), "registered for these"
    return problem(request, status_of(error), kind_of(error), text_without_secrets(str(error)))


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError), "registered for these"
    found = [{"where": ".".join(map(str, one["loc"])), "what": one["msg"]} for one in error.errors()]
    detail = text_without_secrets("; ".join(f"{one['where']}: {one['what']}" for one in found))
    if request.url.path.startswith(OPENAI):
        return problem(request, 400, "invalid-request", detail, param=found[0]["where"].removeprefix("body."))
    return problem(request, 422, "invalid-request", detail, errors=found)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException), "registered for these"
    path = request.url.path
    name, said = {
        404: ("not-found", f"there is nothing at {path}"),
        405: ("method-not-allowed", f"{path} can't be asked with {request.method}"),
    }.get(error.status_code, ("refused", f"{path}: {error.detail}"))
    return problem(request, error.status_code, name, said, error.headers)


async def _gone(request: Request, error: Exception) -> Response:
    """Nobody reads it: who asked went away, or took too long, before the request was there."""
    return problem(request, 400, "cut-off", "the request was not sent to its end")


async def _fault(request: Request, error: Exception) -> Response:
    return problem(request, 500, "fault", FAULT)

"""The form in which a person gives the token."""

from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from agent0es.service.pages.rendering import bare_page
from agent0es.service.problems import problem
from agent0es.service.security import LOGIN, Access, admitted, local_path

MOST_BYTES, MOST_FIELDS = 100_000, 10
"""Of what the form sends. Anybody may send it, so reading it takes no time that others miss."""
ASK, WRONG = "This service wants its token.", "That is not the token of this service."


def router(access: Access) -> APIRouter:
    """The form's routes."""
    routes = APIRouter(include_in_schema=False)

    @routes.get(LOGIN)
    async def form(request: Request, next: str = "/") -> Response:  # noqa: A002 — the name in the address
        if access.token is None:
            return RedirectResponse(local_path(next), 303)
        return bare_page("login", said=ASK, next=local_path(next))

    @routes.post(LOGIN)
    async def given(request: Request) -> Response:
        if int(request.headers.get("content-length", "0")) > MOST_BYTES:
            return problem(request, 413, "too-large", f"the form may have {MOST_BYTES} bytes at most")
        try:
            said = parse_qs((await request.body()).decode("utf-8", "replace"), max_num_fields=MOST_FIELDS)
        except ValueError:
            return problem(request, 400, "invalid-request", "these are not the fields of the form")
        where = local_path(said.get("next", ["/"])[0])
        if access.token is None or not access.is_token(said.get("token", [""])[0].strip()):
            return bare_page("login", 403, said=WRONG, next=where)
        return admitted(request, access, where)

    return routes

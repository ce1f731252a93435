"""The form in which a person gives the token."""

from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from agent0es.service.pages.rendering import bare_page
from agent0es.service.security import LOGIN, Access, admitted, local_path

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
        said = parse_qs((await request.body()).decode("utf-8", "replace"))
        where = local_path(said.get("next", ["/"])[0])
        if access.token is None or not access.is_token(said.get("token", [""])[0].strip()):
            return bare_page("login", 403, said=WRONG, next=where)
        return admitted(request, access, where)

    return routes

"""The form in which a person gives the token."""

from html import escape
from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from agent0es.service.security import LOGIN, Access, admitted, local_path

PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>agent0es: token</title></head>
<body>
<main>
<h1>agent0es</h1>
<form method="post" action="/login">
<p>{said}</p>
<input type="hidden" name="next" value="{next}">
<p><label>Token <input type="password" name="token" autocomplete="current-password" required autofocus></label>
<button>Open</button></p>
</form>
</main>
</body>
</html>
"""
ASK, WRONG = "This service wants its token.", "That is not the token of this service."


def router(access: Access) -> APIRouter:
    """The form's routes."""
    routes = APIRouter(include_in_schema=False)

    @routes.get(LOGIN)
    async def form(request: Request, next: str = "/") -> Response:  # noqa: A002 — the name in the address
        if access.token is None:
            return RedirectResponse(local_path(next), 303)
        return HTMLResponse(PAGE.format(said=ASK, next=escape(local_path(next))))

    @routes.post(LOGIN)
    async def given(request: Request) -> Response:
        said = parse_qs((await request.body()).decode("utf-8", "replace"))
        where = local_path(said.get("next", ["/"])[0])
        if access.token is None or not access.is_token(said.get("token", [""])[0].strip()):
            return HTMLResponse(PAGE.format(said=WRONG, next=escape(where)), 403)
        return admitted(request, access, where)

    return routes

"""Templates become pages. All values are escaped; numbers and times are written one way everywhere."""

import json
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute
from jinja2 import Environment, PackageLoader, StrictUndefined

from agent0es.configuration.secrets import text_without_secrets
from agent0es.errors import Agent0Error
from agent0es.service.context import Service, service_of
from agent0es.service.pages import drawing
from agent0es.service.problems import kind_of, status_of

Served = Annotated[Service, Depends(service_of)]
"""What a view is given: the store that is served."""

NOTHING = "–"


def page(name: str, status: int = 200, /, **values: Any) -> HTMLResponse:
    """A template as a page."""
    return HTMLResponse(render(f"{name}.html", **values), status)


def render(template: str, /, **values: Any) -> str:
    """A template's text."""
    return _environment().get_template(template).render(values)


def routes() -> APIRouter:
    """A router whose errors are pages, too. None of it is in the description of the REST interface."""
    return APIRouter(include_in_schema=False, route_class=_Route)


class _Route(APIRoute):
    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def handled(request: Request) -> Response:
            try:
                return await handler(request)
            except Agent0Error as error:
                if "text/html" not in request.headers.get("accept", ""):
                    raise
                title = kind_of(error).replace("-", " ").capitalize()
                said = text_without_secrets(str(error))
                return page("error", status_of(error), title=title, said=said, back=request.url.path)

        return handled


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("agent0es.service.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "count": count,
        "share": share,
        "number": number,
        "time": time,
        "moment": moment,
        "duration": duration,
        "usd": usd,
        "pretty": pretty,
        "address": address,
        "words": words,
    }
    environment.filters["zip"] = zip
    environment.globals["draw"] = drawing
    return environment


def count(value: float | None) -> str:
    """1,234; a dash for nothing."""
    return NOTHING if value is None else f"{value:,.0f}"


def share(value: float | None) -> str:
    """0.864."""
    return NOTHING if value is None else f"{value:.3f}"


def number(value: float | None) -> str:
    """Four digits that say something."""
    return NOTHING if value is None else f"{value:.4g}"


def usd(value: float | None) -> str:
    """US dollars: cents, and more digits of less than a cent."""
    if value is None:
        return NOTHING
    return f"${value:.2f}" if value >= 0.01 or value == 0 else f"${value:.2g}"


def time(value: float | datetime | None) -> str:
    """`2026-01-31 12:30:00`, UTC."""
    if value is None:
        return NOTHING
    when = datetime.fromtimestamp(value, UTC) if isinstance(value, int | float) else value
    return f"{when:%Y-%m-%d %H:%M:%S}"


def moment(value: str | None) -> str:
    """The same of a time in ISO 8601."""
    return NOTHING if value is None else time(datetime.fromisoformat(value).astimezone(UTC))


def duration(seconds: float | None) -> str:
    """`0.42 s`, `13 s`, `2:05` or `1:02:05`."""
    if seconds is None:
        return NOTHING
    if seconds < 60:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def pretty(value: Any) -> str:
    """A value as JSON over several lines."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


def address(value: Any) -> str:
    """A name as a part of an address; slashes stay, since attempts have them."""
    return quote(str(value), safe="/")


def words(value: str) -> str:
    """`held_out` as `held out`."""
    return value.replace("_", " ")

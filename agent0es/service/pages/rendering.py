"""Templates become pages. All values are escaped; numbers and times are written one way everywhere."""

import base64
import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from agent0es.service.context import Service, asked
from agent0es.service.pages import drawing

STATIC = Path(__file__).parent / "static"
"""Style, scripts, the chart library."""

Served = Annotated[Service, Depends(asked)]
"""What a view is given: the store that is served."""

NOTHING = "–"


def page(name: str, status: int = 200, /, **values: Any) -> HTMLResponse:
    """A template as a page."""
    return HTMLResponse(render(f"{name}.html", **values), status)


def render(template: str, /, **values: Any) -> str:
    """A template's text."""
    return _environment().get_template(template).render(values)


def routes() -> APIRouter:
    """A router for pages. None of it is in the description of the REST interface."""
    return APIRouter(include_in_schema=False)


def bare_page(name: str, status: int = 200, /, headers: Mapping[str, str] | None = None, **values: Any) -> HTMLResponse:
    """A page that has its style inside: for a browser that gets no other file from this service."""
    style = (STATIC / "app.css").read_text(encoding="utf-8")
    policy = (
        f"default-src 'none'; img-src 'self'; style-src {source_of(style)}; form-action 'self'; frame-ancestors 'none'"
    )
    text = render(f"{name}.html", style=Markup(style), **values)
    return HTMLResponse(text, status, {"Content-Security-Policy": policy, **(headers or {})})


def source_of(text: str) -> str:
    """How a content security policy names a style or a script that stands in the page."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


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

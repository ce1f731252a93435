"""Every sandbox call, and whether the log is what was written: its checkpoints, and a look at every hash."""

from typing import Annotated

from fastapi import Query, Response

from agent0es.provenance import audit
from agent0es.runs import checkpoints
from agent0es.runs.finding import find_recorded
from agent0es.service.pages.rendering import Served, page
from agent0es.service.pages.rendering import routes as new_routes

routes = new_routes()

SHOWN = 200
"""Calls on a page."""
CHECKPOINTS = 20
"""That are listed."""
STATUSES = ("denied", "ok", "error", "timeout", "limit", "unknown")


@routes.get("/audit")
def show(
    service: Served,
    run: str = "latest",
    status: str = "",
    tool: str = "",
    tier: str = "",
    attempt: str = "",
    limit: Annotated[int, Query(ge=1, le=5_000)] = SHOWN,
) -> Response:
    """The latest calls of a run that are as asked for, the newest first."""
    runs = list(reversed(service.log.runs()))
    name = find_recorded(service.log, run) if runs or run != "latest" else ""
    asked = {"status": status or None, "tool": tool or None, "tier": tier or None, "attempt": attempt or None}
    calls = []
    if name:
        with service.tables() as tables:
            calls = list(reversed(list(audit.calls(tables, name, **asked, limit=limit))))
    head = next(iter(service.log.raw(after=service.log.head() - 1)), None)
    known = {"head": head, "checkpoints": checkpoints.kept(service.log, service.store, CHECKPOINTS)}
    return page("audit", run=name, runs=runs, calls=calls, asked=asked, statuses=STATUSES, limit=limit, **known)


@routes.get("/audit/{run}/{call:path}")
def one(service: Served, run: str, call: str) -> Response:
    """A call in full; its name ends in # and a count, which stands in the address as %23."""
    name = find_recorded(service.log, run)
    with service.tables() as tables:
        return page("call", run=name, call=audit.one_call(tables, name, call))


@routes.post("/audit/verify")
def verify(service: Served) -> Response:
    """Compute the whole chain again, and hold it against the last checkpoint that lies in the store."""
    last = next(iter(checkpoints.kept(service.log, service.store, 1)), None)
    report = service.log.verify(None if last is None else last.checkpoint)
    return page("verified", report=report, against=last)

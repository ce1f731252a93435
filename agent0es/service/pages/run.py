"""The page of a run: a slider over its log, and everything as it was at that event."""

import asyncio
from typing import Any

from fastapi import Response
from fastapi.responses import JSONResponse

from agent0es.runs import watching
from agent0es.runs.finding import find_run
from agent0es.service.context import Service
from agent0es.service.pages import drawing, plots
from agent0es.service.pages.rendering import Served, page, render
from agent0es.service.pages.rendering import routes as new_routes

routes = new_routes()

BODIES = (
    "summary",
    "event",
    "domains",
    "frontier",
    "rewards",
    "held_out",
    "adapters",
    "tasks",
    "alerts",
    "course",
    "pace",
    "losses",
)
"""Templates in `panels/`, each a part of the page that the slider redraws."""


def seen(service: Service, run: str, at: int | None) -> dict[str, Any]:
    """What the panels show."""
    with service.tables() as tables:
        moment = watching.moment(service.log, tables, run, at)
    return {**moment, "weights": watching.weights_of(service.log, run)}


@routes.get("/runs/{run}")
def show(service: Served, run: str, at: int | None = None) -> Response:
    """The whole page."""
    name = find_run(service.log, run)
    moment = seen(service, name, at)
    with service.tables() as tables:
        milestones = watching.milestones(tables, name)
    span = moment["span"]
    marks = [(drawing.place(mark["position"], span["first"], span["last"]), mark) for mark in milestones]
    bodies = {body: render(f"panels/{body}.html", m=moment) for body in BODIES}
    return page(
        "run",
        m=moment,
        marks=drawing.thinned(marks),
        milestones=milestones,
        bodies=bodies,
        plots=plots.of_moment(moment),
    )


@routes.get("/runs/{run}/panels")
async def panels(service: Served, run: str, at: int | None = None) -> Response:
    """What the slider redraws: the panels as HTML, the charts as numbers. At the live end it is the same for all."""

    def made() -> bytes:
        return _panels(seen(service, find_run(service.log, run), at))

    answer = await (asyncio.to_thread(made) if at is not None else service.shared.get(f"panels of {run}", made))
    return Response(answer, media_type="application/json")


def _panels(moment: dict[str, Any]) -> bytes:
    found = {
        "at": moment["at"],
        "status": moment["status"],
        "span": moment["span"],
        "bodies": {body: render(f"panels/{body}.html", m=moment) for body in BODIES},
        "plots": plots.of_moment(moment),
    }
    return bytes(JSONResponse(found).body)


@routes.get("/runs/{run}/map")
def task_map(service: Served, run: str) -> Response:
    """All tasks as points on a plane; the page shows those that were there at its position."""
    name = find_run(service.log, run)
    with service.tables() as tables:
        return JSONResponse(watching.task_map(tables, service.store, name))


@routes.get("/runs/{run}/events/{position}")
def event(service: Served, run: str, position: int) -> Response:
    """One event in full, with what led to it and what it led to."""
    name = find_run(service.log, run)
    with service.tables() as tables:
        found = watching.event(service.log, tables, name, position)
    return page("event", run=name, event=found)

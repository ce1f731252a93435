"""From an adapter back to what it was made of, from a task forward to what it went into."""

from fastapi import Response

from agent0es.runs import tracing
from agent0es.runs.finding import find_run
from agent0es.runs.tracing import Place
from agent0es.service.pages.rendering import Served, page
from agent0es.service.pages.rendering import routes as new_routes

routes = new_routes()

MOST = 500
"""Attempts that are listed; the rest is counted."""


@routes.get("/lineage/{run}/{name}")
def show(service: Served, run: str, name: str) -> Response:
    """Of a task, named by its number, or of an adapter."""
    place = Place(find_run(service.log, run), name)
    with service.tables() as tables:
        found = tracing.lineage(service.log, tables, service.store, place)
    return page("lineage_task" if place.is_task else "lineage", run=place.run, name=name, found=found, most=MOST)

"""Commands that are run by the clock: when the next one is due, and how the last one ended."""

from fastapi import Response

from agent0es.runs import scheduling
from agent0es.service.pages.rendering import Served, page
from agent0es.service.pages.rendering import routes as new_routes

routes = new_routes()


@routes.get("/schedules")
def show(service: Served) -> Response:
    """All schedules, in the order in which they were added."""
    return page("schedules", schedules=scheduling.listed(service.log))

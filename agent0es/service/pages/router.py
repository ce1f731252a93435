"""What the router decided, how often it was right, and what it spent."""

from fastapi import Response

from agent0es.runs import watching
from agent0es.service.pages.rendering import Served, page
from agent0es.service.pages.rendering import routes as new_routes

routes = new_routes()


@routes.get("/router")
def show(service: Served) -> Response:
    """Figures by model, and the latest questions."""
    with service.tables() as tables:
        found = watching.routed(tables)
    return page("router", **found, limits=service.configuration.router.budget)

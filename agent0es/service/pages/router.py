"""What the router decided, how often it was right, and what it spent: the figures of `agent0es route report`."""

from fastapi import Response

from agent0es.runs import looking
from agent0es.runs.routes import report
from agent0es.service.pages.rendering import Served, page
from agent0es.service.pages.rendering import routes as new_routes

routes = new_routes()

LATEST = 100
"""Questions that are listed."""


@routes.get("/router")
def show(service: Served) -> Response:
    """Figures by model and by domain, what is left of the budgets, and the latest questions."""
    with service.tables() as tables:
        return page("router", **report(tables), latest=looking.routes(tables, None, LATEST))

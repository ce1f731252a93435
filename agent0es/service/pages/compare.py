"""Two runs side by side."""

from fastapi import Response

from agent0es.errors import RunNotFound
from agent0es.runs import comparing
from agent0es.runs.finding import find_run
from agent0es.service.pages.rendering import Served, page
from agent0es.service.pages.rendering import routes as new_routes

routes = new_routes()


@routes.get("/compare")
def show(service: Served, a: str = "", b: str = "") -> Response:
    """A form to choose two; a fork alone is compared with its parent."""
    runs = list(reversed(service.log.runs()))
    found, said = None, ""
    if a:
        one = find_run(service.log, a)
        try:
            with service.tables() as tables:
                found = comparing.diff(service.log, tables, one, b or None)
        except RunNotFound as error:
            if b:
                raise
            said, a = str(error), one
        else:
            a, b = found["runs"]
    return page("compare", runs=runs, a=a, b=b, found=found, said=said)

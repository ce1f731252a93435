"""The list of runs."""

from fastapi import Response
from fastapi.responses import HTMLResponse, RedirectResponse

from agent0es.runs import watching
from agent0es.runs.alerting import listed
from agent0es.service.pages.rendering import Served, page, render
from agent0es.service.pages.rendering import routes as new_routes

routes = new_routes()


@routes.get("/")
def home() -> Response:
    """The first page."""
    return RedirectResponse("/runs", 303)


@routes.get("/runs")
def show(service: Served) -> Response:
    """All runs, the latest first."""
    head = service.log.head()  # what comes while the page is made is told again
    raised = [alert for alert in reversed(listed(service.log)) if alert["cleared"] is None]
    with service.tables() as tables:
        return page("runs", runs=watching.runs(service.log, tables), raised=raised, head=head)


@routes.get("/runs/rows")
async def rows(service: Served) -> Response:
    """The rows of the list, for all pages that are open."""

    def made() -> bytes:
        with service.tables() as tables:
            return render("panels/runs.html", runs=watching.runs(service.log, tables)).encode()

    return HTMLResponse(await service.shared.get("the runs", made))

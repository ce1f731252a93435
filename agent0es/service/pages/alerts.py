"""What an operator is told of: the alerts that are not over, and all that were."""

from fastapi import Response
from fastapi.responses import HTMLResponse

from agent0es.runs.alerting import listed
from agent0es.service.pages.rendering import Served, page, render
from agent0es.service.pages.rendering import routes as new_routes

routes = new_routes()

MOST = 500
"""Alerts of before that are listed."""


@routes.get("/alerts")
def show(service: Served) -> Response:
    """Those that are not over, and the history, the latest first."""
    head = service.log.head()  # what comes while the page is made is told again
    found = list(reversed(listed(service.log)))
    over = [alert for alert in found if alert["cleared"] is not None]
    return page("alerts", raised=_raised(found), over=over[:MOST], more=len(over) - MOST, head=head)


@routes.get("/alerts/raised")
def raised(service: Served) -> Response:
    """Those that are not over, for a page that is open."""
    return HTMLResponse(render("panels/raised.html", raised=_raised(list(reversed(listed(service.log))))))


def _raised(found: list[dict[str, object]]) -> list[dict[str, object]]:
    return [alert for alert in found if alert["cleared"] is None]

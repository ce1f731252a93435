"""What a browser shows: pages made here, on the server, each at an address that names run and position.

A view is one file with its routes; templates escape all that they are given, and hold no script and no style of their
own. `static/` has the style, the chart library and the little that a page does by itself: the slider, the charts, and
what is told live.
"""

from fastapi import FastAPI
from starlette.staticfiles import StaticFiles

from agent0es.service.pages import (
    actions,
    alerts,
    audit,
    compare,
    episode,
    lineage,
    live,
    router,
    run,
    runs,
    schedules,
    sql,
)
from agent0es.service.pages.rendering import STATIC

VIEWS = (runs, run, live, episode, compare, lineage, audit, sql, router, alerts, schedules, actions)


def install(app: FastAPI) -> None:
    """Add the pages to the service."""
    app.mount("/static", StaticFiles(directory=STATIC), "static")
    for view in VIEWS:
        app.include_router(view.routes)

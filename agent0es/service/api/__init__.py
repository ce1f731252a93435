"""REST under /api/v1: what the command line shows and does, as JSON. Each file is a subject."""

from fastapi import APIRouter, FastAPI

from agent0es.service.api import document, events, operating, querying, reading, writing

PREFIX = "/api/v1"


def install(app: FastAPI) -> None:
    """Add all of it to the service."""
    routes = APIRouter(prefix=PREFIX)
    for part in (reading, events, querying, writing, operating):
        routes.include_router(part.router())
    app.include_router(routes)
    document.install(app)

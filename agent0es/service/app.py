"""The service as an ASGI application: a factory that opens nothing and starts nothing."""

from fastapi import FastAPI
from starlette.types import ASGIApp

from agent0es import __version__
from agent0es.service import api, login, metrics, openai_api, pages, problems
from agent0es.service.context import Service
from agent0es.service.security import HEALTH, Access, Guard

DOCUMENT = "/api/v1/openapi.json"


def create_app(service: Service, access: Access) -> ASGIApp:
    """The application that serves an opened store to those who may ask."""
    app = FastAPI(
        title="agent0es",
        version=__version__,
        openapi_url=DOCUMENT,
        docs_url=None,  # its page loads scripts of another site
        redoc_url=None,
    )
    app.state.service = service
    problems.install(app)
    app.include_router(login.router(access))
    app.include_router(metrics.router())

    @app.get(HEALTH, include_in_schema=False)
    async def health() -> dict[str, str]:
        """Whether it answers; needs no token."""
        return {"status": "ok"}

    openai_api.install(app)
    api.install(app)
    pages.install(app)
    return Guard(app, access)

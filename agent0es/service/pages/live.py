"""New events as they come, for pages that are open: server-sent events."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Header, Response
from fastapi.responses import StreamingResponse

from agent0es.service.pages.rendering import Served
from agent0es.service.pages.rendering import routes as new_routes

routes = new_routes()

MOST_AT_ONCE = 200
"""Of new events, that are told one by one."""


@routes.get("/live")
async def live(
    service: Served, after: int | None = None, last_event_id: Annotated[int | None, Header()] = None
) -> Response:
    """Positions, types and streams of events after a position, or from now on; the id of a message is the position."""
    begin, head = last_event_id if last_event_id is not None else after, service.log.head()
    start = head if begin is None else max(begin, head - MOST_AT_ONCE)

    async def messages() -> AsyncIterator[str]:
        yield "retry: 1000\n\n"
        async for page in service.following.events(start):
            rows = page[-MOST_AT_ONCE:]
            data = ",".join(one.brief for one in rows)
            yield f"id: {rows[-1].position}\ndata: [{data}]\n\n" if rows else ": nothing new\n\n"

    return StreamingResponse(messages(), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})

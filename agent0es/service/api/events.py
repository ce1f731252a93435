"""The log: a page of events after a position, or all that come, as server-sent events."""

from collections.abc import AsyncIterator, Iterator
from itertools import islice
from typing import Annotated, Any, get_args

from fastapi import APIRouter, Header, Query
from fastapi.responses import StreamingResponse
from pydantic import AfterValidator, BaseModel, Field, WithJsonSchema

from agent0es.domain.events import Event
from agent0es.errors import QueryError, nearest
from agent0es.log import Recorded
from agent0es.runs import following
from agent0es.runs.finding import find_recorded
from agent0es.service.api.shapes import LARGEST, Limit, Position, ServiceOf
from agent0es.service.context import Service

TYPES = [kind.__name__ for kind in get_args(Event)]


def _known(name: str) -> str:
    if name not in TYPES:
        raise ValueError(f"there is no such event; {nearest(name, TYPES)}")
    return name


EventType = Annotated[str, AfterValidator(_known), WithJsonSchema({"type": "string", "enum": TYPES})]
OfRun = Annotated[
    str | None, Query(description="Only those of a run, of an evaluation (`eval-…`), or of the router (`routes`).")
]
After = Annotated[Position, Query(description="Only events after this position of the log.")]


class EventRecord(BaseModel):
    """An event of the log."""

    position: int = Field(description="Its place in the log, from 1; without gaps.")
    stream: str
    version: int = Field(description="Its place in its stream, from 1.")
    type: str
    content: dict[str, Any] = Field(description="What happened. Texts of models are hostile.")
    meta: dict[str, Any] = Field(description="How it went: time (Unix seconds), host, handler, cause.")
    hash: str = Field(description="sha256 of the content.")
    chain_hash: str = Field(description="sha256 of the previous chain hash and the stored bytes.")


class Page(BaseModel):
    """Events in order of position."""

    events: list[EventRecord]
    after: int = Field(description="Where the next page begins: its `after`.")
    more: bool = Field(description="Whether there are more now.")


def router() -> APIRouter:
    """Its routes."""
    routes = APIRouter(tags=["events"])

    @routes.get("/events", response_model=Page)
    def events(
        service: ServiceOf,
        run: OfRun = None,
        type: Annotated[list[EventType] | None, Query(description="Only of these types; repeatable.")] = None,  # noqa: A002
        task: Annotated[int | None, Query(ge=1, le=2**31 - 1, description="Only of this task of the run.")] = None,
        attempt: Annotated[str | None, Query(description="Only of this attempt of the run.")] = None,
        after: After = 0,
        limit: Limit = 100,
    ) -> Any:
        """A page of the log."""
        head = service.log.head()
        wanted = following.Wanted(frozenset(type or ()), task, attempt)
        if run is None and (task is not None or attempt is not None):
            raise QueryError("a task or an attempt is one of a run; name it")
        every: Iterator[Recorded]
        if run is None:
            every = filter(wanted, service.log.read(after=after, until=head, types=wanted.types or None))
        else:
            every = following.events(service.log, find_recorded(service.log, run), wanted, min(after, head))
        found = [following.as_json(one) for one in islice(every, limit)]
        more = next(every, None) is not None
        last = found[-1]["position"] if more else max(head, after)
        return {"events": found, "after": last, "more": more}

    @routes.get(
        "/events/stream",
        response_class=StreamingResponse,
        responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}},
    )
    def stream(
        service: ServiceOf,
        run: OfRun = None,
        after: Annotated[Position | None, Query(description="Begin after it; the default is the end.")] = None,
        last_event_id: Annotated[
            int | None, Header(ge=0, le=LARGEST, description="The last position that was received; a browser sends it.")
        ] = None,
    ) -> StreamingResponse:
        """Events as they are appended, until the service stops. The id of each is its position, its event is its type;
        the data is that of a page's event."""
        name = None if run is None else find_recorded(service.log, run)
        begin = last_event_id if last_event_id is not None else after
        if begin is None:
            begin = service.log.head()
        return StreamingResponse(_stream(service, begin, name), media_type="text/event-stream")

    return routes


async def _stream(service: Service, after: int, run: str | None) -> AsyncIterator[str]:
    yield "retry: 1000\n\n"
    async for page in service.following.events(after, run):
        lines = (f"id: {one.position}\nevent: {one.type}\ndata: {one.text}\n\n" for one in page)
        yield "".join(lines) or ": quiet\n\n"

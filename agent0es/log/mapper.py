"""Between the events of the catalogue and their stored bytes.

The state of a stored event is one JSON object, `{"hash": …, "meta": {…}, "content": {…}}`, without spaces and in
this order. `meta` ends with `measured`, and where marks were made has `handled` before that. `content` is canonical:
sorted keys, no spaces, characters as themselves, type and version included, long texts as references. `hash` is the
sha256 of exactly those bytes.
"""

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

import pydantic_core
from eventsourcing import persistence as es
from eventsourcing.domain import DomainEventProtocol
from pydantic import ValidationError

from agent0es.domain.events import Event, event_adapter
from agent0es.domain.task import Scalar
from agent0es.errors import LogError
from agent0es.log.records import Mark, Meta
from agent0es.log.texts import extract, references, restore
from agent0es.log.upcasting import upcast

_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode
_plain = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode

_HASH_START, _HASH_END = len('{"hash":"'), len('{"hash":"') + 64
_META_START = _HASH_END + len('","meta":')
_CONTENT_TEXT = '}},"content":{'
_CONTENT = _CONTENT_TEXT.encode()
_CONTENT_START = len(_CONTENT) - 1
"""Where meta ends and content begins. Quotes inside strings are escaped and `measured` is flat, so that the first
place that looks like this is it."""


@dataclass(frozen=True, slots=True)
class Content:
    """An event's content as it is stored."""

    topic: str
    data: bytes
    """Canonical JSON, texts as references."""
    sha256: str
    texts: Mapping[str, str]
    """The texts that were taken out, by hash."""


class StoredParts(NamedTuple):
    """The three parts of a stored state, uninterpreted."""

    content: bytes
    meta: bytes
    sha256: str


@dataclass(frozen=True)
class LogEntry:
    """An event of the catalogue as a domain event of the `eventsourcing` library."""

    originator_id: str
    originator_version: int
    event: Event
    meta: Meta


def topic_of(event: Event) -> str:
    return f"{event.type}@{event.version}"


def is_catalogue_topic(topic: str) -> bool:
    """Whether a stored event is one of the catalogue: `TaskProposed@1`, where the library writes `module:Class`."""
    kind, at, version = topic.partition("@")
    return at == "@" and kind.isidentifier() and version.isdecimal()


def canonical(content: Any) -> bytes:
    """Content in the form in which it is stored. Raises ValueError or TypeError for what JSON or UTF-8 can't hold."""
    return _canonical(content).encode()


def encode_content(event: Event) -> Content:
    """An event's content as it is stored. Raises LogError for what JSON can't hold: NaN, infinity, lone surrogates."""
    texts: dict[str, str] = {}
    # Not mode="json", which makes null of NaN: the event could never be read again.
    values = event.model_dump()
    try:
        data = canonical(extract(values, texts))
    except RecursionError:
        raise LogError(f"{topic_of(event)} can't be stored: it is nested too deeply") from None
    except (ValueError, TypeError) as error:
        raise LogError(f"{topic_of(event)} can't be stored: {_misfit(values) or error}") from None
    return Content(topic_of(event), data, hashlib.sha256(data).hexdigest(), texts)


def _misfit(value: Any, place: str = "") -> str | None:
    """Where in an event something stands that can't be stored, and what; None when that is not found."""
    if isinstance(value, dict):
        for key, item in value.items():
            if found := _misfit(key, f"a key of {place or 'the event'}") or _misfit(item, f"{place}.{key}".lstrip(".")):
                return found
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            if found := _misfit(item, f"{place}.{number}"):
                return found
    elif isinstance(value, float) and not math.isfinite(value):
        return f"{_plainly(place)} is {value}, which is not a finite number"
    elif isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError as error:
            return f"{_plainly(place)} holds {value[error.start]!r}, half of a character, which no file can hold"
    elif not isinstance(value, int | float | None):
        return f"{_plainly(place)} is of type {type(value).__name__}, which JSON doesn't have"
    return None


def _plainly(place: str) -> str:
    """The name of a field as it can be printed and stored."""
    return place.encode("utf-8", "backslashreplace").decode()[:200]


def encode_state(content: Content, meta: Meta) -> bytes:
    """The bytes of a stored event. Raises LogError when a measured value is not finite."""
    values = {
        "event_id": str(meta.event_id),
        "time": meta.time,
        "host": meta.host,
        "handler": meta.handler,
        "cause": str(meta.cause) if meta.cause else None,
        "correlation": meta.correlation,
        **({"handled": meta.handled} if meta.handled else {}),
        "measured": dict(meta.measured),
    }
    try:
        encoded = _plain(values).encode()
    except (ValueError, TypeError) as error:
        raise LogError(f"{content.topic} can't be stored: {_misfit(values) or error}") from None
    return b'{"hash":"%b","meta":%b,"content":%b}' % (content.sha256.encode(), encoded, content.data)


def split_state(state: bytes) -> StoredParts:
    """The parts of a stored event, by position and not by parsing. Raises LogError when it isn't one of ours."""
    border = state.find(_CONTENT, _META_START)
    if border < 0 or not state.startswith(b'{"hash":"') or not state.endswith(b"}}"):
        raise LogError("a stored event is not in the form that agent0es writes; the log was changed from outside")
    return StoredParts(
        state[border + _CONTENT_START : -1], state[_META_START : border + 2], state[_HASH_START:_HASH_END].decode()
    )


def split_states(states: Sequence[str | bytes]) -> tuple[list[str], list[str]]:
    """Content and meta of many states, as the driver gave them: what `split_state` does, without a call for each."""
    try:
        texts = [state if isinstance(state, str) else bytes(state).decode() for state in states]
    except UnicodeDecodeError as error:
        raise LogError(f"a stored event is not text ({error}); the log was changed from outside") from None
    borders = [text.find(_CONTENT_TEXT, _META_START) for text in texts]
    if min(borders, default=0) < 0 or not all(text.startswith('{"hash":"') for text in texts):
        for text in texts:
            split_state(text.encode())  # raises for the one that it is
    cut = list(zip(texts, borders, strict=True))
    contents = [text[border + _CONTENT_START : -1] for text, border in cut]
    return contents, [text[_META_START : border + 2] for text, border in cut]


def decode_content(data: bytes, texts: Mapping[str, str]) -> Event:
    """The event of stored content of any version. Raises LogError when it can't be read, KeyError without its texts."""
    content = pydantic_core.from_json(data)
    if b'$text":' in data:  # else there is neither a reference nor a dictionary that looks like one
        content = restore(content, texts)
    content = upcast(content)
    try:
        return event_adapter.validate_python(content)
    except ValidationError as error:
        what = f"{content.get('type')}@{content.get('version')}"
        raise LogError(f"{what} does not fit the catalogue: {_on_one_line(error)}") from None


def _on_one_line(error: ValidationError) -> str:
    """Where the first mistake is, what it is, and how many more there are."""
    first, *more = error.errors(include_url=False, include_context=False, include_input=False)
    where = ".".join(map(str, first["loc"]))
    return " ".join(f"{where}: {first['msg']}{f' (and {len(more)} more)' if more else ''}".split())


def decode_meta(data: bytes) -> Meta:
    """Meta from its JSON. Raises LogError when it can't be read."""
    try:
        values: dict[str, Any] = pydantic_core.from_json(data)
        measured: dict[str, Scalar] = values["measured"]
        return Meta(
            event_id=UUID(values["event_id"]),
            time=values["time"],
            host=values["host"],
            handler=values["handler"],
            cause=UUID(values["cause"]) if values["cause"] else None,
            correlation=values["correlation"],
            measured=measured,
            handled=tuple(map(_mark, values.get("handled", ()))),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise LogError(f"agent0es would not write this meta of an event ({type(error).__name__}: {error})") from None


def _mark(values: Sequence[Any]) -> Mark:
    mark = Mark(*values)
    if [type(value) for value in mark] != [str, int, str, int]:
        raise ValueError("a mark in `handled` has values of the wrong types")
    return mark


def _no_texts(names: list[str]) -> Mapping[str, str]:
    if names:
        raise LogError("a mapper without a log has no texts")
    return {}


class EventMapper(es.Mapper[Any]):
    """The library's mapper for events of library aggregates, ours for those of the catalogue."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """As the library's."""
        super().__init__(*arguments, **named)
        self.resolve: Callable[[list[str]], Mapping[str, str]] = _no_texts
        """Texts by hash. `EventLog` puts its own in this place."""

    def to_stored_event(self, domain_event: DomainEventProtocol[Any]) -> es.StoredEvent:
        if not isinstance(domain_event, LogEntry):
            return super().to_stored_event(domain_event)
        # Its id, its texts and what it was a reaction to belong into one transaction, which only the log can do.
        raise LogError("events of the catalogue are appended with EventLog.append")

    def to_domain_event(self, stored_event: es.StoredEvent) -> DomainEventProtocol[Any]:
        if not is_catalogue_topic(stored_event.topic):
            return super().to_domain_event(stored_event)
        parts = split_state(stored_event.state)
        return LogEntry(
            originator_id=str(stored_event.originator_id),
            originator_version=stored_event.originator_version,
            event=decode_content(parts.content, self.resolve(references(parts.content))),
            meta=decode_meta(parts.meta),
        )

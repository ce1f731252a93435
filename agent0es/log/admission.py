"""What else is checked of an exported log, besides its hashes, before it is imported.

The hashes only show that nobody changed it since it was written; its writer may have meant harm. So every event must
be one of the catalogue, stored as this program stores it, and every name and path in it must be safe to use.
"""

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

from agent0es.domain.events import Event
from agent0es.domain.names import NAME_RULE, is_name, is_relative
from agent0es.domain.workdir import FileWritten
from agent0es.errors import LogError, StoreError
from agent0es.log.append import run_of
from agent0es.log.mapper import canonical, decode_content, decode_meta, is_catalogue_topic, split_state

LONGEST_STREAM = 300
LATEST = 2.0**35
"""Seconds since 1970; more than this is not a date."""

NAMES = ("adapter", "adapter_run", "parent")
"""Fields of events that name an adapter or a run."""

PATHS = ("path",)
"""Fields of events, and of the files that a call wrote, that are relative paths."""


def check_event(row: Mapping[str, Any], texts: Mapping[str, str]) -> None:
    """Raise LogError for a row of the table `events` that this program would never have written.

    `texts` holds all that the event refers to, by hash.
    """
    try:
        if row["event_id"] is None:
            if is_catalogue_topic(row["topic"]):
                raise LogError("it has no id")
            return
        _check(row, texts)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError, StoreError) as error:
        if isinstance(error, StoreError):
            raise LogError(str(error)) from None
        raise LogError(f"agent0es would not write it ({type(error).__name__}: {error})"[:300]) from None


def _check(row: Mapping[str, Any], texts: Mapping[str, str]) -> None:
    stream: str = row["stream"]
    run = run_of(stream)
    if run != row["run"] or not is_name(run):
        raise LogError(f"the run is called {run[:100]!r}; {NAME_RULE}")
    if len(stream) > LONGEST_STREAM or not stream.isprintable():
        raise LogError(f"{stream[:100]!r} is not a stream name")
    parts = split_state(row["state"])
    content = json.loads(parts.content)
    if canonical(content) != parts.content:
        raise LogError("its content is not in the form that agent0es writes")
    if row["topic"] != f"{content['type']}@{content['version']}":
        raise LogError("its topic does not match its content")
    _check_meta(parts.meta, row)
    event = decode_content(parts.content, texts)
    for what, name in _names(event):
        if not is_name(name):
            raise LogError(f"{what} is {name[:100]!r}; {NAME_RULE}")
    for what, path in _paths(event):
        if not is_relative(path):
            raise LogError(f"{what} is {path[:100]!r}, which is not a path in the store")


def _check_meta(data: bytes, row: Mapping[str, Any]) -> None:
    meta = decode_meta(data)
    if str(meta.event_id) != row["event_id"] or meta.correlation != row["run"]:
        raise LogError("its columns do not match its meta")
    if not (type(meta.time) is float and math.isfinite(meta.time) and 0 <= meta.time < LATEST):
        raise LogError(f"its time is {meta.time!r:.40}")
    if not (isinstance(meta.host, str) and isinstance(meta.handler, str) and isinstance(meta.measured, dict)):
        raise LogError("agent0es would not write its meta")
    for name, value in meta.measured.items():
        if not isinstance(value, str | int | float | None) or (isinstance(value, float) and not math.isfinite(value)):
            raise LogError(f"measured.{name[:40]} is {value!r:.40}")


def _names(event: Event) -> Iterator[tuple[str, str]]:
    """Every name in an event, with the field that it stands in."""
    for holder in (event, getattr(event, "way", None)):
        for field in NAMES:
            if isinstance(value := getattr(holder, field, None), str):
                yield field, value


def _paths(event: Event) -> Iterator[tuple[str, str]]:
    """Every path in an event, with the field that it stands in."""
    for field in PATHS:
        if isinstance(value := getattr(event, field, None), str):
            yield field, value
    written: tuple[FileWritten, ...] = getattr(event, "written", ())
    yield from (("written.path", file.path) for file in written)
    yield from (("deleted", path) for path in getattr(event, "deleted", ()))
    yield from (("files", path) for path in getattr(event, "files", ()))
    if (proposal := getattr(event, "proposal", None)) is not None:
        yield from (("proposal.files", path) for path in proposal.files)
    if (posed := getattr(event, "posed", None)) is not None:
        yield from (("posed.files", path) for path in posed.files)

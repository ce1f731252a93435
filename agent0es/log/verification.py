"""Does the log still say what was written into it?

The chain shows every change to a stored event, in content or meta, and every event that was taken out or put in
between. It can't show that events are missing at the end, or that the whole log was written anew: that takes hashes
which are kept elsewhere.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pydantic_core
from sqlalchemy import select

from agent0es.errors import LogError
from agent0es.log.chain import GENESIS, chain
from agent0es.log.datastore import Datastore
from agent0es.log.mapper import split_state
from agent0es.log.schema import events, texts
from agent0es.log.texts import references

PAGE_ROWS = 1000


@dataclass(frozen=True, slots=True)
class ChainReport:
    """What verifying found."""

    ok: bool
    events: int
    """Events whose hashes were recomputed, up to and including the first bad one."""
    texts: int
    chain_hash: str
    """Hash of the last good event: it stands for all before it. Zeros when there is none."""
    first_bad: int | None = None
    """Position of the first event that is not as it was written."""
    problem: str = ""
    """What is wrong with it, in one line."""


def verify(datastore: Datastore) -> ChainReport:
    """Walk the whole log. Memory stays bounded but for one hash per text."""
    good, bad = _check_texts(datastore)
    position, previous, count = 0, GENESIS, 0
    for row in _rows(datastore):
        count += 1
        problem = _problem(row, position + 1, previous, good, bad)
        if problem:
            return ChainReport(False, count, len(good) + len(bad), previous, position + 1, problem)
        position, previous = row.seq, row.chain_hash
    with datastore.read() as connection:
        last, _ = datastore.dialect.tail(connection)
    if last != position and position == _head(datastore):
        problem = f"events up to {last} were appended, those after {position} are gone"
        return ChainReport(False, count, len(good) + len(bad), previous, position + 1, problem)
    if bad:
        return ChainReport(False, count, len(good) + len(bad), previous, None, f"text {min(bad).hex()} was changed")
    return ChainReport(True, count, len(good), previous)


def _problem(row: Any, expected: int, previous: str, good: set[bytes], bad: set[bytes]) -> str:
    if row.seq != expected:
        return f"position {expected} is missing"
    if chain(previous, row.stream, row.version, row.topic, row.state) != row.chain_hash:
        return "the chain hash does not fit the stored bytes"
    if row.event_id is None:
        return ""  # an event of a library aggregate: it has a place in the chain and no content of ours
    try:
        parts = split_state(row.state)
        meta = pydantic_core.from_json(parts.meta)
    except (LogError, ValueError) as error:
        return str(error)
    if hashlib.sha256(parts.content).hexdigest() != parts.sha256:
        return "the content hash does not fit the content"
    if (row.event_id, row.run) != (meta["event_id"], meta["correlation"]):
        return "the columns event_id and run are not those of the event"
    for name in references(parts.content):
        if bytes.fromhex(name) not in good:
            return f"text {name} {'was changed' if bytes.fromhex(name) in bad else 'is missing'}"
    return ""


def _check_texts(datastore: Datastore) -> tuple[set[bytes], set[bytes]]:
    """Hashes of the texts that are as they were written, and of those that are not."""
    good: set[bytes] = set()
    bad: set[bytes] = set()
    last = ""
    query = select(texts.c.sha256, texts.c.text).order_by(texts.c.sha256).limit(PAGE_ROWS)
    while True:
        with datastore.read() as connection:
            page = connection.execute(query.where(texts.c.sha256 > last)).fetchall()
        for name, text in page:
            digest = hashlib.sha256(text.encode()).hexdigest()
            (good if digest == name else bad).add(bytes.fromhex(name))
        if len(page) < PAGE_ROWS:
            return good, bad
        last = page[-1].sha256


def _rows(datastore: Datastore) -> Iterator[Any]:
    after = 0
    query = select(events).order_by(events.c.seq).limit(PAGE_ROWS)
    while True:
        with datastore.read() as connection:
            page = connection.execute(query.where(events.c.seq > after)).fetchall()
        yield from page
        if len(page) < PAGE_ROWS:
            return
        after = page[-1].seq


def _head(datastore: Datastore) -> int:
    with datastore.read() as connection:
        return connection.execute(select(events.c.seq).order_by(events.c.seq.desc()).limit(1)).scalar() or 0

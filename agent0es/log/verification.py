"""Has the log been altered since it was written?

The chain shows every change to a stored event, in content or meta, and every event that was taken out or put in
between. It can't show that events are missing at the end, or that all of the log was rewritten: that takes hashes
which are kept elsewhere, see `checkpoint`. Marks in `handled` are covered as `marks` describes; leases are not covered.
"""

import hashlib
import json
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import chain as concatenated
from typing import Any

from sqlalchemy import Connection

from agent0es.errors import LogError
from agent0es.log.chain import GENESIS, chain_bytes
from agent0es.log.checkpoint import Checkpoint, origin_of
from agent0es.log.datastore import Datastore
from agent0es.log.dialects import Dialect
from agent0es.log.mapper import is_catalogue_topic, split_state
from agent0es.log.marks import MarkIndex
from agent0es.log.records import Mark
from agent0es.log.texts import references

PAGE_ROWS = 2000

RECENT = 10_000
"""Names of texts that are remembered, because the same ones are referred to again and again."""

Row = Sequence[Any]
"""seq, stream, version, topic, run, event_id, state, chain_hash, and whether each is of the type that it should be.
Texts as the bytes that are stored; run and event_id may be None."""


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
    """Position of the first event that has been altered."""
    problem: str = ""
    """What is wrong with it, in one line."""
    first_hash: str = GENESIS
    """Chain hash of the first event."""

    @property
    def finding(self) -> str:
        """What is wrong and where, in one line."""
        return f"position {self.first_bad}: {self.problem}" if self.first_bad else self.problem

    @property
    def checkpoint(self) -> Checkpoint:
        """The checkpoint of all events up to the last good one."""
        return Checkpoint(origin_of(self.first_hash), self.events, self.chain_hash)


class TextIndex:
    """Which texts there are, in 8 bytes each, so that any log's fit into memory."""

    def __init__(self) -> None:
        self.bad: set[bytes] = set()
        """Names of those that have been altered."""
        self.count = 0
        self._prefixes = array("Q")
        self._sorted = True
        self._found: set[str] = set()

    def add(self, name: bytes, text: bytes, typed: bool = True) -> None:
        self.count += 1
        digest = hashlib.sha256(text)
        if typed and digest.hexdigest().encode() == name and is_text(text):
            self._prefixes.append(int.from_bytes(digest.digest()[:8]))
            self._sorted = False
        else:
            self.bad.add(name)

    def __contains__(self, name: str) -> bool:
        if name in self._found:
            return True
        if not self._sorted:
            import numpy

            numpy.frombuffer(self._prefixes, numpy.uint64).sort()  # in place, where `sorted` would make objects
            self._sorted = True
        prefix = int(name[:16], 16)
        place = bisect_left(self._prefixes, prefix)
        if place == len(self._prefixes) or self._prefixes[place] != prefix:
            return False
        if len(self._found) > RECENT:
            self._found.clear()
        self._found.add(name)
        return True


def verify(datastore: Datastore, checkpoint: Checkpoint | None = None) -> ChainReport:
    """Verify all of the log as of now, also against an earlier checkpoint. Memory is 8 bytes a text."""
    dialect = datastore.dialect
    with datastore.read() as connection:
        if strange := dialect.strangeness(connection):
            return ChainReport(False, 0, 0, GENESIS, problem=strange)
        texts = TextIndex()
        for name, text, typed in stored_rows(connection, dialect.raw_texts):
            texts.add(name, text, typed)
        marks = MarkIndex()
        report = verify_rows(events_from(connection, dialect), texts, checkpoint, marks)
        last = dialect.tail(connection)[0] if report.ok else 0
        if report.ok and last != report.events:
            problem = f"events up to {last} were appended; those after {report.events} are gone"
            return replace(report, ok=False, first_bad=report.events + 1, problem=problem)
        for run, position, handler, committed, typed in stored_rows(connection, dialect.raw_handled):
            marks.hold(Mark(_shown(run), position, _shown(handler), committed), typed)
        return with_marks(report, marks, lambda first: events_from(connection, dialect, first))


def verify_rows(
    rows: Iterable[Row], texts: TextIndex, checkpoint: Checkpoint | None = None, marks: MarkIndex | None = None
) -> ChainReport:
    """Recompute every hash of rows from wherever they come; they should begin with position 1.

    What the events say of marks goes into `marks`, to be compared with the table by `with_marks`.
    """
    position, previous, first = 0, GENESIS.encode(), GENESIS
    known = 0 if checkpoint is None else checkpoint.size

    def report(first_bad: int | None, problem: str, events: int = 0) -> ChainReport:
        return ChainReport(not problem, events or position, texts.count, previous.decode(), first_bad, problem, first)

    for row in rows:
        problem = _problem(row, position + 1, previous, texts, marks)
        if not problem and checkpoint is not None:
            problem = _contradiction(position + 1, row[7].decode(), checkpoint)
        if problem:
            return report(position + 1, problem, position + 1)
        position, previous = position + 1, row[7]
        if position == 1:
            first = previous.decode()
    if position < known:
        return report(
            position + 1, f"the checkpoint was made of {known} events; those after position {position} are gone"
        )
    if texts.bad:
        return report(None, f"text {_shown(min(texts.bad))} was changed")
    return report(None, "")


def with_marks(report: ChainReport, marks: MarkIndex, events: Callable[[int], Iterable[Row]]) -> ChainReport:
    """The report, and what is wrong with the marks if it is good so far. `events` reads the rows from a position on."""
    found = marks.finding(events) if report.ok else None
    return report if found is None else replace(report, ok=False, first_bad=found[0], problem=found[1])


def _contradiction(position: int, chain_hash: str, checkpoint: Checkpoint) -> str:
    if position == 1 and checkpoint.origin != origin_of(chain_hash):
        return "the checkpoint is of another log, or this log was rewritten"
    if position == checkpoint.size and checkpoint.root != chain_hash:
        return "the log up to here is not the one that the checkpoint was made of; it was rewritten"
    return ""


def _problem(row: Row, expected: int, previous: bytes, texts: TextIndex, marks: MarkIndex | None) -> str:
    seq, stream, version, topic, run, event_id, state, chain_hash, typed = row
    if seq != expected:
        return f"position {expected} is missing" if seq > expected else f"position {seq} is out of order"
    if not typed:
        return "a column holds a value of the wrong type"
    if chain_bytes(previous, stream, version, topic, state) != chain_hash:
        return "the chain hash does not fit the stored bytes"
    if event_id is None and not is_catalogue_topic(topic.decode()):
        # An event of a library aggregate: it has a place in the chain and no content of ours.
        return "" if run is None else "the columns event_id and run are not those of the event"
    try:
        parts = split_state(state)
    except LogError as error:
        return str(error)
    if hashlib.sha256(parts.content).hexdigest() != parts.sha256:
        return "the content hash does not fit the content"
    meta = parts.meta
    if not (run and event_id and meta.startswith(b'{"event_id":"%b",' % event_id)):
        return "the columns event_id and run are not those of the event"
    # Quotes inside strings are escaped, so the first place that looks like the correlation is it.
    if not meta.startswith(_correlation(run), meta.find(_CORRELATION)):
        return "the columns event_id and run are not those of the event"
    if stream.split(b"/", 2)[1:2] != [run]:
        return "its stream does not belong to its run"
    for name in references(parts.content):
        if name not in texts:
            return f"text {name} {'was changed' if name.encode() in texts.bad else 'is missing'}"
    if marks is not None:
        try:
            marks.add(seq, run, topic, meta, parts.content)
        except LogError as error:
            return str(error)
    return ""


_CORRELATION = b'"correlation":'


@lru_cache(1000)
def _correlation(run: bytes) -> bytes:
    """What an event's meta says when the run is this one."""
    return b"%b%b," % (_CORRELATION, json.dumps(run.decode(errors="replace"), ensure_ascii=False).encode())


def events_from(connection: Connection, dialect: Dialect, first: int = 1) -> Iterator[Row]:
    """The stored events from a position on."""
    return stored_rows(connection, dialect.raw_events.format(first=int(first)))


def is_text(data: bytes) -> bool:
    """Whether bytes are UTF-8."""
    try:
        return data.isascii() or bool(data.decode())
    except UnicodeDecodeError:
        return False


def _shown(name: bytes) -> str:
    return name.decode(errors="backslashreplace")


def stored_rows(connection: Connection, query: str) -> Iterator[Row]:
    """Rows of a query as the driver gives them, a page at a time."""
    result = connection.execution_options(stream_results=True).exec_driver_sql(query)
    return concatenated.from_iterable(result.partitions(PAGE_ROWS))

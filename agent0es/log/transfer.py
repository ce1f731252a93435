"""A log in a file, byte for byte: to keep, to check without its database, to import into another one.

The file is NDJSON in this order: one header, the texts, the events, the marks in `handled`, and an end with the
checkpoint and the sha256 of everything before it. Each line is an object with one key, which says what it is. States
are text, or base64 where they are not valid text.
"""

import hashlib
import json
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import groupby, islice
from operator import itemgetter
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert, select

from agent0es.errors import LogError, StoreError
from agent0es.files import replacing
from agent0es.log.admission import check_event
from agent0es.log.checkpoint import Checkpoint
from agent0es.log.datastore import Datastore
from agent0es.log.marks import MarkIndex
from agent0es.log.records import Mark
from agent0es.log.schema import events, handled, texts
from agent0es.log.texts import references
from agent0es.log.verification import (
    ChainReport,
    Row,
    TextIndex,
    events_from,
    stored_rows,
    verify_rows,
    with_marks,
)

HEADER, FORMAT = "agent0es_log", 1
BATCH_ROWS = 1000

_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


def export_log(datastore: Datastore, file: Path) -> ChainReport:
    """Write the log as of now, verified on the way. Raises StoreError and leaves no file when it does not verify."""
    with replacing(file) as output, datastore.read() as connection:
        digest = hashlib.sha256()

        def write(kind: str, value: Any) -> None:
            line = _encode({kind: value}).encode() + b"\n"
            digest.update(line)
            output.write(line)

        def written(rows: Iterable[Row]) -> Iterator[Row]:
            for row in rows:
                write("event", _event(row))
                yield row

        index, marks = TextIndex(), MarkIndex()
        write(HEADER, FORMAT)
        for sha256, text, typed in stored_rows(connection, datastore.dialect.raw_texts):
            index.add(sha256, text, typed)
            write("text", {"sha256": sha256.decode(errors="replace"), "text": text.decode(errors="replace")})
        report = verify_rows(written(events_from(connection, datastore.dialect)), index, marks=marks)
        if report.ok:
            columns = (handled.c.run, handled.c.position, handled.c.handler)
            for row in connection.execute(select(*columns, handled.c.committed).order_by(*columns)):
                mark = Mark(*row)
                marks.hold(mark, all(map(isinstance, mark, (str, int, str, int))))
                write("handled", mark._asdict())
        report = with_marks(report, marks, partial(events_from, connection, datastore.dialect))
        if not report.ok:
            raise StoreError(f"{datastore.dialect.name}: {report.finding}; an altered log is not exported")
        write("end", {"checkpoint": report.checkpoint.text, "sha256": digest.hexdigest()})
    return report


def verify_export(file: Path, checkpoint: Checkpoint | None = None) -> ChainReport:
    """Recompute every hash in an exported file. Raises StoreError when it isn't one, or is cut short."""
    index, marks = TextIndex(), MarkIndex()
    report: ChainReport | None = None
    for kind, lines in groupby(read_export(file), key=itemgetter(0)):
        if kind == "text":
            for _, text in lines:
                index.add(text["sha256"].encode(), text["text"].encode())
        elif kind == "event":
            report = verify_rows((_row(event) for _, event in lines), index, checkpoint, marks)
            if not report.ok:
                return report
        elif kind == "handled":
            for _, mark in lines:
                marks.hold(Mark(**mark))
        elif kind == "end":
            report = report or verify_rows([], index, checkpoint)
            if report.ok and next(lines)[1]["checkpoint"] != report.checkpoint.text:
                raise StoreError(f"{file}: its checkpoint does not match its events; export the log again")
    assert report is not None, "a file without an end is refused"
    return with_marks(report, marks, partial(_events_from, file))


def _events_from(file: Path, first: int) -> Iterator[Row]:
    """The events of an exported file from a position on."""
    return (_row(event) for kind, event in read_export(file) if kind == "event" and event["seq"] >= first)


def import_log(datastore: Datastore, file: Path, report: ChainReport) -> ChainReport:
    """Put an exported log into an empty one, all or nothing; its chain stays the same.

    `report` is what `verify_export` found, which must be good. Raises StoreError when the file is another one now, and
    for events that this program would never have written (`admission`).
    """
    with datastore.write() as connection:
        if datastore.dialect.tail(connection) != (0, None):
            raise StoreError(f"{datastore.dialect.name}: this log already has events; import into an empty store")
        stated = ""
        for kind, lines in groupby(read_export(file), key=itemgetter(0)):
            if kind == "end":
                stated = next(lines)[1]["checkpoint"]
                break
            statement = insert(_TABLES[kind])
            while batch := [value for _, value in islice(lines, BATCH_ROWS)]:
                if kind == "event":
                    _admit(connection, file, batch)
                connection.execute(statement, batch)
        tail = (report.events, report.chain_hash if report.events else None)
        if datastore.dialect.tail(connection) != tail or stated != report.checkpoint.text:
            raise StoreError(f"{file}: was changed during the import; nothing was imported, try again")
    datastore.appended.notify()
    return report


def _admit(connection: Connection, file: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Raise StoreError unless all these events are what this program writes. Their texts are in the database."""
    wanted = iter({name for row in rows for name in references(row["state"])})
    found: dict[str, str] = {}
    while names := list(islice(wanted, BATCH_ROWS)):
        query = select(texts.c.sha256, texts.c.text).where(texts.c.sha256.in_(names))
        found.update(connection.execute(query).tuples().all())
    for row in rows:
        try:
            check_event(row, found)
        except LogError as error:
            raise StoreError(f"{file}: event {row['seq']}: {error}; nothing was imported") from None


def read_export(file: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Rows of the tables in an exported file, with the kind of each. Raises StoreError when it is cut short."""
    kinds = ("text", "event", "handled", "end")
    place = number = 0
    digest = hashlib.sha256()
    try:
        with file.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                [(kind, value)] = json.loads(line).items()
                if number == 1:
                    if kind != HEADER:
                        raise ValueError("there is no header")
                    if value != FORMAT:
                        raise StoreError(f"{file}: was written by a newer agent0es; use that one")
                else:
                    place = kinds.index(kind, place)
                    if kind == "end":
                        if value.keys() != {"checkpoint", "sha256"}:
                            raise ValueError("its last line has other keys")
                        if value["sha256"] != digest.hexdigest() or lines.read(1) or not line.endswith(b"\n"):
                            raise ValueError("the lines before it were changed")
                        yield kind, value
                        return
                    yield kind, _parsed(kind, value)
                digest.update(line)
        raise ValueError("the end is missing")
    except OSError as error:
        raise StoreError(f"{file}: {error.strerror or error}; name an exported log") from None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        detail = f"{type(error).__name__}: {error}".splitlines()[0]
        raise StoreError(f"{file}: line {number} is damaged ({detail}); export the log again") from None


_TABLES = {"text": texts, "event": events, "handled": handled}

NUMBERS = {"seq": 2**63, "version": 2**31, "position": 2**63, "committed": 2**63}
"""Columns that hold numbers from 0 on, to the first that is too large."""


def _parsed(kind: str, value: dict[str, Any]) -> dict[str, Any]:
    """A row of the table. Raises ValueError, KeyError, TypeError or AttributeError for what is none."""
    row = dict(value)
    if kind == "event":
        row["state"] = (
            b64decode(row.pop("state_base64"), validate=True) if "state" not in row else row["state"].encode()
        )
    columns = _TABLES[kind].columns
    if row.keys() != set(columns.keys()):
        raise ValueError(f"the object should have the keys {', '.join(columns.keys())}")
    for name, value_of in row.items():
        match value_of:
            case int() if name in NUMBERS and not isinstance(value_of, bool) and 0 <= value_of < NUMBERS[name]:
                pass
            case bytes() if name == "state":
                pass
            case str() if name not in NUMBERS:
                value_of.encode()
            case None if columns[name].nullable:
                pass
            case _:
                raise ValueError(f"{name} is of the wrong type or out of range")
    return row


def _row(event: dict[str, Any]) -> Row:
    run, event_id = event["run"], event["event_id"]
    return (
        event["seq"],
        event["stream"].encode(),
        event["version"],
        event["topic"].encode(),
        None if run is None else run.encode(),
        None if event_id is None else event_id.encode(),
        event["state"],
        event["chain_hash"].encode(),
        True,
    )


def _event(row: Row) -> dict[str, Any]:
    seq, stream, version, topic, run, event_id, state, chain_hash, _typed = row
    try:
        stored = {"state": state.decode()}
    except UnicodeDecodeError:
        stored = {"state_base64": b64encode(state).decode()}
    return {
        "seq": seq,
        "stream": _text(stream),
        "version": version,
        "topic": _text(topic),
        "run": _text(run),
        "event_id": _text(event_id),
        **stored,
        "chain_hash": _text(chain_hash),
    }


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode(errors="replace")

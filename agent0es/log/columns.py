"""Many events at once, as columns of an Arrow table: what projections read.

A row of the database becomes no Python object of its own, which is what makes this several times faster than reading
events one by one.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Select, select, type_coerce
from sqlalchemy.types import NullType

from agent0es.log.mapper import split_states
from agent0es.log.schema import events
from agent0es.log.texts import extract, references, restore
from agent0es.log.upcasting import CURRENT_VERSIONS, upcast

if TYPE_CHECKING:
    import pyarrow

FindTexts = Callable[[Sequence[str]], Mapping[str, str]]
"""Texts by their hashes."""

FIELD = re.compile(r'(?<=:)\{"\$text":"([0-9a-f]{64})"\}')
"""A reference that is a field of an object, and not an item of a list, as the parts of a prompt are."""

PAGE_ROWS = 2_000
"""Rows that become columns together: more of them no longer fit into the processor's cache."""

STORED = ("position", "stream", "version", "type", "event_version", "run", "content", "meta", "chain_hash")
"""Columns of an event as it stands in the log."""

MARK = ':{"$text":"'
"""What every such reference begins with. Quotes inside strings are escaped, so it is never part of one."""


def statement(after: int, limit: int | None) -> Select[Any]:
    """The rows of the catalogue's events after a position, with their state as the driver gives it."""
    columns = events.c
    state = type_coerce(columns.state, NullType())
    query = select(columns.seq, columns.stream, columns.version, columns.topic, columns.run, state, columns.chain_hash)
    return query.where(columns.event_id.is_not(None), columns.seq > after).order_by(columns.seq).limit(limit)


class Columns:
    """Rows that become columns, a page at a time, and then one table."""

    def __init__(self) -> None:
        self._pages: list[pyarrow.Table] = []
        self._changed: dict[int, str] = {}
        self._old: dict[int, str] = {}
        self._rows = 0

    def add(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """What `statement` gave. Raises LogError for a state that is not one of ours."""
        # Not zip(*rows): it makes an object for each row, and with them work for the garbage collector.
        position, stream, version, topic, run, state, chain_hash = (
            [row[column] for row in rows] for column in range(7)
        )
        content, meta = split_states(state)
        kinds = [_kind(name) for name in topic]
        self._changed |= {row: text for row, text in enumerate(content, self._rows) if MARK in text}
        old = {row for row, kind in enumerate(kinds) if CURRENT_VERSIONS.get(kind.type) != kind.version}
        self._old |= {self._rows + row: content[row] for row in old}
        self._rows += len(rows)
        values = {
            "position": position,
            "stream": stream,
            "version": version,
            "type": [kind.type for kind in kinds],
            "event_version": [kind.version for kind in kinds],
            "run": run,
            "content": content,
            "meta": meta,
            "chain_hash": chain_hash,
        }
        self._pages.append(_table(values))

    def resolved(self, find_texts: FindTexts) -> "pyarrow.Table":
        """All the rows, as `EventLog.arrow` describes them."""
        import pyarrow

        today = pyarrow.array(self._as_of_today(find_texts), pyarrow.string())
        return pyarrow.concat_tables([_table({}), *self._pages]).append_column("resolved", today)

    def _as_of_today(self, find_texts: FindTexts) -> list[str | None]:
        """Each content that readers see in another form than the stored one, in that form; None for the others."""
        texts = dict(find_texts([name for content in self._old.values() for name in references(content.encode())]))
        changed = dict(self._changed)
        for row, content in self._old.items():
            today = upcast(restore(json.loads(content), texts))
            changed[row] = json.dumps(extract(today, texts), ensure_ascii=False, separators=(",", ":"))
        names = {name for content in changed.values() for name in FIELD.findall(content)}
        texts |= find_texts(sorted(names - texts.keys()))
        quoted = {name: json.dumps(texts[name], ensure_ascii=False) for name in names}
        resolved: list[str | None] = [None] * self._rows
        for row, content in changed.items():
            resolved[row] = FIELD.sub(lambda reference: quoted[reference[1]], content)
        return resolved


def _table(values: Mapping[str, Sequence[Any]]) -> "pyarrow.Table":
    """Columns of the right types, empty where there are no values."""
    import pyarrow

    numbers = {"position": pyarrow.int64(), "version": pyarrow.int32(), "event_version": pyarrow.int32()}
    text = pyarrow.string()
    return pyarrow.table({name: pyarrow.array(values.get(name, ()), numbers.get(name, text)) for name in STORED})


class _Kind(NamedTuple):
    """What a topic says."""

    type: str
    version: int


@cache
def _kind(topic: str) -> _Kind:
    kind, _, version = topic.partition("@")
    return _Kind(kind, int(version))

"""Many events at once, as columns of an Arrow table: what projections read.

A row of the database becomes no Python object of its own, which is what makes this several times faster than reading
events one by one.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

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

MARK = ':{"$text":"'
"""What every such reference begins with. Quotes inside strings are escaped, so it is never part of one."""


def statement(after: int, limit: int | None) -> Select[Any]:
    """The rows of the catalogue's events after a position, with their state as the driver gives it."""
    columns = events.c
    state = type_coerce(columns.state, NullType())
    query = select(columns.seq, columns.stream, columns.version, columns.topic, columns.run, state, columns.chain_hash)
    return query.where(columns.event_id.is_not(None), columns.seq > after).order_by(columns.seq).limit(limit)


def to_arrow(rows: Sequence[tuple[Any, ...]], find_texts: FindTexts) -> "pyarrow.Table":
    """What `statement` gave, as `EventLog.arrow` describes it. Raises LogError for a state that is not one of ours."""
    import pyarrow

    # Not zip(*rows): it makes an object for each row, and with them work for the garbage collector.
    position, stream, version, topic, run, state, chain_hash = ([row[column] for row in rows] for column in range(7))
    content, meta = split_states(state)
    kinds = [_kind(name) for name in topic]
    columns = {
        "position": (position, pyarrow.int64()),
        "stream": (stream, pyarrow.string()),
        "version": (version, pyarrow.int32()),
        "type": ([kind for kind, _ in kinds], pyarrow.string()),
        "event_version": ([number for _, number in kinds], pyarrow.int32()),
        "run": (run, pyarrow.string()),
        "content": (content, pyarrow.string()),
        "resolved": (_as_of_today(content, kinds, find_texts), pyarrow.string()),
        "meta": (meta, pyarrow.string()),
        "chain_hash": (chain_hash, pyarrow.string()),
    }
    return pyarrow.table({name: pyarrow.array(values, kind) for name, (values, kind) in columns.items()})


def joined(pages: "Sequence[pyarrow.Table]") -> "pyarrow.Table":
    """One table of all the pages, nothing copied."""
    import pyarrow

    return pyarrow.concat_tables(pages)


def _as_of_today(contents: Sequence[str], kinds: Sequence[tuple[str, int]], find_texts: FindTexts) -> list[str | None]:
    """Each content that readers see in another form than the stored one, in that form; None for the others."""
    texts: dict[str, str] = {}
    changed = {row: content for row, content in enumerate(contents) if MARK in content}
    for row, (kind, version) in enumerate(kinds):
        if CURRENT_VERSIONS.get(kind) != version:
            texts |= find_texts(references(contents[row].encode()))
            today = upcast(restore(json.loads(contents[row]), texts))
            changed[row] = json.dumps(extract(today, texts), ensure_ascii=False, separators=(",", ":"))
    names = {name for content in changed.values() for name in FIELD.findall(content)}
    texts |= find_texts(sorted(names - texts.keys()))
    quoted = {name: json.dumps(texts[name], ensure_ascii=False) for name in names}
    resolved: list[str | None] = [None] * len(contents)
    for row, content in changed.items():
        resolved[row] = FIELD.sub(lambda reference: quoted[reference[1]], content)
    return resolved


@cache
def _kind(topic: str) -> tuple[str, int]:
    kind, _, version = topic.partition("@")
    return kind, int(version)

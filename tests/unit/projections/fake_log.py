"""A log in memory with the part of `EventLog` that projections read."""

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from types import SimpleNamespace
from uuid import UUID

import pyarrow

from agent0es.log.records import Meta, NewEvent, Recorded

COLUMNS = (
    "position",
    "stream",
    "version",
    "type",
    "event_version",
    "run",
    "content",
    "resolved",
    "meta",
    "chain_hash",
)


class FakeLog:
    def __init__(self, events: Sequence[NewEvent] = ()) -> None:
        self.rows: list[SimpleNamespace] = []
        self.recorded: list[Recorded] = []
        self._texts: dict[str, str] = {}
        self._versions: dict[str, int] = {}
        self.append(events)

    def append(self, events: Sequence[NewEvent]) -> None:
        for new in events:
            self._append(new)

    def _append(self, new: NewEvent) -> None:
        position = len(self.rows) + 1
        version = self._versions[new.stream] = self._versions.get(new.stream, 0) + 1
        content = json.dumps(
            self._refer(new.event.model_dump()), sort_keys=True, separators=(",", ":"), ensure_ascii=False
        )
        meta = {"time": 1_700_000_000 + position / 8, "handler": "test", "measured": dict(new.measured)}
        chain = self.rows[-1].chain_hash if self.rows else ""
        row = SimpleNamespace(
            position=position,
            stream=new.stream,
            version=version,
            type=new.event.type,
            event_version=new.event.version,
            run=new.stream.split("/")[1],
            content=content,
            resolved=None,
            meta=json.dumps(meta),
            content_hash=hashlib.sha256(content.encode()).hexdigest(),
            chain_hash=hashlib.sha256((chain + content).encode()).hexdigest(),
        )
        self.rows.append(row)
        known = Meta(UUID(int=position), meta["time"], "here", "test", None, row.run, new.measured)
        self.recorded.append(
            Recorded(position, new.stream, version, new.event, known, row.content_hash, row.chain_hash)
        )

    def _refer(self, value: object) -> object:
        match value:
            case dict():
                return {key: self._refer(inner) for key, inner in value.items()}
            case list():
                return [self._refer(inner) for inner in value]
            case str() if len(value.encode()) > 200:
                sha256 = hashlib.sha256(value.encode()).hexdigest()
                self._texts[sha256] = value
                return {"$text": sha256}
            case _:
                return value

    def raw(self, *, after: int = 0, until: int | None = None) -> Iterator[SimpleNamespace]:
        return iter(self.rows[after:until])

    def arrow(self, after: int = 0, limit: int | None = None) -> pyarrow.Table:
        rows = self.rows[after : None if limit is None else after + limit]
        for row in rows:
            resolved = re.sub(r'(?<=:)\{"\$text":"(\w+)"\}', lambda m: json.dumps(self._texts[m[1]]), row.content)
            row.resolved = None if resolved == row.content else resolved
        types = {"position": "int64", "version": "int64", "event_version": "int64"}
        return pyarrow.table(
            {name: pyarrow.array([getattr(row, name) for row in rows], types.get(name, "string")) for name in COLUMNS}
        )

    def read(
        self,
        *,
        after: int = 0,
        until: int | None = None,
        run: str | None = None,
        stream: str | None = None,
        types: Sequence[str] | None = None,
        limit: int | None = None,
    ) -> Iterator[Recorded]:
        found = (
            recorded
            for recorded in self.recorded[after:until]
            if run in (None, recorded.run)
            and stream in (None, recorded.stream)
            and (types is None or recorded.event.type in types)
        )
        yield from islice(found, limit)

    def text(self, sha256: str) -> str:
        return self._texts[sha256]

    def texts(self, names: Sequence[str]) -> dict[str, str]:
        return {name: self._texts[name] for name in names}

    def head(self) -> int:
        return len(self.rows)

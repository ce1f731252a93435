"""Saved queries: one .sql file each, shown by `agent0es report` in the order of their names.

The first comment line is the title, the next ones explain; `-- bars: column` has that column drawn as bars. `$run` in
the query is the run's name.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from agent0es.errors import QueryError, StoreError
from agent0es.files import read_text
from agent0es.projections.answers import objects
from agent0es.projections.tables import Projections

BARS = re.compile(r"bars:\s*(\w+)")


@dataclass(frozen=True, slots=True)
class SavedQuery:
    """A query with what a reader wants to know about it."""

    name: str
    """The file's name without `.sql`."""
    title: str
    explanation: str
    bars: str | None
    """Column to draw."""
    sql: str


def saved_queries(folder: Path | None = None) -> list[SavedQuery]:
    """The queries in a folder, or those of agent0es. Raises QueryError when there are none or one can't be read."""
    try:
        queries = [parse(name.removesuffix(".sql"), text) for name, text in sources(folder)]
    except OSError as error:
        raise QueryError(f"--queries {folder}: {error.strerror or error}; name a folder with .sql files") from None
    if not queries:
        raise QueryError(f"--queries {folder}: there is no .sql file; agent0es report --save DIR writes some to change")
    return queries


def ask(tables: Projections, query: SavedQuery, run: str) -> list[dict[str, Any]]:
    """The rows of a saved query for a run. Raises QueryError that names its file."""
    try:
        return list(objects(tables.query(query.sql, {"run": run} if "$run" in query.sql else ())))
    except QueryError as error:
        raise QueryError(f"{query.name}.sql: {error}") from error


def save(folder: Path) -> None:
    """Copy the queries of agent0es into a folder, to be changed. Raises StoreError, also where a file is there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in sources():
            with (folder / name).open("x", encoding="utf-8") as file:
                file.write(text)
    except FileExistsError as error:
        raise StoreError(f"{error.filename}: already exists; name another folder with --save") from None
    except OSError as error:
        raise StoreError(f"{folder}: {error.strerror or error}; name another folder with --save") from None


def sources(folder: Path | None = None) -> list[tuple[str, str]]:
    """Names and texts of the .sql files in a folder, or of those of agent0es. Raises OSError, UserError."""
    if folder is not None:
        return [(file.name, read_text(file)) for file in sorted(folder.iterdir()) if file.name.endswith(".sql")]
    found = sorted((file for file in files(__package__).iterdir() if file.name.endswith(".sql")), key=lambda f: f.name)
    return [(file.name, file.read_text(encoding="utf-8")) for file in found]


def parse(name: str, text: str) -> SavedQuery:
    """A saved query from its file's text."""
    comments: list[str] = []
    lines = text.splitlines()
    while lines and (not lines[0].strip() or lines[0].startswith("--")):
        comments += [comment] if (comment := lines.pop(0).removeprefix("--").strip()) else []
    bars = [found[1] for comment in comments if (found := BARS.fullmatch(comment))]
    told: Sequence[str] = [comment for comment in comments if not BARS.fullmatch(comment)]
    return SavedQuery(
        name=name,
        title=told[0] if told else name,
        explanation=" ".join(told[1:]),
        bars=bars[0] if bars else None,
        sql="\n".join(lines).strip(),
    )

"""The tables: which .sql files there are, in which order, and what in them declares and what fills.

A file holds a table's CREATE and COMMENT statements and the INSERT … SELECT that fills it from `batch`: a temporary
table of new events with position, run, type, time, content (as it is of the current version and with long texts in
place; those in lists stay references), measured, which is JSON, and what else `events` shows.

Every INSERT takes rows from single events and only adds rows. What needs several events, such as a tool call and its
end, is a view over such rows (they lie in the schema `facts`). So the tables are the same however the events were cut
into batches.
"""

import hashlib
import re
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from agent0es.projections import database

TABLES = (
    "events",
    "texts",
    "failures",
    "proposals_rejected",
    "histories",
    "tasks",
    "verifications",
    "rewards",
    "tool_calls",
    "model_calls",
    "attempts",
    "curriculum",
    "iterations",
    "datasets",
    "retractions",
    "evaluations",
    "evaluation_families",
    "measurements",
    "routes",
    "training_steps",
    "adapters",
    "runs",
    "alerts",
    "alerts_raised",
    "jobs",
)
"""Every table that a user sees, in an order in which each needs only those before it."""

NAMES = "names"
"""The file with the macros that read names, which the tables use."""

PREPARE = """
CREATE SCHEMA facts;
CREATE TABLE facts.folded (position BIGINT NOT NULL, chain_hash VARCHAR NOT NULL, fingerprint VARCHAR NOT NULL);
"""
"""`folded` has one row: the last event that the tables hold, and the schema that they were made with."""

BATCH = """
CREATE TEMP TABLE batch (
    position BIGINT, run VARCHAR, stream VARCHAR, version INTEGER, type VARCHAR, time TIMESTAMP, handler VARCHAR,
    measured VARCHAR, content VARCHAR, stored VARCHAR, meta VARCHAR, chain_hash VARCHAR
)
"""
"""`stored` is the content as it stands in the log, where that is not the same."""

PARSED = """*, from_json(meta, '{"time": "DOUBLE", "handler": "VARCHAR", "measured": "JSON"}') AS parsed"""
ARRIVED = """
position, run, stream, version, type, make_timestamp(CAST(round(parsed.time * 1e6) AS BIGINT)), parsed.handler,
parsed.measured, coalesce(resolved, content), CASE WHEN resolved IS NOT NULL THEN content END, meta, chain_hash
"""
"""What becomes of the Arrow table that the log gives: two projections, so that meta is parsed once."""

TEXTS = re.compile(r"\btexts\b", re.IGNORECASE)
"""A query that may ask for the table `texts`, which is filled for those only."""

NEW_TEXTS = r"""
SELECT DISTINCT unnest(regexp_extract_all(content, '\{"\$text":"([0-9a-f]{64})"\}', 1)) AS sha256
FROM facts.event WHERE position > (SELECT max(position) FROM facts.texts_copied)
EXCEPT SELECT sha256 FROM texts
"""
"""Hashes of the texts that events refer to which came since texts were copied."""

WHERE_TYPE = re.compile(r"FROM batch WHERE type (= '\w+'|IN \([^)]*\))")


class Fill(NamedTuple):
    """An INSERT … SELECT from `batch`."""

    name: str
    """Under which it is prepared."""
    sql: str
    types: frozenset[str]
    """Events that it reads, as its WHERE names them; empty when it reads all. A batch without them needs no run."""


class Statements(NamedTuple):
    """The .sql files, split by what a statement is for."""

    declare: tuple[str, ...]
    """Run once, in an empty database."""
    fill: tuple[Fill, ...]
    """Run for each batch."""


@cache
def load() -> Statements:
    """Read the .sql files of this folder. Parsing them takes 50 ms, which only those pay who fold."""
    import duckdb

    statements = [statement for source in _sources() for statement in duckdb.extract_statements(source)]
    inserts = [statement.type == duckdb.StatementType.INSERT for statement in statements]
    return Statements(
        declare=(PREPARE, *(s.query for s, insert in zip(statements, inserts, strict=True) if not insert)),
        fill=tuple(_fill(f"fill_{n}", s.query) for n, s in enumerate(statements) if inserts[n]),
    )


@cache
def fingerprint() -> str:
    """sha256 of everything that shapes the tables."""
    import duckdb

    shape = [duckdb.__version__, str(database.ROW_GROUP), PREPARE, BATCH, PARSED, ARRIVED, NEW_TEXTS, *_sources()]
    return hashlib.sha256("\0".join(shape).encode()).hexdigest()


def _sources() -> list[str]:
    return [files(__package__).joinpath(f"{name}.sql").read_text(encoding="utf-8") for name in (NAMES, *TABLES)]


def _fill(name: str, sql: str) -> Fill:
    named = WHERE_TYPE.search(sql)
    return Fill(name, sql, frozenset(re.findall(r"'(\w+)'", named[0]) if named else ()))

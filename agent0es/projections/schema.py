"""The tables: which .sql files there are, in which order, and what in them declares and what fills.

A file holds a table's CREATE and COMMENT statements and the INSERT … SELECT that fills it from `batch`: a temporary
table of new events with position, run, type, time, content (as it is of the current version and with long texts in
place; those in lists stay references) and measured, which is JSON. `arrived` has them as they stand in the log.

Every INSERT takes rows from single events and only adds rows. What needs several events, such as a tool call and its
end, is a view over such rows (they lie in the schema `facts`). So the tables are the same however the events were cut
into batches.
"""

import hashlib
import re
from functools import cache
from importlib.resources import files
from typing import NamedTuple

TABLES = (
    "events",
    "failures",
    "proposals_rejected",
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
    "adapters",
    "runs",
    "alerts",
)
"""Every table that a user sees, in an order in which each needs only those before it."""

PREPARE = """
CREATE SCHEMA facts;
CREATE TABLE facts.folded (position BIGINT NOT NULL, chain_hash VARCHAR NOT NULL, fingerprint VARCHAR NOT NULL);
"""
"""`folded` has one row: the last event that the tables hold, and the schema that they were made with."""

BATCH = """
CREATE OR REPLACE TEMP VIEW arrived AS
SELECT * EXCLUDE (parsed), parsed.* REPLACE (make_timestamp(CAST(round(parsed.time * 1e6) AS BIGINT)) AS time)
FROM (
    SELECT *, from_json(meta, '{"time": "DOUBLE", "handler": "VARCHAR", "measured": "JSON"}') AS parsed FROM incoming
);
CREATE OR REPLACE TEMP TABLE batch AS
SELECT position, run, type, time, coalesce(resolved, content) AS content, measured FROM arrived;
"""
"""`incoming` is the Arrow table that the log gives. `batch` has no column that only `events` needs: a copy costs."""

WHERE_TYPE = re.compile(r"FROM batch WHERE type (= '\w+'|IN \([^)]*\))")


class Fill(NamedTuple):
    """An INSERT … SELECT from `batch`."""

    sql: str
    types: frozenset[str]
    """Events that it reads, as its WHERE names them; empty when it reads all. A batch without them needs no run."""


class Statements(NamedTuple):
    """The .sql files, split by what a statement is for."""

    declare: tuple[str, ...]
    """Run once, in an empty database."""
    fill: tuple[Fill, ...]
    """Run for each batch."""
    fingerprint: str
    """sha256 of everything that shapes the tables."""


@cache
def load() -> Statements:
    """Read the .sql files of this folder."""
    import duckdb

    sources = [files(__package__).joinpath(f"{table}.sql").read_text(encoding="utf-8") for table in TABLES]
    statements = [statement for source in sources for statement in duckdb.extract_statements(source)]
    inserts = [statement.type == duckdb.StatementType.INSERT for statement in statements]
    shape = [duckdb.__version__, PREPARE, BATCH, *sources]
    return Statements(
        declare=(PREPARE, *(s.query for s, insert in zip(statements, inserts, strict=True) if not insert)),
        fill=tuple(_fill(s.query) for s, insert in zip(statements, inserts, strict=True) if insert),
        fingerprint=hashlib.sha256("\0".join(shape).encode()).hexdigest(),
    )


def _fill(sql: str) -> Fill:
    named = WHERE_TYPE.search(sql)
    return Fill(sql, frozenset(re.findall(r"'(\w+)'", named[0]) if named else ()))

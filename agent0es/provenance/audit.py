"""Every sandbox call: who asked for what, under which limits and isolation, how it ended and what it used."""

import json
from collections.abc import Iterator
from typing import Any

from agent0es.errors import UnknownName, nearest
from agent0es.projections import Projections

CALLS = """
WITH ended AS (
    SELECT run, content ->> '$.call' AS call, meta -> '$.measured' AS measured
    FROM events WHERE run = $1 AND type = 'ToolCalled'
),
latest AS (
    FROM tool_calls
    WHERE run = $1 AND ($2::VARCHAR IS NULL OR call = $2) AND ($3::VARCHAR IS NULL OR status = $3
        OR $3 = 'denied' AND len(denied) > 0)
        AND ($4::VARCHAR IS NULL OR tool = $4) AND ($5::VARCHAR IS NULL OR attempt = $5)
        AND ($6::VARCHAR IS NULL OR tier = $6)
    ORDER BY position DESC
    LIMIT $7
)
SELECT
    run, call, attempt, l.task, a.adapter, tool, purpose, l.status, exit_code, tier, requested, ended,
    timeout_seconds, memory_limit_mb, policy_sha256, files_sha256, denied, e.measured, input, output, stdout,
    stdout_sha256, stderr, stderr_sha256, written, deleted, l.position
FROM latest l
LEFT JOIN ended e USING (run, call)
LEFT JOIN attempts a USING (run, attempt)
ORDER BY l.position
"""
"""An attempt's adapter says which model asked."""

EVERY = 2**62
"""More calls than a log can have."""


def calls(
    tables: Projections,
    run: str,
    *,
    call: str | None = None,
    status: str | None = None,
    tool: str | None = None,
    attempt: str | None = None,
    tier: str | None = None,
    limit: int | None = None,
) -> Iterator[dict[str, Any]]:
    """The latest `limit` calls of a run that are as asked for, in the order in which they were requested.

    With the status `denied` also those in which something was refused, whatever became of them. It is `unknown` for
    a call whose end the log does not hold: a crash cut it off, or it is still running. `measured` has wall_seconds,
    cpu_seconds, peak_memory_mb, stdout_bytes and stderr_bytes, and is empty then.
    """
    answer = tables.query(CALLS, [run, call, status, tool, attempt, tier, EVERY if limit is None else limit])
    for row in answer.rows:
        found = dict(zip(answer.columns, row, strict=True))
        yield {**found, "measured": json.loads(found["measured"] or "{}")}


def one_call(tables: Projections, run: str, name: str) -> dict[str, Any]:
    """A call by its name. Raises UnknownName."""
    for found in calls(tables, run, call=name):
        return found
    known = [
        call for (call,) in tables.query("SELECT call FROM tool_calls WHERE run = ? ORDER BY position", [run]).rows
    ]
    raise UnknownName(f"run {run} has no call {name!r}; {nearest(name, known)}. All calls", see=("audit", run))

"""A query box over the tables, with a chart and exports."""

import csv
import io
import json
from functools import cache
from typing import Annotated

from fastapi import Query, Response
from fastapi.responses import StreamingResponse

from agent0es.errors import QueryError
from agent0es.projections.catalogue import Described, catalogue
from agent0es.runs import querying
from agent0es.service.api.shapes import plain
from agent0es.service.pages import plots
from agent0es.service.pages.rendering import Served, page
from agent0es.service.pages.rendering import routes as new_routes

routes = new_routes()

NUMERIC = ("BIGINT", "DOUBLE", "FLOAT", "HUGEINT", "INTEGER", "SMALLINT", "TINYINT", "UBIGINT", "UINTEGER")
"""Types whose columns stand at the right."""
MOST_EXPORTED = 1_000_000


@cache
def tables() -> list[Described]:
    """What can be asked for."""
    return catalogue()


@routes.get("/sql")
def show(service: Served, q: str = "") -> Response:
    """The box and, where a query was given, its answer as a table, and as a chart where it has numbers."""
    found, said = None, ""
    if q.strip():
        try:
            found = querying.answer(service.log, service.store, q)
        except QueryError as error:
            said = str(error)
    plot = plots.of_answer(found.columns, found.rows) if found else None
    more = {"saved": querying.saved(service.log), "tables": tables(), "most": querying.MOST_ROWS, "numeric": NUMERIC}
    return page("sql", q=q, found=found, said=said, plot=plot, **more)


@routes.get("/sql/export")
def export(service: Served, q: str, form: Annotated[str, Query(alias="format")] = "csv") -> Response:
    """All rows of a query as a file: csv, json (one object a line) or parquet."""
    if form not in ("csv", "json", "parquet"):
        raise QueryError(f"{form[:40]!r} is no format; use csv, json or parquet")
    headers = {"Content-Disposition": f'attachment; filename="answer.{form}"'}
    if form == "parquet":
        file = io.BytesIO()
        querying.write_parquet(service.log, service.store, q, file)
        return Response(file.getvalue(), media_type="application/vnd.apache.parquet", headers=headers)
    found = querying.answer(service.log, service.store, q, MOST_EXPORTED)
    if form == "json":
        lines = (_line(found.columns, row) for row in found.rows)
        return StreamingResponse(lines, media_type="application/x-ndjson", headers=headers)
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(found.columns)
    writer.writerows(found.rows)
    return Response(text.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


def _line(columns: list[str], row: tuple[object, ...]) -> str:
    return json.dumps(plain(dict(zip(columns, row, strict=True)))) + "\n"

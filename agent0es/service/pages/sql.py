"""A query box over the tables, with a chart and exports."""

import csv
import io
import json
import re
import tempfile
from collections.abc import Iterator, Sequence
from functools import cache
from typing import IO, Annotated

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
MEDIA = {
    "csv": "text/csv; charset=utf-8",
    "json": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
}
FORMULA = re.compile(r"(?![+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$)\s*[=+@\t\r-]")
"""What a spreadsheet computes, and no number."""
PIECE = 65_536


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
    if form not in MEDIA:
        raise QueryError(f"{form[:40]!r} is no format; use {', '.join(MEDIA)}")
    file = tempfile.TemporaryFile()  # noqa: SIM115 — it is closed when it was sent
    try:
        if form == "parquet":
            querying.write_parquet(service.log, service.store, q, file)
        else:
            line = csv_line if form == "csv" else json_line
            querying.write_lines(service.log, service.store, q, file, line, header=form == "csv")
    except BaseException:
        file.close()
        raise
    file.seek(0)
    headers = {"Content-Disposition": f'attachment; filename="answer.{form}"'}
    return StreamingResponse(_pieces(file), media_type=MEDIA[form], headers=headers)


def json_line(columns: Sequence[str], row: Sequence[object]) -> str:
    """A row as an object of JSON."""
    return json.dumps(plain(dict(zip(columns, row, strict=True)))) + "\n"


def csv_line(columns: Sequence[str], row: Sequence[object]) -> str:
    """A row for a spreadsheet. A text that would be a formula there has an apostrophe before it: texts of models are
    hostile. Numbers stay numbers."""
    text = io.StringIO()
    formulas = [isinstance(value, str) and FORMULA.match(value) is not None for value in row]
    csv.writer(text).writerow([f"'{value}" if it_is else value for value, it_is in zip(row, formulas, strict=True)])
    return text.getvalue()


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        yield from iter(lambda: file.read(PIECE), b"")

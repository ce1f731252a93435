"""`agent0es sql`: queries, one at a time, from a script, or in a shell. None of them writes to the store."""

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

import click

from agent0es.cli.output import json_line, store_option, write_csv, write_lines, write_table
from agent0es.files import read_text, replacing

if TYPE_CHECKING:
    from agent0es.projections import Answer

FORMATS = ("table", "json", "csv", "parquet")


@click.command("sql")
@click.argument("query", required=False)
@store_option
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    default="table",
    show_default=True,
    help="json: one object a line; parquet needs -o.",
)
@click.option("--json", "as_json", is_flag=True, help="Same as --format json.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="File to write; default: standard output."
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="Most seconds for one answer; 0 for no limit.",
)
@click.option("--schema", "show_schema", is_flag=True, help="List every table and column with its meaning.")
def sql_command(
    query: str | None,
    store: Path,
    form: str,
    as_json: bool,
    output: Path | None,
    timeout: float,
    show_schema: bool,
) -> None:
    """Query the store with SQL, also during a run.

    QUERY is one SELECT in DuckDB's dialect. Without it, a terminal opens a shell that knows .tables, .schema, .help and
    .quit; from a pipe, or with - as QUERY, statements are read up to the end.

    \b
    agent0es sql --schema
    agent0es sql "SELECT family, iteration, solve_rate FROM curriculum ORDER BY ALL"
    agent0es sql "FROM tool_calls WHERE status <> 'ok'" --format parquet -o calls.parquet
    """
    from agent0es.errors import QueryError
    from agent0es.projections.queries import statements

    form = "json" if as_json else form
    seconds = timeout or None
    if form == "parquet" and (output is None or show_schema):
        raise QueryError("parquet can't be shown on a terminal; give a query and name a file with -o")
    if show_schema:
        with _to(output):
            _write_schema(form)
    elif query is None and output is None and sys.stdin.isatty():
        from agent0es.cli.shell import shell

        shell(lambda script: _answer(store, statements(script), form, seconds))
    else:
        script = statements(read_text(Path("-"))) if query is None or query == "-" else [query]
        if form == "parquet" and output is not None:
            _write_parquet(store, script, output, seconds)
        else:
            with _to(output):
                _answer(store, script, form, seconds)


def _answer(store: Path, script: list[str], form: str, seconds: float | None) -> None:
    """Ask one after the other and write what comes back."""
    from agent0es.bootstrap import open_tables

    write = {"json": _write_json, "csv": _write_csv, "table": _write_table}[form]
    with open_tables(store) as (_, tables):
        for number, statement in enumerate(script):
            answer = tables.query(statement, seconds=seconds)
            if number and form != "json":
                write_lines([""])
            write(answer)


def _write_json(answer: "Answer") -> None:
    from agent0es.projections.answers import objects

    write_lines(map(json_line, objects(answer)))


def _write_csv(answer: "Answer") -> None:
    write_csv(answer.columns, answer.rows)


def _write_table(answer: "Answer") -> None:
    write_table(answer.columns, answer.rows)


def _write_parquet(store: Path, script: list[str], output: Path, seconds: float | None) -> None:
    """The rows of the one query."""
    from agent0es.bootstrap import open_tables
    from agent0es.errors import QueryError
    from agent0es.projections.answers import write_parquet

    if len(script) != 1:
        raise QueryError(f"a parquet file holds the rows of one query; these are {len(script)}")
    with open_tables(store) as (_, tables), replacing(output) as file:
        write_parquet(tables, script[0], file, seconds)


def _write_schema(form: str) -> None:
    from agent0es.projections.catalogue import catalogue

    described = catalogue()
    if form == "table":
        for table in described:
            rows = [(column.name, column.type, column.meaning) for column in table.columns]
            write_table(("column", "type", "meaning"), rows, f"{table.name}: {table.meaning}")
            write_lines([""])
        return
    columns = ["table", "table_meaning", "column", "type", "meaning"]
    whole = [(t.name, t.meaning, c.name, c.type, c.meaning) for t in described for c in t.columns]
    if form == "json":
        write_lines(json_line(dict(zip(columns, row, strict=True))) for row in whole)
    else:
        write_csv(columns, whole)


@contextmanager
def _to(output: Path | None) -> Iterator[None]:
    """Standard output, or a file that appears when it is complete."""
    if output is None:
        yield
        return
    with replacing(output) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", write_through=True)
        try:
            with redirect_stdout(text):
                yield
        finally:
            text.detach()  # else it would close the file before it is complete

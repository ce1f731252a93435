"""Every table and column that a user can query, and what each of them means."""

from dataclasses import dataclass

from agent0es.projections import database, schema
from agent0es.projections.fold import declare


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table."""

    name: str
    type: str
    """As DuckDB names it."""
    meaning: str
    """From the COMMENT in the table's .sql file."""


@dataclass(frozen=True, slots=True)
class Described:
    """A table, or a view: for a query there is no difference."""

    name: str
    meaning: str
    columns: tuple[Column, ...]


def catalogue() -> list[Described]:
    """Every table, in the order in which the .sql files are read."""
    connection = declare(database.connect(None))
    try:
        named = connection.execute(
            "SELECT table_name, comment FROM duckdb_tables() WHERE schema_name = 'main'"
            " UNION ALL SELECT view_name, comment FROM duckdb_views() WHERE schema_name = 'main' AND NOT internal"
        ).fetchall()
        columns: dict[str, list[Column]] = {name: [] for name, _ in named}
        for table, *column in connection.execute(
            "SELECT table_name, column_name, data_type, comment FROM duckdb_columns()"
            " WHERE schema_name = 'main' AND NOT internal ORDER BY table_name, column_index"
        ).fetchall():
            columns[table].append(Column(column[0], column[1], column[2] or ""))
    finally:
        connection.close()
    meanings = {name: meaning or "" for name, meaning in named}
    return [Described(name, meanings[name], tuple(columns[name])) for name in schema.TABLES]

"""SQL over the tables: one query, which only reads, within a time and a size; and the settings that there are."""

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from agent0es.configuration import Configuration
from agent0es.errors import QueryError
from agent0es.runs import querying
from agent0es.service.api.shapes import ServiceOf, described, plain


class Query(BaseModel):
    """A query."""

    query: str = Field(max_length=100_000, description="One SELECT in DuckDB's dialect.", examples=["FROM runs"])
    seconds: float = Field(10.0, gt=0, le=60, description="Most seconds that it may take.")
    limit: int = Field(1000, ge=1, le=10_000, description="Most rows of the answer.")


class Answer(BaseModel):
    """What a query gave."""

    columns: list[str]
    types: list[str] = Field(description="DuckDB's name of each column's type.")
    rows: list[list[Any]]
    more: bool = Field(description="Whether there are more rows than `limit`.")


class Column(BaseModel):
    """A column of a table."""

    name: str
    type: str = Field(description="As DuckDB names it.")
    meaning: str


class Table(BaseModel):
    """A table, or a view."""

    name: str
    meaning: str
    columns: list[Column]


def router() -> APIRouter:
    """Its routes."""
    routes = APIRouter(tags=["sql"])

    @routes.get("/tables")
    def tables() -> list[Table]:
        """Every table and column that can be queried."""
        return [Table.model_validate(table, from_attributes=True) for table in described().values()]

    @routes.post("/sql")
    def sql(service: ServiceOf, asked: Annotated[Query, Field(description="The query.")]) -> Answer:
        """The rows of a query. Nothing can be changed, and no file of the machine read."""
        with querying.own_tables(service.log, service.store) as tables:
            answer = tables.query(asked.query, seconds=asked.seconds)
            rows: list[list[Any]] = []
            room = querying.MOST_CHARACTERS
            for row in answer.rows:
                if len(rows) == asked.limit:
                    return Answer(columns=answer.columns, types=answer.types, rows=rows, more=True)
                rows.append(plain(row))
                room -= sum(len(str(value)) for value in rows[-1])
                if room < 0:
                    raise QueryError(f"the answer has more than {querying.MOST_CHARACTERS:,} characters; ask for less")
            return Answer(columns=answer.columns, types=answer.types, rows=rows, more=False)

    @routes.get("/settings", tags=["runs"])
    def settings() -> dict[str, Any]:
        """The JSON schema of a run's settings, with their defaults."""
        return Configuration.model_json_schema()

    return routes

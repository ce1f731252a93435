from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from agent0es.log.schema import events, metadata


def test_the_tables_make_sense_to_postgresql_too() -> None:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    statements = [str(CreateTable(table).compile(dialect=dialect)) for table in metadata.sorted_tables]
    statements += [str(CreateIndex(index).compile(dialect=dialect)) for index in events.indexes]
    [of_events] = [statement for statement in statements if "CREATE TABLE events" in statement]
    assert "seq BIGSERIAL NOT NULL" in of_events
    assert "state BYTEA NOT NULL" in of_events
    assert "UNIQUE (stream, version)" in of_events

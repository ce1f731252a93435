"""A database whose tables, views, indices or triggers are not those that the log makes: found, and not written to."""

import sqlite3
from pathlib import Path

import pytest

from agent0es.errors import StoreError
from agent0es.log import EventLog
from agent0es.log.postgresql import IMMUTABLE
from agent0es.log.schema import aggregate_table, tracking
from tests.support.postgresql import Server
from tests.unit.log.samples import begin
from tests.unit.log.test_log_tampering import fill

ON_SQLITE = [
    ("ALTER TABLE texts RENAME TO kept; CREATE VIEW texts AS SELECT * FROM kept", "foreign table 'kept'"),
    ("DROP TABLE texts; CREATE VIEW texts AS SELECT '' AS sha256, '' AS text", "foreign view 'texts'"),
    ("CREATE TABLE notes (x)", "foreign table 'notes'"),
    ("CREATE VIEW latest AS SELECT max(seq) FROM events", "foreign view 'latest'"),
    ("CREATE VIRTUAL TABLE words USING fts5(x)", "foreign table 'words'"),
    ("CREATE INDEX by_handler ON handled (handler)", "foreign index 'by_handler'"),
    ("DROP INDEX events_by_topic", "the index events_by_topic is missing"),
    ("DROP INDEX events_by_topic; CREATE INDEX events_by_topic ON events (topic)", "the index events_by_topic is not"),
    ("DROP TRIGGER events_no_update", "the trigger events_no_update is missing"),
    (
        "DROP TRIGGER texts_no_delete; CREATE TRIGGER texts_no_delete BEFORE DELETE ON texts BEGIN SELECT 1; END",
        "the trigger texts_no_delete is not the one",
    ),
    (
        "CREATE TRIGGER also AFTER INSERT ON events BEGIN DELETE FROM handled; END",
        "foreign trigger 'also'",
    ),
    ("CREATE TRIGGER later AFTER DELETE ON leases BEGIN SELECT 1; END", "foreign trigger 'later'"),
    ("ALTER TABLE handled ADD COLUMN note", "the table handled is not the one"),
    ("CREATE TABLE stored_events (stream TEXT)", "foreign table 'stored_events'"),
]


@pytest.mark.parametrize(("statements", "message"), ON_SQLITE)
def test_what_is_not_ours_in_a_file(statements: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    with EventLog.open(path) as log:
        begin(log)
    connection = sqlite3.connect(path)
    connection.executescript(statements)
    connection.close()
    with EventLog.open(path, read_only=True) as log:
        report = log.verify()
        assert not report.ok
        assert message in report.finding
        assert len(list(log.read())) == 1, "it can still be looked at"
    before = path.read_bytes()
    with pytest.raises(StoreError, match="nothing is written to it") as refused:
        EventLog.open(path)
    assert "\n" not in str(refused.value)
    assert path.read_bytes() == before


def test_tables_of_library_applications_may_lie_beside(tmp_path: Path) -> None:
    path = tmp_path / "log.db"
    with EventLog.open(path) as log:
        begin(log)
        log._datastore.create(tracking, aggregate_table("stored_events"), aggregate_table("my_snapshots"))
    connection = sqlite3.connect(path)
    connection.execute("ANALYZE")
    connection.execute("VACUUM")
    connection.close()
    with EventLog.open(path) as log:
        assert log.verify().ok


FUNCTION = "CREATE OR REPLACE FUNCTION agent0es_immutable() RETURNS trigger LANGUAGE plpgsql AS "

ON_A_SERVER = [
    (
        "ALTER TABLE texts RENAME TO kept; CREATE VIEW texts AS SELECT * FROM kept",
        "DROP VIEW texts; ALTER TABLE kept RENAME TO texts",
        "texts is not the table",
    ),
    (
        "CREATE RULE r AS ON INSERT TO handled DO INSTEAD NOTHING",
        "DROP RULE r ON handled",
        "handled is not the table",
    ),
    (
        "ALTER TABLE events DISABLE TRIGGER events_immutable",
        "ALTER TABLE events ENABLE TRIGGER events_immutable",
        "the trigger events_immutable is not the one",
    ),
    (
        "DROP TRIGGER texts_immutable ON texts",
        "CREATE TRIGGER texts_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON texts FOR EACH STATEMENT "
        "EXECUTE FUNCTION agent0es_immutable()",
        "the trigger texts_immutable is missing",
    ),
    (
        FUNCTION + "$$ BEGIN RETURN NEW; END $$",
        FUNCTION + f"$${IMMUTABLE}$$",
        "the trigger events_immutable is not the one",
    ),
    (
        "CREATE TRIGGER also BEFORE INSERT ON handled FOR EACH STATEMENT EXECUTE FUNCTION agent0es_immutable()",
        "DROP TRIGGER also ON handled",
        "foreign trigger 'also'",
    ),
]


def test_what_is_not_ours_on_a_server(postgresql: Server) -> None:
    import psycopg

    url = postgresql.new_url()
    with EventLog.open(url) as log:
        fill(log)
    with psycopg.connect(url, autocommit=True) as database:
        database.execute("CREATE TABLE the_owners_own (x int)")
        for change, undo, message in ON_A_SERVER:
            database.execute(change)  # type: ignore[arg-type]
            with EventLog.open(url, read_only=True) as log:
                report = log.verify()
                assert not report.ok
                assert message in report.finding
            with pytest.raises(StoreError, match="nothing is written to it"):
                EventLog.open(url)
            database.execute(undo)  # type: ignore[arg-type]
            with EventLog.open(url) as log:
                assert log.verify().ok

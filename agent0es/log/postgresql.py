"""The log on a PostgreSQL server, version 14 or newer, through psycopg."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Engine, Table, event, select, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from agent0es.configuration.secrets import url_without_secrets
from agent0es.errors import StoreError
from agent0es.log.schema import SCHEMA_VERSION, events, log_tables, texts

CONNECT_SECONDS = 10
"""How long a server may take to answer, unless the URL says otherwise (`?connect_timeout=60`)."""

LOCK = 0x41304553
"""`A0ES`: the advisory lock that a writer holds until its transaction ends."""

DRIVERS = ("postgresql", "postgresql+psycopg")


class Postgresql:
    """PostgreSQL: one writer at a time by an advisory lock, full durability, the server's clock."""

    in_memory = False
    raw_events = (
        "SELECT seq, convert_to(stream, 'UTF8'), version, convert_to(topic, 'UTF8'), convert_to(run, 'UTF8'), "
        "convert_to(event_id, 'UTF8'), state, convert_to(chain_hash, 'UTF8'), true "
        "FROM events WHERE seq >= {first} ORDER BY seq"
    )
    raw_texts = "SELECT convert_to(sha256, 'UTF8'), text, true FROM texts"
    raw_handled = "SELECT convert_to(run, 'UTF8'), position, convert_to(handler, 'UTF8'), committed, true FROM handled"

    def __init__(self, url: URL, *, busy_seconds: float) -> None:
        self.name = url_without_secrets(url._replace(password=None).render_as_string(), mask="")
        if url.drivername not in DRIVERS:
            raise StoreError(f"{self.name}: the log's driver is psycopg; begin the URL with postgresql://")
        if any("password" in key for key in url.query):
            raise StoreError(f"{url.drivername}: write the password as user:password@host, not as a parameter")
        self._busy_milliseconds = int(busy_seconds * 1000)
        arguments = {} if "connect_timeout" in url.query else {"connect_timeout": CONNECT_SECONDS}
        self.engine_options: Mapping[str, Any] = {
            "connect_args": arguments,
            "pool_size": 8,
            "max_overflow": 64,
            "pool_pre_ping": True,  # after a restart of the server the next use must not fail
        }

    def prepare(self, engine: Engine) -> None:
        @event.listens_for(engine, "connect")
        def connect(connection: Any, _record: object) -> None:
            connection.execute("SELECT set_config('lock_timeout', %s, false)", [str(self._busy_milliseconds)])
            # Whatever the server's default is: an append is on the disk when it returns.
            connection.execute(
                "SELECT set_config('synchronous_commit', 'on', false) "
                "WHERE current_setting('synchronous_commit') = 'off'"
            )
            connection.commit()

    def initialise(self, engine: Engine) -> None:
        """Nothing to set."""

    def protect(self, connection: Connection, table: Table) -> None:
        if table is events:
            connection.execute(text(f"COMMENT ON TABLE events IS '{_COMMENT}{SCHEMA_VERSION}'"))
        if table not in (events, texts):
            return
        connection.execute(
            text(f"CREATE OR REPLACE FUNCTION agent0es_immutable() RETURNS trigger LANGUAGE plpgsql AS $${IMMUTABLE}$$")
        )
        connection.execute(
            text(
                f"CREATE TRIGGER {table.name}_immutable BEFORE UPDATE OR DELETE OR TRUNCATE "
                f"ON {table.name} FOR EACH STATEMENT EXECUTE FUNCTION agent0es_immutable()"
            )
        )

    def strangeness(self, connection: Connection) -> str | None:
        """Of the log's own tables only: what else the database holds is its owner's."""
        for table in log_tables:
            kind, rules = connection.execute(_RELATION, {"table": table.name}).one_or_none() or (None, 0)
            if kind is None:
                continue
            if kind != "r" or rules:
                return f"{table.name} is not the table that agent0es makes, but a view, or has rules"
            expected = {f"{table.name}_immutable"} if table in (events, texts) else set()
            found = {row.name: row for row in connection.execute(_TRIGGERS, {"table": table.name})}
            if missing := expected - found.keys():
                return f"the trigger {min(missing)} is missing"
            if foreign := found.keys() - expected:
                return f"there is a foreign trigger {min(foreign)!r}"
            for name, row in found.items():
                if (row.enabled, row.kind, row.source.strip()) not in {(on, _EVERY, IMMUTABLE.strip()) for on in "OA"}:
                    return f"the trigger {name} is not the one that agent0es makes, or is off"
        return None

    def lock(self, connection: Connection) -> None:
        connection.execute(text(f"SELECT pg_advisory_xact_lock({LOCK})"))

    def tail(self, connection: Connection) -> tuple[int, str | None]:
        query = select(events.c.seq, events.c.chain_hash).order_by(events.c.seq.desc()).limit(1)
        row = connection.execute(query).fetchone()
        return (row.seq, row.chain_hash) if row else (0, None)

    def check(self, connection: Connection) -> None:
        """The server looks after its files."""

    def now(self, connection: Connection) -> float:
        # Machines that share a server may disagree about the time.
        return float(connection.execute(text("SELECT extract(epoch FROM clock_timestamp())")).scalar_one())

    def schema_version(self, connection: Connection) -> int:
        comment = connection.execute(text("SELECT obj_description(to_regclass('events'), 'pg_class')")).scalar() or ""
        version = comment.removeprefix(_COMMENT)
        return int(version) if comment.startswith(_COMMENT) and version.isdecimal() else 0

    def explain(self, error: BaseException | None) -> str | None:
        if not isinstance(error, DBAPIError):
            return None
        detail = " ".join(str(error.orig).split())
        meaning = _MEANINGS.get(getattr(error.orig, "sqlstate", None) or "")
        if error.connection_invalidated:
            meaning = "the connection to the server was lost, nothing that was acknowledged is; try again"
        elif error.statement is None:
            meaning = "the server can't be reached or turned us away; check the URL, the password, and that it runs"
        return f"{self.name}: {meaning} ({detail})" if meaning else None


IMMUTABLE = (
    " BEGIN RAISE EXCEPTION '% are immutable', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation'; END "
)
"""Body of the function that the triggers call."""

_EVERY = 2 | 8 | 16 | 32
"""How the server keeps it that a trigger goes off before a DELETE, UPDATE or TRUNCATE, once a statement."""

_RELATION = text(
    "SELECT c.relkind::text AS kind, (SELECT count(*) FROM pg_rewrite r WHERE r.ev_class = c.oid) AS rules "
    "FROM pg_class c WHERE c.oid = to_regclass(:table)"
)
_TRIGGERS = text(
    "SELECT t.tgname::text AS name, t.tgenabled::text AS enabled, t.tgtype::int AS kind, p.prosrc AS source "
    "FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid WHERE t.tgrelid = to_regclass(:table) AND NOT t.tgisinternal"
)

_COMMENT = "agent0es log, tables of version "
"""Stands before the version in the comment on the table `events`."""

_MEANINGS = {
    "53100": "the server's disk is full; free some space, nothing that was appended is lost",
    "53200": "the server is out of memory; give it more, or end other work there",
    "25006": "the server only lets us read; use the primary server, or a database that may be written",
    "42501": "access is denied; grant the user the right to create, read and add to the log's tables",
    "55P03": "another process keeps the log locked; try again, or stop that process",
    "XX001": "the server's files are damaged; restore a copy and keep this one for examination",
    "XX002": "the server's files are damaged; restore a copy and keep this one for examination",
}
"""SQLSTATE to what it means."""

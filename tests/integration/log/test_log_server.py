"""A server that misbehaves, or turns us away: one clear line, and nothing is lost."""

import asyncio
import sys
import threading
import time

import psycopg
import pytest

from agent0es.errors import ConcurrencyError, StoreError
from agent0es.log import EventLog
from tests.support.postgresql import PASSWORD, Server
from tests.unit.log.samples import begin, new


@pytest.fixture
def url(postgresql: Server) -> str:
    url = postgresql.new_url()
    with EventLog.open(url) as log:
        begin(log)
    return url


def refusal(url: str, *, read_only: bool = False) -> str:
    with pytest.raises(StoreError) as refused:
        EventLog.open(url, read_only=read_only)
    said = str(refused.value)
    assert "\n" not in said
    assert PASSWORD not in said and "secret" not in said
    return said


def test_who_is_not_let_in_is_told(postgresql: Server) -> None:
    assert "password authentication failed" in refusal(postgresql.url(password="wrong"))
    assert 'database "none" does not exist' in refusal(postgresql.url(database="none"))
    said = refusal("postgresql://somebody:secret@127.0.0.1:1/x")
    assert said.startswith("postgresql://somebody@127.0.0.1:1/x: the server can't be reached or turned us away; check")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql+asyncpg://u:secret@h/x", "begin the URL with postgresql://"),
        ("postgresql:///x?password=secret", "write the password as user:password@host"),
        ("postgresql://u:secret@h:port/x", "the log's URL can't be read"),
        ("postgres//u:secret@h://x", "the log's URL can't be read"),
        ("mysql://u:secret@h/x", "runs on sqlite and postgresql"),
    ],
)
def test_a_url_that_makes_no_sense_is_told(url: str, said: str) -> None:
    assert said in refusal(url)


def test_a_missing_driver_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    assert "pip install -e '.[postgres]'" in refusal("postgresql://u:secret@h/x")


def test_what_is_no_log_is_left_alone(postgresql: Server) -> None:
    url = postgresql.new_url()
    assert "not an agent0es log" in refusal(url, read_only=True)
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE somebodys (x int)")
    assert "not an agent0es log" in refusal(url)
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = current_schema").fetchone() == (1,)


def test_a_log_of_a_newer_version_is_refused(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("COMMENT ON TABLE events IS 'agent0es log, tables of version 99'")
    assert "newer agent0es" in refusal(url)
    assert "newer agent0es" in refusal(url, read_only=True)


def test_two_processes_may_make_the_same_log(postgresql: Server) -> None:
    url = postgresql.new_url()
    logs: list[EventLog] = []
    threads = [threading.Thread(target=lambda: logs.append(EventLog.open(url))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(logs) == 6
    for log in logs:
        log.close()


def test_a_lock_that_lasts_too_long_is_told(url: str) -> None:
    with EventLog({"LOG_URL": url, "LOG_BUSY_SECONDS": "0.2"}) as log, EventLog.open(url) as other:
        with other._datastore.write():
            with pytest.raises(StoreError, match="another process keeps the log locked"):
                log.append([new("run/r")], handler="h")
            assert log.head() == 1, "readers are not kept out"
        assert log.append([new("run/r")], handler="h")[0].version == 2


def test_a_lost_connection_loses_nothing(url: str, postgresql: Server) -> None:
    with EventLog.open(url) as log:
        cause = begin(log, "q")
        postgresql.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
        time.sleep(0.05)
        assert log.head() == 2, "a reader takes a new connection"
        with pytest.raises(StoreError, match=r"the connection to the server was lost.* try again"):
            log.append([new("task/q/1")], handler="h", cause=cause, handled=True)
        log.append([new("task/q/1")], handler="h", cause=cause, handled=True)
        with pytest.raises(ConcurrencyError):
            log.append([new("task/q/1")], handler="h", cause=cause, handled=True)
        assert log.head() == 3
        assert log.verify().ok


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("53100", "the server's disk is full; free some space, nothing that was appended is lost"),
        ("53200", "out of memory"),
        ("25006", "only lets us read"),
        ("42501", "access is denied"),
        ("XX001", "files are damaged"),
    ],
)
async def test_what_the_server_refuses_fails_all_who_wait_and_loses_nothing(url: str, state: str, said: str) -> None:
    with EventLog.open(url) as log, psycopg.connect(url, autocommit=True) as server:
        server.execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "  # type: ignore[arg-type]
            f"$$ BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = '{state}'; END $$"
        )
        server.execute("CREATE TRIGGER refuse BEFORE INSERT ON events EXECUTE FUNCTION refuse()")
        results = await asyncio.gather(
            *(log.append_async([new(f"task/r/{i}")], handler="h") for i in range(4)), return_exceptions=True
        )
        for result in results:
            assert isinstance(result, StoreError)
            assert said in str(result)
            assert "\n" not in str(result)
        assert log.head() == 1
        server.execute("DROP TRIGGER refuse ON events")
        assert log.append([new("task/r/1")], handler="h")[0].position == 2
        assert log.verify().ok


def test_a_server_that_does_not_wait_for_its_disk_is_told_to(url: str, postgresql: Server) -> None:
    postgresql.execute("ALTER ROLE agent0es SET synchronous_commit = off")
    try:
        with EventLog.open(url) as log, log._datastore.read() as connection:
            assert connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "on"
    finally:
        postgresql.execute("ALTER ROLE agent0es RESET synchronous_commit")

"""One process drives a run at a time: a lease in the log's database, renewed by a heartbeat.

A lease ends when it is given back, when it expires, or when its process is dead (seen at once on the same machine).
Appends to a leased run check the lease in their own transaction, so that a process which slept past the end of its
lease can't write once another one has taken over.
"""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

from eventsourcing import persistence as es
from sqlalchemy import Connection, delete, insert, select, update

from agent0es.errors import RunInUse, StoreError
from agent0es.log.datastore import Datastore
from agent0es.log.schema import leases


def process_identity(pid: int) -> str | None:
    """What identifies a process among all that ever had its number: boot, pid namespace, start in clock ticks.

    None when there is no such process. Without /proc it is the number alone.
    """
    proc = Path("/proc")
    if not (proc / "self/stat").exists():
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return None
        except PermissionError:
            return "?"  # it exists and is somebody else's
        return "?"
    boot = (proc / "sys/kernel/random/boot_id").read_text().strip()
    namespace = (proc / "self/ns/pid").readlink()
    try:
        stat = (proc / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The second field is the command in parentheses and may hold anything; the start is the 22nd of all.
    state, *fields = stat.rpartition(")")[2].split()
    return None if state in "ZX" else f"{boot} {namespace} {fields[18]}"


def is_dead(host: str, pid: int, identity: str) -> bool:
    """Whether that process is surely dead. On another machine, or in another container, that is never sure."""
    if host != socket.gethostname():
        return False
    now = process_identity(pid)
    own = process_identity(os.getpid()) or ""
    same_world = own.split(" ")[:2] == identity.split(" ")[:2] or identity == own == "?"
    return same_world and now != identity


class Driver(NamedTuple):
    """A process that drives a run."""

    host: str
    pid: int


class Leases:
    """The leases that this process holds."""

    def __init__(self, datastore: Datastore) -> None:
        self._datastore = datastore
        self._held: dict[str, str] = {}

    @contextmanager
    def hold(self, run: str, ttl: float) -> Iterator[None]:
        """Hold the run's lease; the heartbeat renews it every third of `ttl` seconds. Raises RunInUse."""
        token = uuid4().hex
        with self._datastore.store_errors(), self._datastore.write() as connection:
            self._take(connection, run, token, ttl)
        self._held[run] = token
        stop = threading.Event()
        heart = threading.Thread(target=self._beat, args=(run, token, ttl, stop), name=f"lease {run}", daemon=True)
        heart.start()
        try:
            yield
        finally:
            stop.set()
            heart.join()
            del self._held[run]
            self._give_back(run, token)

    def check(self, connection: Connection, run: str) -> None:
        """Raise RunInUse when this process held the run's lease and another one has it now. In a transaction."""
        token = self._held.get(run)
        if token is None:
            return
        row = connection.execute(select(leases).where(leases.c.run == run)).fetchone()
        if row is None or row.token != token:
            raise RunInUse(
                f"run {run}: this process lost its lease"
                + (f" to process {row.pid} on {row.host}" if row else "")
                + " and did not write this append. Stop it; if no other process has the run, resume it"
            )

    def drivers(self) -> dict[str, Driver]:
        """Run to the live process that drives it."""
        with self._datastore.store_errors(), self._datastore.read() as connection:
            now = self._datastore.dialect.now(connection)
            rows = connection.execute(select(leases)).fetchall()
        return {row.run: Driver(row.host, row.pid) for row in rows if _holds(row, now)}

    def _take(self, connection: Connection, run: str, token: str, ttl: float) -> None:
        row = connection.execute(select(leases).where(leases.c.run == run)).fetchone()
        now = self._datastore.dialect.now(connection)
        if row is not None and _holds(row, now):
            until = datetime.fromtimestamp(row.expires).strftime("%H:%M:%S")
            raise RunInUse(
                f"run {run} is driven by process {row.pid} on {row.host} (its lease lasts until {until} and is being "
                "renewed); stop that process, or wait for it"
            )
        connection.execute(delete(leases).where(leases.c.run == run))
        connection.execute(
            insert(leases).values(
                run=run,
                token=token,
                host=socket.gethostname(),
                pid=os.getpid(),
                process=process_identity(os.getpid()),
                expires=now + ttl,
            )
        )

    def _beat(self, run: str, token: str, ttl: float, stop: threading.Event) -> None:
        mine = (leases.c.run == run) & (leases.c.token == token)
        while not stop.wait(ttl / 3):
            try:
                with self._datastore.write() as connection:
                    expires = self._datastore.dialect.now(connection) + ttl
                    renewed = connection.execute(update(leases).where(mine).values(expires=expires)).rowcount
            except (es.PersistenceError, StoreError):
                # A full disk, a long transaction elsewhere, a file that was moved. Appends meet the same trouble and
                # report it; when it lasts longer than the lease, another process may take over, and `check` tells.
                continue
            if not renewed:
                return

    def _give_back(self, run: str, token: str) -> None:
        try:
            with self._datastore.write() as connection:
                connection.execute(delete(leases).where((leases.c.run == run) & (leases.c.token == token)))
        except (es.PersistenceError, StoreError):
            # Not worth an error that would hide how the run ended: the lease runs out by itself, or is taken over
            # as soon as this process is gone.
            return


def _holds(row: Any, now: float) -> bool:
    """Whether a lease is still held: it has not expired, and its process is not known to be dead."""
    return row.expires > now and not is_dead(row.host, row.pid, row.process)

"""Finding or making the database that a log is opened on."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from agent0es.errors import StoreError
from agent0es.log.datastore import Datastore, is_mounted_read_only, url_of_file
from agent0es.log.schema import SCHEMA_VERSION, events, log_tables
from agent0es.log.sqlite import Sqlite, explain_os_error


def find_database(url_or_path: str | os.PathLike[str], *, read_only: bool) -> str:
    """The SQLAlchemy URL for a path or URL; an SQLite file is made when it may be. Raises StoreError."""
    given = os.fspath(url_or_path)
    if given == ":memory:":
        return "sqlite:///:memory:"
    path = Path(given)
    if "://" in given:
        try:
            url = make_url(given)
        except (ArgumentError, ValueError):  # without the URL, which may hold a password
            raise StoreError(
                "the log's URL can't be read; write it as postgresql://user:password@host:5432/database"
            ) from None
        if url.get_backend_name() != "sqlite":
            return given
        found = Sqlite(url, busy_seconds=0, synchronous="FULL").path
        if found is None:
            return given
        path = found
    try:
        if path.is_dir():
            raise StoreError(f"{path}: is a folder; the log is a file in it, such as {path / 'log.db'}")
        if not path.exists():
            if read_only:
                raise StoreError(f"{path}: there is no log; start a run first, or choose another store with --store")
            _make(path)
        if read_only and not (os.access(path.parent, os.W_OK) or is_mounted_read_only(path) or _shared(path).exists()):
            raise StoreError(
                f"{path}: its folder can't be written, and SQLite needs to, even to read; copy the log to a folder "
                "of yours, or mount this one read-only"
            )
        if not read_only and not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)):
            raise StoreError(f"{path}: the log or its folder can't be written; check the permissions of both")
    except OSError as error:
        raise StoreError(explain_os_error(error, path)) from None
    return url_of_file(path, read_only=read_only)


def check_database(datastore: Datastore) -> None:
    """Make the log's tables in an empty database; refuse one that holds something else. Raises StoreError."""
    name = datastore.dialect.name
    with datastore.store_errors():
        present = datastore.tables()
        with datastore.read() as connection:
            version = datastore.dialect.schema_version(connection)
        if version > SCHEMA_VERSION:
            raise StoreError(f"{name}: was written by a newer agent0es; use that one")
        is_log = events.name in present and version == SCHEMA_VERSION
        if not is_log and (present or datastore.read_only):
            raise StoreError(f"{name}: this is not an agent0es log; choose another store")
        if not datastore.read_only:
            with datastore.read() as connection:
                strange = datastore.dialect.strangeness(connection)
            if strange:
                raise StoreError(
                    f"{name}: {strange}; nothing is written to it. Undo that, or put the log into a new store with "
                    "agent0es log export and import"
                )
            datastore.create(*log_tables)  # also finds out whether it can be written at all


def _shared(path: Path) -> Path:
    """The file that processes with the log open share; when it exists, readers need not make it."""
    return path.with_name(path.name + "-shm")


def _make(path: Path) -> None:
    """A new log under its name only when it is complete, so that nobody ever opens half of one."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(handle)
    draft = Path(name)
    try:
        datastore = Datastore(url_of_file(draft))
        try:
            with datastore.store_errors():
                datastore.create(*log_tables)
        finally:
            datastore.close()
        draft.chmod(0o666 & ~_umask())
        with suppress(FileExistsError):  # another process was faster: its log is the log
            os.link(draft, path)
    finally:
        for leftover in (draft, draft.with_name(draft.name + "-wal"), draft.with_name(draft.name + "-shm")):
            leftover.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask

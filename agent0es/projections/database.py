"""The DuckDB database that tables are folded into: how a file is opened, and what its statements may do.

Nothing is written to a write-ahead log: what is committed is in the file after the next checkpoint, position and
tables together, and what a crash takes away is folded again.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

NAME = "projections"
"""The database within a connection."""

ROW_GROUP = 40_960
"""Rows that the file compresses together, a multiple of 2,048. A batch of so many is compressed as it is inserted; of
fewer, each row is written several times."""

CONNECTION: Mapping[str, str | bool | int | float | list[str]] = {
    "allow_persistent_secrets": "false",
    "allowed_configs": ["enable_progress_bar", "schema", "search_path"],
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "checkpoint_threshold": "1TB",
    "disabled_compression_methods": "alp,alprd,chimp,dict_fsst,fsst,patas,roaring",
    "max_temp_directory_size": "4GB",
    "memory_limit": "256MB",
    "python_enable_replacements": "false",
    "show_behavior": "table",
}
"""Nothing is downloaded, no statement reads variables of this process, and SHOW shows no setting; checkpoints are made
when we say so; what does not fit into memory goes to a file, which does not fill the disk. Ways of compressing that are
slow to choose are not tried."""


def takes(path: Path) -> bool:
    """Whether DuckDB opens a file of this name: it reads a `?` as the end of one, `\\` as a folder, and text only."""
    name = str(path)
    return not ("?" in name or "\\" in name) and os.fsencode(name) == name.encode("utf-8", "replace")


def discard(path: Path) -> None:
    """Delete the file, and what DuckDB keeps beside it."""
    for name in (path, path.with_name(path.name + ".wal")):
        name.unlink(missing_ok=True)


def connect(path: Path | None) -> "DuckDBPyConnection":
    """A connection to the database in a file, or in memory without one. Raises what DuckDB raises."""
    import duckdb

    connection = duckdb.connect(":memory:", config=dict(CONNECTION))
    try:
        if path is None:
            connection.execute(f"ATTACH ':memory:' AS {NAME}")
        else:
            connection.execute(f"SET temp_directory = {_quoted(f'{path}.tmp')}")
            connection.execute(
                f"ATTACH {_quoted(str(path))} AS {NAME} (RECOVERY_MODE no_wal_writes, ROW_GROUP_SIZE {ROW_GROUP})"
            )
        enter(connection)
        connection.execute("PRAGMA disable_checkpoint_on_shutdown")  # a copy is gone then, and of a file we say when
        connection.execute("PRAGMA disable_optimizer")  # for this connection, which folds, and not for its cursors
    except duckdb.Error:
        connection.close()
        raise
    return connection


def connect_reading(path: Path, spill: Path) -> "DuckDBPyConnection":
    """A connection that only reads the database in a file, and puts into the folder `spill` what does not fit into
    memory. It takes half of the processor at most: pages answer while somebody's query takes long. Raises what DuckDB
    raises."""
    import duckdb

    half = max(1, len(os.sched_getaffinity(0)) // 2)
    connection = duckdb.connect(":memory:", config={**CONNECTION, "threads": half})
    try:
        connection.execute(f"SET temp_directory = {_quoted(str(spill))}")
        connection.execute(f"ATTACH {_quoted(str(path))} AS {NAME} (READ_ONLY)")
        enter(connection)
    except duckdb.Error:
        connection.close()
        raise
    return connection


def is_in_use(error: Exception) -> bool:
    """Whether a file can't be opened because somebody has it open, with DuckDB itself."""
    return "Could not set lock" in str(error) or "Unique file handle conflict" in str(error)


def one_line(error: Exception) -> str:
    """DuckDB's message without the excerpt of the query that follows it."""
    return " ".join(str(error).split("\n\nLINE ")[0].split())


def enter(connection: "DuckDBPyConnection") -> None:
    """Make the database the one that statements mean. Each cursor is a connection that has to be told."""
    connection.execute(f"USE {NAME}")
    connection.execute("SET enable_progress_bar = false")  # it would draw into what a command prints


def connect_unnamed(beside: Path | None) -> "DuckDBPyConnection":
    """A connection to a new file without a name: beside another one, or where temporary files go."""
    import duckdb

    for folder in (beside.parent if beside else None, Path(tempfile.gettempdir())):
        if folder is None or not takes(folder):
            continue
        with suppress(OSError, duckdb.Error), _unnamed(folder) as path:
            return connect(path)
    return connect(None)


def connect_copy(path: Path, copy: Path) -> "DuckDBPyConnection":
    """A connection to a copy of a file that nobody changes meanwhile. The copy has a name only until it is open, and is
    gone with the connection. Raises what DuckDB raises, and OSError."""
    try:
        shutil.copyfile(path, copy)
        return connect(copy)
    finally:
        discard(copy)


def lock_down(connection: "DuckDBPyConnection") -> "DuckDBPyConnection":
    """From here on no statement can change a setting, or reach files of the machine."""
    connection.execute("SET GLOBAL TimeZone = 'UTC'")
    connection.execute("SET GLOBAL enable_external_access = false")
    connection.execute("SET GLOBAL lock_configuration = true")
    return connection


@contextmanager
def _unnamed(folder: Path) -> Iterator[Path]:
    """A name for a file that is only there while the file is opened."""
    handle, name = tempfile.mkstemp(prefix=f".{NAME}-", suffix=".duckdb", dir=folder)
    os.close(handle)
    path = Path(name)
    path.unlink()  # DuckDB makes files, and takes an empty one for a damaged one
    try:
        yield path
    finally:
        discard(path)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"

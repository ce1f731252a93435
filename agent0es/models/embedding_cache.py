"""Embeddings by the hash of their text, in one SQLite file of the store: a cache, which may be deleted at any time.

A damaged file is rebuilt; one that can't be written is only read. Several processes may use it.
"""

import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np
import numpy.typing as npt

EMBEDDINGS_FILE = "embeddings.db"
TABLE = "CREATE TABLE IF NOT EXISTS embeddings (key BLOB PRIMARY KEY, vector BLOB NOT NULL)"
CHUNK = 500
"""Keys asked for in one statement."""

Vector = npt.NDArray[np.float32]


class EmbeddingCache:
    """Key to vector. Not safe to use from two threads at a time."""

    def __init__(self, path: Path | None, dimension: int) -> None:
        """The cache in the file at `path`; without one nothing is kept. The file is opened when it is first needed."""
        self._path = path
        self._bytes = 4 * dimension
        self._connection: sqlite3.Connection | None = None
        self._opened = False

    def get(self, keys: Iterable[bytes]) -> dict[bytes, Vector]:
        """What is known of these keys, as float32 vectors that can't be written to."""
        connection, wanted, found = self._open(), list(keys), dict[bytes, Vector]()
        if connection is None:
            return found
        with suppress(sqlite3.Error):  # what can't be read is computed again
            for start in range(0, len(wanted), CHUNK):
                part = wanted[start : start + CHUNK]
                marks = ",".join("?" * len(part))
                rows = connection.execute(f"SELECT key, vector FROM embeddings WHERE key IN ({marks})", part)  # noqa: S608
                for key, data in rows:
                    if isinstance(data, bytes) and len(data) == self._bytes:
                        found[key] = np.frombuffer(data, np.float32)
        return found

    def put(self, vectors: Mapping[bytes, Vector]) -> None:
        """Keep these. A full disk or a read-only folder costs only time."""
        connection = self._open()
        if connection is None:
            return
        rows = [(key, np.asarray(vector, np.float32).tobytes()) for key, vector in vectors.items()]
        with suppress(sqlite3.Error), connection:
            connection.executemany("INSERT OR IGNORE INTO embeddings VALUES (?, ?)", rows)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection, self._opened = None, False

    def _open(self) -> sqlite3.Connection | None:
        if not self._opened:
            self._opened = True
            self._connection = None if self._path is None else _connect(self._path)
        return self._connection


def _connect(path: Path) -> sqlite3.Connection | None:
    """The file with its table; rebuilt when it is damaged, None where it can't be used."""
    for _ in range(2):
        connection = None
        try:
            connection = sqlite3.connect(path.absolute(), timeout=1.0, check_same_thread=False)
            connection.execute("PRAGMA synchronous = OFF")  # what a crash spoils is rebuilt
            connection.execute(TABLE)
            connection.execute("SELECT key, vector FROM embeddings LIMIT 1")
            return connection
        except sqlite3.OperationalError:
            return None  # read-only, or taken by somebody else for long
        except sqlite3.DatabaseError:
            if connection is not None:
                connection.close()
            with suppress(OSError):
                path.unlink()
    return None

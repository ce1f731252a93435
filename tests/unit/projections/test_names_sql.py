"""Names are read in SQL as `domain/names.py` and `domain/retraction.py` read them."""

from collections.abc import Iterator

import pytest
from duckdb import DuckDBPyConnection
from hypothesis import given, settings
from hypothesis import strategies as st

from agent0es.domain.names import (
    Draft,
    Examined,
    Practised,
    read_attempt,
    task_of,
)
from agent0es.domain.retraction import covers
from agent0es.projections import database
from agent0es.projections.fold import declare

NUMBERS = st.integers(0, 2**31 - 1)
RETRIES = st.integers(0, 12)
ARMS = st.sampled_from(["base-zero-shot", "base-few-shot", "student-1", "student-1-clean-2", "qüer", "a_b-7"])
KINDS = st.sampled_from(["eval", "eval-teacher"])
ATTEMPTS = st.one_of(
    st.builds(Practised, NUMBERS, RETRIES, RETRIES),
    st.builds(Examined, KINDS, ARMS, NUMBERS, RETRIES),
    st.builds(Draft, NUMBERS, RETRIES),
).map(str)
SOURCES = st.sampled_from(["1", "12", "12/3", "12/3.1", "12/30", "123", "123/3", "eval/student-1/12"])

SQL = """
SELECT facts.task_of($name), nullif(facts.arm_of($name), ''), facts.is_attempt($name),
    facts.is_evaluation('attempt/r/' || $name)
"""


@pytest.fixture(scope="module")
def connection() -> Iterator[DuckDBPyConnection]:
    with declare(database.connect(None)) as opened:
        yield opened


@settings(max_examples=60, deadline=None)
@given(name=ATTEMPTS)
def test_an_attempt_is_read_as_in_python(connection: DuckDBPyConnection, name: str) -> None:
    known = read_attempt(name)
    [row] = connection.execute(SQL, {"name": name}).fetchall()
    arm = known.arm if isinstance(known, Examined) else None
    assert row == (task_of(name), arm, True, isinstance(known, Examined))
    if isinstance(known, Examined):
        [(problem,)] = connection.execute("SELECT facts.problem_of(?)", [name]).fetchall()
        assert problem == known.problem


@settings(max_examples=20, deadline=None)
@given(number=NUMBERS)
def test_a_task_is_no_attempt(connection: DuckDBPyConnection, number: int) -> None:
    [row] = connection.execute("SELECT facts.task_of($n), facts.is_attempt($n)", {"n": str(number)}).fetchall()
    assert row == (number, False)


@settings(max_examples=60, deadline=None)
@given(what=SOURCES, source=SOURCES)
def test_a_retraction_covers_the_same(connection: DuckDBPyConnection, what: str, source: str) -> None:
    [(covered,)] = connection.execute("SELECT facts.covers(?, ?)", [what, source]).fetchall()
    assert covered == covers(what, source)

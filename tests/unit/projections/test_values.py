"""Values of every kind from DuckDB: exactly, as JSON has them, and as a table shows them."""
# ruff: noqa: E501

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from agent0es.cli.output import json_line, write_table
from agent0es.log import EventLog
from agent0es.projections import Projections
from agent0es.projections.answers import objects

BIG = 170141183460469231731687303715884105727

CASES: tuple[tuple[str, Any, str], ...] = (
    # Whole numbers and decimals keep every digit.
    (f"{BIG}::HUGEINT", BIG, str(BIG)),
    (f"sum({2**62}) FROM range(4)", 2**64, str(2**64)),
    (f"{2**128 - 1}::UHUGEINT", 2**128 - 1, str(2**128 - 1)),
    ("12345678901234567890.1234567891::DECIMAL(38, 10)", Decimal("12345678901234567890.1234567891"), "12345678901234567890.1234567891"),
    ("1.10::DECIMAL(3, 2)", Decimal("1.10"), "1.10"),
    (f"{{'h': {BIG}::HUGEINT, 't': now()}}.h", BIG, str(BIG)),
    (f"[{BIG}::HUGEINT]", [BIG], f"[{BIG}]"),
    ("'9'.repeat(40)::BIGNUM", "9" * 40, f'"{"9" * 40}"'),
    # What JSON has no number for is null.
    ("'nan'::DOUBLE", None, "null"),
    ("'-infinity'::DOUBLE", None, "null"),
    ("[1.5, 'infinity'::DOUBLE]", None, "[1.5, null]"),
    ("'{\"a\": 1.00000000000000000001, \"b\": 12345678901234567890, \"c\": 1e400}'::JSON", None, '{"a": 1.00000000000000000001, "b": 12345678901234567890, "c": 1E+400}'),
    ("['{\"a\": 0.1}'::JSON, NULL]", None, '[{"a": 0.1}, null]'),
    # Times that Python has are times, others stay texts; none of them is another time.
    ("DATE '2026-01-02'", date(2026, 1, 2), '"2026-01-02"'),
    ("DATE 'infinity'", "infinity", '"infinity"'),
    ("DATE '0044-03-15 (BC)'", "0044-03-15 (BC)", '"0044-03-15 (BC)"'),
    ("DATE '12026-01-01'", "12026-01-01", '"12026-01-01"'),
    ("TIMESTAMP '2026-01-02 03:04:05.678'", datetime(2026, 1, 2, 3, 4, 5, 678000), '"2026-01-02T03:04:05.678000Z"'),
    ("TIMESTAMP '9999-12-31 23:59:59.999999'", datetime.max, '"9999-12-31T23:59:59.999999Z"'),
    ("TIMESTAMP 'infinity'", "infinity", '"infinity"'),
    ("TIMESTAMP '-infinity'", "-infinity", '"-infinity"'),
    ("TIMESTAMP '12026-01-01'", "12026-01-01 00:00:00", '"12026-01-01 00:00:00"'),
    ("TIMESTAMP_NS '2026-01-02 03:04:05.123456789'", "2026-01-02T03:04:05.123456789Z", '"2026-01-02T03:04:05.123456789Z"'),
    ("TIMESTAMP_S '2026-01-02 03:04:05'", datetime(2026, 1, 2, 3, 4, 5), '"2026-01-02T03:04:05Z"'),
    ("TIMESTAMPTZ '2026-01-02 03:04:05+02'", datetime(2026, 1, 2, 1, 4, 5, tzinfo=UTC), '"2026-01-02T01:04:05+00:00"'),
    ("TIMESTAMPTZ 'infinity'", "infinity", '"infinity"'),
    ("TIMESTAMPTZ '0044-03-15 (BC) 12:00:00+00'", "0044-03-15 (BC) 12:00:00+00", '"0044-03-15 (BC) 12:00:00+00"'),
    ("TIME '24:00:00'", "24:00:00", '"24:00:00"'),
    ("TIMETZ '12:34:56+02'", "12:34:56+02", '"12:34:56+02"'),
    ("INTERVAL '3 days 00:00:01.5'", timedelta(days=3, seconds=1.5), "259201.5"),
    ("INTERVAL '-90 seconds'", timedelta(seconds=-90), "-90.0"),
    ("INTERVAL 1 MONTH", "1 month", '"1 month"'),
    ("INTERVAL '1 year 2 days'", "1 year 2 days", '"1 year 2 days"'),
    # Inside other values the same holds.
    ("{'a': 1, 'b': {'date': TIMESTAMP 'infinity'}}", {"a": 1, "b": {"date": "infinity"}}, '{"a": 1, "b": {"date": "infinity"}}'),
    ("[DATE '2026-01-02', NULL]", [date(2026, 1, 2), None], '["2026-01-02", null]'),
    ("[DATE '2026-01-02', NULL]::DATE[2]", [date(2026, 1, 2), None], '["2026-01-02", null]'),
    ("MAP {'k': INTERVAL 1 MONTH}", {"k": "1 month"}, '{"k": "1 month"}'),
    ("MAP {DATE '2026-01-02': 1}", {date(2026, 1, 2): 1}, '{"2026-01-02": 1}'),
    ("MAP {[DATE '2026-01-02']: 1}", {"key": [["2026-01-02"]], "value": [1]}, '{"key": [["2026-01-02"]], "value": [1]}'),
    ("union_value(d := DATE 'infinity')", "infinity", '"infinity"'),
    # The rest.
    ("'a\\xFF'::BLOB", b"a\xff", '"61ff"'),
    ("'101'::BIT", "101", '"101"'),
    ("'a'::ENUM('a', 'b')", "a", '"a"'),
    ("'00000000-0000-0000-0000-000000000001'::UUID", None, '"00000000-0000-0000-0000-000000000001"'),
    ("NULL::TIMESTAMP", None, "null"),
    ("now()::VARCHAR IS NOT NULL; -- with; an end", True, "true"),
    ("DATE '2026-01-02' /* ; */ ;;", date(2026, 1, 2), '"2026-01-02"'),
)  # fmt: skip
"""An expression, its value in Python (None where it is not looked at), and its JSON."""


@pytest.fixture(scope="module")
def tables() -> Iterator[Projections]:
    with EventLog() as log, Projections.open(log) as tables:
        yield tables


@pytest.mark.parametrize(("expression", "value", "text"), CASES, ids=[case[0] for case in CASES])
def test_a_value_is_exact(
    tables: Projections, capsys: pytest.CaptureFixture[str], expression: str, value: Any, text: str
) -> None:
    query = f"SELECT {expression}" if " FROM " in expression or ";" in expression else f"SELECT {expression} AS x"
    [[found]] = tables.query(query).rows
    if value is not None:
        assert found == value and type(found) is type(value)
    [row] = objects(tables.query(query))
    [found] = row.values()
    assert json_line(found) == text
    json.loads(text)
    write_table(["x"], [[found]])
    assert capsys.readouterr().out.split()[0] == "x"


def test_rows_with_times_keep_their_order_and_their_parameters(tables: Projections) -> None:
    query = "SELECT i, TIMESTAMP '2026-01-01' + to_days(i::INTEGER) AS i FROM range(?) r(i) ORDER BY hash(i)"
    answer = tables.query(query, [50_000])
    assert answer.columns == ["i", "i"]
    rows = list(answer.rows)
    assert [row[0] for row in rows] == [
        row[0] for row in tables.query("SELECT i FROM range(50000) r(i) ORDER BY hash(i)").rows
    ]
    assert all(time == datetime(2026, 1, 1) + timedelta(days=day) for day, time in rows)

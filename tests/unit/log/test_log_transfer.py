"""A log in a file: the same everywhere, verified without its database, refused when it was changed."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from agent0es.errors import StoreError
from agent0es.log import EventLog
from agent0es.log.schema import events, handled, texts
from agent0es.log.transfer import verify_export
from tests.support.postgresql import Server
from tests.unit.log.samples import begin, new, tampering
from tests.unit.log.test_log_tampering import fill


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    with EventLog.open(tmp_path / "source.db") as log:
        fill(log)
        log.export(tmp_path / "log.ndjson")
    return tmp_path / "log.ndjson"


def contents(log: EventLog) -> list[Any]:
    """Every row of the log's tables."""
    with log._datastore.read() as connection:
        return [
            sorted(connection.execute(select(table)).tuples().all(), key=repr) for table in (events, texts, handled)
        ]


@pytest.mark.parametrize("source", ["sqlite", "postgresql"])
@pytest.mark.parametrize("target", ["sqlite", "postgresql"])
def test_an_imported_log_is_the_same(source: str, target: str, tmp_path: Path, postgresql: Server) -> None:
    place = {"sqlite": str(tmp_path / f"{source}-{target}.db"), "postgresql": postgresql.new_url()}
    first, second = tmp_path / "first.ndjson", tmp_path / "second.ndjson"
    with EventLog.open(tmp_path / "source.db" if source == "sqlite" else postgresql.new_url()) as log:
        checkpoint = fill(log)
        report = log.export(first)
        before = contents(log)
    assert report.checkpoint == checkpoint
    assert verify_export(first, checkpoint) == report
    with EventLog.open(place[target]) as log:
        assert log.load(first, report) == report
        assert log.verify(checkpoint) == report
        assert contents(log) == before
        [recorded] = log.append([new("run/r")], handler="h")
        assert recorded.position == 11
        assert log.verify(checkpoint).ok
    with EventLog.open(place[target]) as log, pytest.raises(StoreError, match="this log already has events"):
        log.load(first, report)
    assert list(tmp_path.glob(".*")) == []
    assert not second.exists()


def test_the_file_can_be_read_by_any_program(exported: Path) -> None:
    lines = [json.loads(line) for line in exported.read_text().splitlines()]
    kinds = [next(iter(line)) for line in lines]
    assert kinds == ["agent0es_log"] + ["text"] * 4 + ["event"] * 10 + ["handled"] * 4 + ["end"]
    assert json.loads(lines[5]["event"]["state"])["content"] == {
        "iteration": 1,
        "type": "IterationStarted",
        "version": 1,
    }


def test_any_damage_is_refused_and_nothing_is_imported(exported: Path, tmp_path: Path) -> None:
    good = verify_export(exported)
    whole = exported.read_bytes()
    lines = whole.splitlines(keepends=True)
    chance = random.Random(7)
    damaged = [b"", b"{}\n", b"[1]\n", b"\xff\xfe", lines[0], whole[:-1] + b"x", whole + b"{}\n", b"[" * 100_000]
    damaged += [b"".join(lines[:end]) for end in range(1, len(lines))]
    damaged += [b"".join(lines[:i] + lines[i + 1 :]) for i in range(len(lines))]
    damaged += [b"".join(lines[:i] + lines[i : i + 1] * 2 + lines[i + 1 :]) for i in range(1, len(lines))]
    damaged += [b"".join([lines[0], *chance.sample(lines[1:], len(lines) - 1)]) for _ in range(10)]
    for _ in range(200):
        place = chance.randrange(len(whole))
        damaged.append(whole[:place] + bytes([whole[place] ^ chance.randrange(1, 256)]) + whole[place + 1 :])
    with EventLog.open(tmp_path / "target.db") as log:
        for data in damaged:
            exported.write_bytes(data)
            if data == whole:  # the lines were shuffled into the same order
                continue
            try:
                report = verify_export(exported)
            except StoreError as error:
                assert "\n" not in str(error)
                assert str(exported) in str(error)
            else:
                assert not report.ok
            with pytest.raises(StoreError):
                log.load(exported, good)
            assert log.head() == 0
        exported.write_bytes(whole)
        assert log.load(exported, verify_export(exported)).ok


def test_a_file_that_is_replaced_while_it_is_imported_is_refused(exported: Path, tmp_path: Path) -> None:
    report = verify_export(exported)
    with EventLog.open(tmp_path / "other.db") as log:
        fill(log)
        log.export(exported)
    with EventLog.open(tmp_path / "target.db") as log:
        with pytest.raises(StoreError, match="was changed during the import"):
            log.load(exported, report)
        assert log.head() == 0


def test_a_file_of_a_newer_version_is_refused(exported: Path) -> None:
    exported.write_text(exported.read_text().replace('{"agent0es_log":1}', '{"agent0es_log":2}'))
    with pytest.raises(StoreError, match="newer agent0es"):
        verify_export(exported)
    with pytest.raises(StoreError, match="No such file"):
        verify_export(exported.with_name("none"))


def test_an_export_is_held_against_an_earlier_checkpoint(exported: Path, tmp_path: Path) -> None:
    with EventLog.open(tmp_path / "other.db") as log:
        checkpoint = fill(log)
    report = verify_export(exported, checkpoint)
    assert (report.ok, report.first_bad) == (False, 1)
    assert "of another log" in report.problem


def test_a_changed_log_is_not_exported(tmp_path: Path) -> None:
    with EventLog.open(tmp_path / "log.db") as log:
        fill(log)
    with tampering(tmp_path / "log.db") as connection:
        connection.execute("UPDATE events SET version = 7 WHERE seq = 4")
    with EventLog.open(tmp_path / "log.db") as log, pytest.raises(StoreError, match=r"log\.db: position 4: the chain"):
        log.export(tmp_path / "file")
    assert not (tmp_path / "file").exists()
    assert list(tmp_path.glob(".*")) == []
    with EventLog.open(tmp_path / "good.db") as log:
        begin(log)
        with pytest.raises(StoreError, match="name another file"):
            log.export(tmp_path / "no" / "file")


def test_an_empty_log_is_exported_and_imported(tmp_path: Path) -> None:
    with EventLog.open(tmp_path / "log.db") as log:
        report = log.export(tmp_path / "file")
    with EventLog.open(tmp_path / "copy.db") as log:
        assert log.load(tmp_path / "file", report) == report == log.verify()

"""The persistence module under the `eventsourcing` library, in memory; its own cases are in tests/integration/log."""

from uuid import UUID, uuid4

import pytest
from eventsourcing import persistence as es
from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event
from eventsourcing.tests.persistence import (
    AggregateRecorderTestCase,
    ApplicationRecorderTestCase,
    InfrastructureFactoryTestCase,
    ProcessRecorderTestCase,
    TrackingRecorderTestCase,
)
from eventsourcing.utils import Environment

from agent0es.log import (
    EventLog,
    Factory,
    LogAggregateRecorder,
    LogApplicationRecorder,
)
from agent0es.log.datastore import Datastore
from tests.unit.log.samples import begin

MEMORY = "sqlite:///:memory:"


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({}, "LOG_URL"),
        ({"LOG_URL": "not a url"}, "LOG_URL can't be read"),
        ({"LOG_URL": MEMORY, "LOG_SYNCHRONOUS": "SOMETIMES"}, "LOG_SYNCHRONOUS is 'SOMETIMES'"),
        ({"LOG_URL": MEMORY, "LOG_BUSY_SECONDS": "long"}, "LOG_BUSY_SECONDS is 'long'"),
        ({"LOG_URL": MEMORY, "ORIGINATOR_ID_TYPE": "int"}, "ORIGINATOR_ID_TYPE is 'int'"),
    ],
)
def test_a_wrong_variable_is_named(variables: dict[str, str], message: str) -> None:
    with pytest.raises(OSError, match=message):
        Factory(Environment("App", variables))


def test_a_recorder_class_of_another_kind_is_refused() -> None:
    factory = Factory({"LOG_URL": MEMORY, "PROCESS_RECORDER_TOPIC": "eventsourcing.popo:POPOProcessRecorder"})
    with pytest.raises(OSError, match="not a LogProcessRecorder"):
        factory.process_recorder()


@pytest.mark.parametrize("state", [b"", b"{}", b"\x00", "ünï".encode(), b"\xff\xfe\x00", bytes(range(256))])
def test_state_survives_byte_for_byte(state: bytes) -> None:
    for kind in (LogAggregateRecorder, LogApplicationRecorder):
        recorder = kind(Datastore(MEMORY))
        recorder.create_table()
        stored = es.StoredEvent(uuid4(), 1, "topic", state)
        recorder.insert_events([stored])
        assert recorder.select_events(stored.originator_id) == [stored]


class Counter(Aggregate):
    total = 0

    @event("Added")
    def add(self, number: int) -> None:
        self.total += number


@pytest.mark.parametrize("snapshots", ["yes", "no"])
def test_an_application_of_the_library_keeps_its_events_here(snapshots: str) -> None:
    application: Application[UUID] = Application(
        {"PERSISTENCE_MODULE": "agent0es.log", "LOG_URL": MEMORY, "IS_SNAPSHOTTING_ENABLED": snapshots}
    )
    counter = Counter()
    for number in range(5):
        counter.add(number)
    application.save(counter)
    if snapshots == "yes":
        application.take_snapshot(counter.id)
        assert application.snapshots is not None
        assert len(list(application.snapshots.get(counter.id))) == 1
    copy = application.repository.get(counter.id)
    assert isinstance(copy, Counter)
    assert (copy.total, copy.version) == (10, 6)
    assert [n.id for n in application.notification_log.select(1, 10)] == [1, 2, 3, 4, 5, 6]


def test_aggregates_and_events_of_the_catalogue_share_a_log() -> None:
    with EventLog.open(":memory:") as log:
        counter = Counter()
        counter.add(3)
        log.save(counter)
        recorded = begin(log)
        assert recorded.position == 3
        assert log.repository.get(counter.id).total == 3
        assert list(log.read()) == [recorded]
        assert log.runs() == ["r"]
        assert log.verify().ok
        assert log.verify().events == 3


del (
    AggregateRecorderTestCase,
    ApplicationRecorderTestCase,
    InfrastructureFactoryTestCase,
    ProcessRecorderTestCase,
    TrackingRecorderTestCase,
)

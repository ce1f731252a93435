"""The cases that the `eventsourcing` library ships for persistence modules: in memory, on a file, on a server."""

from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from eventsourcing import persistence as es
from eventsourcing.tests import persistence as library
from eventsourcing.utils import Environment

from agent0es.log import (
    Factory,
    LogAggregateRecorder,
    LogApplicationRecorder,
    LogProcessRecorder,
    LogTrackingRecorder,
)
from agent0es.log.datastore import Datastore, url_of_file
from tests.support.postgresql import Server


class InMemory:
    """Gives every case a database of its own in memory."""

    @pytest.fixture(autouse=True)
    def _open(self) -> Any:
        self.url = "sqlite:///:memory:"
        self.datastore = Datastore(self.url)
        yield
        self.datastore.close()


class OnFile:
    """Gives every case a file of its own."""

    @pytest.fixture(autouse=True)
    def _open(self, tmp_path: Path) -> Any:
        self.url = url_of_file(tmp_path / "log.db")
        self.datastore = Datastore(self.url)
        yield
        self.datastore.close()


class OnServer:
    """Gives every case a database of its own."""

    @pytest.fixture(autouse=True)
    def _open(self, postgresql: Server) -> Any:
        self.url = postgresql.new_url()
        self.datastore = Datastore(self.url)
        yield
        self.datastore.close()


class Cases:
    """The library's cases for our recorders; in a class, so that they are not collected themselves."""

    datastore: Datastore

    class Aggregates(library.AggregateRecorderTestCase):
        def create_recorder(self) -> es.AggregateRecorder:
            return created(LogAggregateRecorder(self.datastore))

    class Applications(library.ApplicationRecorderTestCase[LogApplicationRecorder]):
        def create_recorder(self) -> LogApplicationRecorder:
            return created(LogApplicationRecorder(self.datastore))

        def test_insert_subscribe(self) -> None:
            self.optional_test_insert_subscribe()

    class NonInterleaving(library.NonInterleavingNotificationIDsBaseCase):
        def create_recorder(self) -> LogApplicationRecorder:
            return created(LogApplicationRecorder(self.datastore))

    class Tracking(library.TrackingRecorderTestCase):
        def create_recorder(self) -> LogTrackingRecorder:
            return created(LogTrackingRecorder(self.datastore))

    class Processes(library.ProcessRecorderTestCase):
        def create_recorder(self) -> LogProcessRecorder:
            return created(LogProcessRecorder(self.datastore))

    class Factories(library.InfrastructureFactoryTestCase[Factory]):
        def setUp(self) -> None:
            self.env = Environment("App", {"PERSISTENCE_MODULE": "agent0es.log", "LOG_URL": self.url})
            super().setUp()

        def tearDown(self) -> None:
            self.factory.close()

        def expected_factory_class(self) -> type[Factory]:
            return Factory

        def expected_aggregate_recorder_class(self) -> type[LogAggregateRecorder]:
            return LogAggregateRecorder

        def expected_application_recorder_class(self) -> type[LogApplicationRecorder]:
            return LogApplicationRecorder

        def expected_tracking_recorder_class(self) -> type[LogTrackingRecorder]:
            return LogTrackingRecorder

        def tracking_recorder_subclass(self) -> type[LogTrackingRecorder]:
            return OtherTrackingRecorder

        def expected_process_recorder_class(self) -> type[LogProcessRecorder]:
            return LogProcessRecorder


class OtherTrackingRecorder(LogTrackingRecorder):
    pass


def created(recorder: Any) -> Any:
    recorder.create_table()
    return recorder


class TestAggregatesInMemory(InMemory, Cases.Aggregates):
    pass


class TestAggregatesOnFile(OnFile, Cases.Aggregates):
    pass


class TestAggregatesOnServer(OnServer, Cases.Aggregates):
    pass


class TestApplicationsInMemory(InMemory, Cases.Applications):
    pass


class TestApplicationsInMemoryWithTextIds(InMemory, Cases.Applications):
    def new_originator_id(self) -> str:
        return f"stream-{uuid4()}"

    def create_recorder(self) -> LogApplicationRecorder:
        return created(LogApplicationRecorder(Datastore(self.url, originator_ids="text")))


class TestApplicationsOnFile(OnFile, Cases.Applications):
    pass


class TestApplicationsOnServer(OnServer, Cases.Applications):
    pass


class TestNonInterleavingOnFile(OnFile, Cases.NonInterleaving):
    pass


class TestNonInterleavingOnServer(OnServer, Cases.NonInterleaving):
    pass


class TestTrackingInMemory(InMemory, Cases.Tracking):
    pass


class TestTrackingOnFile(OnFile, Cases.Tracking):
    pass


class TestTrackingOnServer(OnServer, Cases.Tracking):
    pass


class TestProcessesInMemory(InMemory, Cases.Processes):
    pass


class TestProcessesOnFile(OnFile, Cases.Processes):
    pass


class TestProcessesOnServer(OnServer, Cases.Processes):
    pass


class TestFactoriesInMemory(InMemory, Cases.Factories):
    pass


class TestFactoriesOnFile(OnFile, Cases.Factories):
    pass


class TestFactoriesOnServer(OnServer, Cases.Factories):
    pass

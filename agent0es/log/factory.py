"""What makes this package a persistence module of the `eventsourcing` library.

PERSISTENCE_MODULE=agent0es.log
LOG_URL=sqlite:////path/of/log.db     any SQLAlchemy URL of a database that `dialects` knows
LOG_SYNCHRONOUS=FULL                  SQLite: NORMAL may lose the last commits when the power fails
LOG_BUSY_SECONDS=10                   SQLite: how long to wait for another process's transaction
LOG_READ_ONLY=no
ORIGINATOR_ID_TYPE=uuid               or `text`
CREATE_TABLE=yes
"""

from typing import Any, TypeVar

from eventsourcing import persistence as es
from eventsourcing.utils import Environment, EnvType, resolve_topic, strtobool
from sqlalchemy.exc import ArgumentError

from agent0es.log.datastore import BUSY_SECONDS, Datastore
from agent0es.log.recorders import (
    LogAggregateRecorder,
    LogApplicationRecorder,
    LogProcessRecorder,
    LogTrackingRecorder,
    Recorder,
)
from agent0es.log.schema import aggregate_table

R = TypeVar("R", bound=Recorder)

SYNCHRONOUS = ("FULL", "NORMAL", "EXTRA", "OFF")


class Factory(es.InfrastructureFactory[LogTrackingRecorder]):
    """Constructs recorders from environment variables. Raises OSError, as the library does, for a wrong one."""

    LOG_URL = "LOG_URL"
    LOG_SYNCHRONOUS = "LOG_SYNCHRONOUS"
    LOG_BUSY_SECONDS = "LOG_BUSY_SECONDS"
    LOG_READ_ONLY = "LOG_READ_ONLY"
    ORIGINATOR_ID_TYPE = "ORIGINATOR_ID_TYPE"
    CREATE_TABLE = "CREATE_TABLE"

    aggregate_recorder_class = LogAggregateRecorder
    application_recorder_class = LogApplicationRecorder
    tracking_recorder_class = LogTrackingRecorder
    process_recorder_class = LogProcessRecorder

    def __init__(self, env: Environment | EnvType | None) -> None:
        super().__init__(env)
        url = self.env.get(self.LOG_URL)
        if not url:
            keys = ", ".join(self.env.create_keys(self.LOG_URL))
            raise OSError(f"the log's SQLAlchemy URL is missing; set one of: {keys}")
        seconds = self.env.get(self.LOG_BUSY_SECONDS) or str(BUSY_SECONDS)
        synchronous = (self.env.get(self.LOG_SYNCHRONOUS) or "FULL").upper()
        originator_ids = (self.env.get(self.ORIGINATOR_ID_TYPE) or "uuid").lower()
        if synchronous not in SYNCHRONOUS:
            raise OSError(f"{self.LOG_SYNCHRONOUS} is {synchronous!r}; choose one of: {', '.join(SYNCHRONOUS)}")
        if originator_ids not in ("uuid", "text"):
            raise OSError(f"{self.ORIGINATOR_ID_TYPE} is {originator_ids!r}; choose uuid or text")
        try:
            self.datastore = Datastore(
                url,
                busy_seconds=float(seconds),
                synchronous=synchronous,
                read_only=self._flag(self.LOG_READ_ONLY, "no"),
                originator_ids=originator_ids,
            )
        except ValueError:
            raise OSError(f"{self.LOG_BUSY_SECONDS} is {seconds!r}; a number of seconds is expected") from None
        except ArgumentError as error:
            raise OSError(f"{self.LOG_URL} can't be read: {error}") from None

    def aggregate_recorder(self, purpose: str = "events") -> es.AggregateRecorder:
        return self._created(self.aggregate_recorder_class(self.datastore, aggregate_table(f"stored_{purpose}")))

    def application_recorder(self) -> es.ApplicationRecorder:
        return self._created(
            self._class(self.APPLICATION_RECORDER_TOPIC, self.application_recorder_class)(self.datastore)
        )

    def tracking_recorder(
        self, tracking_recorder_class: type[LogTrackingRecorder] | None = None
    ) -> LogTrackingRecorder:
        chosen = tracking_recorder_class or self._class(self.TRACKING_RECORDER_TOPIC, self.tracking_recorder_class)
        return self._created(chosen(self.datastore))

    def process_recorder(self) -> es.ProcessRecorder:
        return self._created(self._class(self.PROCESS_RECORDER_TOPIC, self.process_recorder_class)(self.datastore))

    def close(self) -> None:
        self.datastore.close()

    def _created(self, recorder: R) -> R:
        if self._flag(self.CREATE_TABLE, "yes"):
            recorder.create_table()
        return recorder

    def _class(self, key: str, default: type[R]) -> type[R]:
        """The recorder class that the environment names, which must be a kind of the default one."""
        topic = self.env.get(key)
        if not topic:
            return default
        found: Any = resolve_topic(topic)
        if not (isinstance(found, type) and issubclass(found, default)):
            raise OSError(f"{key} is {topic!r}, which is not a {default.__name__}")
        return found

    def _flag(self, key: str, default: str) -> bool:
        return bool(strtobool(self.env.get(key, default) or default))

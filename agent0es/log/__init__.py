"""The append log: what happened, once, in order, for ever.

`EventLog` is what the rest of agent0es uses. The package is also a persistence module of the `eventsourcing` library
(`PERSISTENCE_MODULE=agent0es.log`): any of its applications can keep its events here, see `factory`.
"""

from agent0es.log.ancestry import History, Segment
from agent0es.log.event_log import EventLog, RawRow
from agent0es.log.factory import Factory
from agent0es.log.recorders import (
    LogAggregateRecorder,
    LogApplicationRecorder,
    LogProcessRecorder,
    LogTrackingRecorder,
)
from agent0es.log.records import Meta, NewEvent, Recorded
from agent0es.log.upcasting import UPCASTERS
from agent0es.log.verification import ChainReport

__all__ = [
    "UPCASTERS",
    "ChainReport",
    "EventLog",
    "Factory",
    "History",
    "LogAggregateRecorder",
    "LogApplicationRecorder",
    "LogProcessRecorder",
    "LogTrackingRecorder",
    "Meta",
    "NewEvent",
    "RawRow",
    "Recorded",
    "Segment",
]

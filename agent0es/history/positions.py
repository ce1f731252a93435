"""Places in a run's history: by position, or by time."""

from datetime import UTC, datetime

from agent0es.errors import PositionNotFound
from agent0es.log import EventLog, History


def bounds(log: EventLog, run: str) -> tuple[int, int]:
    """The first and the last position of a run's history, its past as a fork included."""
    first = next(History.of(log, run).read()).position
    low, high = next(log.read(run=run, limit=1)).position, log.head()
    while low < high:  # by bisection: the log is read forwards only
        middle = (low + high + 1) // 2
        found = next(log.read(run=run, after=middle - 1, until=high, limit=1), None)
        low, high = (low, middle - 1) if found is None else (found.position, high)
    return first, low


def check_position(log: EventLog, run: str, position: int) -> int:
    """The position, when the run has been there. Raises PositionNotFound."""
    first, last = bounds(log, run)
    if not first <= position <= last:
        raise PositionNotFound(f"run {run} has no position {position}; its history goes from {first} to {last}")
    return position


def position_at(log: EventLog, run: str, time: datetime) -> int:
    """The last position at a time; a time without a zone is UTC. Raises PositionNotFound before the run began.

    Found by bisection, so a clock that was set back within the run may hide some events.
    """
    wanted = (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
    history = History.of(log, run)
    began = next(history.read()).meta.time
    if wanted < began:
        started = datetime.fromtimestamp(began, UTC).isoformat(sep=" ", timespec="seconds")
        raise PositionNotFound(f"run {run} began at {started}, after that time; name a later one")
    low, high = bounds(log, run)
    while low < high:
        middle = (low + high + 1) // 2
        found = next(history.read(after=middle - 1, until=high), None)
        late = found is None or found.meta.time > wanted
        low, high = (low, middle - 1) if late or found is None else (found.position, high)
    return low

"""The house-keeping of a store: tables made again in a small file, and old files of schedules deleted."""

import time
from pathlib import Path
from typing import NamedTuple

from agent0es.log import EventLog
from agent0es.runs.jobs import JOBS
from agent0es.runs.scheduling import EXPORTS

DAY = 86_400.0


class Compacted(NamedTuple):
    """What became of the tables' file."""

    events: int
    before: int
    """Bytes."""
    after: int


def compact(store: Path, log: EventLog) -> Compacted:
    """Make the tables again from the log. Those who read keep what they have open."""
    from agent0es.projections import PROJECTIONS_FILE, Projections

    file = store / PROJECTIONS_FILE
    before = file.stat().st_size if file.exists() else 0
    with Projections.open(log, file) as tables:
        events = tables.rebuild()
    return Compacted(events, before, file.stat().st_size if file.exists() else 0)


def prune(store: Path, days: float, now: float | None = None) -> list[Path]:
    """Delete files in the store's folders `exports` and `jobs` that nobody has changed for so many days. Returns which.
    Nothing else is touched, and no link is followed."""
    limit = (time.time() if now is None else now) - days * DAY
    gone = []
    for folder in (store / EXPORTS, store / JOBS):
        for file in sorted(folder.glob("*")) if folder.is_dir() and not folder.is_symlink() else ():
            if not file.is_symlink() and file.is_file() and file.stat().st_mtime < limit:
                file.unlink()
                gone.append(file)
    return gone

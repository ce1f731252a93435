"""Which run is meant, what a new one is called, and where the files of one are."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from agent0es.bootstrap import LOG_FILE
from agent0es.domain.names import ALERTS, EVALUATION, NO_RUNS, ROUTES, SCHEDULES, is_evaluation
from agent0es.errors import RunNotFound, nearest
from agent0es.log import EventLog

LATEST = "latest"
"""Stands for the run that was started last."""
LATEST_EVALUATION = f"{EVALUATION}{LATEST}"
"""Stands for the evaluation that was started last."""
EMPTY = {
    ROUTES: ("the router was asked nothing in this store yet; ask it with", "ask", "QUESTION"),
    ALERTS: ("no alert was raised in this store yet; see the rules with", "config", "show"),
    SCHEDULES: ("nothing is scheduled in this store yet; see", "schedule", "add", "--help"),
}
"""What is said of the names that stand where a run does, as long as there are no events."""


def find_run(log: EventLog, wanted: str) -> str:
    """The full name of a run from a unique prefix of it, or `latest`. Raises RunNotFound."""
    if not wanted:
        raise RunNotFound("the run's name is empty; give a run's name, the start of one, or `latest`")
    if wanted == ROUTES:
        raise RunNotFound("routes is no run; what the router came to says", see=("route", "report"))
    if is_evaluation(wanted):
        raise RunNotFound(f"{wanted} is an evaluation and no run; look at it with", see=("show", wanted))
    runs = log.runs()
    if wanted == LATEST and runs:
        return runs[-1]
    found = [run for run in runs if run == wanted] or [run for run in runs if run.startswith(wanted)]
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(found[-5:])
        raise RunNotFound(f"{len(found)} runs begin with {wanted!r} in this store: {names}; write more of the name")
    if not runs:
        raise RunNotFound("there is no run in this store yet; start one with", see=("run",))
    near = nearest(wanted, [*runs, LATEST] if wanted.startswith("l") else runs)
    raise RunNotFound(f"there is no run {wanted!r} in this store; {near}. All runs", see=("runs",))


def find_recorded(log: EventLog, wanted: str) -> str:
    """The full name of a run, or of an evaluation by itself: `eval-latest`, or a unique beginning of its name; `routes`
    for all that the router did, `alerts` and `schedules`.

    Raises RunNotFound.
    """
    if wanted in NO_RUNS:
        if not any(log.read(run=wanted, limit=1)):
            what, *see = EMPTY[wanted]
            raise RunNotFound(what, see=see)
        return wanted
    if not is_evaluation(wanted):
        return find_run(log, wanted)
    known = log.evaluations()
    if wanted == LATEST_EVALUATION and known:
        return known[-1]
    found = [name for name in known if name == wanted] or [name for name in known if name.startswith(wanted)]
    if len(found) == 1:
        return found[0]
    if found:
        raise RunNotFound(f"{len(found)} evaluations begin with {wanted!r}; write more of the name")
    if not known:
        raise RunNotFound("there is no evaluation in this store yet; make one with", see=("eval",))
    near = nearest(wanted, [*known, LATEST_EVALUATION])
    raise RunNotFound(f"there is no evaluation {wanted!r}; {near}. All evaluations", see=("runs", "--evaluations"))


def new_run_name(log: EventLog) -> str:
    """A name for a run that starts now: the time, and a count where that is taken."""
    taken = log.runs()
    name = plain = datetime.now().strftime("%Y%m%d-%H%M%S")
    count = 1
    while name in taken:
        count += 1
        name = f"{plain}-{count}"
    return name


def files_of(store: Path, run: str) -> Mapping[str, Path]:
    """What a run leaves in its store: the log, which all runs share, and folders that are its own."""
    return {"log": store / LOG_FILE, "adapters": store / "adapters" / run, "datasets": store / "datasets" / run}

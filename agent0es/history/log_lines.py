"""Events as lines of the program's own log: how grave each is, what it says, and what it is about. Pure but for `tell`.

DEBUG has every call of a model or a tool, INFO what is completed and how training goes, WARNING what was judged wrong,
ran out of time or was made again, ERROR what failed for good.
"""

import json
import logging
from datetime import UTC, datetime
from typing import Any

from agent0es.configuration.secrets import text_without_secrets
from agent0es.domain import events as ev
from agent0es.domain.names import NO_RUNS, is_evaluation, task_of
from agent0es.domain.text import one_line
from agent0es.history import timeline
from agent0es.log import Recorded

LOGGER = "agent0es"
"""The name of the logger that events are told to."""
LONGEST = 2000
"""Characters of a message."""

_QUIET = (
    *(ev.TaskRequested, ev.TaskProposed, ev.ProposalRejected, ev.AttemptStarted, ev.ModelCalled, ev.ToolRequested),
    *(ev.ToolCalled, ev.Reflected, ev.SolutionSubmitted, ev.Verified, ev.RewardAssigned, ev.ProblemAsked),
    *(ev.LenientlyJudged, ev.RouteAsked, ev.RouteDecided, ev.CostReserved, ev.CostSettled, ev.PracticeMeasured),
)
_WARNINGS = (
    *(ev.AttemptAbandoned, ev.Retried, ev.MicroBatchHalved, ev.TrainingFailed, ev.AlarmRaised, ev.AdapterRolledBack),
    *(ev.RunStopped, ev.AlertRaised),
)


def level(event: ev.Event) -> int:
    """How grave an event is, as `logging` counts it."""
    match event:
        case ev.HandlerFailed() | ev.RouteFailed() | ev.JobFinished(outcome="failed"):
            return logging.ERROR
        case ev.Verified(verification=judged) if judged.correct is not True:
            return logging.WARNING
        case ev.ToolCalled(status="timeout" | "limit"):
            return logging.WARNING
        case _ if isinstance(event, _WARNINGS):
            return logging.WARNING
        case _ if isinstance(event, _QUIET):
            return logging.DEBUG
        case _:
            return logging.INFO


def about(recorded: Recorded) -> dict[str, Any]:
    """What an event is about: its position, and its run, evaluation, route, task and attempt, where it has them."""
    event, run = recorded.event, recorded.run
    attempt = getattr(event, "attempt", None)
    task = getattr(event, "task", None) or (None if attempt is None else task_of(attempt))
    if run in NO_RUNS:
        found = {"run": getattr(event, "run", None), "route": getattr(event, "route", None)}
    else:
        found = {"evaluation" if is_evaluation(run) else "run": run}
    found |= {"task": task, "attempt": attempt, "job": getattr(event, "job", None)}
    return {"position": recorded.position, **{name: value for name, value in found.items() if value is not None}}


def tell(recorded: Recorded) -> None:
    """Have the logger write the line of an event, if anybody listens at its level."""
    logger, grave = logging.getLogger(LOGGER), level(recorded.event)
    if logger.isEnabledFor(grave):
        extra = {"event": recorded.event.type, "about": about(recorded)}
        logger.log(grave, "%s", timeline.words(recorded.event), extra=extra)


class _Lines(logging.Formatter):
    """What both forms have in common: UTC, one line a record, no secret that this process knows."""

    def parts(self, record: logging.LogRecord) -> tuple[str, str, str, dict[str, Any], str]:
        """Time, level, event, what it is about, and the message."""
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        said = record.getMessage()
        if record.exc_info:
            said = f"{said} {self.formatException(record.exc_info)}"
        message = one_line(text_without_secrets(said), LONGEST)
        return time, record.levelname, getattr(record, "event", ""), getattr(record, "about", {}), message


class TextLines(_Lines):
    """`2026-01-31T12:00:00.000Z INFO TaskCompleted position=812 run=… task=12: task 12 is done: …`."""

    def format(self, record: logging.LogRecord) -> str:
        time, grave, event, subject, message = self.parts(record)
        ids = [one_line(f"{name}={value}") for name, value in subject.items()]
        return " ".join(filter(None, [time, f"{grave:<7}", event, *ids])) + f": {message}"


class JsonLines(_Lines):
    """One JSON object a line, with the keys `time`, `level`, `event`, `message`, and those of `about`."""

    def format(self, record: logging.LogRecord) -> str:
        time, grave, event, subject, message = self.parts(record)
        said = {"event": event} if event else {}
        return json.dumps({"time": time, "level": grave, **said, **subject, "message": message})

"""The figures of a run for programs that draw curves: what the log has and such a program has not is written.

The program itself is asked what it has. So an export can be repeated, or go on after it was cut off, and nothing is
there twice.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from agent0es.domain import events as ev
from agent0es.log import EventLog, History, Recorded
from agent0es.runs.following import Wanted, follow
from agent0es.runs.settings import leaves

if TYPE_CHECKING:
    from agent0es.projections import Projections
    from agent0es.provenance.standing import Status

TELLING = ("IterationCompleted", "PracticeMeasured", "TrainingStarted", "TrainingProgressed", "AdapterEvaluated")
"""Types of the events after which there is more to write."""
LIVES = (
    *("RunStarted", "RunForked", "IterationCompleted", "RunCompleted"),
    *("TrainingStarted", "AdapterTrained", "TrainingFailed", "AdapterEvaluated"),
)
"""Types of the events that say what has figures, how it is set, and how far it came."""

Parameter = bool | int | float | str


@dataclass(frozen=True, slots=True)
class Subject:
    """What has curves and parameters of its own: a run, or the training of an adapter in its history."""

    run: str
    adapter: str | None
    """None for the run itself."""
    event_id: str
    """Of the event that it began with. A fork has trainings in common with its parent."""
    began: float
    """When that was appended: Unix time, seconds."""
    parameters: Mapping[str, Parameter]
    """Dotted key to value, without secrets."""
    status: Literal["running", "completed", "failed", "interrupted"]
    latest: float
    """When the last event of `LIVES` that is about it was appended: Unix time, seconds."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One point of a curve."""

    time: float
    """When its event was appended: Unix time, seconds."""
    name: str
    step: int
    """Iteration; in a training the optimizer's steps."""
    value: float


class Target(Protocol):
    """Where figures go."""

    def take(self, subject: Subject, figures: Sequence[Figure]) -> int:
        """Write what is not there yet: the parameters, these figures, how the subject stands. Returns how many
        figures were. Raises UserError."""
        ...


def export(
    log: EventLog,
    tables: "Projections",
    run: str,
    target: Target,
    *,
    follows: bool = False,
    idle: Callable[[], None] = lambda: None,
) -> Iterator[int]:
    """Write the figures of a run, those of its past as a fork included; with `follows` also those that come, until it
    is completed and nobody drives it. Yields how many were written, each time. `idle` is called once when the run is
    seen not to be driven. Raises UserError.
    """
    at = log.head()
    yield _write(log, tables, run, target, 0)
    if follows:
        for recorded in follow(log, run, Wanted(frozenset(TELLING)), at, idle):
            at = recorded.position
            yield _write(log, tables, run, target, at - 1)
        yield _write(log, tables, run, target, at)  # how it ended


def _write(log: EventLog, tables: "Projections", run: str, target: Target, after: int) -> int:
    from agent0es.projections import moment
    from agent0es.provenance.standing import standing

    now = standing(log, tables)[run]
    figures: dict[str | None, list[Figure]] = {}
    for row in moment.curves(tables, run, after):
        figure = Figure(row["time"], row["name"], row["step"], row["value"])
        figures.setdefault(row["adapter"], []).append(figure)
    return sum(target.take(subject, figures.get(subject.adapter, [])) for subject in subjects(log, run, now))


def subjects(log: EventLog, run: str, now: "Status") -> list[Subject]:
    """The run, which stands like this, and the adapters whose training began in its history, in order."""
    driven = now in ("running", "training")
    started: dict[str | None, Recorded] = {}
    latest: dict[str | None, Recorded] = {}
    for recorded in History.of(log, run).read(types=LIVES):
        event = recorded.event
        adapter = getattr(event, "adapter", None)
        if isinstance(event, ev.RunStarted | ev.RunForked):
            started[None] = recorded  # of a fork's beginnings the last one counts
        elif isinstance(event, ev.TrainingStarted):
            started.setdefault(adapter, recorded)
        latest[None] = latest[adapter] = recorded
    found = []
    for adapter, recorded in started.items():
        last = latest[adapter]
        status: Literal["running", "completed", "failed", "interrupted"]
        if adapter is None:
            status = "running" if driven else now if now in ("completed", "failed") else "interrupted"
        elif isinstance(last.event, ev.TrainingStarted):
            status = "running" if driven else "interrupted"
        else:
            status = "failed" if isinstance(last.event, ev.TrainingFailed) else "completed"
        found.append(
            Subject(
                run,
                adapter,
                str(recorded.meta.event_id),
                recorded.meta.time,
                _parameters(recorded.event),
                status,
                last.meta.time,
            )
        )
    return found


def _parameters(event: Any) -> dict[str, Parameter]:
    """What a run or a training was started with, by dotted key; lists and nothing as JSON."""
    said: dict[str, Any]
    match event:
        case ev.TrainingStarted():
            said = dict(event.settings)
        case ev.RunForked():
            said = {**event.configuration, "code_version": event.code_version}
            said |= {"fork": {"parent": event.parent, "position": event.position}}
        case _:
            said = {**event.configuration, "code_version": event.code_version}
    return {
        ".".join(path): value if isinstance(value, bool | int | float | str) else json.dumps(value, ensure_ascii=False)
        for path, value in leaves(said)
    }

"""The life of an adapter: from its dataset over training, evaluation and gate to what taints it later. One fold."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from agent0es.domain import events as ev
from agent0es.domain.retraction import any_covered

Outcome = Literal["training", "trained", "failed", "evaluated", "promoted", "rejected", "rolled_back"]

TYPES = (
    "TrainingRequested",
    "DatasetBuilt",
    "TrainingStarted",
    "AdapterTrained",
    "TrainingFailed",
    "AdapterEvaluated",
    "AdapterPromoted",
    "AdapterRejected",
    "AdapterRolledBack",
    "Retracted",
)
"""The events that `follow` reads."""


@dataclass(frozen=True, slots=True)
class Adapter:
    """What became of an adapter."""

    role: ev.Role
    iteration: int
    requested: ev.TrainingRequested | None = None
    """What a user asked for; None for one that an iteration trained."""
    dataset: ev.DatasetBuilt | None = None
    training: ev.TrainingStarted | None = None
    trained: ev.AdapterTrained | None = None
    evaluated: ev.AdapterEvaluated | None = None
    outcome: Outcome = "training"
    reason: str | None = None
    """Why it was promoted, rejected, rolled back or not trained."""
    serving: Literal["now", "earlier", "never"] = "never"
    """Whether its role answers with it."""
    rolled_back: int | None = None
    """After which iteration it was rolled back."""
    tainted_by: tuple[str, ...] = ()
    """What it, or an adapter that it goes on from, learnt from or was to learn from, and was retracted since."""

    @property
    def sources(self) -> tuple[str, ...]:
        """Attempts (student) or tasks (teacher) that it learns from."""
        return self.dataset.sources if self.dataset else ()

    @property
    def rows(self) -> dict[str, int]:
        """Each of them to the line of the dataset that it is in."""
        return row_numbers(self.dataset) if self.dataset else {}

    @property
    def start(self) -> str | None:
        """The adapter that its training goes on from; None where that begins at the base model."""
        return self.dataset.start if self.dataset else None

    @property
    def scores(self) -> tuple[ev.ArmScore, ...]:
        """Those of its evaluation, of all arms."""
        return self.evaluated.scores if self.evaluated else ()

    @property
    def tainted(self) -> bool:
        """True when one of its sources, or of what it goes on from, has been retracted since."""
        return bool(self.tainted_by)

    @property
    def settled(self) -> bool:
        """True when nothing more happens to it in its iteration."""
        return self.outcome in ("promoted", "rejected", "rolled_back", "failed")


Adapters = Mapping[str, Adapter]
"""By name, in the order in which they were begun."""


def row_numbers(built: ev.DatasetBuilt) -> dict[str, int]:
    """Each source of a dataset to the line that it is in, from 1: in pairs two are in one."""
    in_a_row = 2 if built.rows == "pairs" else 1
    return {source: at // in_a_row + 1 for at, source in enumerate(built.sources)}


def follow(adapters: Adapters, event: ev.Event) -> Adapters:
    """The adapters after one more event. Total: an event that is about no adapter returns them as they are."""
    match event:
        case ev.TrainingRequested():
            return {**adapters, event.adapter: Adapter(event.role, event.iteration, requested=event)}
        case ev.DatasetBuilt():
            before = adapters.get(event.adapter)
            asked = before.requested if before and before.dataset is None else None
            return {**adapters, event.adapter: Adapter(event.role, event.iteration, asked, dataset=event)}
        case ev.TrainingStarted():
            return _with(adapters, event, training=event)
        case ev.AdapterTrained():
            return _with(adapters, event, trained=event, outcome="trained")
        case ev.TrainingFailed():
            return _with(adapters, event, outcome="failed", reason=event.reason)
        case ev.AdapterEvaluated():
            return _with(adapters, event, evaluated=event, outcome="evaluated")
        case ev.AdapterRejected():
            return _with(adapters, event, outcome="rejected", reason=event.reason)
        case ev.AdapterPromoted():
            serving = in_use(adapters, event.role)
            if serving is not None:
                adapters = {**adapters, serving: replace(adapters[serving], serving="earlier")}
            return _with(adapters, event, outcome="promoted", reason=event.reason, serving="now")
        case ev.AdapterRolledBack():
            adapters = _with(
                adapters,
                event,
                outcome="rolled_back",
                reason=event.reason,
                serving="earlier",
                rolled_back=event.iteration,
            )
            again = adapters.get(event.to) if event.to else None
            return {**adapters, event.to: replace(again, serving="now")} if event.to and again else adapters
        case ev.Retracted():
            tainted: dict[str, Adapter] = {}
            for name, adapter in adapters.items():
                if adapter.start in tainted or any_covered(event.what, adapter.sources):
                    tainted[name] = replace(adapter, tainted_by=(*adapter.tainted_by, event.what))
            return {**adapters, **tainted} if tainted else adapters
        case _:
            return adapters


def in_use(adapters: Adapters, role: str) -> str | None:
    """The adapter that a role answers with; None is the base model."""
    return next((name for name, a in adapters.items() if a.role == role and a.serving == "now"), None)


def rival(adapters: Adapters, role: str) -> str | None:
    """The adapter that a new one must beat; None is the base model.

    It is the one in use, unless that is tainted: then it is the last promoted one that is not.
    """
    serving = in_use(adapters, role)
    if serving is None or not adapters[serving].tainted:
        return serving
    return predecessor(adapters, serving)


def predecessor(adapters: Adapters, name: str) -> str | None:
    """What takes an adapter's place when it falls: the latest other one of its role that was promoted, was not rolled
    back and is not tainted; None is the base model."""
    role = adapters[name].role
    standing = [n for n, a in adapters.items() if a.role == role and a.outcome == "promoted" and not a.tainted]
    return next((other for other in reversed(standing) if other != name), None)


def learnt_from(adapters: Adapters, name: str) -> tuple[str, ...]:
    """The sources of an adapter and of those that its training goes on from: what it knows."""
    chain: list[str] = []
    following: str | None = name
    while following is not None and following in adapters and following not in chain:
        chain.append(following)
        following = adapters[following].start
    return tuple(dict.fromkeys(source for one in chain for source in adapters[one].sources))


def challengers(adapters: Adapters, role: str) -> int:
    """How many adapters have been evaluated since the rival's dataset was built: tries to beat it, or what came after
    it and has fallen."""
    names = list(adapters)
    reigning = rival(adapters, role)
    later = names[names.index(reigning) + 1 :] if reigning in names else names
    return sum(1 for name in later if adapters[name].role == role and adapters[name].evaluated is not None)


def _with(
    adapters: Adapters,
    event: ev.TrainingStarted
    | ev.AdapterTrained
    | ev.TrainingFailed
    | ev.AdapterEvaluated
    | ev.AdapterPromoted
    | ev.AdapterRejected
    | ev.AdapterRolledBack,
    **changes: Any,
) -> Adapters:
    known = adapters.get(event.adapter) or Adapter(event.role, event.iteration)
    return {**adapters, event.adapter: replace(known, **changes)}

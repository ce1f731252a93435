"""What became of each adapter of a run: its dataset, training and scores, whether it is in use, what taints it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from agent0es.domain import events as ev
from agent0es.domain.retraction import any_covered
from agent0es.log import Recorded

TYPES = (
    "RunStarted",
    "DatasetBuilt",
    "TrainingStarted",
    "AdapterTrained",
    "TrainingFailed",
    "AdapterEvaluated",
    "AdapterPromoted",
    "AdapterRejected",
    "Retracted",
)
"""The events that `tell` reads."""


@dataclass(frozen=True, slots=True)
class Adapter:
    """One adapter, from its dataset on."""

    dataset: ev.DatasetBuilt
    position: int
    """Of the DatasetBuilt."""
    training: ev.TrainingStarted | None = None
    trained: ev.AdapterTrained | None = None
    evaluated: ev.AdapterEvaluated | None = None
    status: Literal["training", "trained", "failed", "evaluated", "promoted", "rejected"] = "training"
    reason: str | None = None
    """Why it was promoted, rejected or not trained."""
    serving: Literal["now", "earlier", "never"] = "never"
    tainted_by: tuple[str, ...] = ()
    """What it learnt from, or was to learn from, and was retracted since."""


@dataclass(frozen=True, slots=True)
class Story:
    """The adapters of a run and what was retracted."""

    started: ev.RunStarted | None = None
    adapters: Mapping[str, Adapter] = field(default_factory=dict)
    """In the order of their datasets."""
    retracted: tuple[str, ...] = ()


def tell(recorded: Iterable[Recorded]) -> Story:
    """The story of a run from its events of `TYPES`; others are passed over."""
    story = Story()
    for one in recorded:
        story = _with(story, one.position, one.event)
    return story


def _with(story: Story, position: int, event: ev.Event) -> Story:
    """The story after one more event."""
    match event:
        case ev.RunStarted():
            return replace(story, started=event)
        case ev.DatasetBuilt():
            return replace(story, adapters={**story.adapters, event.adapter: Adapter(event, position)})
        case ev.TrainingStarted():
            return _change(story, event.adapter, training=event)
        case ev.AdapterTrained():
            return _change(story, event.adapter, trained=event, status="trained")
        case ev.TrainingFailed():
            return _change(story, event.adapter, status="failed", reason=event.reason)
        case ev.AdapterEvaluated():
            return _change(story, event.adapter, evaluated=event, status="evaluated")
        case ev.AdapterRejected():
            return _change(story, event.adapter, status="rejected", reason=event.reason)
        case ev.AdapterPromoted():
            for name, known in story.adapters.items():
                if known.serving == "now" and known.dataset.role == event.role:
                    story = _change(story, name, serving="earlier")
            return _change(story, event.adapter, status="promoted", reason=event.reason, serving="now")
        case ev.Retracted():
            story = replace(story, retracted=(*story.retracted, event.what))
            for name, known in story.adapters.items():
                if any_covered(event.what, known.dataset.sources):
                    story = _change(story, name, tainted_by=(*known.tainted_by, event.what))
            return story
        case _:
            return story


def _change(story: Story, adapter: str, **changes: object) -> Story:
    changed = replace(story.adapters[adapter], **changes)  # type: ignore[arg-type]
    return replace(story, adapters={**story.adapters, adapter: changed})

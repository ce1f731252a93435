"""The adapters of a run, with where their datasets stand in the log and how the run began."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from agent0es.domain import adapter
from agent0es.domain import events as ev
from agent0es.domain.adapter import Adapters
from agent0es.log import EventLog, Recorded
from agent0es.projections import Projections
from agent0es.projections.moment import Past

TYPES = ("RunStarted", "RunForked", *adapter.TYPES)
"""The events that `tell` reads."""


@dataclass(frozen=True, slots=True)
class Story:
    """The adapters of a run and what was retracted."""

    started: ev.RunStarted | ev.RunForked | None = None
    adapters: Adapters = field(default_factory=dict)
    """Those that the run trained itself; each has a dataset."""
    positions: Mapping[str, int] = field(default_factory=dict)
    """Adapter to the position of its DatasetBuilt."""
    retracted: tuple[str, ...] = ()


def told(log: EventLog, tables: Projections, run: str) -> Story:
    """The story of a run, without what it inherited: the tables say where its few events of `TYPES` are."""
    return tell(Past([run], [tables.position]).events(log, tables, TYPES))


def tell(recorded: Iterable[Recorded]) -> Story:
    """The story of a run from its events of `TYPES`; others are passed over."""
    story = Story()
    for one in recorded:
        story = _with(story, one.position, one.event)
    own = {name: known for name, known in story.adapters.items() if name in story.positions}
    return replace(story, adapters=own)


def _with(story: Story, position: int, event: ev.Event) -> Story:
    """The story after one more event."""
    story = replace(story, adapters=adapter.follow(story.adapters, event))
    match event:
        case ev.RunStarted() | ev.RunForked():
            return replace(story, started=event)
        case ev.DatasetBuilt():
            return replace(story, positions={**story.positions, event.adapter: position})
        case ev.Retracted():
            return replace(story, retracted=(*story.retracted, event.what))
        case _:
            return story

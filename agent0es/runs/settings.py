"""The settings that a run was started or forked with."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from agent0es.log import EventLog, History

if TYPE_CHECKING:
    from agent0es.configuration import Configuration

KeyPath = tuple[str, ...]


def configuration_of(log: EventLog, run: str) -> "Configuration":
    """The configuration that a run was started or forked with."""
    from agent0es.configuration import parse_configuration

    return parse_configuration(History.of(log, run).started.configuration, f"run {run}")


def configuration_to_drive(log: EventLog, run: str) -> "Configuration":
    """The configuration under which a run goes on: its own, or, where an adapter was asked for after it was completed
    and is not there yet, with the settings of that training."""
    from agent0es.decisions.train import as_requested
    from agent0es.projections.state import state_at
    from agent0es.provenance.retraction import unfinished

    state, own = state_at(log, run), configuration_of(log, run)
    for name in unfinished(state):
        return as_requested(own, state.adapters[name].requested)
    return own


def not_default(configuration: "Configuration") -> list[KeyPath]:
    """The keys whose values are not the defaults."""
    from agent0es.configuration import Configuration

    plain = dict(leaves(Configuration().model_dump(mode="json")))
    return [path for path, value in leaves(configuration.model_dump(mode="json")) if plain.get(path, ...) != value]


def leaves(data: Mapping[str, Any], path: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    """Each key of a configuration with its value; a mapping that is empty is a value."""
    for name, value in data.items():
        here = (*path, name)
        if isinstance(value, dict) and value:
            yield from leaves(value, here)
        else:
            yield here, value

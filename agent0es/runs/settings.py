"""The settings that a run was started or forked with."""

from typing import TYPE_CHECKING

from agent0es.log import EventLog, History

if TYPE_CHECKING:
    from agent0es.configuration import Configuration


def configuration_of(log: EventLog, run: str) -> "Configuration":
    """The configuration that a run was started or forked with."""
    from agent0es.configuration import parse_configuration

    return parse_configuration(History.of(log, run).started.configuration, f"run {run}")

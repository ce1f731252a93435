"""Two runs side by side, and one run under other settings."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from agent0es import bootstrap
from agent0es.log import EventLog, History
from agent0es.runs.finding import find_run
from agent0es.runs.settings import configuration_of

if TYPE_CHECKING:
    from agent0es.projections import Projections


def diff(log: EventLog, tables: "Projections", a: str, b: str | None = None) -> dict[str, Any]:
    """Everything in which two runs differ, or a fork and its parent without `b`. Raises RunNotFound.

    `a` and `b` are prefixes, or `latest`; values are those of JSON.
    """
    from agent0es.history.comparison import compare, parent_of

    one = find_run(log, a)
    if b:
        return compare(log, tables, one, find_run(log, b))
    return compare(log, tables, parent_of(log, one), one)


def whatif(log: EventLog, run: str, overrides: Sequence[str]) -> dict[str, Any]:
    """Rewards, datasets and gates as they would be with some keys set to others. Raises ConfigurationError."""
    from agent0es.history import whatif as history

    before = configuration_of(log, run)
    after = history.other_settings(before, overrides)
    rewards = bootstrap.load_rewards(after.rewards.weights)
    return history.whatif(History.of(log, run), before, after, rewards)

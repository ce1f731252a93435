"""Recompute every decision of a run from its log, and compare."""

from typing import TYPE_CHECKING

from agent0es import bootstrap, plugins
from agent0es.domain.names import ROUTES, is_evaluation
from agent0es.errors import ConfigurationError
from agent0es.log import EventLog, History
from agent0es.runs.settings import configuration_of

if TYPE_CHECKING:
    from agent0es.history.verification import Report


async def verify_run(log: EventLog, run: str, *, with_novelty: bool) -> "Report":
    """Recompute every decision of a run, of an evaluation by itself or, for `routes`, of the router. Opens no port
    except, `with_novelty`, the embedder.

    Raises ConfigurationError where a plug-in that the run used is gone, because decisions are made with it.
    """
    from agent0es.history.measurements import verify_evaluation
    from agent0es.history.novelties import Novelties
    from agent0es.history.routes import verify_routes
    from agent0es.history.verification import Rules, verify_decisions
    from agent0es.models.embedder import Embedder

    if run == ROUTES:
        return await verify_routes(log)
    configuration = configuration_of(log, run)
    if gone := plugins.gone(History.of(log, run).started.plugins):
        raise ConfigurationError(
            f"run {run} used {' and '.join(gone)}, not installed here; install it to verify the run"
        )
    domains = bootstrap.practised_domains(configuration)
    if is_evaluation(run):
        return await verify_evaluation(log, run, domains)
    rules = Rules(
        domains=domains,
        rewards=bootstrap.load_rewards(configuration.rewards.weights),
        novelties=Novelties(Embedder()) if with_novelty else None,
    )
    return await verify_decisions(log, run, rules)

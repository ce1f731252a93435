"""`agent0es run`: start a run, or take up one that was interrupted."""

import asyncio
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from agent0es.cli.output import printable, store_option

if TYPE_CHECKING:
    from agent0es.cli.progress import Reporter
    from agent0es.configuration import Configuration
    from agent0es.handlers.base import Ports
    from agent0es.log import EventLog

UNSAFE = (
    "Warning: no sandbox works here, and sandbox.allow_unsafe is set: what the models write runs with your rights. "
    "See agent0es sandbox doctor."
)
INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""


@click.command("run")
@store_option
@click.option("--config", "config_file", type=click.Path(path_type=Path), help="YAML file; configs/ has examples.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Set one key, e.g. execution.attempts=6.")
@click.option("--iterations", type=int, help="Rounds of practice, training and evaluation.")
@click.option("--tasks", type=int, help="Tasks per iteration.")
@click.option("--domains", metavar="A,B", help="Task domains to practise, e.g. math,logic; --set curriculum.domains.")
@click.option("--resume", metavar="RUN", help="Go on with an interrupted run: its name, a prefix of it, or `latest`.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line instead of tables.")
def run_command(
    store: Path,
    config_file: Path | None,
    overrides: tuple[str, ...],
    iterations: int | None,
    tasks: int | None,
    domains: str | None,
    resume: str | None,
    as_json: bool,
) -> None:
    """Let a model practise, train on what it got right, and measure what that gained."""
    from agent0es.bootstrap import check, configuration_of, new_run_name, open_store, resolve_run, start_run
    from agent0es.cli.meters import announced
    from agent0es.configuration import load_configuration
    from agent0es.errors import ConfigurationError

    given = (config_file, overrides or None, iterations, tasks, domains)
    if resume and any(setting is not None for setting in given):
        raise ConfigurationError("--resume goes on with the run's own configuration; leave the other settings out")
    settings = list(overrides)
    settings += [f"execution.iterations={iterations}"] if iterations is not None else []
    settings += [f"execution.tasks_per_iteration={tasks}"] if tasks is not None else []
    settings += [f"curriculum.domains=[{domains}]"] if domains is not None else []
    configuration = None if resume else load_configuration(config_file, settings)
    if resume:
        with open_store(store) as log:  # which makes no store
            resume = resolve_run(log, resume)
    with open_store(store, create=True, url=configuration.log.url if configuration else None) as log:
        with announced("checking the weights, the tools and the sandbox", as_json):
            weights = None if configuration is None else asyncio.run(check(store, log, configuration))
        run = resolve_run(log, resume) if resume else new_run_name(log)
        with log.lease(run):
            if configuration is None or weights is None:
                configuration = configuration_of(log, run)
            else:
                start_run(log, run, configuration, weights)
            drive_and_report(store, log, run, configuration, as_json)


def drive_and_report(
    store: Path,
    log: "EventLog",
    run: str,
    configuration: "Configuration",
    as_json: bool,
    begin: "Callable[[Ports], None] | None" = None,
) -> None:
    """Drive a run to its end, after `begin`, and tell the user. The caller holds the lease on the run."""
    try:
        asyncio.run(_drive(store, log, run, configuration, as_json, begin))
    except KeyboardInterrupt:
        flag = "" if store == Path("store") else f" --store {store}"
        click.echo(printable(f"Stopped; nothing is lost. Go on with: agent0es run --resume {run}{flag}"), err=True)
        sys.exit(INTERRUPTED)


async def _drive(
    store: Path,
    log: "EventLog",
    run: str,
    configuration: "Configuration",
    as_json: bool,
    begin: "Callable[[Ports], None] | None",
) -> None:
    """Drive the run to its end and report on the way. Ctrl-C and SIGTERM cancel it cleanly."""
    from agent0es.bootstrap import drive, open_ports
    from agent0es.cli.progress import Reporter
    from agent0es.evaluation.suite import suite

    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    reporter = Reporter(run, store, configuration, as_json, task.cancel)
    reporter.begin("opening the models, the tools and the sandbox")
    try:
        async with open_ports(store, log, run, configuration, reporter.training) as ports:
            if begin is not None:
                begin(ports)
            if ports.tier == "unsafe":
                click.echo(UNSAFE, err=True)
            reporter.expect(suite(ports.domains, configuration.evaluation, configuration.seed))
            watching = asyncio.create_task(_watch(ports, reporter))
            try:
                state = await drive(ports, [reporter])
            finally:
                watching.cancel()
        reporter.summary(state)
    except asyncio.CancelledError:
        raise reporter.failed or KeyboardInterrupt from None
    finally:
        reporter.close()


async def _watch(ports: "Ports", reporter: "Reporter") -> None:
    """Tell the user every second what is being loaded, as long as anything is."""
    while True:
        await asyncio.sleep(1)
        loading = [(await model.health()).loading for model in dict.fromkeys(ports.models.values())]
        reporter.wait(next(filter(None, [*loading, ports.embedder.loading]), ""))

"""`agent0es run`: start a run, or resume one that was interrupted."""

import asyncio
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from agent0es.cli.hints import command
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
@click.option(
    "--config", "config_file", type=click.Path(path_type=Path), metavar="FILE", help="YAML file; configs/ has examples."
)
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Set one key; repeatable.")
@click.option("--iterations", type=int, metavar="N", help="Rounds of practice, training and evaluation.")
@click.option("--tasks", type=int, metavar="N", help="Tasks per iteration.")
@click.option("--domains", metavar="A,B", help="Task domains to practise, e.g. math,logic.")
@click.option("--resume", metavar="RUN", help="Resume an interrupted run: its name, a prefix of it, or `latest`.")
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
    """Start a run (practise, train, measure), or resume one.

    The teacher proposes tasks, the student practises them, an adapter is trained on what was right, and held-out
    problems show what it gained. --set takes any key of docs/settings.md, e.g. --set execution.attempts=6.
    """
    from agent0es.bootstrap import check, new_run_name, open_store, start_run
    from agent0es.cli.meters import announced
    from agent0es.configuration import load_configuration
    from agent0es.errors import ConfigurationError

    if resume is not None:
        if any(setting is not None for setting in (config_file, overrides or None, iterations, tasks, domains)):
            raise ConfigurationError("--resume uses the stored configuration; remove the other options")
        _resume(store, resume, as_json)
        return
    options = [
        ("--iterations", "execution.iterations", iterations),
        ("--tasks", "execution.tasks_per_iteration", tasks),
        ("--domains", "curriculum.domains", None if domains is None else domain_names(domains)),
    ]
    given = [option for option in options if option[2] is not None]
    configuration = load_configuration(config_file, overrides, options=given)
    with open_store(store, create=True, url=configuration.log.url) as log:
        with announced("checking the weights, the tools and the sandbox", as_json):
            parts = asyncio.run(check(store, log, configuration))
        run = new_run_name(log)
        with log.lease(run):
            start_run(log, run, configuration, parts)
            drive_and_report(store, log, run, configuration, as_json)


def domain_names(text: str) -> list[str]:
    """The names in `math,logic`, also in brackets. Raises ConfigurationError for an empty one."""
    from agent0es.errors import ConfigurationError

    names = [name.strip() for name in text.strip().removeprefix("[").removesuffix("]").split(",")]
    if not all(names):
        raise ConfigurationError("--domains has an empty name in it; write e.g. --domains math,logic")
    return names


def _resume(store: Path, wanted: str, as_json: bool) -> None:
    """Drive an interrupted run to its end; report a completed one at once."""
    from agent0es.bootstrap import configuration_of, open_store, resolve_run

    with open_store(store) as log:  # which makes no store
        run = resolve_run(log, wanted)
        if _is_over(store, log, run, as_json):
            return
    with open_store(store, create=True) as log, log.lease(run):
        drive_and_report(store, log, run, configuration_of(log, run), as_json)


def _is_over(store: Path, log: "EventLog", run: str, as_json: bool) -> bool:
    """Whether the run has nothing left to do; then its result is shown. No model or tool is opened for that."""
    from agent0es.bootstrap import configuration_of
    from agent0es.cli.progress import Reporter
    from agent0es.domain.run import RunState, evolve
    from agent0es.log import History
    from agent0es.provenance.retraction import unfinished

    history = History.of(log, run)
    if not any(recorded.run == run for recorded in history.read(types=["RunCompleted"])):
        return False
    reporter = Reporter(run, store, configuration_of(log, run), as_json)
    try:
        state = RunState()
        for recorded in history.read():
            state = evolve(state, recorded.event)
            reporter(recorded, state)
        if unfinished(state):
            return False
        reporter.summary(state)
    finally:
        reporter.close()
    return True


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
        resume = printable(command(store, "run", "--resume", run))
        click.echo(f"Stopped; nothing is lost. Resume it with: {resume}", err=True)
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
            if ports.toolbox.tier == "unsafe":
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

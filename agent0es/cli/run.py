"""`agent0es run`: start a run, or resume one that was interrupted."""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from agent0es.cli.exit_codes import INTERRUPTED
from agent0es.cli.hints import command
from agent0es.cli.output import printable, store_option

if TYPE_CHECKING:
    from agent0es.cli.progress import Reporter
    from agent0es.configuration import Configuration
    from agent0es.domain.run import RunState
    from agent0es.log import EventLog

    Drive = Callable[[Reporter], Awaitable[RunState]]
    """Drives a run to its end and tells the reporter. Returns the last state."""


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
    from agent0es.bootstrap import open_store
    from agent0es.cli.meters import announced
    from agent0es.configuration import load_configuration
    from agent0es.errors import ConfigurationError
    from agent0es.runs import starting

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
            parts = asyncio.run(starting.check(store, log, configuration))
        with starting.started(log, configuration, parts) as run:
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
    from agent0es.bootstrap import open_store
    from agent0es.runs.driving import is_over
    from agent0es.runs.finding import find_run
    from agent0es.runs.settings import configuration_to_drive

    with open_store(store) as log:  # which makes no store
        run = find_run(log, wanted)
        if is_over(log, run):
            _show_again(store, log, run, as_json)
            return
    with open_store(store, create=True) as log, log.lease(run):
        drive_and_report(store, log, run, configuration_to_drive(log, run), as_json)


def _show_again(store: Path, log: "EventLog", run: str, as_json: bool) -> None:
    """The result of a run that is over. No model or tool is opened for that."""
    from agent0es.cli.progress import Reporter
    from agent0es.runs.driving import retell
    from agent0es.runs.settings import configuration_of

    reporter = Reporter(run, store, configuration_of(log, run), as_json)
    try:
        reporter.summary(retell(log, run, reporter))
    finally:
        reporter.close()


def drive_and_report(
    store: Path, log: "EventLog", run: str, configuration: "Configuration", as_json: bool, drive: "Drive | None" = None
) -> None:
    """Drive a run to its end (`drive` says how, if not as usual) and tell the user. The caller holds its lease."""
    from agent0es.runs.alerting import watched
    from agent0es.runs.driving import drive_run

    def usually(reporter: "Reporter") -> "Awaitable[RunState]":
        return drive_run(store, log, run, configuration, reporter)

    try:
        with watched(store, log, configuration.alerts):
            asyncio.run(_until_stopped(store, run, configuration, as_json, drive or usually))
    except KeyboardInterrupt:
        resume = printable(command(store, "run", "--resume", run))
        click.echo(f"Stopped; nothing is lost. Resume it with: {resume}", err=True)
        sys.exit(INTERRUPTED)


async def _until_stopped(store: Path, run: str, configuration: "Configuration", as_json: bool, drive: "Drive") -> None:
    """Drive the run to its end and report on the way. Ctrl-C and SIGTERM cancel it cleanly."""
    from agent0es.cli.progress import Reporter

    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    reporter = Reporter(run, store, configuration, as_json, task.cancel)
    reporter.begin("opening the models, the tools and the sandbox")
    try:
        reporter.summary(await drive(reporter))
    except asyncio.CancelledError:
        raise reporter.failed or KeyboardInterrupt from None
    finally:
        reporter.close()

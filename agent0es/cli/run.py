"""`agent0es run`: start a run, or take up one that was interrupted."""

import asyncio
import signal
import sys
from pathlib import Path

import click

from agent0es.cli.output import store_option

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""


@click.command("run")
@store_option
@click.option("--config", "config_file", type=click.Path(path_type=Path), help="YAML file; configs/ has examples.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Set one key, e.g. execution.attempts=6.")
@click.option("--iterations", type=int, help="Rounds of practice, training and evaluation.")
@click.option("--tasks", type=int, help="Tasks per iteration.")
@click.option("--resume", metavar="RUN", help="Go on with an interrupted run: its name, a prefix of it, or `latest`.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line instead of tables.")
def run_command(
    store: Path,
    config_file: Path | None,
    overrides: tuple[str, ...],
    iterations: int | None,
    tasks: int | None,
    resume: str | None,
    as_json: bool,
) -> None:
    """Let a model practise, train on what it got right, and measure what that gained."""
    from agent0es.bootstrap import open_store, prepare, resolve_run, start_run
    from agent0es.configuration import load_configuration
    from agent0es.errors import ConfigurationError

    if resume and (config_file or overrides or iterations is not None or tasks is not None):
        raise ConfigurationError("--resume goes on with the run's own configuration; leave the other settings out")
    settings = list(overrides)
    settings += [f"execution.iterations={iterations}"] if iterations is not None else []
    settings += [f"execution.tasks_per_iteration={tasks}"] if tasks is not None else []
    configuration = None if resume else load_configuration(config_file, settings)
    with open_store(store, create=True) as log:
        if configuration is None:
            run = resolve_run(log, resume or "")
        else:
            prepare(configuration)
            run = start_run(log, configuration)
        try:
            with log.lease(run):
                asyncio.run(_drive(store, run, as_json))
        except KeyboardInterrupt:
            click.echo(
                f"Stopped; nothing is lost. Go on with: agent0es run --resume {run}{_store_flag(store)}", err=True
            )
            sys.exit(INTERRUPTED)


async def _drive(store: Path, run: str, as_json: bool) -> None:
    """Drive the run to its end. Ctrl-C and SIGTERM cancel it cleanly."""
    from agent0es.bootstrap import drive

    task = asyncio.current_task()
    assert task is not None
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        await drive(store, run, as_json)
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


def _store_flag(store: Path) -> str:
    return "" if store == Path("store") else f" --store {store}"

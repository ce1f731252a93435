"""`agent0es fork`: a new run that goes on from any event of another one."""

import asyncio
from pathlib import Path

import click

from agent0es.cli.output import json_line, printable, store_option
from agent0es.cli.run import drive_and_report


@click.command("fork")
@click.argument("run")
@store_option
@click.option("--at", "position", type=click.IntRange(min=1), required=True, help="The last event that both share.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Set one key, e.g. execution.attempts=6.")
@click.option("--no-run", is_flag=True, help="Only create it; `agent0es run --resume` goes on with it.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line instead of tables.")
def fork_command(run: str, store: Path, position: int, overrides: tuple[str, ...], no_run: bool, as_json: bool) -> None:
    """Start a run whose past is RUN up to a position, with other settings from there on. RUN stays as it is."""
    from agent0es.bootstrap import check, fork_run, new_run_name, open_store, resolve_run
    from agent0es.history.forking import fork_configuration
    from agent0es.projections.snapshots import SNAPSHOTS_FILE, Snapshots

    with open_store(store) as log:
        resolve_run(log, run)  # before anything is created in a store that may not be one
    with open_store(store, create=True) as log, Snapshots(log, store / SNAPSHOTS_FILE) as snapshots:
        parent = resolve_run(log, run)
        configuration = fork_configuration(log, snapshots, parent, position, overrides)
        weights = asyncio.run(check(store, log, configuration))
        child = new_run_name(log)
        with log.lease(child):
            fork_run(log, child, parent, position, configuration, weights)
            if not no_run:
                drive_and_report(store, log, child, configuration, as_json)
                return
    if as_json:
        click.echo(json_line({"run": child, "parent": parent, "position": position}))
    else:
        click.echo(f"Run {child} goes on from event {position} of {printable(parent)}: agent0es run --resume {child}")

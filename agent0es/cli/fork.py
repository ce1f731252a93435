"""`agent0es fork`: a new run that continues from any event of another one."""

import asyncio
from pathlib import Path

import click

from agent0es.cli.arguments import run_argument
from agent0es.cli.hints import command
from agent0es.cli.output import json_line, printable, store_option
from agent0es.cli.run import drive_and_report


@click.command("fork")
@run_argument
@store_option
@click.option(
    "--at",
    "position",
    type=click.IntRange(min=1),
    required=True,
    metavar="POSITION",
    help="The last event that both runs share.",
)
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Set one key, e.g. execution.attempts=6.")
@click.option("--no-run", is_flag=True, help="Only create it; `agent0es run --resume` starts it later.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line instead of tables.")
def fork_command(run: str, store: Path, position: int, overrides: tuple[str, ...], no_run: bool, as_json: bool) -> None:
    """Start a run that continues another one, with other settings.

    RUN is a run's name, a prefix of it, or `latest`, the default. The new run has the past of RUN up to --at. RUN
    itself is not changed.
    """
    from agent0es.bootstrap import open_store
    from agent0es.runs import forking, starting
    from agent0es.runs.finding import find_run

    with open_store(store) as log:
        parent = find_run(log, run)  # before anything is created in a store that may not be one
    with open_store(store, create=True) as log:
        configuration = forking.fork_settings(store, log, parent, position, overrides)
        parts = asyncio.run(starting.check(store, log, configuration))
        with forking.forked(log, parent, position, configuration, parts) as child:
            if not no_run:
                drive_and_report(store, log, child, configuration, as_json)
                return
    if as_json:
        click.echo(json_line({"run": child, "parent": parent, "position": position}))
    else:
        resume = command(store, "run", "--resume", child)
        click.echo(printable(f"Run {child} continues from event {position} of {parent}."))
        click.echo(printable(f"Start it with: {resume}"))

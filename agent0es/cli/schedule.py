"""`agent0es schedule`: commands that `agent0es serve` runs by the clock."""

import sys
import time
from pathlib import Path
from typing import Any

import click

from agent0es.cli.exit_codes import FAILED, INTERRUPTED
from agent0es.cli.output import json_line, json_option, printable, store_option, write_lines, write_table
from agent0es.domain.text import iso

NOT_SCHEDULED = ("schedule", "serve")
"""Commands that are no jobs."""


@click.group("schedule")
def schedule_group() -> None:
    """Run commands by the clock, while `agent0es serve` goes on."""


@schedule_group.command("add")
@click.argument("name")
@click.argument("command", nargs=-1, required=True, metavar="-- COMMAND...")
@click.option("--cron", metavar="FIELDS", help="Minute, hour, day, month, day of the week, in UTC: '0 2 * * *'.")
@click.option("--every", metavar="TIME", help="E.g. 15m, 6h or 1d.")
@click.option(
    "--when-new",
    "trajectories",
    type=click.IntRange(min=1),
    metavar="N",
    help="When the last completed run has N right attempts that no dataset was built of.",
)
@store_option
@click.pass_context
def add_command(
    ctx: click.Context,
    name: str,
    command: tuple[str, ...],
    cron: str | None,
    every: str | None,
    trajectories: int | None,
    store: Path,
) -> None:
    """Schedule a command of agent0es.

    It is written after `--` as its words are, without `agent0es` and `--store`. {time} in a word stands for the time
    of the job, {exports} for the folder exports in the store, {run} for the run that was completed last. Files are
    relative to where the service was started.
    """
    from agent0es.bootstrap import open_store
    from agent0es.history.timeline import when
    from agent0es.runs import scheduling

    check(ctx.find_root().command, command)
    seconds = None if every is None else scheduling.seconds_of(every)
    with open_store(store, create=True) as log:
        added = scheduling.new_schedule(log, name, command, cron=cron, every_seconds=seconds, trajectories=trajectories)
        scheduling.add(log, added)
    write_lines([printable(f"{name} is scheduled {when(added)}; agent0es serve runs it")])


@schedule_group.command("remove")
@click.argument("name")
@store_option
def remove_command(name: str, store: Path) -> None:
    """Schedule a command no longer. A job that goes on is not stopped."""
    from agent0es.bootstrap import open_store
    from agent0es.runs import scheduling

    with open_store(store) as log:
        scheduling.find(log, name)  # before the store is written
    with open_store(store, create=True) as log:
        scheduling.remove(log, name)
    write_lines([printable(f"{name} is no longer scheduled")])


@schedule_group.command("list")
@store_option
@json_option
def list_command(store: Path, as_json: bool) -> None:
    """List the schedules, when each is due next.

    Also how the last job of each ended.
    """
    from agent0es.bootstrap import open_store
    from agent0es.runs import scheduling

    with open_store(store) as log:
        found = scheduling.listed(log)
    if as_json:
        write_lines(map(json_line, found))
    elif not found:
        write_lines(["Nothing is scheduled."])
    else:
        columns = ["schedule", "when", "next", "last_job", "status", "message", "command"]
        write_table(columns, [[_shown(row, name) for name in columns] for row in found])


def _shown(row: dict[str, Any], name: str) -> Any:
    return " ".join(row[name]) if name == "command" else row[name]


@schedule_group.command("run")
@click.argument("name")
@click.option("--due", hidden=True, help="For the service: it is due now.")
@store_option
def run_command(name: str, due: str | None, store: Path) -> None:
    """Run a schedule's command now.

    Where its job was cut off, that goes on.

    What it writes is in the folder jobs of the store.
    """
    from agent0es.bootstrap import open_store
    from agent0es.runs import scheduling

    with open_store(store) as log:
        scheduling.find(log, name)
    with open_store(store, create=True) as log:
        finished = scheduling.run_job(store, log, name, None if due is None else iso(time.time()))
    if finished is None:
        click.echo("Stopped; the job goes on when it is run again.", err=True)
        sys.exit(INTERRUPTED)
    write_lines([printable(f"{finished.job} {finished.outcome}: {finished.message}")])
    if finished.outcome == "failed":
        sys.exit(FAILED)


def check(group: click.Command, words: tuple[str, ...]) -> None:
    """Raise UsageError for words that are no command, or that one would refuse."""
    command, path, rest = group, "agent0es", list(words)
    ctx = click.Context(group, info_name="agent0es")
    if rest[0] in NOT_SCHEDULED:
        raise click.UsageError(f"{rest[0]} can't be scheduled")
    if any(word == "--store" or word.startswith("--store=") for word in rest):
        raise click.UsageError("leave out --store: a job has the store of its schedule")
    while isinstance(command, click.Group):
        if not rest:
            raise click.UsageError(f"{path} needs one of {', '.join(command.commands)}")
        found = command.commands.get(rest[0])
        if found is None:
            raise click.UsageError(f"{path} has no command {rest[0]!r}; leave out what comes before its name")
        path, command = f"{path} {rest.pop(0)}", found
        ctx = click.Context(command, info_name=command.name, parent=ctx)
    with ctx:
        command.parse_args(ctx, rest)

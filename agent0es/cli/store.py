"""`agent0es store`: the house-keeping of a store."""

from pathlib import Path

import click

from agent0es.cli.output import json_line, json_option, printable, store_option, write_lines
from agent0es.domain.text import counted


@click.group("store")
def store_group() -> None:
    """Keep a store small. The log is never changed."""


@store_group.command("compact")
@store_option
@json_option
def compact_command(store: Path, as_json: bool) -> None:
    """Make the tables again from the log.

    The new file is without what was deleted in the old one.
    """
    from agent0es.bootstrap import open_store
    from agent0es.runs.storing import compact

    with open_store(store) as log:
        done = compact(store, log)
    if as_json:
        write_lines([json_line(done._asdict())])
    else:
        write_lines([f"{counted(done.events, 'event')}, {done.before:,} bytes before, {done.after:,} now"])


@store_group.command("prune")
@click.option("--days", type=click.FloatRange(min=0), default=30, show_default=True, metavar="N", help="How old.")
@store_option
@json_option
def prune_command(days: float, store: Path, as_json: bool) -> None:
    """Delete old exports and what jobs wrote.

    These are files in the store's folders exports and jobs that are older than so many days.
    """
    from agent0es.bootstrap import open_store
    from agent0es.runs.storing import prune

    with open_store(store):  # it is one
        gone = prune(store, days)
    if as_json:
        write_lines([json_line({"deleted": [str(file) for file in gone]})])
    else:
        write_lines([f"{counted(len(gone), 'file')} deleted", *(printable(str(file)) for file in gone)])

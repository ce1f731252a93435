"""`agent0es events`: the events of a run, of one task or of one attempt, also as they are appended."""

import sys
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from agent0es.cli.arguments import run_argument
from agent0es.cli.exit_codes import INTERRUPTED
from agent0es.cli.output import json_line, printable, say_waiting, shorten, store_option, terminal_width, write_lines

if TYPE_CHECKING:
    from agent0es.log import Recorded

SHORT_VALUE = 100
"""Characters that are shown of one field."""


@click.command("events")
@run_argument
@store_option
@click.option("--type", "types", multiple=True, metavar="TYPE", help="Only this type, e.g. TaskProposed; repeatable.")
@click.option("--task", type=click.IntRange(min=1), metavar="N", help="Only events of this task and its attempts.")
@click.option("--attempt", metavar="ATTEMPT", help="Only events of this attempt, e.g. 12/0, with its reward.")
@click.option("--after", type=click.IntRange(min=0), metavar="POSITION", help="Only events after this position.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N events.")
@click.option(
    "--follow", is_flag=True, help="Show events as they are appended, until the run is completed or Ctrl-C is pressed."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, with texts in full.")
def events_command(
    run: str,
    store: Path,
    types: tuple[str, ...],
    task: int | None,
    attempt: str | None,
    after: int | None,
    limit: int | None,
    follow: bool,
    as_json: bool,
) -> None:
    """List the events of a run, or follow them as they come.

    RUN is a run's name, a prefix of it, or `latest`, the default. --follow starts with the next new event; with
    --after 0 it shows all earlier ones first.
    """
    from agent0es.bootstrap import open_store
    from agent0es.runs import following
    from agent0es.runs.finding import find_recorded

    wanted = following.Wanted(frozenset(types), task, attempt)
    with open_store(store) as log:
        name = find_recorded(log, run)

        if follow:
            every = following.follow(log, name, wanted, after, lambda: say_waiting(name))
        else:
            every = following.events(log, name, wanted, after or 0)
        found = islice(every, limit)
        lines = (json_line(following.as_json(recorded)) if as_json else _event_line(recorded) for recorded in found)
        if not follow:
            write_lines(lines)
            return
        try:
            for line in lines:
                write_lines([line])  # at once
        except KeyboardInterrupt:
            sys.exit(INTERRUPTED)


def _event_line(recorded: "Recorded") -> str:
    """Position, time, type, stream, and the content in short."""
    time = datetime.fromtimestamp(recorded.meta.time, UTC).strftime("%Y-%m-%d %H:%M:%S")
    content = recorded.event.model_dump(mode="json", exclude={"type", "version"})
    fields = " ".join(
        f"{name}={shorten(printable(value if isinstance(value, str) else json_line(value)), SHORT_VALUE)}"
        for name, value in content.items()
    )
    line = f"{recorded.position:>7}  {time}  {recorded.event.type:<18}  {printable(recorded.stream):<28}  {fields}"
    width = terminal_width()
    return line if width is None else shorten(line, width)

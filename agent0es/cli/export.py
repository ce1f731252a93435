"""`agent0es export`: data of the log in files for other programs."""

from pathlib import Path

import click

from agent0es.cli.arguments import run_argument
from agent0es.cli.output import json_line, printable, store_option, write_lines
from agent0es.domain.text import counted
from agent0es.files import replacing


@click.group("export")
def export_group() -> None:
    """Export data of the log for other programs."""


@export_group.command("trajectories")
@run_argument
@store_option
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="File to write; default: standard output."
)
@click.option(
    "--include-retracted", is_flag=True, help="Include what was retracted; `retracted` is true in those records."
)
def trajectories_command(run: str, store: Path, output: Path | None, include_retracted: bool) -> None:
    """Export the rewarded attempts of a run as JSON lines.

    RUN is a run's name, a prefix of it, or `latest`, the default. A line has task, solution, verification, rewards and
    timestamp. A fork's past comes first. Attempts at held-out problems and what was retracted are left out.
    """
    from agent0es.bootstrap import open_store
    from agent0es.log import History
    from agent0es.projections.trajectories import trajectories
    from agent0es.runs.finding import find_run

    with open_store(store) as log:
        lines = map(json_line, trajectories(History.of(log, find_run(log, run)), include_retracted=include_retracted))
        if output is None:
            write_lines(lines)
            return
        count = 0
        with replacing(output) as file:
            for line in lines:
                file.write(line.encode() + b"\n")
                count += 1
        click.echo(printable(f"{counted(count, 'trajectory', 'trajectories')} in {output}"), err=True)

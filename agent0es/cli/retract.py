"""`agent0es retract`: mark a task or an attempt as bad."""

from pathlib import Path

import click

from agent0es.cli.arguments import run_option
from agent0es.cli.hints import command
from agent0es.cli.output import json_line, json_option, printable, store_option, write_lines, write_table


@click.command("retract")
@click.argument("what", metavar="TASK|ATTEMPT")
@click.option("--reason", required=True, help="Why. It is kept in the log.")
@run_option
@store_option
@json_option
def retract_command(what: str, reason: str, run: str, store: Path, as_json: bool) -> None:
    """Mark a task or an attempt as bad, and list what it tainted.

    A task (12) is retracted with its attempts, an attempt (12/0) alone. Nothing is deleted: the log gets an event, and
    later datasets leave out what was retracted.
    """
    from agent0es.bootstrap import open_store
    from agent0es.runs.finding import find_run
    from agent0es.runs.retracting import account, retract

    with open_store(store) as log:
        run = find_run(log, run)
    with open_store(store, create=True) as log:
        event, position, found = retract(log, run, what, reason, account())
    if as_json:
        write_lines([json_line({"run": run, **event.model_dump(), "position": position, "tainted": found})])
        return
    kind = "Attempt" if "/" in what else "Task"
    write_lines([f"{kind} {what} of run {printable(run)} is retracted; datasets built from now on leave it out."])
    if not found:
        write_lines(["It is in no dataset, so no adapter was trained on it."])
        return
    write_table(
        ["tainted", "iteration", "examples", "retracted", "status", "in use"],
        [
            [
                row["adapter"],
                row["iteration"],
                row["dataset"]["examples"],
                len(row["holds"]),
                row["status"],
                row["serving"],
            ]
            for row in found
        ],
    )
    if any(row["trained"] for row in found):
        write_lines([printable(f"Rebuild it with: {command(store, 'train', run, '--without-retracted')}")])

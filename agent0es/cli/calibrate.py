"""`agent0es calibrate`: whether the student's confidence is right, and how it can be corrected."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from agent0es.cli.arguments import run_argument
from agent0es.cli.hints import command
from agent0es.cli.output import json_line, json_option, printable, store_option, write_lines, write_table
from agent0es.domain.text import counted

if TYPE_CHECKING:
    from agent0es.projections.calibration import Calibration, Measured

WIDTH = 28
"""Columns of a bar, so that a line fits in 80."""


@click.command("calibrate")
@run_argument
@click.option("--held-out", is_flag=True, help="Attempts at held-out problems instead of those of practice.")
@click.option("--of", "who", metavar="NAME", help="Only answers of this adapter, arm, or `base model`.")
@store_option
@json_option
def calibrate_command(run: str, held_out: bool, who: str | None, store: Path, as_json: bool) -> None:
    """Compare the student's confidence with the verifier's verdicts.

    RUN is a run's name, a prefix of it, or `latest`, the default. The signals are token confidence, agreement of the
    attempts at a task and, with execution.reflection, stated confidence and self-critique. Temperature scaling,
    isotonic regression and a combination of all signals are fitted on one half of the tasks and measured on the other:
    expected calibration error, Brier score, reliability diagram. The base model, each adapter and, at held-out
    problems, each arm are measured separately. Nothing is written.
    """
    from agent0es.bootstrap import open_tables
    from agent0es.projections.calibration import as_json as as_values
    from agent0es.runs.calibrating import calibrations
    from agent0es.runs.finding import find_run

    with open_tables(store) as (log, tables):
        name = find_run(log, run)
        found = calibrations(tables, name, held_out=held_out, who=who)
    for place, (one, measured) in enumerate(found.measured.items()):
        if as_json:
            write_lines([json_line({"run": name, "who": one, **as_values(measured)})])
        else:
            write_lines([""] if place else [])
            _write(name, one, held_out, measured, drawn=len(found.measured) == 1)
    if not as_json:
        if len(found.measured) > 1:
            words = ("calibrate", name, *(["--held-out"] if held_out else []), "--of", list(found.measured)[-1])
            write_lines(["", printable(f"With reliability diagrams: {command(store, *words)}")])
        write_lines(
            f"{printable(one)}: {counted(count, 'judged attempt')} {'is' if count == 1 else 'are'} too few to measure"
            for one, count in found.too_few.items()
        )


def _write(run: str, who: str, held_out: bool, found: "Calibration", drawn: bool) -> None:
    from agent0es.runs.calibrating import KINDS

    write_lines(
        [
            printable(f"Run {run}, {who}: {counted(found.attempts, 'judged attempt')} {KINDS[held_out]}"),
            f"{found.right / found.attempts:.0%} right; fitted on {counted(found.fitted_on, 'attempt')}, "
            f"measured on {found.tested_on} at other tasks",
            "",
        ]
    )
    columns = ("signal", "method", "answers", "error", "Brier score", "fitted")
    body = [(m.signal, m.method, m.answers, m.ece, m.brier, m.parameters) for m in found.measured]
    write_table(columns, body, "error: expected calibration error")
    if not drawn:
        return
    before = next(m for m in found.measured if m.method == "as it is")
    after = min(found.measured, key=lambda m: m.brier)
    for measured in (before, after):
        write_lines(["", f"{measured.signal}, {measured.method}: said (│) and right (█) in each tenth"])
        write_lines(diagram(measured))


def diagram(measured: "Measured") -> Iterator[str]:
    """The reliability diagram as text: a bar as long as the share that was right, a mark where it should end."""
    for one in measured.bins:
        if not one.count:
            continue
        cells = ["█" if place < round(WIDTH * one.accuracy) else "·" for place in range(WIDTH)]
        cells[min(WIDTH - 1, round(WIDTH * one.confidence))] = "│"
        said, right = f"said {one.confidence:.2f}", f"right {one.accuracy:.2f}"
        yield f"  {one.low:.1f} to {one.high:.1f}  {''.join(cells)}  {said}, {right}, {counted(one.count, 'answer')}"

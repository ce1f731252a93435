"""`agent0es calibrate`: whether the student's confidence means what it says, and what it could be made to mean."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from agent0es.cli.arguments import run_argument
from agent0es.cli.output import json_line, json_option, store_option, write_lines, write_table

if TYPE_CHECKING:
    from agent0es.projections.calibration import Measured

WIDTH = 40


@click.command("calibrate")
@run_argument
@click.option("--held-out", is_flag=True, help="Attempts at held-out problems instead of those of practice.")
@store_option
@json_option
def calibrate_command(run: str, held_out: bool, store: Path, as_json: bool) -> None:
    """Compare the student's confidence in RUN (its name, a prefix of it, or `latest`) with the verifier's word.

    Its signals are token confidence, agreement of the attempts at a task and, where execution.reflection had it asked,
    stated confidence and self-critique. Temperature, isotonic regression and a combination of all of them are fitted on
    one half of the tasks and measured on the other: expected calibration error, Brier score and reliability diagram.
    Nothing is changed.
    """
    from agent0es.bootstrap import resolve_run
    from agent0es.cli.tables import open_tables
    from agent0es.projections import calibration

    with open_tables(store) as (log, tables):
        name = resolve_run(log, run)
        found = calibration.calibrate(calibration.judged_attempts(tables, name, held_out=held_out))
    if as_json:
        write_lines([json_line({"run": name, **calibration.as_json(found)})])
        return
    kind = "at held-out problems" if held_out else "of practice"
    write_lines(
        [
            f"Run {name}: {found.attempts} judged attempts {kind}, {found.right / found.attempts:.0%} right; "
            f"fitted on {found.fitted_on}, measured on {found.tested_on} at other tasks",
            "",
        ]
    )
    columns = ("signal", "method", "answers", "calibration error", "Brier score", "fitted")
    write_table(columns, [(m.signal, m.method, m.answers, m.ece, m.brier, m.parameters) for m in found.measured])
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
        yield f"  {one.low:.1f} to {one.high:.1f}  {''.join(cells)}  {said}, {right}, {one.count} answers"

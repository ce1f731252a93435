"""`agent0es report`: a run in figures, from saved queries that a user can read and change."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agent0es.cli.arguments import run_argument
from agent0es.cli.layout import fits, fold
from agent0es.cli.output import (
    columns_of,
    json_line,
    json_option,
    printable,
    store_option,
    terminal_width,
    write_lines,
    write_table,
)
from agent0es.cli.warnings import taint
from agent0es.errors import NotInstalled

if TYPE_CHECKING:
    from agent0es.projections.reports import SavedQuery

BAR_WIDTHS = (24, 12, 6)
EIGHTHS = " ▏▎▍▌▋▊▉█"
HEIGHTS = "▁▂▃▄▅▆▇█"
SPARKLINE_WIDTH = 32


@click.command("report")
@run_argument
@store_option
@click.option(
    "--queries",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder with .sql files to show instead of the built-in ones.",
)
@click.option(
    "--save", type=click.Path(path_type=Path), metavar="DIR", help="Copy the built-in .sql files into this folder."
)
@click.option(
    "--html", type=click.Path(path_type=Path), metavar="FILE", help="Write the run's page as one file, with all inside."
)
@json_option
def report_command(
    run: str, store: Path, queries: Path | None, save: Path | None, html: Path | None, as_json: bool
) -> None:
    """Show a run in figures: solve rates, tools, rewards, latency.

    RUN is a run's name, a prefix of it, or `latest`, the default. Each table is a saved query. `--save DIR` copies the
    queries; edit them, add your own, and show them with `--queries DIR`. In a query, $run is the run.
    """
    from agent0es.bootstrap import open_tables
    from agent0es.projections import reports
    from agent0es.runs import looking
    from agent0es.runs.finding import find_run

    if save is not None:
        reports.save(save)
        write_lines([f"Saved queries are in {save}; show them with --queries {save}"])
        return
    if html is not None:
        _write_page(store, run, html)
        return
    chosen = reports.saved_queries(queries)
    with open_tables(store) as (log, tables):
        name = find_run(log, run)
        status, tainted = looking.standing_of(log, tables, name)
        found = [(query, reports.ask(tables, query, name)) for query in chosen]
    if as_json:
        write_lines(json_line({"name": q.name, "title": q.title, "rows": rows}) for q, rows in found)
    else:
        write_lines(taint(name, tainted, status, store))
        for query, rows in found:
            _write(query, rows)


def _write_page(store: Path, run: str, file: Path) -> None:
    from agent0es.bootstrap import open_tables
    from agent0es.files import replacing
    from agent0es.runs.finding import find_run

    try:
        from agent0es.service.pages.standalone import standalone
    except ModuleNotFoundError as error:
        raise NotInstalled(
            f"--html needs {error.name}, which is not installed; in a checkout: pip install '.[service]'"
        ) from None
    with open_tables(store) as (log, tables):
        name = find_run(log, run)
        page = standalone(log, tables, store, name)
    with replacing(file) as output:
        output.write(page.encode("utf-8", "replace"))
    write_lines([printable(f"The page of run {name} is in {file}; a browser needs nothing else")])


def _write(query: "SavedQuery", rows: Sequence[dict[str, Any]]) -> None:
    width = terminal_width()
    told = fold(query.explanation, 10**6 if width is None else width - 2) if query.explanation else []
    write_lines([query.title, *(f"  {line}" for line in told)])
    if not rows:
        write_lines(["  nothing yet", ""])
        return
    columns = list(rows[0])
    body = [[_drawn(value) for value in row.values()] for row in rows]
    names = [name.replace("_", " ") for name in columns]
    if query.bars in columns and width is not None and len([row for row in rows if row[query.bars]]) > 1:
        for longest in BAR_WIDTHS:  # the longest bars that leave the figures in a table
            drawn = bars([row[query.bars] for row in rows], longest)
            wider = [[*cells, bar] for cells, bar in zip(body, drawn, strict=True)]
            if fits(columns_of([*names, ""], wider), width):
                names, body = [*names, ""], wider
                break
    write_table(names, body)
    write_lines([""])


def _drawn(value: Any) -> Any:
    """A list of numbers as a line, anything else as it is."""
    if isinstance(value, list) and value and all(isinstance(item, int | float) for item in value):
        return sparkline(value)
    return value


def bars(values: Sequence[float | None], longest: int = BAR_WIDTHS[0]) -> list[str]:
    """A bar for each value, the longest `longest` wide; none for missing and negative values."""
    largest = max((value for value in values if value is not None), default=0)
    lengths = [round(8 * longest * value / largest) if value and value > 0 and largest else 0 for value in values]
    return ["█" * (length // 8) + EIGHTHS[length % 8].strip() for length in lengths]


def sparkline(values: Sequence[float]) -> str:
    """The values as a line of blocks from the lowest to the highest; of many, means of stretches."""
    count = min(len(values), SPARKLINE_WIDTH)
    edges = [place * len(values) // count for place in range(count + 1)]
    means = [sum(values[a:b]) / (b - a) for a, b in pairwise(edges)]
    low, span = min(means), max(means) - min(means)
    return "".join(HEIGHTS[round((mean - low) / span * 7) if span else 0] for mean in means)

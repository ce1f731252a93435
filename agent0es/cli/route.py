"""`agent0es route`: who would be asked and why, what the router came to, and which threshold it should have."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agent0es.cli.ask import REASONS, config_option, cost, domain_option, set_option, settings
from agent0es.cli.output import json_line, json_option, printable, store_option, write_lines, write_table
from agent0es.domain.text import counted

if TYPE_CHECKING:
    from agent0es.configuration import Configuration


@click.group("route")
def route_group() -> None:
    """Look at how questions are routed."""


@route_group.command("explain")
@click.argument("question")
@domain_option
@config_option
@set_option
@store_option
@json_option
def explain_command(
    question: str, domain: str, config_file: Path | None, overrides: tuple[str, ...], store: Path, as_json: bool
) -> None:
    """Say what would be done with a question, and why. No model is asked, and the log is left as it is."""
    found, adapter = asyncio.run(_explained(question, domain, settings(config_file, overrides), store))
    if as_json:
        write_lines([json_line(found)])
        return
    first = {
        "cache": "take the cached answer",
        "ask": f"ask the {found['candidate']} model for {counted(found['attempts'], 'attempt')}",
    }
    write_lines([f"{first.get(found['action'], 'fail')}: {REASONS[found['reason']]}"])
    write_lines([f"its answer is taken where it is at least {found['least']:.0%} likely to be right"])
    if adapter is not None:
        write_lines([printable(f"the local model answers with the adapter {adapter}")])
    rows = [
        [
            one["name"],
            "unknown" if one["quality"] is None else f"{one['quality']:.0%} ({one['basis']})",
            "unknown" if one["cost_usd"] is None else cost(one["cost_usd"]),
            "unknown" if one["seconds"] is None else f"{one['seconds']:.2f} s",
            one["unavailable"] or "yes",
        ]
        for one in found["candidates"]
    ]
    write_lines([""])
    write_table(["candidate", "likely right", "cost", "time", "can be asked"], rows)
    said = [[name, "unknown" if value is None else f"{value:.2f}"] for name, value in found["signals"].items()]
    write_lines([""])
    write_table(["signal", "before it is asked"], said)
    if found["neighbours"]:
        write_lines([""])
        shown = [[one["attempt"], f"{one['similarity']:.2f}", one["correct"]] for one in found["neighbours"]]
        write_table(["judged question like it", "similarity", "right"], shown)


async def _explained(
    question: str, domain: str, configuration: "Configuration", store: Path
) -> tuple[dict[str, Any], str | None]:
    from agent0es.bootstrap import open_store
    from agent0es.runs.routing import open_router, posed, told

    with open_store(store, create=True, url=configuration.log.url) as log:
        async with open_router(store, log, configuration) as router:
            decided = await router.explain(posed(question, domain))
            return told(decided), router.adapter


@route_group.command("report")
@click.option("--since", metavar="TIME", help="Only questions that were asked since then, e.g. 2026-01-31 (UTC).")
@store_option
@json_option
def report_command(since: str | None, store: Path, as_json: bool) -> None:
    """Say how often it was right, for how much, how fast.

    By model and by domain. Right or wrong are only answers to questions that were asked with the right answer; a kept
    answer counts when it is new.
    """
    from agent0es.bootstrap import open_tables
    from agent0es.runs.routes import report

    with open_tables(store) as (_, tables):
        found = report(tables, since)
    if as_json:
        write_lines([json_line(found)])
        return
    whole = found["all"]
    if not whole["questions"]:
        write_lines([f"The router was asked nothing{f' since {since}' if since else ' yet'}."])
        return
    ended = f"{whole['answered']} answered, {whole['failed']} failed"
    cut_off = whole["questions"] - whole["answered"] - whole["failed"]
    write_lines(
        [f"{counted(whole['questions'], 'question')}, {ended}{f', {cut_off} without an end' if cut_off else ''}"]
    )
    write_lines([f"right     {_accuracy(whole)}", f"cost      {_spent(whole)}"])
    took = "unknown" if whole["p50"] is None else f"half within {whole['p50']:.2f} s, 95% within {whole['p95']:.2f} s"
    write_lines([f"time      {took}"])
    shares = [f"{whole[who]} {words}" for who, words in WHO.items() if whole[who]]
    write_lines([f"answered  {', '.join(shares) or 'none'}", ""])
    by_model = [[row["model"], row["adapter"] or "", *_figures(row)] for row in found["by_model"]]
    write_table(["model", "adapter", *FIGURES], by_model)
    write_lines([""])
    write_table(["domain", *FIGURES], [[row["domain"], *_figures(row)] for row in found["by_domain"]])
    if found["budgets"]:
        write_lines([""])
        rows = [
            [
                row["budget"],
                f"{row['settled_usd']:.6f}",
                f"{row['unsettled_usd']:.6f}",
                "" if row["limit_usd"] is None else f"{row['limit_usd']:g}",
                "" if row["left_usd"] is None else f"{row['left_usd']:.6f}",
            ]
            for row in found["budgets"]
        ]
        write_table(["budget", "$ spent", "$ not settled", "$ limit", "$ left"], rows)


WHO = {
    "local": "by the local model",
    "cloud": "by the cloud model",
    "cached": "from the cache",
    "fallbacks": "of these because the other one could not answer",
}
FIGURES = ("questions", "cached", "failed", "judged", "right", "95% interval", "$", "p50 s", "p95 s")


def _figures(row: Mapping[str, Any]) -> list[Any]:
    judged = row["judged"]
    return [
        row["questions"],
        row["cached"],
        row["failed"],
        judged,
        f"{row['accuracy']:.1%}" if judged else "",
        f"{row['low']:.1%} to {row['high']:.1%}" if judged else "",
        "unknown" if row["unpriced"] else f"{row['cost_usd'] or 0.0:.6f}",
        "" if row["p50"] is None else f"{row['p50']:.2f}",
        "" if row["p95"] is None else f"{row['p95']:.2f}",
    ]


def _accuracy(row: Mapping[str, Any]) -> str:
    if not row["judged"]:
        return "unknown: no question was asked with its answer (agent0es batch)"
    interval = f"95% interval {row['low']:.1%} to {row['high']:.1%}"
    return f"{row['right']} of {row['judged']} judged, {row['accuracy']:.1%} ({interval})"


def _spent(row: Mapping[str, Any]) -> str:
    unknown = f", and what nobody knows of {counted(row['unpriced'], 'question')}" if row["unpriced"] else ""
    return f"${row['cost_usd'] or 0.0:.6g}{unknown}"


@route_group.command("calibrate")
@click.option(
    "--keep",
    type=click.FloatRange(0.0, 1.0, min_open=True),
    metavar="SHARE",
    help="As cheap as this share of the cloud model's accuracy can be had.  [default: 0.95]",
)
@click.option(
    "--spend",
    type=click.FloatRange(0.0, 1.0, min_open=True),
    metavar="SHARE",
    help="As accurate as can be had for this share of the cloud model's cost, instead.",
)
@click.option("--batch", metavar="NAME", help="Only questions of this batch.")
@click.option("--plot", type=click.Path(path_type=Path), metavar="FILE.svg", help="Draw the trade-off.")
@config_option
@set_option
@store_option
@json_option
def calibrate_command(
    keep: float | None,
    spend: float | None,
    batch: str | None,
    plot: Path | None,
    config_file: Path | None,
    overrides: tuple[str, ...],
    store: Path,
    as_json: bool,
) -> None:
    """Fit the threshold and the signals' weights.

    It says what that comes to. It learns from questions with a known answer that both models answered:
    `agent0es batch --both`. What is said of the result is measured on questions that it was not fitted on, tenth by
    tenth. Nothing is written: the setting is printed, to be put into a configuration.
    """
    from agent0es.bootstrap import open_tables
    from agent0es.runs.tradeoff import calibrated, compared, drawing

    if keep is not None and spend is not None:
        raise click.UsageError("--keep and --spend both say what to aim at; leave one out")
    with open_tables(store) as (_, tables):
        questions = compared(tables, batch)
    found = calibrated(store, questions, settings(config_file, overrides), keep=keep, spend=spend)
    if plot is not None:
        from agent0es.files import replacing

        with replacing(plot) as stream:
            stream.write(drawing(found, plot.suffix))
    if as_json:
        write_lines([json_line(found)])
        return
    _write_calibrated(found)


def _write_calibrated(found: Mapping[str, Any]) -> None:
    aim, router = found["aim"], found["router"]
    wanted = (
        f"keep {aim['keep']:.0%} of its accuracy" if aim["spend"] is None else f"spend {aim['spend']:.0%} of its cost"
    )
    domains = ", ".join(found["domains"])
    write_lines([printable(f"{counted(found['questions'], 'question')} that both models answered ({domains})"), ""])
    cloud = found["measured"]["always cloud"]
    rows = [
        [
            name,
            f"{row['accuracy']:.1%}",
            f"{row['low']:.1%} to {row['high']:.1%}",
            f"{row['cost_usd']:.6f}",
            f"{row['cost_usd'] / cloud['cost_usd']:.0%}" if cloud["cost_usd"] else "",
            f"{row['share_local']:.0%}",
            f"{row['p50']:.2f}",
            f"{row['p95']:.2f}",
        ]
        for name, row in found["measured"].items()
    ]
    columns = ["", "right", "95% interval", "$ a question", "of cloud's", "local", "p50 s", "p95 s"]
    write_table(
        columns,
        rows,
        f"On questions that it was not fitted on; to {wanted}, compared with always asking the cloud model",
    )
    points = [
        [
            f"{point['threshold']:.2f}",
            f"{point['accuracy']:.1%}",
            f"{point['cost_usd']:.6f}",
            f"{point['share_local']:.0%}",
        ]
        for point in found["shown"]
    ]
    write_lines([""])
    write_table(
        ["threshold", "right", "$ a question", "local"], points, "The trade-off, on the questions that it was fitted on"
    )
    said = ", ".join(f"{name}: {weight:g}" for name, weight in router["signals"].items())
    write_lines(["", "Put this into the configuration:", "", "router:"])
    write_lines([f"  confidence_threshold: {router['confidence_threshold']:g}", printable(f"  signals: {{{said}}}")])

"""`agent0es lineage`: from an adapter back to what it was trained on, from a task forward to what it was used for."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import starmap
from pathlib import Path
from typing import Any

import click

from agent0es.cli.hints import command
from agent0es.cli.listing import first_line, room, write_fields
from agent0es.cli.output import json_line, json_option, printable, store_option, write_lines, write_table
from agent0es.domain.text import JUDGED, counted, left_out

SHOWN = 20
"""Attempts that are shown where --limit does not say how many; JSON has all."""

USED = {"now": "in use now", "earlier": "in use earlier", "never": "never in use"}


@click.command("lineage")
@click.argument("what", metavar="ADAPTER|TASK")
@click.option("--run", metavar="RUN", help="The run: its name or a prefix of it.  [default: latest]")
@click.option(
    "--limit", type=click.IntRange(min=1), metavar="N", help="Show at most N attempts.  [default: 20; all with --json]"
)
@store_option
@json_option
def lineage_command(what: str, run: str | None, limit: int | None, store: Path, as_json: bool) -> None:
    """Show what an adapter was trained on, or what used a task.

    ADAPTER is a name such as student-1, TASK a number; RUN/student-1 and RUN/12 name the run too. An adapter's files
    are compared with the hashes in the log; the exit code is 1 when one of them differs.
    """
    from agent0es.bootstrap import open_tables
    from agent0es.runs.tracing import is_sound, lineage, place

    named = place(what)
    if named.run is not None and run is not None:
        raise click.UsageError(f"{what!r} and --run both name a run; leave one out")
    if run is not None:
        named = named._replace(run=run)
    with open_tables(store) as (log, tables):
        found = lineage(log, tables, store, named)
    if as_json:
        write_lines([json_line({**found, "attempts": found["attempts"][:limit]})])
    elif named.is_task:
        _write_task(found, limit or SHOWN, store)
    else:
        _write_adapter(found, limit or SHOWN, store)
    if not is_sound(found):
        sys.exit(1)


def _write_adapter(found: Mapping[str, Any], limit: int, store: Path) -> None:
    dataset, training = found["dataset"], found["training"]
    examples = counted(dataset["examples"], "example")
    settings = None if training is None else " ".join(starmap(_setting, training["settings"].items()))
    tainted = f"trained on what was retracted since: {', '.join(found['tainted_by'])}" if found["tainted_by"] else None
    write_lines(
        [printable(f"Adapter {found['adapter']} of run {found['run']}: {found['status']}, {USED[found['serving']]}")]
    )
    write_fields(
        [
            ("TAINTED", tainted),
            ("because", found["reason"] or None),
            ("dataset", f"{examples} of {counted(len(dataset['per_family']), 'family', 'families')}"),
            ("left out", left_out(dataset["left_out"]) or None),
            ("method", dataset["method"] + (f", goes on from {dataset['start']}" if dataset["start"] else "")),
            ("sha256", dataset["sha256"]),
            ("built", f"after iteration {found['iteration']}, event {dataset['position']}"),
            ("code", f"agent0es {found['code_version']}, seed {found['seed']}"),
            ("base", None if training is None else f"sha256 {found['base_weights']}"),
            ("settings", settings),
            *(("on disk", f"{check['file']}: {_verdict(check)}") for check in found["files"]),
        ]
    )
    if tainted and found["serving"] == "now":
        rebuild = command(store, "train", found["run"], "--without-retracted")
        write_lines([printable(f"Rebuild it with: {rebuild}")])
    _write_scores([found])
    families = {task["task"]: task["family"] for task in found["tasks"]}
    all_of_it = ("lineage", found["adapter"], "--run", found["run"])
    write_lines(_attempts(found["attempts"], families, limit, store, all_of_it))


def _write_task(found: Mapping[str, Any], limit: int, store: Path) -> None:
    retracted = ", retracted" if found["retracted"] else ""
    title = f"Task {found['task']} of run {found['run']}: {found['family']}, iteration {found['iteration']}{retracted}"
    write_lines([printable(title)])
    write_fields([("text", found["description"]), ("answer", found["reference"])])
    all_of_it = ("lineage", str(found["task"]), "--run", found["run"])
    write_lines(_attempts(found["attempts"], {found["task"]: found["family"]}, limit, store, all_of_it))
    if not found["adapters"]:
        write_lines(["", "It is in no dataset."])
        return
    write_lines([""])
    write_table(
        ["adapter", "iteration", "attempts", "rows", "trained", "status", "in use"],
        [
            [
                row["adapter"],
                row["iteration"],
                " ".join(row["holds"]) or f"those of {row['dataset']['start']}, from which it goes on",
                " ".join(map(str, row["rows"])),
                row["trained"],
                row["status"],
                row["serving"],
            ]
            for row in found["adapters"]
        ],
        "Datasets with it, and their adapters",
    )
    _write_scores(found["adapters"])


def _attempts(
    attempts: Sequence[Mapping[str, Any]],
    families: Mapping[int, str],
    limit: int,
    store: Path,
    all_of_it: Sequence[str],
) -> Iterator[str]:
    """A line for each of the first attempts and for each of their sandbox calls, and how to see the rest."""
    if attempts:
        yield ""
        yield f"Attempts and their sandbox calls ({min(limit, len(attempts))} of {len(attempts)})"
    for attempt in attempts[:limit]:
        who = attempt["adapter"] or "base model"
        verdict = JUDGED[attempt["correct"]] + (", retracted" if attempt["retracted"] else "")
        verdict += f", row {attempt['row']}" if attempt.get("row") else ""
        yield printable(f"  {attempt['attempt']}  {families.get(attempt['task'], '')}, {who}: {verdict}")
        for call in attempt["calls"]:
            yield f"    {printable(call['call'])}  {call['tool']}, {call['purpose']}: {call['status']}"
            yield f"      {first_line(call['input'], room(6))}"
    if len(attempts) > limit:
        more = command(store, *all_of_it, "--limit", str(len(attempts)))
        yield printable(f"  and {len(attempts) - limit} more: {more}")


def _write_scores(adapters: Sequence[Mapping[str, Any]]) -> None:
    rows = [
        [adapter["adapter"], score["split"], score["correct"], score["problems"], score["low"], score["high"]]
        for adapter in adapters
        for score in adapter["evaluation"]
    ]
    if rows:
        write_lines([""])
        write_table(["adapter", "families", "solved", "of", "95% from", "to"], rows, "Held-out problems")


def _setting(key: str, value: Any) -> str:
    """As it could be written after --set training."""
    return f"{key}={value if isinstance(value, str) else json_line(value)}"


def _verdict(check: Mapping[str, Any]) -> str:
    match check["verdict"]:
        case "same":
            return "matches the log"
        case "different":
            return f"differs from the log: sha256 {check['found']}, recorded {check['recorded']}"
        case verdict:
            return f"{verdict}; recorded sha256 {check['recorded']}"

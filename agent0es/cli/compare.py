"""`agent0es diff` and `whatif`: two runs side by side, and one run under other settings."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from agent0es.cli.arguments import run_argument
from agent0es.cli.output import json_line, json_option, printable, shorten, store_option, write_lines, write_table
from agent0es.domain.text import counted

MOST_MOVED = 10
"""Tasks with changed rewards that `whatif` shows; --json has all."""
PRACTICE = ("tasks", "given_up", "attempts", "solve_rate", "student_reward", "teacher_reward")
ADAPTER = ("examples", "outcome")
HEADINGS = {"given_up": "dropped"}
"""Where a heading is not the column's name."""
MOST_NAMES = 200
"""Characters of a list of attempts."""


@click.command("diff")
@click.argument("a", metavar="[A]", default="latest")
@click.argument("b", metavar="[B]", required=False)
@store_option
@json_option
def diff_command(a: str, b: str | None, store: Path, as_json: bool) -> None:
    """Compare two runs, or a fork with its parent.

    Shows settings, practice, rewards, adapters, scores, cost, and the first events that differ. A is the latest run by
    default. Without B, A must be a fork and is compared with its parent.
    """
    from agent0es.bootstrap import open_tables
    from agent0es.runs.comparing import diff

    with open_tables(store) as (log, tables):
        found = diff(log, tables, a, b)
    if as_json:
        write_lines([json_line(found)])
    else:
        _write_difference(found)


@click.command("whatif")
@run_argument
@store_option
@click.option("--set", "overrides", multiple=True, required=True, metavar="KEY=VALUE", help="Set one key; repeatable.")
@json_option
def whatif_command(run: str, store: Path, overrides: tuple[str, ...], as_json: bool) -> None:
    """Recompute rewards, datasets and gates under other settings.

    RUN is a run's name, a prefix of it, or `latest`, the default. Nothing is written. It can compute rewards.weights,
    curriculum.novelty_bar, training.band, training.examples_per_task, training.examples_per_family,
    training.learn_from, training.minimum_examples, training.roles and evaluation.margin; for other settings use
    agent0es fork.
    """
    from agent0es.bootstrap import open_store
    from agent0es.runs.comparing import whatif
    from agent0es.runs.finding import find_run

    with open_store(store) as log:
        name = find_run(log, run)
        found = whatif(log, name, overrides)
    if as_json:
        write_lines([json_line({"run": name, "settings": list(overrides), **found})])
    else:
        _write_whatif(name, found)


def _write_difference(found: Mapping[str, Any]) -> None:
    a, b = found["a"], found["b"]
    parting = found["parting"]
    lines = [f"{name}: {printable(run)}" for name, run in zip("ab", found["runs"], strict=True)]
    if parting["shared_until"]:
        lines.append(f"They share their past up to event {parting['shared_until']}")
    where = [
        f"event {position} ({kind})" if position else "the end"
        for position, kind in zip(parting["positions"], parting["types"], strict=True)
    ]
    same = parting["positions"] == [None, None]
    lines.append("No decision differs" if same else f"First difference: {where[0]} of a, {where[1]} of b")
    write_lines(lines)
    settings = [[key, *map(_value, pair)] for key, pair in found["configuration"].items()]
    _section("Settings that differ", ["key", "a", "b"], settings)
    iterations = _paired(a["iterations"], b["iterations"], "iteration")
    rows = [[at, *_both(pair, PRACTICE)] for at, pair in iterations]
    _section("Practice", ["iteration", *_twice(PRACTICE)], rows)
    families = []
    for at, pair in iterations:
        both = [of.get("families", {}) for of in pair]
        for name in sorted({*both[0], *both[1]}):
            pair_of_family = [of.get(name, {}) for of in both]
            domain = pair_of_family[0].get("domain") or pair_of_family[1].get("domain")
            families.append([at, domain, name, *_both(pair_of_family, ("tasks", "solve_rate"))])
    _section("Families", ["iteration", "domain", "family", *_twice(("tasks", "solve_rate"))], families)
    adapters = _paired(a["adapters"], b["adapters"], "adapter")
    rows = [[name, *_both(pair, ADAPTER)] for name, pair in adapters]
    _section("Adapters", ["adapter", *_twice(ADAPTER)], rows)
    scores = []
    for name, pair in adapters:
        by_arm = [
            {
                (score["arm"], score["split"]): f"{score['correct']}/{score['problems']}"
                for score in of.get("scores", [])
            }
            for of in pair
        ]
        for arm in sorted({*by_arm[0], *by_arm[1]}):
            scores.append([name, *arm, *(of.get(arm) for of in by_arm)])
    _section("Held-out problems", ["evaluation of", "who answers", "families", "a", "b"], scores)
    costs = [of["cost"] for of in (a, b)]
    rows = [[f"{kind} tokens", *(cost["tokens"][kind] for cost in costs)] for kind in costs[0]["tokens"]]
    rows += [[f"seconds of {kind}", *(cost["seconds"][kind] for cost in costs)] for kind in costs[0]["seconds"]]
    rows.append(["seconds from first to last event", *(cost["elapsed_seconds"] for cost in costs)])
    _section("Cost", ["what", "a", "b"], rows)


def _write_whatif(run: str, found: Mapping[str, Any]) -> None:
    write_lines([f"Run {printable(run)} under other settings; nothing was written"])
    rows = [
        [role, sums["count"], sums["moved"], *sums["total"], sums["total"][1] - sums["total"][0]]
        for role, sums in found["rewards"].items()
    ]
    _section("Rewards", ["role", "rewards", "moved", "sum before", "sum after", "change"], rows)
    moved = [task for task in found["tasks"] if any(before != after for before, after in _rewards(task))]
    moved.sort(key=lambda task: max(abs(after - before) for before, after in _rewards(task)), reverse=True)
    _section(
        f"Tasks whose rewards move most ({len(moved)} of {len(found['tasks'])} move)",
        ["task", "family", "student before", "student after", "teacher before", "teacher after"],
        [[task["task"], task["family"], *task["student"], *task["teacher"]] for task in moved[:MOST_MOVED]],
    )
    if found["refused"]:
        write_lines(["", f"Tasks that would be refused: {_names(found['refused'])}"])
    for dataset in found["datasets"]:
        before, after = dataset["examples"]
        notes = {(True, False): "; too few to train on", (False, True): "; enough to train on"}
        note = ", the same in another order" if dataset["reordered"] else ""
        note += notes.get(tuple(dataset["trains"]), "")
        name, had = f"{dataset['role']}-{dataset['iteration']}", counted(before, "example")
        write_lines(["", f"Dataset of {name}: {had}, then {after}{note}"])
        for key, words in (("comes_in", "come in"), ("drops_out", "drop out")):
            if dataset[key]:
                write_lines([f"  {len(dataset[key])} {words}: {_names(dataset[key])}"])
    for gate in found["gates"]:
        before, after = ("promoted" if promoted else "not promoted" for promoted in gate["promoted"])
        write_lines(["", f"{printable(gate['adapter'])}: {before}, then {after}"])


def _rewards(task: Mapping[str, Any]) -> list[tuple[float, float]]:
    """(before, after) of those who were rewarded for a task."""
    return [(before, after) for before, after in (task["student"], task["teacher"]) if before is not None]


Pair = list[Mapping[str, Any]]


def _paired(a: Sequence[Mapping[str, Any]], b: Sequence[Mapping[str, Any]], key: str) -> list[tuple[Any, Pair]]:
    """Rows of both by what `key` names; an empty one where a run has none."""
    one, two = ({row[key]: row for row in rows} for rows in (a, b))
    return [(name, [one.get(name, {}), two.get(name, {})]) for name in sorted({*one, *two})]


def _twice(columns: Sequence[str]) -> list[str]:
    return [f"{HEADINGS.get(column, column).replace('_', ' ')} {run}" for column in columns for run in "ab"]


def _both(pair: Pair, columns: Sequence[str]) -> list[Any]:
    return [of.get(column) for column in columns for of in pair]


def _section(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    if rows:
        write_lines([""])
        write_table(columns, rows, title)


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json_line(value)


def _names(names: Sequence[Any]) -> str:
    return shorten(printable(", ".join(map(str, names))), MOST_NAMES)

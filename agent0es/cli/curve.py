"""An adapter as `agent0es show ADAPTER` prints it, with the curve of its loss."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from agent0es.cli.listing import write_fields
from agent0es.cli.output import printable, terminal_width, write_lines, write_table
from agent0es.domain.text import counted

EIGHTHS = "▁▂▃▄▅▆▇█"
WIDTH, HEIGHT = 80, 8
"""Columns where no terminal says how many there are, and lines of a curve."""


def write_adapter(found: Mapping[str, Any]) -> None:
    """For a person."""
    steps: Sequence[Mapping[str, Any]] = found["training"]
    last = steps[-1] if steps else None
    write_lines([printable(f"Adapter {found['adapter']} of run {found['run']}: {found['status']}")])
    speed = None if last is None or last["tokens_per_second"] is None else f"{last['tokens_per_second']:g} tokens/s"
    write_fields(
        [
            ("because", found["reason"] or None),
            ("dataset", counted(found["examples"], "example")),
            ("training", None if last is None else f"step {last['step']} of {last['steps']}, {last['tokens']} tokens"),
            ("speed", speed),
            ("took", None if found["seconds"] is None else f"{found['seconds']:g} s"),
            *(
                ("memory", f"ran out; goes on with {counted(one['micro_batch'], 'example')} at once: {one['reason']}")
                for one in found["halved"]
            ),
        ]
    )
    losses: Sequence[float] = found["loss"] or [row["loss"] for row in steps]
    if len(losses) > 1:
        write_lines(["", f"Loss of {counted(len(losses), 'step' if found['loss'] else 'part')}, the first to the left"])
        write_lines(curve(losses, terminal_width() or WIDTH))
    if steps:
        told = sorted({name for row in steps for name in row["metrics"]})
        columns = ["step", "loss", "gradient norm", "learning rate", *(printable(name) for name in told), "tokens"]
        rows = [
            [
                row["step"],
                row["loss"],
                row["gradient_norm"],
                f"{row['learning_rate']:.3g}",
                *(row["metrics"].get(name) for name in told),
                row["tokens"],
            ]
            for row in steps
        ]
        write_lines([""])
        write_table(columns, rows, "Means of the steps since the row before")


def curve(values: Sequence[float], width: int, height: int = HEIGHT) -> list[str]:
    """The values as columns from the lowest to the highest, both named at the left; of many, means of stretches. No
    line is longer than `width`. Pure."""
    low, high = min(values), max(values)
    names = [f"{high:.4g}", *[""] * (height - 2), f"{low:.4g}"]
    margin = max(map(len, names)) + 1
    room = max(1, width - margin)
    count = min(len(values), room)
    edges = [place * len(values) // count for place in range(count + 1)]
    means = [sum(values[a:b]) / (b - a) for a, b in pairwise(edges)]
    levels = [1 + round((mean - low) / (high - low) * (8 * height - 1)) if high > low else 1 for mean in means]
    across = max(1, min(room // count, 4))
    rows = ["".join(_cell(level - 8 * (height - 1 - line)) * across for level in levels) for line in range(height)]
    return [f"{name:>{margin - 1}} {row}".rstrip() for name, row in zip(names, rows, strict=True)]


def _cell(eighths: int) -> str:
    """What a column shows in a line, of which it fills so many eighths."""
    return " " if eighths < 1 else EIGHTHS[min(eighths, 8) - 1]

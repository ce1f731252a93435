"""What the chart library draws, as values of JSON: x, and a line for each series. Pure."""

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any

Rows = Sequence[Mapping[str, Any]]
Plot = dict[str, Any]
"""`x`: numbers; `series`: label and `y` of each line, `dash` for those that come second; `unit` of x; `share` where y
is from 0 to 1."""


def of_moment(moment: Mapping[str, Any]) -> dict[str, Plot]:
    """The charts of a run's page, by the name of their panel."""
    return {"course": course(moment["course"]), "pace": pace(moment["pace"]), "losses": losses(moment["losses"])}


def course(rows: Rows) -> Plot:
    """Solve rate, difficulty and rewards over completed tasks."""
    lines = (
        ("solve rate", "solve_rate", False),
        ("difficulty", "difficulty", True),
        ("student's reward", "student_reward", False),
        ("teacher's reward", "teacher_reward", True),
    )
    return _plot([row["tasks"] for row in rows], [(label, _column(rows, c), d) for label, c, d in lines], "tasks", True)


def pace(rows: Rows) -> Plot:
    """Tokens and calls a second over the time of a run."""
    lines = [("tokens/s", _column(rows, "tokens_per_second"), False)]
    return _plot([round(row["seconds"] / 60, 3) for row in rows], lines, "minutes", False)


def losses(rows: Rows) -> Plot:
    """The loss of each training over its steps; those that were not at a step have nothing there."""
    steps = sorted({row["step"] for row in rows})
    names = dict.fromkeys(row["adapter"] for row in rows)
    known = {(row["adapter"], row["step"]): row["loss"] for row in rows}
    lines = [(name, [known.get((name, step)) for step in steps], False) for name in names]
    return _plot(steps, lines, "steps", False)


def of_answer(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> Plot | None:
    """An answer's numbers over its first column, or over the rows where that has no rising numbers; None without any.
    At most six lines."""
    if len(rows) < 2:
        return None
    numeric = [n for n in range(len(columns)) if all(_is_number(row[n]) or row[n] is None for row in rows)]
    numeric = [n for n in numeric if any(row[n] is not None for row in rows)]
    first = [row[0] for row in rows]
    rises = 0 in numeric and None not in first and all(a < b for a, b in pairwise(first))
    shown = [n for n in numeric if not (rises and n == 0)][:6]
    if not shown:
        return None
    x = [float(value) for value in first] if rises else [float(n) for n in range(1, len(rows) + 1)]
    lines = [(columns[n], [None if row[n] is None else float(row[n]) for row in rows], False) for n in shown]
    return _plot(x, lines, columns[0] if rises else "row", False)


def _plot(x: Sequence[float], lines: Sequence[tuple[str, list[Any], bool]], unit: str, is_share: bool) -> Plot:
    series = [{"label": label, "y": y, "dash": dash} for label, y, dash in lines]
    return {"x": list(x), "series": series, "unit": unit, "share": is_share}


def _column(rows: Rows, name: str) -> list[float | None]:
    return [None if row[name] is None else round(row[name], 4) for row in rows]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool) and math.isfinite(value)

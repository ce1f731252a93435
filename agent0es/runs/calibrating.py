"""Whether the student's confidence is right, measured on what a run judged."""

from collections.abc import Mapping
from dataclasses import dataclass

from agent0es.errors import QueryError, UnknownName, nearest
from agent0es.projections import Projections
from agent0es.projections.calibration import Calibration, calibrate, enough, judged_attempts

KINDS = {False: "in practice", True: "at held-out problems"}


@dataclass(frozen=True, slots=True)
class Calibrations:
    """The calibration of each who answers: the base model, an adapter, an arm of the evaluation."""

    measured: Mapping[str, Calibration]
    too_few: Mapping[str, int]
    """Who was judged too seldom to be measured, and how often."""


def calibrations(tables: Projections, run: str, *, held_out: bool, who: str | None = None) -> Calibrations:
    """The calibrations of everybody, or of `who` alone.

    Raises UnknownName for somebody without judged attempts, QueryError when nobody has enough of them.
    """
    judged = judged_attempts(tables, run, held_out=held_out)
    if not judged:
        raise QueryError(f"run {run} has no judged attempts {KINDS[held_out]}")
    if who is not None and who not in judged:
        raise UnknownName(f"run {run} has no answers of {who!r} {KINDS[held_out]}; {nearest(who, list(judged))}")
    chosen = judged if who is None else {who: judged[who]}
    found = {one: calibrate(attempts) for one, attempts in chosen.items() if enough(attempts)}
    if not found:
        count = sum(map(len, chosen.values()))
        attempts = "1 judged attempt is" if count == 1 else f"{count} judged attempts are"
        raise QueryError(f"{attempts} too few to fit on some tasks and measure on others; run more tasks")
    return Calibrations(found, {one: len(attempts) for one, attempts in chosen.items() if one not in found})

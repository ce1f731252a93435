"""How much a run's student knew about its own answers: its confidence against the verifier's word, from the log.

What is fitted is fitted on one half of the tasks and measured on the other, so that attempts at one task are never on
both sides. Which half a task is in is a function of its number.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from agent0es.domain.calibration import (
    Bin,
    brier_score,
    expected_calibration_error,
    fit_combination,
    fit_isotonic,
    fit_temperature,
    reliability,
)
from agent0es.domain.seeds import derive_seed
from agent0es.errors import QueryError
from agent0es.projections.fold import Projections

PRACTICE = """
SELECT
    task AS problem, correct, confidence, observed,
    CASE WHEN majority_key IS NULL THEN 0
    ELSE count(*) OVER (PARTITION BY task, majority_key) / count(*) OVER (PARTITION BY task) END AS agreement
FROM attempts
WHERE run = $run AND task IS NOT NULL AND status = 'verified'
ORDER BY task, attempt
"""
HELD_OUT = """
SELECT problem, correct, confidence, observed, NULL::DOUBLE AS agreement
FROM attempts
WHERE run = $run AND task IS NULL AND status = 'verified' AND confidence IS NOT NULL
ORDER BY problem, attempt
"""
OBSERVED = {True: 0.75, False: 0.25}
"""Any two values on both sides of one half: the weight that is fitted makes up for them."""


@dataclass(frozen=True, slots=True)
class Judged:
    """An answer that was judged, with what the log has of how sure the student was."""

    problem: int
    correct: bool
    confidence: float
    """exp of the mean log-probability of what the student wrote."""
    agreement: float | None
    """Share of the attempts at the same task that came to the same answer; None where there is one attempt."""
    observed: bool
    """True when the answer is what the last tool call printed."""


@dataclass(frozen=True, slots=True)
class Measured:
    """How well one way to be confident is calibrated on the half that it was not fitted on."""

    signal: str
    method: str
    parameters: str
    """What was fitted, as a person reads it; empty for what is taken as it is."""
    ece: float
    brier: float
    bins: list[Bin]


@dataclass(frozen=True, slots=True)
class Calibration:
    """What `agent0es calibrate` shows."""

    attempts: int
    """Judged ones, on both halves. Undecided ones count for nothing."""
    right: int
    fitted_on: int
    tested_on: int
    measured: list[Measured]


def judged_attempts(tables: Projections, run: str, *, held_out: bool = False) -> list[Judged]:
    """The run's judged attempts, of practice or at held-out problems."""
    rows = tables.query(HELD_OUT if held_out else PRACTICE, {"run": run}).rows
    return [
        Judged(problem, correct, confidence, agreement, observed)
        for problem, correct, confidence, observed, agreement in rows
        if correct is not None
    ]


def calibrate(attempts: Sequence[Judged]) -> Calibration:
    """Fit on one half and measure on the other. Raises QueryError when a half is empty."""
    fit = [one for one in attempts if _half(one.problem) == 0]
    test = [one for one in attempts if _half(one.problem) == 1]
    if not fit or not test:
        raise QueryError(
            f"{len(attempts)} judged attempts are too few to fit on some tasks and measure on others; run more of them"
        )
    labels, truth = [one.correct for one in fit], [one.correct for one in test]
    measured: list[Measured] = []

    def measure(signal: str, method: str, parameters: str, say: Callable[[Judged], float]) -> None:
        said = [say(one) for one in test]
        measured.append(
            Measured(
                signal,
                method,
                parameters,
                round(expected_calibration_error(said, truth), 4),
                round(brier_score(said, truth), 4),
                reliability(said, truth),
            )
        )

    share = sum(labels) / len(labels)
    measure("none", "solve rate", f"{share:.3f}", lambda one: share)
    with_agreement = all(one.agreement is not None for one in attempts)
    signals: dict[str, Callable[[Judged], float]] = {"token confidence": lambda one: one.confidence}
    if with_agreement:
        signals["agreement"] = lambda one: one.agreement or 0.0
    for name, signal in signals.items():
        values = [signal(one) for one in fit]
        temperature, isotonic = fit_temperature(values, labels), fit_isotonic(values, labels)
        measure(name, "as it is", "", signal)
        measure(name, "temperature", f"T = {temperature.temperature:.3f}", _after(signal, temperature))
        measure(name, "isotonic", f"{len(isotonic.knots)} knots", _after(signal, isotonic))

    def row(one: Judged) -> tuple[float, ...]:
        return (*(signal(one) for signal in signals.values()), OBSERVED[one.observed])

    combination = fit_combination([row(one) for one in fit], labels)
    weights = ", ".join(
        f"{name} {weight:+.2f}" for name, weight in zip([*signals, "observed"], combination.weights, strict=True)
    )
    measure("all together", "logistic", f"bias {combination.bias:+.2f}, {weights}", lambda one: combination(row(one)))
    return Calibration(len(attempts), sum(one.correct for one in attempts), len(fit), len(test), measured)


def _after(signal: Callable[[Judged], float], calibrator: Callable[[float], float]) -> Callable[[Judged], float]:
    return lambda one: calibrator(signal(one))


def _half(problem: int) -> int:
    return derive_seed(0, "calibration", problem) % 2


def as_json(found: Calibration) -> dict[str, Any]:
    """For `--json`: bins as [low, high, count, confidence, accuracy]."""
    return {
        "attempts": found.attempts,
        "right": found.right,
        "fitted_on": found.fitted_on,
        "tested_on": found.tested_on,
        "measured": [
            {
                "signal": one.signal,
                "method": one.method,
                "parameters": one.parameters,
                "ece": one.ece,
                "brier": one.brier,
                "bins": [[b.low, b.high, b.count, round(b.confidence, 4), round(b.accuracy, 4)] for b in one.bins],
            }
            for one in found.measured
        ],
    }

"""How well a run's student knew its own answers: its confidence against the verifier's judgement, from the log.

Maps are fitted on one half of the tasks and measured on the other, so that attempts at one task are never in both.
A task's number decides which half it is in.
"""

from collections.abc import Callable, Mapping, Sequence
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
from agent0es.domain.uncertainty import combined
from agent0es.errors import QueryError
from agent0es.projections.tables import Projections

PRACTICE = """
SELECT
    coalesce(adapter, 'base model') AS who, task AS problem, correct, confidence, observed, stated_confidence,
    critique_confidence,
    CASE WHEN majority_key IS NULL THEN 0
    ELSE count(*) OVER (PARTITION BY task, majority_key) / count(*) OVER (PARTITION BY task) END AS agreement
FROM attempts
WHERE run = $run AND task IS NOT NULL AND status = 'verified'
ORDER BY min(position) OVER (PARTITION BY adapter), task, attempt
"""
HELD_OUT = """
SELECT
    arm AS who, problem, correct, confidence, observed, stated_confidence, critique_confidence,
    NULL::DOUBLE AS agreement
FROM attempts
WHERE run = $run AND task IS NULL AND status = 'verified' AND observed IS NOT NULL
ORDER BY arm, problem, attempt
"""
UNKNOWN = 0.5
"""Stands for a signal that an answer lacks, in the combination: it speaks neither for nor against."""
OBSERVED = {True: 0.75, False: 0.25}
"""Any two values on both sides of one half: the weight that is fitted makes up for them."""


@dataclass(frozen=True, slots=True)
class Judged:
    """An answer that was judged, with what the log has of how sure the student was."""

    problem: int
    correct: bool
    confidence: float | None
    """exp of the mean log-probability of what the student wrote; None from a model that gives none."""
    agreement: float | None
    """p̂ of this answer: the share of the attempts at the same task that gave it; None at a held-out problem."""
    observed: bool
    """True when the answer is what the last tool call printed."""
    stated: float | None = None
    """How sure the student says it is; None where it was not asked, or what it said is unreadable."""
    critique: float | None = None
    """P(True): whether it stands by its answer on a second look; None as `stated`."""


Signal = Callable[[Judged], float | None]

SIGNALS: Mapping[str, Signal] = {
    "token confidence": lambda one: one.confidence,
    "agreement": lambda one: one.agreement,
    "stated confidence": lambda one: one.stated,
    "self-critique": lambda one: one.critique,
}
"""Those that a run has are measured, each on the answers that have it."""


@dataclass(frozen=True, slots=True)
class Measured:
    """How well one way to be confident is calibrated on the half that it was not fitted on."""

    signal: str
    method: str
    parameters: str
    """What was fitted, as a person reads it; empty for what is taken as it is."""
    answers: int
    """Attempts that it is measured on: those that have the signal."""
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


def judged_attempts(tables: Projections, run: str, *, held_out: bool = False) -> dict[str, list[Judged]]:
    """The run's judged attempts by who answered: in practice the base model or an adapter, else an arm.

    How sure one of them is says nothing of how sure another is, so they are not thrown together.
    """
    found: dict[str, list[Judged]] = {}
    for who, problem, correct, *said in tables.query(HELD_OUT if held_out else PRACTICE, {"run": run}).rows:
        confidence, observed, stated, critique, agreement = said
        if correct is not None:
            judged = Judged(problem, correct, confidence, agreement, observed, stated, critique)
            found.setdefault(who, []).append(judged)
    return found


def enough(attempts: Sequence[Judged]) -> bool:
    """Whether there are attempts to fit on and others to measure on."""
    return len({_half(one.problem) for one in attempts}) == 2


def calibrate(attempts: Sequence[Judged]) -> Calibration:
    """Fit on one half and measure on the other. Raises QueryError when a half is empty."""
    fit = [one for one in attempts if _half(one.problem) == 0]
    test = [one for one in attempts if _half(one.problem) == 1]
    if not fit or not test:
        raise QueryError(
            f"{len(attempts)} judged attempts are too few to fit on some tasks and measure on others; run more of them"
        )
    measured: list[Measured] = []

    def measure(signal: str, method: str, parameters: str, say: Signal) -> None:
        known = [(one.correct, value) for one in test if (value := say(one)) is not None]
        truth, said = [right for right, _ in known], [value for _, value in known]
        measured.append(
            Measured(
                signal,
                method,
                parameters,
                len(said),
                round(expected_calibration_error(said, truth), 4),
                round(brier_score(said, truth), 4),
                reliability(said, truth),
            )
        )

    share = sum(one.correct for one in fit) / len(fit)
    measure("none", "solve rate", f"{share:.3f}", lambda one: share)
    signals = {
        name: signal
        for name, signal in SIGNALS.items()
        if all(any(signal(one) is not None for one in half) for half in (fit, test))
    }
    for name, signal in signals.items():
        known = [(one.correct, value) for one in fit if (value := signal(one)) is not None]
        labels, values = [right for right, _ in known], [value for _, value in known]
        temperature, isotonic = fit_temperature(values, labels), fit_isotonic(values, labels)
        measure(name, "as it is", "", signal)
        measure(name, "temperature", f"T = {temperature.temperature:.3f}", _after(signal, temperature))
        measure(name, "isotonic", f"{len(isotonic.knots)} knots", _after(signal, isotonic))

    def row(one: Judged) -> tuple[float, ...]:
        known = (signal(one) for signal in signals.values())
        return (*(UNKNOWN if value is None else value for value in known), OBSERVED[one.observed])

    measure("all together", "as it is", "", lambda one: combined([signal(one) for signal in signals.values()]))
    combination = fit_combination([row(one) for one in fit], [one.correct for one in fit])
    weights = ", ".join(
        f"{name} {weight:+.2f}" for name, weight in zip([*signals, "observed"], combination.weights, strict=True)
    )
    measure("all together", "logistic", f"bias {combination.bias:+.2f}, {weights}", lambda one: combination(row(one)))
    return Calibration(len(attempts), sum(one.correct for one in attempts), len(fit), len(test), measured)


def _after(signal: Signal, calibrator: Callable[[float], float]) -> Signal:
    return lambda one: None if (value := signal(one)) is None else calibrator(value)


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
                "answers": one.answers,
                "ece": one.ece,
                "brier": one.brier,
                "bins": [[b.low, b.high, b.count, round(b.confidence, 4), round(b.accuracy, 4)] for b in one.bins],
            }
            for one in found.measured
        ],
    }

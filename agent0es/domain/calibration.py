"""Whether confidence means what it says: of the answers given with confidence 0.8, are 80% right?

Measures (Guo et al. 2017, arXiv 1706.04599), two ways to recalibrate one signal, and one to combine several.
Confidences and labels are sequences of one length, confidences in [0, 1]. The fitted value maps confidences to others.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

BINS = 10
EDGE = 1e-6
"""Confidences are kept this far from 0 and 1, where log-odds are infinite."""
RIDGE = 1e-2
"""Penalty on the weights of a combination, so that a signal that separates a small sample stays finite."""


@dataclass(frozen=True, slots=True)
class Bin:
    """The answers of similar confidence."""

    low: float
    high: float
    count: int
    confidence: float
    """Mean; 0 when there are none."""
    accuracy: float
    """Share that was right; 0 when there are none."""


def reliability(confidences: Sequence[float], correct: Sequence[bool], bins: int = BINS) -> list[Bin]:
    """The reliability diagram: equally wide bins of [0, 1], an upper edge belongs to the bin above but for 1."""
    members: list[list[tuple[float, bool]]] = [[] for _ in range(bins)]
    for confidence, right in zip(confidences, correct, strict=True):
        members[min(bins - 1, int(confidence * bins))].append((confidence, right))
    return [
        Bin(
            low=number / bins,
            high=(number + 1) / bins,
            count=len(group),
            confidence=sum(c for c, _ in group) / len(group) if group else 0.0,
            accuracy=sum(right for _, right in group) / len(group) if group else 0.0,
        )
        for number, group in enumerate(members)
    ]


def expected_calibration_error(confidences: Sequence[float], correct: Sequence[bool], bins: int = BINS) -> float:
    """ECE: mean over the answers of |accuracy − confidence| of their bin; 0 when there are none."""
    filled = [one for one in reliability(confidences, correct, bins) if one.count]
    return sum(one.count * abs(one.accuracy - one.confidence) for one in filled) / max(1, len(correct))


def brier_score(confidences: Sequence[float], correct: Sequence[bool]) -> float:
    """Mean of (confidence − correct)²; 0.25 for who always says one half, 0 when there are none."""
    pairs = zip(confidences, correct, strict=True)
    return sum((confidence - right) ** 2 for confidence, right in pairs) / max(1, len(correct))


@dataclass(frozen=True, slots=True)
class Temperature:
    """σ(logit(c) / T): T > 1 makes an overconfident student modest. It never moves a confidence across one half."""

    temperature: float

    def __call__(self, confidence: float) -> float:
        return _sigmoid(logit(confidence) / self.temperature)


@dataclass(frozen=True, slots=True)
class Isotonic:
    """A rising step function, linear between the knots: recalibrates any confidence that ranks the answers well."""

    knots: tuple[tuple[float, float], ...]
    """(confidence, calibrated), both rising; what lies outside takes the value of the nearest."""

    def __call__(self, confidence: float) -> float:
        below = [knot for knot in self.knots if knot[0] <= confidence]
        above = [knot for knot in self.knots if knot[0] > confidence]
        if not below or not above:
            return (below[-1] if below else above[0])[1]
        (x0, y0), (x1, y1) = below[-1], above[0]
        return y0 + (y1 - y0) * (confidence - x0) / (x1 - x0)


@dataclass(frozen=True, slots=True)
class Combination:
    """Logistic regression on the log-odds of several signals: σ(bias + Σ wᵢ·logit(sᵢ))."""

    bias: float
    weights: tuple[float, ...]

    def __call__(self, signals: Sequence[float]) -> float:
        return _sigmoid(self.bias + sum(w * logit(s) for w, s in zip(self.weights, signals, strict=True)))


def fit_temperature(confidences: Sequence[float], correct: Sequence[bool]) -> Temperature:
    """The temperature in [0.05, 20] under which the labels are most likely. Raises ValueError without labels."""
    from scipy.optimize import minimize_scalar

    _check(len(confidences), correct)
    odds = [logit(confidence) for confidence in confidences]

    def loss(log_temperature: float) -> float:
        return _negative_log_likelihood([o / math.exp(log_temperature) for o in odds], correct)

    found = minimize_scalar(loss, bounds=(math.log(0.05), math.log(20.0)), method="bounded")
    return Temperature(math.exp(float(found.x)))


def fit_isotonic(confidences: Sequence[float], correct: Sequence[bool]) -> Isotonic:
    """The rising function nearest to the labels (pool adjacent violators). Raises ValueError without labels.

    Answers of equal confidence count as one with their mean. Each pool of k answers, r of them right, stands for
    (r + ½) / (k + 1): a small sample is no reason to be certain.
    """
    from scipy.optimize import isotonic_regression

    _check(len(confidences), correct)
    groups: dict[float, list[bool]] = {}
    for confidence, right in zip(confidences, correct, strict=True):
        groups.setdefault(confidence, []).append(right)
    xs = sorted(groups)
    counts = [len(groups[x]) for x in xs]
    fitted = isotonic_regression([sum(groups[x]) / len(groups[x]) for x in xs], weights=counts)
    knots: list[tuple[float, float]] = []
    for start, end in zip(fitted.blocks[:-1], fitted.blocks[1:], strict=True):
        answers = [right for x in xs[start:end] for right in groups[x]]
        value = (sum(answers) + 0.5) / (len(answers) + 1)
        value = max(value, knots[-1][1]) if knots else value  # the half may turn the order of two small pools
        knots += [(x, value) for x in dict.fromkeys((xs[start], xs[end - 1]))]
    return Isotonic(tuple(knots))


def fit_combination(signals: Sequence[Sequence[float]], correct: Sequence[bool]) -> Combination:
    """Weights under which the labels are most likely; `signals` has one row for each answer.

    Raises ValueError without labels.
    """
    from scipy.optimize import minimize

    _check(len(signals), correct)
    rows = [[logit(signal) for signal in row] for row in signals]

    def loss(parameters: Sequence[float]) -> float:
        odds = [parameters[0] + sum(w * o for w, o in zip(parameters[1:], row, strict=True)) for row in rows]
        penalty = RIDGE * sum(w * w for w in parameters[1:])
        return _negative_log_likelihood(odds, correct) + penalty

    found = minimize(loss, [0.0] * (1 + len(rows[0])), method="L-BFGS-B")
    bias, *weights = map(float, found.x)
    return Combination(bias, tuple(weights))


def logit(probability: float) -> float:
    """Log-odds, finite at 0 and 1 too."""
    p = min(1.0 - EDGE, max(EDGE, probability))
    return math.log(p / (1.0 - p))


def _sigmoid(odds: float) -> float:
    return 1.0 / (1.0 + math.exp(-odds)) if odds >= 0.0 else math.exp(odds) / (1.0 + math.exp(odds))


def _negative_log_likelihood(odds: Sequence[float], correct: Sequence[bool]) -> float:
    """Mean of log(1 + exp(∓odds)), without overflow."""
    signed = [-o if right else o for o, right in zip(odds, correct, strict=True)]
    return sum(max(0.0, s) + math.log1p(math.exp(-abs(s))) for s in signed) / len(correct)


def _check(count: int, correct: Sequence[bool]) -> None:
    if not correct or count != len(correct):
        raise ValueError(f"{count} confidences for {len(correct)} labels; there must be as many, and one at least")

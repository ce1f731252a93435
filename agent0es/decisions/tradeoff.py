"""What other rules of routing would have come to, on questions that both models answered.

A rule says of each question how sure it is of the local answer; from a threshold on that answer is taken. Whatever a
rule learns (which signals count, what earlier answers say, the threshold) is learnt on some questions and measured on
others.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from agent0es.decisions.route import BINS, WEIGHT
from agent0es.evaluation.estimates import wilson
from agent0es.router.signals import DOUBT, LEAST_SIMILARITY

FOLDS = 10
NEIGHBOURS = 8
"""Judged questions that are looked at, as the router does."""
WEIGHTS = (0.0, 0.5, 1.0, 2.0)
"""Of a signal, to choose from."""
SEED = 0
"""Of the parts into which questions are divided."""
ABOVE_ALL = 1.01
"""A threshold that nothing reaches."""

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Option:
    """An answer that could be had."""

    correct: bool
    cost_usd: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Compared:
    """A question that both models answered, and whose right answer is known."""

    route: str
    domain: str
    question: str
    """Hostile."""
    signals: Mapping[str, float | None]
    """What was said of the draft that most others agree with."""
    confidence: float | None
    """exp of the mean token log-probability of the greedy draft."""
    first: Option
    """The local model's greedy draft alone."""
    drafts: Option
    """The draft that most others agree with; what all drafts cost and took."""
    cloud: Option


Score = Callable[[Places, Places], Floats]
"""Given the places of judged questions and of those that are asked: how sure a rule is of each of these; NaN where it
does not know. Of a question that is in both its own verdict is not used."""
Fit = Callable[[Places], Score]
"""Given the places of judged questions: the rule as it is learnt from them."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A way to decide who answers."""

    name: str
    fit: Fit
    drafts: bool
    """Whether the local model makes all its drafts; else its greedy one alone."""
    looks_first: bool = False
    """Whether it decides before the local model is asked."""
    threshold: float | None = None
    """None for one that is to be chosen."""

    def local(self, one: Compared) -> Option:
        """What is had where the local answer is taken."""
        return one.drafts if self.drafts else one.first

    def cloud(self, one: Compared) -> Option:
        """What is had where the other one is asked: what was paid and waited for before is lost."""
        if self.looks_first:
            return one.cloud
        before = self.local(one)
        cost, seconds = before.cost_usd + one.cloud.cost_usd, before.seconds + one.cloud.seconds
        return Option(one.cloud.correct, cost, seconds)


@dataclass(frozen=True, slots=True)
class Point:
    """What a threshold comes to."""

    threshold: float
    accuracy: float
    cost_usd: float
    """Of a question, on average."""
    share_local: float


@dataclass(frozen=True, slots=True)
class Aim:
    """What a threshold is chosen for: the cheapest one that keeps this share of the accuracy of always asking the cloud
    model, or the most accurate one that costs at most this share of its cost."""

    keep: float | None = None
    spend: float | None = None

    def choose(self, points: Sequence[Point], accuracy: float, cost: float) -> Point:
        """Given what always asking the cloud model comes to. Where no point reaches it, the nearest one. Pure."""
        if self.spend is not None:
            within = [point for point in points if point.cost_usd <= self.spend * cost + 1e-12]
            best = within or [min(points, key=lambda point: point.cost_usd)]
            return max(best, key=lambda point: (point.accuracy, -point.cost_usd))
        least = (self.keep or 0.0) * accuracy
        enough = [point for point in points if point.accuracy >= least - 1e-12]
        best = enough or [max(points, key=lambda point: point.accuracy)]
        return min(best, key=lambda point: (point.cost_usd, -point.accuracy))


@dataclass(frozen=True, slots=True)
class Measured:
    """What a rule came to on questions that it had not learnt from."""

    outcomes: tuple[bool, ...]
    """Whether each question was answered right, in order."""
    low: float
    """95% interval of the accuracy (Wilson)."""
    high: float
    cost_usd: float
    """Of a question, on average."""
    p50: float
    """Seconds."""
    p95: float
    share_local: float
    thresholds: tuple[float, ...]
    """Of each part."""

    @property
    def accuracy(self) -> float:
        return sum(self.outcomes) / len(self.outcomes)


def cross_validated(compared: Sequence[Compared], rule: Rule, aim: Aim, folds: int = FOLDS) -> Measured:
    """A rule with what it learns, and its threshold, learnt on all parts but one and measured on that one, in turn."""
    chosen: dict[int, tuple[Option, bool]] = {}
    thresholds = []
    for learnt, others in parted(len(compared), folds):
        threshold = rule.threshold
        if threshold is None:
            points = curve(compared, learnt, crossed(rule, learnt), rule)
            threshold = aim.choose(points, *always_cloud(compared, learnt)).threshold
        thresholds.append(threshold)
        one, other = halves(learnt)
        scores = (rule.fit(one)(one, others) + rule.fit(other)(other, others)) / 2  # as the threshold was chosen
        for place, sure in zip(others, scores, strict=True):
            local = bool(sure >= threshold)  # NaN is not
            asked = compared[place]
            chosen[int(place)] = rule.local(asked) if local else rule.cloud(asked), local
    in_order = [chosen[place] for place in range(len(compared))]
    return measured([option for option, _ in in_order], [local for _, local in in_order], thresholds)


def halves(places: Places) -> tuple[Places, Places]:
    """Two parts of the same size, always the same."""
    mixed = np.random.default_rng(SEED).permutation(places)
    return np.sort(mixed[::2]), np.sort(mixed[1::2])


def crossed(rule: Rule, places: Places) -> Floats:
    """How sure a rule is of each of these questions, learnt from the half that it is not in. Left out one by one they
    would be ranked by their own verdicts: without a right answer the others look worse."""
    found = np.empty(len(places))
    one, other = halves(places)
    for judged, asked in ((one, other), (other, one)):
        found[np.searchsorted(places, asked)] = rule.fit(judged)(judged, asked)
    return found


def always_cloud(compared: Sequence[Compared], places: Places) -> tuple[float, float]:
    """Accuracy and mean cost of always asking the cloud model."""
    options = [compared[place].cloud for place in places]
    return float(np.mean([one.correct for one in options])), float(np.mean([one.cost_usd for one in options]))


def measured(options: Sequence[Option], local: Sequence[bool], thresholds: Sequence[float] = ()) -> Measured:
    """What these answers come to; there is at least one."""
    outcomes = tuple(bool(one.correct) for one in options)
    low, high = wilson(sum(outcomes) / len(outcomes), len(outcomes))
    p50, p95 = (float(value) for value in np.percentile([one.seconds for one in options], [50, 95]))
    cost = float(np.mean([one.cost_usd for one in options]))
    return Measured(outcomes, low, high, cost, p50, p95, float(np.mean(local)), tuple(thresholds))


def curve(compared: Sequence[Compared], places: Places, sure: Floats, rule: Rule) -> list[Point]:
    """What each threshold comes to on these questions: from all local, to none. `sure` is by place in `places`. A
    threshold lies midway between two questions."""
    order = sorted(range(len(places)), key=lambda at: -1.0 if np.isnan(sure[at]) else float(sure[at]))
    local, cloud = [rule.local(compared[place]) for place in places], [rule.cloud(compared[place]) for place in places]
    right, cost = sum(one.correct for one in local), sum(one.cost_usd for one in local)
    count, points, last = len(places), list[Point](), 0.0
    for gone, at in enumerate(order):
        value = -1.0 if np.isnan(sure[at]) else float(sure[at])
        if value >= 0.0 and (not points or value > last):  # all that are at least this sure
            midway = (last + value) / 2 if points else 0.0
            points.append(Point(midway, right / count, cost / count, (count - gone) / count))
            last = value
        right += cloud[at].correct - local[at].correct
        cost += cloud[at].cost_usd - local[at].cost_usd
    return [*points, Point(ABOVE_ALL, right / count, cost / count, 0.0)]


def parted(count: int, folds: int) -> Iterator[tuple[Places, Places]]:
    """The places of questions to learn from and of the others, for each part."""
    order = np.random.default_rng(SEED).permutation(count)
    for part in np.array_split(order, min(folds, count)):
        yield np.setdiff1d(order, part), np.sort(part)


def near(similar: Floats, correct: npt.NDArray[np.bool_]) -> Score:
    """The signal `neighbours`: the share of right answers to the judged questions most like this one. `similar` are
    cosines, shape (questions, questions)."""

    def score(judged: Places, asked: Places) -> Floats:
        alike = similar[np.ix_(asked, judged)].copy()
        alike[asked[:, None] == judged[None, :]] = -1.0  # not itself
        nearest = np.argsort(-alike, axis=1, kind="stable")[:, :NEIGHBOURS]
        weight = np.take_along_axis(alike, nearest, axis=1)
        weight = np.where(weight >= LEAST_SIMILARITY, weight, 0.0)
        right = (weight * correct[judged][nearest]).sum(axis=1)
        total = weight.sum(axis=1)
        return np.where(total > 0.0, (right + DOUBT / 2) / (total + DOUBT), np.nan)

    return score


def by_history(guess: Score, correct: npt.NDArray[np.bool_]) -> Score:
    """How the router predicts (`decisions.route.predicted`): the guess as if it were WEIGHT answers, and the judged
    ones of which the guess was as high."""

    def score(judged: Places, asked: Places) -> Floats:
        theirs, ours = guess(judged, judged), guess(judged, asked)
        known = ~np.isnan(theirs)
        bins = np.minimum(BINS - 1, (theirs[known] * BINS).astype(int))
        of = np.bincount(bins, minlength=BINS).astype(float)
        right = np.bincount(bins, weights=correct[judged][known].astype(float), minlength=BINS)
        at = np.minimum(BINS - 1, np.where(np.isnan(ours), 0.0, ours * BINS).astype(int))
        itself = np.isin(asked, judged)
        found: Floats = (WEIGHT * ours + right[at] - itself * correct[asked]) / (WEIGHT + of[at] - itself)
        return found

    return score


def how_sure(local: Score, domains: Sequence[str], cloud: npt.NDArray[np.bool_]) -> Score:
    """What the router compares with its threshold (`decisions.route.how_sure`): 1 less what the other model is likelier
    to be right than the local one, by its judged answers in the domain; where these are few it always is."""
    of = np.array(domains)

    def score(judged: Places, asked: Places) -> Floats:
        same = (of[asked][:, None] == of[judged][None, :]) & (asked[:, None] != judged[None, :])
        count = same.sum(axis=1)
        other = np.where(count >= WEIGHT, ((same & cloud[judged]).sum(axis=1) + 1) / (count + 2), 1.0)
        found: Floats = np.clip(1.0 + local(judged, asked) - other, 0.0, 1.0)
        return found

    return score


def weighted(signals: Mapping[str, Score], weights: Mapping[str, float]) -> Score:
    """The mean of what the signals say, by weight (`router.base.prior`)."""

    def score(judged: Places, asked: Places) -> Floats:
        total, weight = np.zeros(len(asked)), np.zeros(len(asked))
        for name, by in weights.items():
            said = signals[name](judged, asked)
            known = ~np.isnan(said)
            total[known] += by * said[known]
            weight[known] += by
        return np.where(weight > 0.0, total / np.where(weight > 0.0, weight, 1.0), np.nan)

    return score


def constant(values: Sequence[float | None]) -> Score:
    """A signal that does not depend on what was judged: a value for each question."""
    said = np.array([np.nan if value is None else value for value in values], float)
    return lambda judged, asked: said[asked]


def fitted(signals: Mapping[str, Score], correct: npt.NDArray[np.bool_], judged: Places) -> dict[str, float]:
    """The weights of the signals whose prediction, corrected by history, is nearest to the verdicts (Brier score) on
    the judged questions, each predicted from the others. Signals of weight 0 are left out."""
    said = {name: constant(_filled(score, judged, len(correct))) for name, score in signals.items()}
    best: tuple[float, int] | None = None
    choice: dict[str, float] = {}
    for weights in _mixtures(list(signals)):
        sure = by_history(weighted(said, weights), correct)(judged, judged)
        unknown = np.where(np.isnan(sure), 0.0, sure)  # the other one is asked
        error = float(np.mean((unknown - correct[judged]) ** 2))
        if best is None or (round(error, 6), len(weights)) < best:
            best, choice = (round(error, 6), len(weights)), weights
    return choice


def _filled(score: Score, judged: Places, count: int) -> list[float | None]:
    values = np.full(count, np.nan)
    values[judged] = score(judged, judged)
    return list(values)


def _mixtures(names: Sequence[str]) -> Iterator[dict[str, float]]:
    """All that are not a multiple of each other: the largest weight is 1 or 2."""
    seen = set()
    for weights in itertools.product(WEIGHTS, repeat=len(names)):
        largest = max(weights)
        shape = tuple(weight / largest for weight in weights) if largest else ()
        if shape and shape not in seen:
            seen.add(shape)
            yield {name: weight for name, weight in zip(names, shape, strict=True) if weight}

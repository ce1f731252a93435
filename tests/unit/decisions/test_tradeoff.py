"""Rules of routing on questions that both models answered: what they learn is measured where it was not learnt."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent0es.decisions import tradeoff
from agent0es.decisions.route import by_history, how_sure, like, nothing_expected, predicted
from agent0es.decisions.tradeoff import ABOVE_ALL, Aim, Compared, Option, Point, Rule, constant, cross_validated, curve
from agent0es.domain.events import Neighbour
from agent0es.router.base import Evidence, prior
from agent0es.router.signals import Neighbours

LOCAL, DRAFTS, CLOUD = Option(True, 0.0, 1.0), Option(True, 0.0, 3.0), Option(True, 0.5, 4.0)


def compared(local: bool, cloud: bool, sure: float | None = None) -> Compared:
    first, drafts, other = (
        Option(right, one.cost_usd, one.seconds)
        for one, right in zip((LOCAL, DRAFTS, CLOUD), (local, local, cloud), strict=True)
    )
    return Compared("route-1", "math", "6 * 7?", {"confidence": sure}, sure, first, drafts, other)


def by_confidence(questions: list[Compared], threshold: float | None = None, drafts: bool = False) -> Rule:
    score = constant([one.confidence for one in questions])
    return Rule("token confidence", lambda judged: score, drafts=drafts, threshold=threshold)


def test_who_is_asked_second_is_paid_and_waited_for_as_well() -> None:
    one = compared(True, True)
    asks_first = Rule("a", lambda judged: constant([None]), drafts=True)
    looks_first = Rule("b", lambda judged: constant([None]), drafts=False, looks_first=True)
    assert (asks_first.local(one), asks_first.cloud(one)) == (DRAFTS, Option(True, 0.5, 7.0))
    assert (looks_first.local(one), looks_first.cloud(one)) == (LOCAL, CLOUD)


def test_a_curve_goes_from_all_local_to_none() -> None:
    questions = [
        compared(True, True, 0.9),
        compared(False, True, 0.2),
        compared(True, False, 0.9),
        compared(False, True),
    ]
    rule = by_confidence(questions)
    everything = np.arange(4)
    assert curve(questions, everything, rule.fit(everything)(everything, everything), rule) == [
        Point(0.0, 0.75, 0.125, 0.75),  # of which nobody knows anything goes to the cloud
        Point(0.55, 1.0, 0.25, 0.5),
        Point(ABOVE_ALL, 0.75, 0.5, 0.0),
    ]


@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.sampled_from([None, 0.0, 0.1, 0.5, 0.9, 1.0])), min_size=1))
def test_each_point_of_a_curve_is_what_its_threshold_comes_to(rows: list[tuple[bool, bool, float | None]]) -> None:
    questions = [compared(*row) for row in rows]
    rule, everything = by_confidence(questions), np.arange(len(rows))
    for point in curve(questions, everything, rule.fit(everything)(everything, everything), rule):
        fixed = by_confidence(questions, point.threshold)
        there = cross_validated(questions, fixed, Aim())
        assert (there.accuracy, there.cost_usd, there.share_local) == pytest.approx(
            (point.accuracy, point.cost_usd, point.share_local)
        )


POINTS = [Point(0.1, 0.5, 0.1, 0.9), Point(0.5, 0.7, 0.3, 0.5), Point(0.8, 0.72, 0.6, 0.2), Point(1.01, 0.7, 1.0, 0.0)]
AIMS = {
    "all of its accuracy": (Aim(keep=1.0), 0.5),
    "most of it": (Aim(keep=0.7), 0.1),
    "more than there is": (Aim(keep=2.0), 0.8),
    "half of its cost": (Aim(spend=0.5), 0.5),
    "nearly nothing": (Aim(spend=0.01), 0.1),
}


@pytest.mark.parametrize("case", AIMS)
def test_a_threshold_is_chosen_for_what_is_wanted(case: str) -> None:
    aim, threshold = AIMS[case]
    assert aim.choose(POINTS, accuracy=0.7, cost=1.0).threshold == threshold


def test_what_is_learnt_is_measured_where_it_was_not_learnt() -> None:
    """A signal that knows nothing: on the questions that a threshold is chosen for it looks better than it is."""
    rng = np.random.default_rng(1)
    local, cloud, said = rng.random(200) < 0.5, rng.random(200) < 0.5, rng.random(200)
    questions = [compared(bool(a), bool(b), float(c)) for a, b, c in zip(local, cloud, said, strict=True)]
    rule, everything = by_confidence(questions), np.arange(200)
    points = curve(questions, everything, said, rule)
    aim = Aim(spend=2.0)
    best = aim.choose(points, *tradeoff.always_cloud(questions, everything))
    found = cross_validated(questions, rule, aim)
    assert found.accuracy < best.accuracy and len(found.thresholds) == tradeoff.FOLDS
    assert found.low < found.accuracy < found.high and len(found.outcomes) == 200


def test_questions_are_not_ranked_by_their_own_verdicts() -> None:
    """A guess that is the same for all: within each half they are all as sure."""
    rng = np.random.default_rng(5)
    correct = rng.random(100) < 0.5
    rule = Rule("same", lambda judged: tradeoff.by_history(constant([0.5] * 100), correct), drafts=False)
    everything = np.arange(100)
    found = tradeoff.crossed(rule, everything)
    assert [len(set(found[half])) for half in tradeoff.halves(everything)] == [1, 1]
    alone = rule.fit(everything)(everything, everything)
    assert alone[correct].max() < alone[~correct].min(), "left out one by one"


def test_a_signal_that_knows_is_ahead_of_either_model_alone() -> None:
    rng = np.random.default_rng(2)
    local, cloud = rng.random(300) < 0.6, rng.random(300) < 0.7
    said = np.where(local, 0.6, 0.4) + rng.normal(0.0, 0.1, 300)
    questions = [compared(bool(a), bool(b), float(c)) for a, b, c in zip(local, cloud, said, strict=True)]
    found = cross_validated(questions, by_confidence(questions), Aim(spend=0.9))
    assert found.accuracy > max(local.mean(), cloud.mean()) and found.cost_usd < 0.5


@given(st.lists(st.tuples(st.sampled_from([None, 0.0, 0.31, 0.77, 1.0]), st.booleans()), min_size=2, max_size=30))
def test_the_prediction_is_the_routers_own(rows: list[tuple[float | None, bool]]) -> None:
    said, correct = [guess for guess, _ in rows], np.array([right for _, right in rows])
    judged, asked = np.arange(len(rows) - 1), np.arange(len(rows))
    found = tradeoff.by_history(constant(said), correct)(judged, asked)
    for place, guess in enumerate(said):
        if guess is None:
            assert np.isnan(found[place])
            continue
        others = [(said[at], bool(correct[at])) for at in judged if at != place]
        right, of = like(guess, [(other, outcome) for other, outcome in others if other is not None])
        assert found[place] == pytest.approx(predicted(guess, right, of)[0], abs=1e-4)


def test_what_is_compared_with_the_threshold_is_the_routers_own() -> None:
    rng = np.random.default_rng(5)
    domains, cloud, local = (
        rng.choice(["math", "code", "logic"], 40, p=[0.6, 0.3, 0.1]),
        rng.random(40) < 0.5,
        rng.random(40),
    )
    judged, asked = np.arange(30), np.arange(20, 40)
    found = tradeoff.how_sure(constant([*local]), [*domains], cloud)(judged, asked)
    for place, value in zip(asked, found, strict=True):
        same = [bool(cloud[at]) for at in judged if at != place and domains[at] == domains[place]]
        other = by_history(nothing_expected("cloud").model_copy(update={"right": sum(same), "of": len(same)}))
        assert value == pytest.approx(how_sure(float(local[place]), [other]), abs=1e-4)
    assert np.isnan(tradeoff.how_sure(constant([None] * 40), [*domains], cloud)(judged, asked)).all()


def test_signals_are_the_routers_own() -> None:
    rng = np.random.default_rng(3)
    vectors = rng.normal(size=(30, 3))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    similar, correct = vectors @ vectors.T, rng.random(30) < 0.5
    judged, asked = np.arange(20), np.arange(15, 30)
    found = tradeoff.near(similar, correct)(judged, asked)
    for place, value in zip(asked, found, strict=True):
        others = sorted((at for at in judged if at != place), key=lambda at: -similar[place, at])[: tradeoff.NEIGHBOURS]
        near = tuple(Neighbour(attempt="", similarity=similar[place, at], correct=bool(correct[at])) for at in others)
        own = Neighbours().value(Evidence("", "", neighbours=near))
        assert (own is None and np.isnan(value)) or value == pytest.approx(own)
    signals = {"a": constant([0.2, None, None]), "b": constant([0.8, 0.6, None])}
    mixed = tradeoff.weighted(signals, {"a": 1.0, "b": 0.5})(np.arange(3), np.arange(3))
    assert mixed[:2] == pytest.approx([prior({"a": 0.2, "b": 0.8}, {"a": 1.0, "b": 0.5}), 0.6]) and np.isnan(mixed[2])


def test_the_weights_are_those_of_the_signal_that_knows() -> None:
    rng = np.random.default_rng(4)
    correct = rng.random(200) < 0.5
    signals = {"noise": constant(list(rng.random(200))), "knows": constant([0.9 if one else 0.1 for one in correct])}
    assert tradeoff.fitted(signals, correct, np.arange(200)) == {"knows": 1.0}

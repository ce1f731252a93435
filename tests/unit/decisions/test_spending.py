"""A bound on the mean cost: it holds for questions that are like the earlier ones, whatever their costs."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent0es.configuration import load_configuration
from agent0es.decisions.spending import EVERYTHING, threshold_within
from agent0es.errors import ConfigurationError

MOST = 1.0
PAIRS = st.tuples(st.none() | st.floats(0.0, 1.0), st.floats(0.0, MOST))


def cost(sure: float | None, price: float, threshold: float) -> float:
    return price if (sure or 0.0) < threshold else 0.0


@given(st.lists(PAIRS, min_size=1, max_size=25), st.floats(0.001, 1.0))
def test_whichever_of_exchangeable_questions_comes_last_they_cost_no_more_on_average(
    questions: list[tuple[float | None, float]], bound: float
) -> None:
    """Each order is as likely: the mean over who comes last is the expected cost, given which questions there are."""
    costs = [
        cost(*last, threshold_within([*questions[:place], *questions[place + 1 :]], bound, MOST))
        for place, last in enumerate(questions)
    ]
    assert sum(costs) / len(costs) <= bound + 1e-9


def test_it_holds_on_drawn_questions_and_is_not_far_below() -> None:
    rng = random.Random(0)

    def drawn() -> tuple[float, float]:
        sure = rng.random()
        return round(sure, 4), rng.random() * (1.0 - sure / 2)

    bound, spent = 0.2, []
    for _ in range(1500):
        threshold = threshold_within([drawn() for _ in range(60)], bound, MOST)
        spent.append(cost(*drawn(), threshold))
    assert bound - MOST / 61 - 0.02 < sum(spent) / len(spent) <= bound + 0.015


def test_nothing_is_asked_before_enough_is_known_and_everything_where_it_costs_too_little() -> None:
    assert threshold_within([], 0.1, MOST) == 0.0
    assert threshold_within([(0.5, 0.0)] * 8, 0.1, MOST) == 0.0
    assert threshold_within([(0.5, 0.0)] * 9, 0.1, MOST) == EVERYTHING
    assert threshold_within([(0.2, 1.0), (0.9, 1.0), (None, 1.0)] * 10, 0.2, MOST) == 0.0  # of whom nobody knows
    assert threshold_within([(0.2, 0.1), (0.9, 1.0)] * 10, 0.2, MOST) == 0.9


def test_the_bound_needs_the_most_that_a_question_may_cost() -> None:
    with pytest.raises(ConfigurationError, match=r"mean_cost needs budget\.per_request"):
        load_configuration(overrides=["router.mean_cost=0.1"], environment={})

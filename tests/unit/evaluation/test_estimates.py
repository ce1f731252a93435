"""pass@k, majorities, and intervals, against their definitions and SciPy."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from agent0es.evaluation.estimates import ks, majority, paired, pass_at, wilson


@settings(max_examples=40)
@given(st.integers(1, 9).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(1, n))))
def test_pass_at_k_is_the_share_of_draws_with_a_right_answer(case: tuple[int, int, int]) -> None:
    samples, correct, k = case
    drawn = list(itertools.combinations(range(samples), k))
    right = sum(any(one < correct for one in some) for some in drawn)
    assert pass_at(k, samples, correct) == pytest.approx(right / len(drawn))


def test_which_k_are_told() -> None:
    assert [ks(1), ks(2), ks(5), ks(16)] == [[1], [1, 2], [1, 2, 4, 5], [1, 2, 4, 8, 16]]


@settings(max_examples=40)
@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))))
def test_the_interval_is_wilsons(case: tuple[int, int]) -> None:
    problems, right = case
    expected = binomtest(right, problems).proportion_ci(0.95, method="wilson")
    assert wilson(right / problems, problems) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_pairs_are_of_the_problems_that_both_were_asked() -> None:
    found = paired({"a": True, "b": True, "c": False, "d": True}, {"a": True, "b": False, "c": False, "e": True})
    assert found is not None
    assert (found.problems, found.better, found.worse, found.p_value) == (3, 1, 0, 1.0)
    assert (found.share, found.rival_share) == (2 / 3, 1 / 3)
    assert paired({"a": True}, {"b": True}) is None


@pytest.mark.parametrize(
    ("keys", "place"),
    [(["7", "8", "8"], 1), (["7", "8"], 0), ([None, "7", None], 1), ([None], None), ([], None)],
)
def test_a_majority_is_the_most_frequent_answer(keys: list[str | None], place: int | None) -> None:
    assert majority(keys) == place

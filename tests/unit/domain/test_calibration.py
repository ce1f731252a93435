"""Confidence against truth: the measures by hand, and what fitting must do."""

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent0es.domain.calibration import (
    brier_score,
    expected_calibration_error,
    fit_combination,
    fit_isotonic,
    fit_temperature,
    logit,
    reliability,
)
from agent0es.domain.uncertainty import combined, critique_confidence

SAMPLES = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60)


def overconfident(count: int, seed: int) -> tuple[list[float], list[bool]]:
    """A student whose log-odds are twice what they should be."""
    rng = random.Random(seed)
    truth = [rng.uniform(0.05, 0.95) for _ in range(count)]
    said = [p**2 / (p**2 + (1 - p) ** 2) for p in truth]
    return said, [rng.random() < p for p in truth]


def test_the_measures_are_those_computed_by_hand() -> None:
    said, right = [0.95, 0.95, 0.95, 0.55], [True, True, False, False]
    assert expected_calibration_error(said, right) == pytest.approx(0.75 * (0.95 - 2 / 3) + 0.25 * 0.55)
    assert brier_score(said, right) == pytest.approx((2 * 0.05**2 + 0.95**2 + 0.55**2) / 4)
    last = reliability([1.0, 0.9], [True, False])[-1]
    assert (last.count, last.confidence, last.accuracy) == (2, pytest.approx(0.95), 0.5)
    assert [one.count for one in reliability([0.0, 0.1, 0.5], [True] * 3)] == [1, 1, 0, 0, 0, 1, 0, 0, 0, 0]


def test_a_calibrated_student_has_no_error_and_one_that_always_says_one_half_a_brier_score_of_a_quarter() -> None:
    assert expected_calibration_error([0.75] * 4, [True, True, True, False]) == 0.0
    assert brier_score([0.5] * 4, [True, False, True, True]) == 0.25
    assert expected_calibration_error([], []) == brier_score([], []) == 0.0


def test_the_temperature_of_an_overconfident_student_is_found() -> None:
    said, right = overconfident(4000, 1)
    fitted = fit_temperature(said, right)
    assert fitted.temperature == pytest.approx(2.0, rel=0.15)
    assert fitted(0.5) == pytest.approx(0.5)
    fresh, truth = overconfident(4000, 2)
    after = [fitted(one) for one in fresh]
    assert expected_calibration_error(after, truth) < 0.4 * expected_calibration_error(fresh, truth)
    assert brier_score(after, truth) < brier_score(fresh, truth)


def test_isotonic_regression_mends_a_student_that_is_wrong_by_any_rising_amount() -> None:
    rng = random.Random(3)
    said = [rng.uniform(0.8, 1.0) for _ in range(3000)]
    right = [rng.random() < (one - 0.8) * 3 for one in said]
    fitted = fit_isotonic(said, right)
    assert expected_calibration_error(said, right) > 0.5
    fresh = [rng.uniform(0.8, 1.0) for _ in range(3000)]
    truth = [rng.random() < (one - 0.8) * 3 for one in fresh]
    assert expected_calibration_error([fitted(one) for one in fresh], truth) < 0.05


@settings(deadline=None)
@given(SAMPLES)
def test_an_isotonic_fit_rises_and_is_never_certain(samples: list[tuple[float, bool]]) -> None:
    fitted = fit_isotonic([c for c, _ in samples], [right for _, right in samples])
    values = [fitted(place / 50) for place in range(51)]
    assert values == sorted(values)
    assert values[0] > 0.0 and values[-1] < 1.0


@settings(deadline=None, max_examples=25)
@given(SAMPLES)
def test_no_sample_is_too_odd_to_fit(samples: list[tuple[float, bool]]) -> None:
    said, right = [c for c, _ in samples], [r for _, r in samples]
    assert 0.0 <= fit_temperature(said, right)(0.7) <= 1.0
    assert 0.0 <= fit_combination([[c, 0.5] for c in said], right)([0.7, 0.5]) <= 1.0


def test_a_combination_learns_which_signal_to_believe() -> None:
    rng = random.Random(5)
    right = [rng.random() < 0.5 for _ in range(500)]
    rows = [[0.8 if r == (rng.random() < 0.9) else 0.2, rng.random()] for r in right]
    fitted = fit_combination(rows, right)
    good, noise = fitted.weights
    assert good > 1.0 and abs(noise) < 0.3
    assert fitted([0.8, 0.5]) > 0.8 > 0.2 > fitted([0.2, 0.5])


@pytest.mark.parametrize("fit", [fit_temperature, fit_isotonic, fit_combination])
def test_nothing_can_be_fitted_to_nothing(fit: object) -> None:
    with pytest.raises(ValueError, match="labels"):
        fit([], [])  # type: ignore[operator]
    with pytest.raises(ValueError, match="labels"):
        fit([0.5], [True, False])  # type: ignore[operator]


def test_signals_are_combined_in_log_odds_and_missing_ones_left_out() -> None:
    assert combined([0.9, None]) == pytest.approx(0.9)
    assert combined([0.9, 0.1]) == pytest.approx(0.5)
    assert combined([None]) == combined([]) == 0.5
    assert logit(combined([0.9, 0.5])) == pytest.approx(logit(0.9) / 2)
    assert 0.0 < combined([0.0]) < combined([1.0]) < 1.0


def test_a_critique_is_as_sure_as_its_first_word_was_likely() -> None:
    assert critique_confidence(True, -0.1) == pytest.approx(0.952, abs=1e-3)
    assert critique_confidence(False, -0.1) == pytest.approx(0.048, abs=1e-3)
    assert critique_confidence(False, math.log(0.2)) == pytest.approx(0.4), "a faint no is no yes"
    assert critique_confidence(None, -0.1) is None

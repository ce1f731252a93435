"""McNemar's exact test, against SciPy's binomial one."""

from math import comb

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from agent0es.domain.mcnemar import mcnemar


@settings(max_examples=40)
@given(st.integers(0, 700), st.integers(0, 700))
def test_it_is_the_exact_binomial_test(better: int, worse: int) -> None:
    for two_sided, alternative in ((False, "greater"), (True, "two-sided")):
        expected = binomtest(better, better + worse, alternative=alternative).pvalue if better + worse else 1.0
        assert mcnemar(better, worse, two_sided=two_sided) == pytest.approx(float(expected), rel=1e-9)


def test_a_tie_is_no_difference() -> None:
    assert mcnemar(2, 2) == sum(comb(4, k) for k in (2, 3, 4)) / 16
    assert mcnemar(2, 2, two_sided=True) == mcnemar(0, 0, two_sided=True) == 1.0

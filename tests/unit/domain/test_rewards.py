"""The four components and their sum."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent0es.domain import rewards
from agent0es.domain.rewards import RewardInputs
from agent0es.domain.uncertainty import confidence, majority_share

SHARES = st.floats(min_value=0, max_value=1)
INPUTS = st.builds(RewardInputs, majority_share=SHARES, tool_calls=st.floats(0, 50), novelty=SHARES, score=SHARES)
ANSWERS = st.lists(st.none() | st.sampled_from(["1", "2", "3"]), min_size=1, max_size=8)


@pytest.mark.parametrize(("share", "reward"), [(0.5, 1.0), (1.0, 0.0), (0.0, 0.0), (0.75, 0.5)])
def test_uncertainty_is_highest_where_the_student_is_torn(share: float, reward: float) -> None:
    assert rewards.uncertainty(RewardInputs(share, 0, 0, 0)) == pytest.approx(reward)


@pytest.mark.parametrize(("calls", "reward"), [(0, 0.0), (1, 0.25), (4, 1.0), (9, 1.0)])
def test_tool_reward_grows_up_to_four_calls(calls: int, reward: float) -> None:
    assert rewards.tool_use(RewardInputs(0, calls, 0, 0)) == reward


@given(INPUTS)
def test_every_component_lies_in_the_unit_interval(inputs: RewardInputs) -> None:
    for component in (rewards.uncertainty, rewards.tool_use, rewards.novelty, rewards.correctness):
        assert 0.0 <= component(inputs) <= 1.0


def test_the_total_is_the_weighted_sum_of_the_seed_formula() -> None:
    components = {"uncertainty": 1.0, "tool_use": 0.25, "novelty": 0.5, "correctness": 1.0}
    weights = {"uncertainty": 0.3, "tool_use": 0.3, "novelty": 0.2, "correctness": 0.2}
    assert rewards.total(components, weights) == pytest.approx(0.3 + 0.075 + 0.1 + 0.2)


def test_majority_share_counts_missing_answers_as_disagreement() -> None:
    assert majority_share(["7", "7", None, "8"]) == 0.5
    assert majority_share([None, None]) == 0.0


@given(ANSWERS)
def test_the_majority_is_a_share_and_is_all_where_all_agree(answers: list[str | None]) -> None:
    share = majority_share(answers)
    assert 0.0 <= share <= 1.0
    assert (share == 1.0) == (len(set(answers)) == 1 and None not in answers)


def test_confidence_is_the_geometric_mean_probability() -> None:
    assert confidence([]) == 0.0
    assert confidence([0.0, 0.0]) == 1.0
    assert confidence([-1.0, -3.0]) == pytest.approx(0.1353, abs=1e-4)

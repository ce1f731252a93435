"""What every reward component keeps to."""

from itertools import product

from agent0es.bootstrap import load_rewards
from agent0es.domain.rewards import RewardInputs, value_of

SHARES = (0.0, 1 / 3, 0.5, 1.0)
CALLS = (0.0, 0.5, 1.0, 4.0, 1000.0)


class RewardContract:
    """One test per promise. A subclass gives the name."""

    name: str
    """Its entry point in the group `agent0es.rewards`."""

    def test_it_gives_a_number_from_0_to_1_and_the_same_one_again(self) -> None:
        component = load_rewards({self.name: 1.0})[self.name]
        for share, calls, novelty, score in product(SHARES, CALLS, SHARES, SHARES):
            inputs = RewardInputs(share, calls, novelty, score)
            assert value_of(self.name, component, inputs) == value_of(self.name, component, inputs), inputs

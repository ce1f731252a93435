"""Combinatorics and probability. Probabilities are exact fractions."""

import math
from fractions import Fraction
from functools import partial
from itertools import accumulate

from agent0es.taskdomains.base import Family, Int

practised = partial(Family, group="counting", split="practised")
held_out = partial(Family, group="counting", split="held_out")

PEOPLE = Int((5, 9), (12, 30))
CHOSEN = Int((3, 4), (4, 6))
BALLS = Int((3, 12), (15, 90))


def _pascal(n: int, k: int) -> int:
    """n over k, by adding rows of Pascal's triangle."""
    row = [1] * (n - k + 1)
    for _ in range(k):
        row = list(accumulate(row))
    return row[-1]


def _fewer(k: int, n: int) -> str | None:
    return None if k < n else "k must be smaller than n"


def _within(red: int, total: int) -> str | None:
    return None if red < total else "there must be more balls than red ones"


FAMILIES = (
    practised(
        name="handshakes",
        parameters={"n": Int((4, 12), (20, 300))},
        wordings=(
            "{n} people shake hands, each with each. How many handshakes are there?",
            "How many pairs can be made of {n} people?",
        ),
        reference_action="python[math.comb({n}, 2)]",
        answer_of=lambda n: str(sum(range(n))),
    ),
    practised(
        name="mixed_committee",
        parameters={"men": PEOPLE, "k": CHOSEN, "women": PEOPLE, "j": CHOSEN},
        wordings=(
            "From {men} men choose {k}, and from {women} women choose {j}. How many committees are possible?",
            "How many ways are there to choose from {men} men {k} and from {women} women {j}?",
        ),
        reference_action="python[math.comb({men}, {k}) * math.comb({women}, {j})]",
        answer_of=lambda men, k, women, j: str(_pascal(men, k) * _pascal(women, j)),
    ),
    practised(
        name="words_with_letter_twice",
        parameters={"n": Int((4, 7), (8, 12))},
        wordings=(
            "In how many orders can {n} letters stand when two of them are the same?",
            "{n} letters, two of them equal: how many different words can be made of all of them?",
        ),
        reference_action="python[math.factorial({n}) // 2]",
        answer_of=lambda n: str(math.prod(range(3, n + 1))),
    ),
    practised(
        name="probability_of_red",
        parameters={"red": BALLS, "blue": BALLS},
        wordings=(
            "A bag holds {red} red and {blue} blue balls. What is the probability to draw a red one, as a fraction?",
            "Draw one of {red} red and {blue} blue balls. How likely is red, as a fraction?",
        ),
        reference_action="python[Fraction({red}, {red} + {blue})]",
        answer_of=lambda red, blue: str(1 - Fraction(blue, red + blue)),
    ),
    practised(
        name="probability_of_two_reds",
        parameters={"red": BALLS, "total": Int((13, 24), (91, 180))},
        wordings=(
            "{red} of {total} balls are red. Draw two. What is the probability that both are red, as a fraction?",
            "Two of {total} balls are drawn, {red} of them are red. How likely are two red ones, as a fraction?",
        ),
        reference_action="python[Fraction({red} * ({red} - 1), {total} * ({total} - 1))]",
        answer_of=lambda red, total: str(Fraction(_pascal(red, 2), _pascal(total, 2))),
        constraint=_within,
    ),
    practised(
        name="at_least_one_head",
        parameters={"n": Int((3, 6), (7, 20))},
        wordings=(
            "A coin is thrown {n} times. What is the probability of at least one head, as a fraction?",
            "How likely is at least one head in {n} throws of a coin, as a fraction?",
        ),
        reference_action="python[1 - Fraction(1, 2) ** {n}]",
        answer_of=lambda n: str(sum(Fraction(1, 2 << i) for i in range(n))),
    ),
    practised(
        name="expected_dice_sum",
        parameters={"n": Int((8, 20), (30, 400))},
        wordings=(
            "What is the expected sum of {n} dice, as a fraction?",
            "{n} dice are thrown. What sum is expected, as a fraction?",
        ),
        reference_action="python[{n} * Fraction(7, 2)]",
        answer_of=lambda n: str(Fraction(n * sum(range(1, 7)), 6)),
    ),
    practised(
        name="two_dice_under",
        parameters={"n": Int((8, 12), (20, 60)), "limit": Int((4, 7), (8, 19))},
        wordings=(
            "Two dice have {n} faces each. How many throws have a sum of at most {limit}?",
            "With two dice of {n} faces, in how many ways is the sum at most {limit}?",
        ),
        reference_action=("python[sum(1 for a in range(1, {n} + 1) for b in range(1, {n} + 1) if a + b <= {limit})]"),
        answer_of=lambda n, limit: str(sum(min(n, limit - first) for first in range(1, min(n, limit - 1) + 1))),
    ),
    practised(
        name="no_shared_choice",
        parameters={"n": Int((5, 9), (12, 60))},
        wordings=(
            "Three people choose one of {n} rooms each. In how many ways do all choose different rooms?",
            "How many ways are there to give three people different rooms out of {n}?",
        ),
        reference_action="python[{n} * ({n} - 1) * ({n} - 2)]",
        answer_of=lambda n: str(6 * _pascal(n, 3)),
    ),
    held_out(
        name="round_table",
        parameters={"n": Int((5, 7), (8, 14))},
        wordings=(
            "In how many ways can {n} people sit around a round table?",
            "{n} people sit in a circle. How many different seatings are there?",
        ),
        reference_action="python[math.factorial({n} - 1)]",
        answer_of=lambda n: str(math.prod(range(1, n))),
    ),
    held_out(
        name="grid_paths",
        parameters={"right": Int((3, 5), (6, 12)), "up": Int((3, 5), (6, 12))},
        wordings=(
            "How many shortest paths go {right} steps right and {up} steps up?",
            "A path has {right} steps to the right and {up} steps up. How many such paths are there?",
        ),
        reference_action="python[math.comb({right} + {up}, {up})]",
        answer_of=lambda right, up: str(_pascal(right + up, up)),
    ),
    held_out(
        name="exactly_so_many_heads",
        parameters={"k": Int((3, 4), (4, 9)), "n": Int((5, 8), (10, 18))},
        wordings=(
            "What is the probability of exactly {k} heads in {n} throws of a coin, as a fraction?",
            "How likely are exactly {k} heads when a coin is thrown {n} times, as a fraction?",
        ),
        reference_action="python[Fraction(math.comb({n}, {k}), 2 ** {n})]",
        answer_of=lambda k, n: str(Fraction(_pascal(n, k), 1 << n)),
        constraint=_fewer,
    ),
)

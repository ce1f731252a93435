"""The next token, chosen for every row by its own temperature, nucleus and chance."""

import math

import torch
from hypothesis import given
from hypothesis import strategies as st

from agent0es.models.transformers import sampling
from agent0es.models.transformers.sampling import choose

LOGITS = [math.log(p) for p in (0.1, 0.5, 0.15, 0.25)]


def chosen(temperature: float, top_p: float, chance: float, logits: list[float] = LOGITS) -> int:
    one = torch.tensor
    return int(choose(one([logits]), one([temperature]), one([top_p]), one([chance]))[0])


def test_without_a_temperature_it_is_the_likeliest() -> None:
    assert {chosen(0, 1, chance) for chance in (0, 0.5, 0.99)} == {1}


def test_each_token_gets_its_share_of_the_chances() -> None:
    counts = torch.bincount(torch.tensor([chosen(1, 1, n / 200 + 0.001) for n in range(200)]))
    assert counts.tolist() == [20, 100, 30, 50]


def test_a_nucleus_holds_the_fewest_tokens_that_reach_it() -> None:
    chances = [n / 100 for n in range(100)]
    assert {chosen(1, 0.5, chance) for chance in chances} == {1}
    assert {chosen(1, 0.6, chance) for chance in chances} == {1, 3}
    assert {chosen(1, 0.8, chance) for chance in chances} == {1, 2, 3}


def test_a_nucleus_that_is_wider_than_the_likeliest_few_is_found() -> None:
    flat = [0.0] * (4 * sampling._MOST_LIKELY)
    seen = {chosen(1, 0.75, n / 97, flat) for n in range(97)}
    assert len(seen) == 97


def test_rows_do_not_know_of_one_another() -> None:
    rows = [(0.0, 1.0, 0.3), (1.0, 1.0, 0.3), (0.7, 0.6, 0.9), (2.0, 0.9, 0.1)]
    temperature, top_p, chance = (torch.tensor(list(of_all)) for of_all in zip(*rows, strict=True))
    together = choose(torch.tensor([LOGITS] * len(rows)), temperature, top_p, chance)
    assert together.tolist() == [chosen(*row) for row in rows]


@given(
    st.lists(st.floats(-20, 20), min_size=2, max_size=40),
    st.integers(0, 39),
    st.sampled_from([0.0, 0.2, 1.0, 5.0]),
    st.sampled_from([0.01, 0.5, 0.99, 1.0]),
    st.floats(0, 1, exclude_max=True, width=32),
)
def test_what_may_not_be_written_is_not(
    logits: list[float], barred: int, temperature: float, top_p: float, chance: float
) -> None:
    logits[barred % len(logits)] = float("-inf")
    assert chosen(temperature, top_p, chance, logits) != barred % len(logits)

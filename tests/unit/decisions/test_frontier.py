"""Students whose solve rates are known stay at the frontier, through the schedule's own decisions.

Without tasks that look back at what is easier, of which the last test is about.
"""

import math
from collections import Counter
from collections.abc import Sequence
from statistics import mean
from typing import Any

import pytest

from benchmarks.curriculum import Asked, Student, in_band
from benchmarks.curriculum import practise as practise_all

FAMILIES = {"math": [f"family {i}" for i in range(16)]}
FOUR = {name: [f"{name} {i}" for i in range(12)] for name in ("code", "logic", "long_horizon", "math")}


def practise(*arguments: Any, overrides: Sequence[str] = (), **options: Any) -> list[Asked]:
    """At the frontier alone."""
    return practise_all(*arguments, overrides=[*overrides, "curriculum.review_share=0"], **options)


def solve_rates(asked: list[Asked], window: int = 50) -> list[float]:
    return [mean(one.solved for one in asked[at : at + window]) for at in range(0, len(asked), window)]


@pytest.mark.parametrize("start", [-0.2, 0.2, 0.8])
@pytest.mark.parametrize("in_flight", [1, 40])
def test_within_a_hundred_tasks_the_solve_rate_is_in_the_band_and_stays_there_while_ability_drifts(
    start: float, in_flight: int
) -> None:
    for seed in range(3):
        student = Student(seed, FAMILIES, spread=0.2)
        student.jump(start - 0.2)
        asked = practise(student, 500, in_flight=in_flight)
        assert all(0.25 <= rate <= 0.75 for rate in solve_rates(asked)[2:]), solve_rates(asked)
        if start > 0:  # below, even the easiest tasks are hard for most families, and it is those that are asked
            assert mean(one.difficulty for one in asked[400:]) > mean(one.difficulty for one in asked[100:200])


def test_an_adapter_s_jump_is_caught_up_with_within_a_hundred_tasks() -> None:
    asked = practise(Student(0, FAMILIES, spread=0.2), 400, in_flight=40, jumps={200: 0.4})
    rates = solve_rates(asked)
    assert rates[4] > 0.75, "tasks are too easy at first"
    assert all(0.25 <= rate <= 0.75 for rate in rates[6:])
    assert in_band(asked[300:]) > 0.6


def test_more_tasks_are_at_the_frontier_than_with_other_ways_to_choose() -> None:
    ways = ("curriculum", "random difficulty", "fixed difficulty 0.3")
    adaptive, drawn, fixed = (
        mean(in_band(practise(Student(seed, FAMILIES), 300, way)[100:]) for seed in range(3)) for way in ways
    )
    assert adaptive > 1.5 * max(drawn, fixed)
    assert adaptive > 0.7


def test_where_the_numbers_hardly_matter_the_frontier_is_made_of_families() -> None:
    """As small models are: what they can say right they say right of large numbers too."""
    shares = []
    for seed in range(3):
        student = Student(seed, {"math": [f"family {i}" for i in range(40)]}, 3.6, steepness=(0.2, 0.6), learns=0.0)
        student.jump(4.8)
        asked = practise(student, 400, in_flight=40)
        shares.append((in_band(asked[:100]), in_band(asked[200:])))
    assert mean(first for first, _ in shares) < 0.4
    assert mean(later for _, later in shares) > 0.55


def test_domains_keep_their_floors_while_one_learns() -> None:
    student = Student(0, FOUR, learns=0.0)
    asked = practise(student, 600, overrides=["curriculum.domains=[code, logic, long_horizon, math]"])
    for at in range(0, 600, 100):
        count = Counter(one.domain for one in asked[at : at + 100])
        assert min(count[name] for name in FOUR) >= 8
    assert Counter(one.domain for one in practise(Student(0, FAMILIES), 50)) == {"math": 50}


def test_a_domain_that_nobody_can_solve_leaves_the_others_alone() -> None:
    student = Student(1, FOUR, spread=0.1)
    student.jump(-5.0, "logic")
    asked = practise(student, 400, overrides=["curriculum.domain_floor=0.2"])
    hopeless = [one for one in asked[200:] if one.domain == "logic"]
    others = [one for one in asked[200:] if one.domain != "logic"]
    assert len(hopeless) >= 36
    assert {one.difficulty for one in hopeless} == {0.0}
    assert in_band(others) > 0.7


@pytest.mark.parametrize("rate", [0.04, 0.99])
def test_what_is_hardly_ever_solved_or_nearly_always_takes_little_from_what_can_be_learnt(rate: float) -> None:
    """Where the numbers matter little, so that no difficulty makes it otherwise."""
    families = {"math": [f"math {i}" for i in range(40)], "logic": [f"logic {i}" for i in range(6)]}
    student = Student(0, families, spread=3.5, steepness=(0.4, 0.4), learns=0.0)
    student.jump(2.8, "math")
    student.abilities |= dict.fromkeys(families["logic"], math.log(rate / (1.0 - rate)) / 0.4)
    asked = practise(student, 900, attempts=2, in_flight=40, overrides=["curriculum.domains=[logic, math]"])
    shares = [mean(one.domain == "logic" for one in asked[at : at + 300]) for at in (0, 300, 600)]
    assert 0.1 < shares[2] < 0.3, shares


def test_a_domain_that_is_mastered_at_once_is_taken_to_its_hardest_tasks() -> None:
    student = Student(2, FAMILIES, spread=0.05)
    student.jump(0.6)
    asked = practise(student, 200, in_flight=40)
    assert mean(one.difficulty for one in asked[150:]) > 0.7


def test_a_share_of_the_tasks_looks_back_at_what_is_easier() -> None:
    student = Student(0, FAMILIES, spread=0.0)
    student.jump(0.3)
    ahead = practise(student, 300)[150:]
    back = practise_all(Student(0, FAMILIES, spread=0.0), 300, overrides=["curriculum.review_share=1"])[150:]
    assert min(one.difficulty for one in back) < 0.1
    assert mean(one.difficulty for one in back) < 0.7 * mean(one.difficulty for one in ahead)


def test_without_steering_families_take_turns_at_any_difficulty() -> None:
    asked = practise_all(Student(0, FAMILIES), 320, overrides=["curriculum.steered=false", "curriculum.candidates=1"])
    times = Counter(one.family for one in asked).values()
    assert max(times) - min(times) <= 1
    quarters = Counter(int(4 * one.difficulty) for one in asked)
    assert min(quarters[quarter] for quarter in range(4)) > 50


def test_without_steering_domains_take_turns() -> None:
    asked = practise_all(Student(0, FOUR), 200, overrides=["curriculum.steered=false"])
    times = Counter(one.domain for one in asked).values()
    assert max(times) - min(times) <= 2

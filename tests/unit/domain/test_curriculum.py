"""What is asked for next."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent0es.domain.curriculum import (
    BEYOND,
    FLATTEST,
    STEEPEST,
    Aim,
    DomainStatistics,
    FamilyStatistics,
    ability_of,
    after_task,
    choose_domain,
    choose_families,
    demonstrations_for,
    difficulty_for,
    domain_shares,
    offer,
    predicted_rate,
)
from agent0es.domain.events import TaskCompleted, TaskRequested

FAMILIES = [f"family {i}" for i in range(12)]
TRIED = FamilyStatistics(tasks=10, attempts=40, solved=20, ability=2.5, recent_attempts=40, recent_solved=20)
EXACT = Aim(candidates=1, novelty_share=0.0, review_share=0.0)
MATH = DomainStatistics()


def completed(solved: int, attempts: int = 4, difficulty: float = 0.5) -> TaskCompleted:
    return TaskCompleted(task=1, iteration=1, family="gcd", difficulty=difficulty, attempts=attempts, solved=solved)


def chosen(statistics: dict[str, FamilyStatistics], aim: Aim = EXACT, seed: int = 0) -> list[str]:
    return list(choose_families(FAMILIES, statistics, MATH, [], aim, seed))


def test_a_task_that_all_attempts_solve_makes_the_family_harder() -> None:
    family, domain = after_task(TRIED, MATH, completed(4))
    assert difficulty_for(family, domain) > 0.5


def test_a_task_that_none_solves_makes_it_easier() -> None:
    family, domain = after_task(TRIED, MATH, completed(0))
    assert difficulty_for(family, domain) < 0.5


def test_a_task_that_half_solve_leaves_it_as_it_is() -> None:
    family, domain = after_task(TRIED, MATH, completed(2))
    assert difficulty_for(family, domain) == family.difficulty == 0.5
    assert predicted_rate(family, domain, 0.5) == 0.5


def test_what_was_expected_teaches_next_to_nothing() -> None:
    """Tasks that were under way while the ability rose don't raise it once more."""
    family, domain = FamilyStatistics(), MATH
    for _ in range(40):
        family, domain = after_task(family, domain, completed(4, difficulty=0.0))
    assert 2.0 < ability_of(family, domain) < 5.0
    again, _ = after_task(family, domain, completed(4, difficulty=0.0))
    assert again.ability - ability_of(family, domain) < 0.05


def test_a_family_moves_with_its_domain_and_faster_when_the_adapter_is_new() -> None:
    """What a promoted adapter can is seen at a few families and believed of all."""
    domain, other = MATH, TRIED
    for _ in range(20):
        family = TRIED.under_new_adapter()
        family, domain = after_task(family, domain, completed(4))
    slow, _ = after_task(TRIED, MATH, completed(4))
    assert family.ability - TRIED.ability > slow.ability - TRIED.ability
    assert difficulty_for(other, domain) > 0.8
    assert domain.progress > 1.0


@given(st.lists(st.tuples(st.integers(0, 4), st.floats(0, 1), st.booleans())))
def test_difficulty_never_leaves_the_unit_interval(history: list[tuple[int, float, bool]]) -> None:
    family, domain = FamilyStatistics(), MATH
    for solved, difficulty, promoted in history:
        family, domain = after_task(family, domain, completed(solved, difficulty=difficulty))
        assert 0.0 <= difficulty_for(family, domain) <= 1.0
        assert -BEYOND <= ability_of(family, domain) <= domain.slope + BEYOND
        assert FLATTEST <= domain.slope <= STEEPEST
        if promoted:
            family = family.under_new_adapter()
    assert family.tasks == domain.tasks == len(history)


@given(st.integers(0, 2**31 - 1), st.integers(1, 6))
def test_every_family_keeps_its_share(seed: int, candidates: int) -> None:
    """Whoever the teacher picks among the candidates, no family is asked twice before all are asked once."""
    statistics: dict[str, FamilyStatistics] = {}
    asked = []
    for n in range(len(FAMILIES) - candidates + 1):
        offered = chosen(statistics, Aim(candidates=candidates), seed + n)
        pick = offered[(seed + n) % len(offered)]
        asked.append(pick)
        statistics[pick], _ = after_task(FamilyStatistics(), MATH, completed(2))
    assert len(set(asked)) == len(asked)


def test_tasks_in_flight_count_as_asked() -> None:
    assert "family 0" not in choose_families(FAMILIES, {}, MATH, ["family 0"], Aim(candidates=5), seed=3)


def test_the_same_seed_chooses_the_same_families() -> None:
    assert chosen({}, Aim(candidates=3), 8) == chosen({}, Aim(candidates=3), 8)


def test_families_off_the_frontier_are_asked_a_quarter_as_often_() -> None:
    def count(known: FamilyStatistics) -> Counter[str]:
        """Ask until the families have had 40 tasks on average, with their abilities as they are."""
        statistics = dict.fromkeys(FAMILIES, FamilyStatistics(ability=2.5)) | {"family 0": known}
        asked: Counter[str] = Counter()
        for seed in range(480):
            [name] = chosen(statistics, EXACT, seed)
            asked[name] += 1
            known_now = statistics[name]
            statistics[name] = FamilyStatistics(tasks=known_now.tasks + 1, ability=known_now.ability)
            if seed == 11:
                assert set(asked.values()) == {1}, "breadth first"
        return asked

    assert count(FamilyStatistics(ability=2.5))["family 0"] == 40
    assert 11 <= count(FamilyStatistics(ability=-2.5))["family 0"] <= 14
    assert 11 <= count(FamilyStatistics(ability=7.5))["family 0"] <= 14


def test_a_share_of_the_requests_tries_again_what_was_given_up() -> None:
    statistics = dict.fromkeys(FAMILIES, TRIED) | {"family 3": FamilyStatistics(tasks=9, ability=-2.5)}
    aim = replace(EXACT, novelty_share=0.2)
    asked = Counter(chosen(statistics, aim, seed)[0] for seed in range(500))
    assert 70 < asked["family 3"] < 130
    assert all(chosen(statistics, EXACT, seed) != ["family 3"] for seed in range(50))


@pytest.mark.parametrize("solved", [0, 4])
def test_a_collapsed_domain_is_asked_what_may_bring_it_back(solved: int) -> None:
    family, domain = FamilyStatistics(ability=2.5), MATH
    for _ in range(30):
        family, domain = after_task(family, domain, completed(solved))
    assert domain.collapsed
    behind = FamilyStatistics(tasks=10, ability=2.5, level=domain.level)
    statistics = dict.fromkeys(FAMILIES, behind) | {"family 7": behind if solved else TRIED}
    wanted = [choose_families(FAMILIES, statistics, domain, [], EXACT, seed) for seed in range(20)]
    if solved:
        assert all(0.5 <= difficulty <= 1.0 for one in wanted for difficulty in one.values())
        assert len({difficulty for one in wanted for difficulty in one.values()}) > 5
    else:
        assert all(one == {"family 7": 0.0} for one in wanted), "the one that was solved before, as easy as can be"
    recovered = domain
    for _ in range(3):
        family, recovered = after_task(family, recovered, completed(4 - solved))
    assert not recovered.collapsed


@given(
    st.lists(st.floats(-5, 5), min_size=1, max_size=6),
    st.floats(0, 1),
    st.integers(1, 10**6),
)
def test_any_stretch_of_tasks_keeps_every_domain_s_floor(levels: list[float], floor: float, first: int) -> None:
    domains = {f"domain {i}": DomainStatistics(level=level) for i, level in enumerate(levels)}
    shares = domain_shares(domains, floor)
    least = min(floor, 1 / len(domains))
    assert sum(shares.values()) == pytest.approx(1.0)
    assert min(shares.values()) >= least - 1e-9
    count = Counter(choose_domain(domains, floor, first + n) for n in range(100))
    assert all(abs(count[name] - 100 * shares[name]) <= 4 for name in domains)


def test_what_the_floors_leave_goes_where_abilities_move() -> None:
    domains = {"moving": DomainStatistics(level=2.5), "done": DomainStatistics(level=2.5, earlier_level=2.5)}
    shares = domain_shares(domains, 0.1)
    assert shares["moving"] > 0.8 and shares["done"] > 0.1


def test_worked_examples_are_shown_to_the_base_model_and_to_an_adapter_only_where_it_fails() -> None:
    strong = FamilyStatistics(tasks=3, recent_attempts=12, recent_solved=10)
    weak = FamilyStatistics(tasks=3, recent_attempts=12, recent_solved=2)
    assert demonstrations_for(None, None, 4) == 4
    assert demonstrations_for(strong, None, 4) == 4
    assert demonstrations_for(None, "student-1", 4) == 0
    assert demonstrations_for(strong, "student-1", 4) == 0
    assert demonstrations_for(weak, "student-1", 4) == 4
    assert demonstrations_for(weak.under_new_adapter(), "student-1", 4) == 0


def test_families_are_offered_in_the_same_order_however_the_log_keeps_them() -> None:
    """The first one is most often taken, so it must not always be the first of the alphabet either."""

    def first(seed: int, *families: str) -> str:
        requested = TaskRequested(
            task=1,
            iteration=1,
            domain="math",
            source="families",
            families=dict.fromkeys(families, 0.5),
            novelty_bar=0.0,
            seed=seed,
        )
        assert set(offer(requested)) == set(families)
        return next(iter(offer(requested)))

    assert all(first(seed, "product", "gcd") == first(seed, "gcd", "product") for seed in range(20))
    assert {first(seed, "product", "gcd") for seed in range(20)} == {"product", "gcd"}

"""What is asked for next."""

from hypothesis import given
from hypothesis import strategies as st

from agent0es.domain.curriculum import FamilyStatistics, after_task, choose_families, demonstrations_for, offer
from agent0es.domain.events import TaskCompleted, TaskRequested

FAMILIES = [f"family {i}" for i in range(12)]


def completed(solved: int, attempts: int = 4, difficulty: float = 0.5) -> TaskCompleted:
    return TaskCompleted(task=1, iteration=1, family="gcd", difficulty=difficulty, attempts=attempts, solved=solved)


def test_a_task_that_all_attempts_solve_makes_the_family_harder() -> None:
    assert after_task(None, completed(4)).difficulty > 0.5


def test_a_task_that_none_solves_makes_it_easier() -> None:
    assert after_task(None, completed(0)).difficulty < 0.5


def test_a_task_that_half_solve_leaves_it_as_it_is() -> None:
    assert after_task(None, completed(2)).difficulty == 0.5


@given(st.lists(st.tuples(st.integers(0, 4), st.floats(0, 1))))
def test_difficulty_never_leaves_the_unit_interval(history: list[tuple[int, float]]) -> None:
    statistics = None
    for solved, difficulty in history:
        statistics = after_task(statistics, completed(solved, difficulty=difficulty))
        assert 0.0 <= statistics.difficulty <= 1.0
    assert statistics is None or statistics.tasks == len(history)


@given(st.integers(0, 2**31 - 1), st.integers(1, 6))
def test_every_family_keeps_its_share(seed: int, candidates: int) -> None:
    """Whoever the teacher picks among the candidates, no family is asked twice before all are asked once."""
    statistics: dict[str, FamilyStatistics] = {}
    asked = []
    for n in range(len(FAMILIES) - candidates + 1):
        chosen = list(choose_families(FAMILIES, statistics, [], candidates, seed + n))
        pick = chosen[(seed + n) % len(chosen)]
        asked.append(pick)
        statistics[pick] = after_task(None, completed(2))
    assert len(set(asked)) == len(asked)


def test_tasks_in_flight_count_as_asked() -> None:
    assert "family 0" not in choose_families(FAMILIES, {}, ["family 0"], 5, seed=3)


def test_the_same_seed_chooses_the_same_families() -> None:
    assert choose_families(FAMILIES, {}, [], 3, seed=8) == choose_families(FAMILIES, {}, [], 3, seed=8)


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

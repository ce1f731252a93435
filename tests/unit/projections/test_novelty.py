"""The novelty index: exact nearest neighbours among the tasks of a run."""

import random

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent0es.projections import NoveltyIndex


def test_an_empty_index_knows_no_neighbour() -> None:
    assert NoveltyIndex().nearest([1.0, 0.0]) is None
    assert NoveltyIndex().size == 0


def test_the_nearest_task_is_the_one_with_the_largest_cosine() -> None:
    index = NoveltyIndex.rebuild([3, 8], [[1.0, 0.0], [0.0, 2.0]])

    assert index.nearest([0.6, 0.8]) == (pytest.approx(0.8, abs=1e-6), 8)
    assert index.nearest([0.6, 0.8], k=2) == (pytest.approx(0.6, abs=1e-6), 3)
    assert index.nearest([0.6, 0.8], k=3) is None


def test_the_same_text_is_its_own_nearest_task_with_similarity_one() -> None:
    index = NoveltyIndex.rebuild([1, 2], [[0.3, 0.4], [5.0, 1.0]])
    assert index.nearest([3.0, 4.0]) == (1.0, 1)


@pytest.mark.parametrize("vector", [[0.0, 0.0], [float("nan"), 1.0], [1.0, 2.0, 3.0]])
def test_a_vector_that_fits_nothing_is_refused(vector: list[float]) -> None:
    index = NoveltyIndex.rebuild([1], [[1.0, 0.0]])
    with pytest.raises(ValueError):
        index.add(2, vector)
    with pytest.raises(ValueError):
        index.nearest(vector)
    assert index.size == 1


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32), count=st.integers(1, 40), copies=st.integers(0, 5))
def test_neither_the_order_of_adding_nor_equal_tasks_change_the_answer(seed: int, count: int, copies: int) -> None:
    rng = random.Random(seed)
    vectors = {n: [rng.gauss(0, 1) for _ in range(16)] for n in range(count)}
    vectors |= {count + i: vectors[rng.randrange(count)] for i in range(copies)}
    shuffled = rng.sample(sorted(vectors), len(vectors))
    one = NoveltyIndex.rebuild(vectors, vectors.values())
    other = NoveltyIndex.rebuild(shuffled, [vectors[n] for n in shuffled])

    for query in [*vectors.values(), [rng.gauss(0, 1) for _ in range(16)]]:
        assert one.nearest(query) == other.nearest(query)
        assert one.nearest(query, k=len(vectors)) == other.nearest(query, k=len(vectors))


def test_neighbours_are_the_nearest_ones_in_order_and_no_more_than_there_are() -> None:
    index = NoveltyIndex.rebuild([3, 8, 5], [[1.0, 0.0], [0.0, 2.0], [1.0, 1.0]])

    assert [task for _, task in index.neighbours([1.0, 0.1], k=2)] == [3, 5]
    assert [task for _, task in index.neighbours([1.0, 0.1], k=9)] == [3, 5, 8]
    assert NoveltyIndex().neighbours([1.0], k=1) == []


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32), count=st.integers(50, 400), k=st.integers(1, 5), spread=st.sampled_from([1e-4, 1.0]))
def test_what_half_precision_can_not_tell_apart_is_told_apart(seed: int, count: int, k: int, spread: float) -> None:
    """Vectors so close together that half precision alone would mix them up."""
    rng = numpy.random.default_rng(seed)
    vectors = rng.standard_normal(24) + spread * rng.standard_normal((count, 24))
    unit = (vectors / numpy.linalg.norm(vectors, axis=1, keepdims=True)).astype(numpy.float32)
    index = NoveltyIndex.rebuild(range(count), unit)

    exact = sorted((unit @ unit[0]).tolist(), reverse=True)[:k]
    found = index.neighbours(unit[0], k)
    assert [similarity for similarity, _ in found] == pytest.approx(exact, abs=2e-6)
    assert all(similarity == pytest.approx(float(unit[task] @ unit[0]), abs=2e-6) for similarity, task in found)


@given(st.lists(st.integers(1, 5), max_size=8))
@settings(max_examples=20, deadline=None)
def test_an_index_rebuilt_at_any_position_answers_as_the_one_that_grew(batches: list[int]) -> None:
    rng = random.Random(1)
    rows = [[rng.gauss(0, 1) for _ in range(8)] for _ in range(sum(batches))]
    grown, query = NoveltyIndex(), [rng.gauss(0, 1) for _ in range(8)]
    for batch in batches:
        for _ in range(batch):
            grown.add(grown.size, rows[grown.size])
        rebuilt = NoveltyIndex.rebuild(range(grown.size), rows[: grown.size])
        assert grown.neighbours(query, 50) == rebuilt.neighbours(query, 50)


@pytest.mark.parametrize("tasks", [[1], [1, 2, 3]])
def test_as_many_vectors_as_tasks_make_an_index(tasks: list[int]) -> None:
    with pytest.raises(ValueError, match="vectors"):
        NoveltyIndex.rebuild(tasks, [[1.0], [1.0]])

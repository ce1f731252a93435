"""How fast the novelty index answers and is rebuilt, and how many near-duplicates a run has proposed.

    python benchmarks/novelty.py [--tasks 100000] [--texts 1000]
    python benchmarks/novelty.py --store STORE --run RUN [--similarity 0.98]

The vectors are synthetic unit vectors in clusters, so that there are near neighbours to tell apart, and real embeddings
of the built-in families' tasks. Compared with NumPy: one matrix product and its largest value.
With a store it measures the proposals of a run from their events: the share whose nearest earlier task is at least that
similar.
"""

import argparse
import asyncio
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from agent0es.models.embedder import DIMENSION, Embedder, key_of
from agent0es.models.embedding_cache import EMBEDDINGS_FILE, EmbeddingCache
from agent0es.projections import NoveltyIndex

NEAR_DUPLICATES = """
SELECT
    domain, count(*) AS proposals, count(*) FILTER (1 - novelty >= $similarity) AS near_duplicates,
    round(100 * avg((1 - novelty >= $similarity)::INT), 2) AS percent, round(median(novelty), 4) AS median_novelty
FROM tasks WHERE run = $run AND novelty IS NOT NULL GROUP BY ROLLUP (domain) ORDER BY domain NULLS LAST
"""
"""Near-duplicates among a run's proposals by domain; the last row is all of them."""


def milliseconds(ask: Callable[[np.ndarray], object], queries: np.ndarray) -> tuple[float, float]:
    """Median and 95th percentile."""
    times = []
    for query in queries:
        begin = time.perf_counter()
        ask(query)
        times.append(1000 * (time.perf_counter() - begin))
    return statistics.median(times), sorted(times)[int(0.95 * len(times))]


def synthetic(count: int, rng: np.random.Generator) -> np.ndarray:
    """Unit vectors in clusters of a hundred, whose members are about 0.9 similar."""
    centres = rng.standard_normal((max(1, count // 100), DIMENSION), dtype=np.float32)
    rows = np.repeat(centres, 100, axis=0)[:count] + 0.33 * rng.standard_normal((count, DIMENSION), dtype=np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def measure_index(count: int) -> None:
    rng = np.random.default_rng(0)
    vectors = synthetic(count, rng)
    queries = vectors[rng.integers(0, count, 200)] + 0.01 * rng.standard_normal((200, DIMENSION), dtype=np.float32)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    with tempfile.TemporaryDirectory() as folder:
        keys = [key_of(str(number)) for number in range(count)]
        cache = EmbeddingCache(Path(folder) / EMBEDDINGS_FILE, DIMENSION)
        cache.put(dict(zip(keys, vectors, strict=True)))
        cache.close()
        begin = time.perf_counter()
        kept = EmbeddingCache(Path(folder) / EMBEDDINGS_FILE, DIMENSION).get(keys)
        read = time.perf_counter() - begin
        index = NoveltyIndex.rebuild(range(count), [kept[key] for key in keys])
        rebuilt = time.perf_counter() - begin
    for query in queries[:50]:  # exact: the same neighbour as in NumPy
        exact = vectors @ query
        found = index.nearest(query)
        assert found is not None and abs(float(exact.max()) - found[0]) < 1e-5
    ours, ours_95 = milliseconds(index.nearest, queries)
    ten, _ = milliseconds(lambda query: index.neighbours(query, 10), queries)
    peer, peer_95 = milliseconds(lambda query: int(np.argmax(vectors @ query)), queries)
    print(f"{count:,} tasks: rebuilt from cached embeddings in {rebuilt:.2f} s, {read:.2f} s of it reading them")
    print(f"  nearest: median {ours:.2f} ms, 95% under {ours_95:.2f}; ten nearest {ten:.2f} ms")
    print(f"  NumPy:   median {peer:.2f} ms, 95% under {peer_95:.2f}: {peer / ours:.1f} times ours")


def measure_embedder(count: int) -> None:
    from agent0es.taskdomains import load_task_domain

    rng = random.Random(0)
    families = load_task_domain("math").families("practised")
    texts = []
    for number in range(count):
        family = families[number % len(families)]
        task = family.task(family.sample(rng, 0.5), rng.randrange(len(family.wordings)), 0.5)
        texts.append(task.description)
    with tempfile.TemporaryDirectory() as folder:
        embedder = Embedder(Path(folder) / EMBEDDINGS_FILE)
        asyncio.run(embedder.embed(["a first text, which loads the model"]))
        begin = time.perf_counter()
        vectors = asyncio.run(embedder.embed(texts))
        computed = time.perf_counter() - begin
        begin = time.perf_counter()
        again = asyncio.run(Embedder(Path(folder) / EMBEDDINGS_FILE).embed(texts))
        cached = time.perf_counter() - begin
        assert (again == vectors).all()
        alone = texts[:: max(1, count // 50)]
        single = Embedder()
        asyncio.run(single.embed(["a first text, which loads the model"]))
        begin = time.perf_counter()
        for text in alone:
            asyncio.run(single.embed([text]))
        one = (time.perf_counter() - begin) / len(alone)
    print(
        f"{count:,} texts embedded in {computed:.1f} s, {1000 * computed / count:.1f} ms each; alone {1000 * one:.1f}"
    )
    print(f"  from the cache in {1000 * cached:.0f} ms")
    index, similarities = NoveltyIndex(), []
    for number, vector in enumerate(vectors):
        nearest = index.nearest(vector)
        similarities.append(nearest[0] if nearest else 0.0)
        index.add(number, vector)
    near = [sum(one >= bar for one in similarities) / count for bar in (0.95, 0.98, 0.99, 0.999)]
    print("  tasks drawn at random from the families, as similar as 0.95, 0.98, 0.99, 0.999 to one before: ", end="")
    print(", ".join(f"{share:.1%}" for share in near))


def measure_run(store: Path, run: str, similarity: float) -> None:
    from agent0es.bootstrap import open_tables
    from agent0es.cli.output import write_table

    with open_tables(store) as (_, tables):
        answer = tables.query(NEAR_DUPLICATES, {"run": run, "similarity": similarity})
        write_table(answer.columns, [["all" if v is None else v for v in row] for row in answer.rows])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=100_000)
    parser.add_argument("--texts", type=int, default=1000)
    parser.add_argument("--store", type=Path)
    parser.add_argument("--run")
    parser.add_argument("--similarity", type=float, default=0.98)
    options = parser.parse_args()
    if options.store is not None and options.run is not None:
        measure_run(options.store, options.run, options.similarity)
        return
    measure_index(options.tasks)
    measure_embedder(options.texts)


if __name__ == "__main__":
    main()

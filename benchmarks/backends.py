"""What a backend keeps of the speed of its bare engine or client, in one run on one machine.

For 1, 8 and 32 requests at once, greedy, prints written tokens a second of the backend and of what it is built on,
asked by itself for the same work, and the ratio: `bare_engines.py` and `bare_clients.py` say beside what. They take
turns, the one that goes first changes, every round has questions of its own, and each counts with its best round. What
it takes until a model is loaded, and the first answer, is not counted. A client is asked for what its backend asks for:
a stream with log-probabilities. `text alone` is the same client without either.

Each backend has a process of its own. With --results, what is measured is added to that file, and a second call with
the same models and tokens goes on after the last backend in it.

    python benchmarks/backends.py [--backends NAME,…] [--model NAME,…] [--tokens N] [--seconds N] [--cache DIR]
                                  [--results FILE] [--json]
"""

import argparse
import asyncio
import itertools
import json
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import bare_clients
import bare_engines
from bare_engines import Ask, Pair

from agent0es.errors import Agent0Error, NotInstalled
from agent0es.models.weights import find_weights

AT_ONCE = (1, 8, 32)
PAIRS: Mapping[str, Callable[[str, Path], AbstractAsyncContextManager[Pair]]] = {
    "openvino": bare_engines.openvino,
    "transformers": bare_engines.transformers,
    "llama-cpp": bare_engines.llama_cpp,
    "openai-compatible": bare_clients.openai_compatible,
    "ollama": bare_clients.ollama,
    "cloud": bare_clients.cloud,
    "cli": bare_clients.cli,
    "cli-batch": bare_clients.cli_batch,
}
LARGE, FEW, MANY = 2**29, 8, 48
"""Bytes of a model's file from which on answers have few tokens, and tokens of an answer."""
SECONDS = 10.0
"""Then no other round is begun."""
Row = dict[str, Any]


class OtherWork(Exception):
    """The two did not write the same number of tokens."""


async def measure(name: str, model: str, cache: Path, tokens: int, seconds: float) -> list[Row]:
    """A row for each number of requests. Raises Agent0Error, ImportError and OtherWork."""
    async with PAIRS[name](model, cache) as pair:
        sides = {"tokens_per_second": pair.ours, "bare": pair.bare, "text_alone": pair.plain}
        asks = {side: ask for side, ask in sides.items() if ask is not None}
        days = itertools.count(1000)
        for ask in asks.values():
            await ask(next(questions(1, days)), 4)
        rows = []
        for count in AT_ONCE:
            best = await race(asks, questions(count, days), count * tokens, tokens, seconds)
            row: Row = {"model": model, "backend": name, "requests": count, "tokens": tokens}
            speeds = {side: round(speed, 1) for side, speed in best.items()}
            rows.append(row | speeds | {"ratio": round(best["tokens_per_second"] / best["bare"], 2)})
        return rows


def questions(count: int, days: Iterator[int]) -> Iterator[list[str]]:
    """Questions for one round after another, answered at length, and as long in tokens as each other."""
    while True:
        yield [f"Write a long story about day {next(days)}." for _ in range(count)]


async def race(
    asks: Mapping[str, Ask], asked: Iterator[list[str]], expected: int, tokens: int, seconds: float
) -> dict[str, float]:
    """Tokens a second of each in its best round."""
    best = dict.fromkeys(asks, 0.0)
    order, end = list(asks), time.perf_counter() + seconds
    while True:
        for side in order:
            round_of = next(asked)
            begin = time.perf_counter()
            written = await asks[side](round_of, tokens)
            best[side] = max(best[side], written / (time.perf_counter() - begin))
            if written != expected:
                raise OtherWork(f"{side}: it wrote {written} tokens in place of {expected}")
        if time.perf_counter() >= end:
            return best
        order.reverse()


def alone(name: str, model: str, cache: Path, tokens: int, seconds: float) -> list[Row]:
    """In a process of its own, whose memory is free again afterwards."""
    return asyncio.run(measure(name, model, cache, tokens, seconds))


def shown(row: Row, as_json: bool) -> str:
    if as_json:
        return json.dumps(row)
    alone = f", text alone {row['text_alone']:7}" if "text_alone" in row else ""
    return (
        f"{row['backend']:18} {row['requests']:3} requests {row['tokens_per_second']:8} tokens/s, "
        f"bare {row['bare']:8}, ratio {row['ratio']:5}{alone}"
    )


def main() -> int:
    """Measure and print. Exit code 1 where a backend failed; one that is not installed is left out."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--backends", default=",".join(PAIRS), help="separated by commas")
    parser.add_argument("--model", default="smollm2-135m-instruct", help="embedded names or GGUF files")
    parser.add_argument("--tokens", type=int, help=f"of each answer ({MANY}; {FEW} for a file over 512 MB)")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="for each line; one round at least")
    parser.add_argument("--cache", type=Path, help="where what is made of a model's file stays")
    parser.add_argument("--results", type=Path, help="a file of JSON lines to add to, and to go on after")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    lines = given.results.read_text().splitlines() if given.results and given.results.exists() else []
    known = [json.loads(line) for line in lines]
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        cache = given.cache or Path(folder)
        for model, name in itertools.product(given.model.split(","), given.backends.split(",")):
            large = find_weights(model, cache).path.stat().st_size > LARGE
            tokens = given.tokens or (FEW if large else MANY)
            key = {"model": model, "backend": name, "tokens": tokens}
            rows = [row for row in known if key.items() <= row.items()]
            if not rows:
                try:
                    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
                        rows = pool.submit(alone, name, model, cache, tokens, given.seconds).result()
                except (NotInstalled, ImportError, Agent0Error, OtherWork, BrokenProcessPool) as error:
                    print(f"{name}, {model}: {error}", file=sys.stderr, flush=True)
                    failed |= not isinstance(error, NotInstalled | ImportError)
                    continue
                if given.results:
                    with given.results.open("a") as file:
                        file.writelines(f"{json.dumps(row)}\n" for row in rows)
            if not given.json and name == given.backends.split(",")[0]:
                print(f"{model}, answers of {tokens} tokens")
            for row in rows:
                print(shown(row, given.json), flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())

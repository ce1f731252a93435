"""Public problems before and after practice: GSM8K and HumanEval, with every prompt that the adapter has to beat.

    python benchmarks/public.py DATA [--adapter RUN/NAME] [--minutes 110]

DATA is a folder with the published files, e.g. `gsm8k_test_600.jsonl` and `HumanEval.jsonl`. They are evaluated on and
never practised. Each way of answering is an `agent0es eval` of its own in the store, so what was answered once is never
asked again: the same command goes on after Ctrl-C, after `--minutes`, and after a kill. All ways grow together, a piece
at a time, so a table of any size compares them on the same problems.

Ways: the base model in two formats (`cot`, `program`) with three prompts each (none, 3 and 8 worked examples), and as
the student works (`tools`). With --adapter, the adapter without worked examples as well; it needs the base's results.

Practice comes in between, and is not done here: train with `agent0es run --config configs/public.yaml` into the same
store, then name what it made with --adapter.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROMPTS = (0, 3, 8)
"""Worked examples."""
FILES = {"GSM8K": "gsm8k*.jsonl", "HumanEval": "HumanEval*.jsonl"}
COLUMNS = "{:<11} {:<30} {:>9} {:>7} {:>13} {:>7}"


@dataclass(frozen=True)
class Way:
    """One way of answering one file."""

    benchmark: str
    file: Path
    format: str
    shots: int
    adapter: str | None

    def __str__(self) -> str:
        shots = f", {self.shots} shots" if self.shots else ""
        return f"{self.adapter or 'base'}, {self.format}{shots}"


def ways(data: Path, adapter: str | None) -> Iterator[Way]:
    """All ways, the base's first."""
    for benchmark, pattern in FILES.items():
        for file in sorted(data.glob(pattern))[:1]:
            formats = ("cot", "program") if benchmark == "GSM8K" else ("program",)
            for answer_format in formats:
                prompts = PROMPTS if benchmark == "GSM8K" else (0, 3)
                yield from (Way(benchmark, file, answer_format, shots, None) for shots in prompts)
            yield Way(benchmark, file, "tools", 0, None)
            if adapter is not None:
                yield from (Way(benchmark, file, one, 0, adapter) for one in ("tools", "program"))


def ask(way: Way, limit: int, options: argparse.Namespace) -> dict[str, Any]:
    """Ask the first problems that are not answered yet. Returns the evaluation's record."""
    words = ["eval", "--file", str(way.file), "--format", way.format, "--shots", str(way.shots), "--limit", str(limit)]
    words += ["--store", str(options.store), "--json"]
    words += ["--adapter", way.adapter] if way.adapter else ["--config", str(options.config)]
    for setting in options.set:
        words += ["--set", setting]
    return agent0es(words)


def again(result: Mapping[str, Any], options: argparse.Namespace) -> dict[str, Any]:
    """The record as it is now: compared with those that came later, too. No model is opened."""
    return agent0es(["show", result["evaluation"], "--store", str(options.store), "--json"])


def agent0es(words: Sequence[str]) -> dict[str, Any]:
    """What a command prints. Ends where it fails, which it has said."""
    done = subprocess.run([sys.executable, "-m", "agent0es", *words], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(done.returncode)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def table(results: Mapping[Way, Mapping[str, Any]]) -> Iterator[str]:
    """Scores with intervals, and the test of each way against the base's best prompt on the same file."""
    yield COLUMNS.format("benchmark", "who and how", "strict", "lenient", "95% interval", "tokens")
    for way, result in results.items():
        scores = result["scores"]
        interval = f"{scores['low']:.3f}-{scores['high']:.3f}"
        strict = f"{scores['pass_at']['1']:.3f}"
        tokens = f"{scores['completion_tokens']:.0f}"
        yield COLUMNS.format(way.benchmark, str(way)[:30], strict, f"{scores['lenient']:.3f}", interval, tokens)
    yield ""
    for benchmark in FILES:
        of = {way: result for way, result in results.items() if way.benchmark == benchmark}
        base = {way: result for way, result in of.items() if way.adapter is None}
        if not base:
            continue
        most = max(result["scores"]["problems"] for result in base.values())  # some may be a piece behind
        whole = [way for way, result in base.items() if result["scores"]["problems"] == most]
        best = max(whole, key=lambda way: float(base[way]["scores"]["pass_at"]["1"]))
        yield f"{benchmark}: the base's best prompt is {best}, on {base[best]['scores']['problems']} problems"
        for way, result in of.items():
            if way != best:
                yield from against(way, result, base[best]["evaluation"])


def against(way: Way, result: Mapping[str, Any], rival: str) -> Iterator[str]:
    """A way against the base's best prompt: McNemar's test on the problems that only one of them solved."""
    for one in result["comparisons"]:
        if one["evaluation"] == rival:
            lead = one["share"] - one["rival_share"]
            split = f"{one['better']} better, {one['worse']} worse of {one['problems']}"
            yield f"  {way!s:<30} {lead:+.3f}  {split}, p = {one['p_value']:.3g}"


def leaks(results: Mapping[Way, Mapping[str, Any]]) -> Iterator[str]:
    """What was seen before, of each way."""
    for way, result in results.items():
        found: Sequence[Mapping[str, Any]] = result["contamination"]["leaks"]
        compared = result["contamination"]["compared_with"]
        if found:
            yield f"LEAK: {way} on {way.benchmark}: {len(found)} problems; agent0es show {result['evaluation']}"
        elif way.adapter:
            yield f"{way} on {way.benchmark}: no problem is among {compared['dataset']} training examples"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with the published files")
    parser.add_argument("--store", type=Path, default=Path("store"))
    parser.add_argument("--config", type=Path, default=Path("configs/qwen.yaml"))
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--adapter", metavar="RUN/NAME", help="a trained adapter of the store")
    parser.add_argument("--limit", type=int, default=500, help="problems of each file")
    parser.add_argument("--piece", type=int, default=100, help="problems that each way is asked before the next one")
    parser.add_argument("--minutes", type=float, default=110.0, help="after this time no further piece is begun")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    every = list(ways(options.data, options.adapter))
    if not every:
        parser.error(f"{options.data}: there is none of {', '.join(FILES.values())}")
    began = time.monotonic()
    results: dict[Way, dict[str, Any]] = {}
    for limit in [*range(options.piece, options.limit, options.piece), options.limit]:
        for way in every:
            if time.monotonic() - began > 60 * options.minutes:
                print(f"{options.minutes:g} minutes are over; the same command goes on", file=sys.stderr)
                break
            print(f"{way} on the first {limit} of {way.benchmark}", file=sys.stderr)
            results[way] = ask(way, limit, options)
        else:
            continue
        break
    results = {way: again(result, options) for way, result in results.items()}
    if options.json:
        print(json.dumps([{"way": str(way), "benchmark": way.benchmark, **result} for way, result in results.items()]))
        return
    print("\n".join([*table(results), *leaks(results)]))


if __name__ == "__main__":
    main()

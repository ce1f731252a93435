"""Public problems before and after practice: GSM8K and HumanEval, with every prompt that the adapter has to beat.

    python benchmarks/public.py DATA [--config configs/public.yaml] [--adapter RUN/NAME] [--minutes 110]

DATA is a folder with the published files, e.g. `gsm8k_test_600.jsonl` and `HumanEval.jsonl`. They are evaluated on and
never practised.

First the model practises: a run by `--config`, which is resumed where it was cut off and never made twice; with
--adapter an adapter that is there answers instead. Then each way of answering is an `agent0es eval` of its own in the
store, so what was answered once is never asked again: the same command goes on after Ctrl-C, after `--minutes`, and
after a kill. All ways grow together, a piece at a time, so a table of any size compares them on the same problems.

Ways: the base model in two formats (`cot`, `program`) with three prompts each (none, 3 and 8 worked examples), and as
the student works before it has an adapter (`tools`, with the guide of `--config`); and the adapter of the last
iteration, without worked examples.
"""

import argparse
import json
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from in_pieces import OutOfTime, Row, find_run, rows, watch

from agent0es.configuration import load_configuration

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
        who = "base" if self.adapter is None else self.adapter.rpartition("/")[2]
        return f"{who}, {self.format}{shots}"


def practised(options: argparse.Namespace, ends: float) -> str:
    """RUN/NAME of the adapter that practice gives. Raises OutOfTime."""
    configuration = load_configuration(options.config, options.set)
    run = find_run(configuration, options.store)
    if run is None:
        settings = [word for setting in options.set for word in ("--set", setting)]
        watch(["run", "--config", str(options.config), *settings], options.store, ends)
    elif run["status"] != "completed":
        watch(["run", "--resume", run["run"]], options.store, ends)
    done = find_run(configuration, options.store)
    assert done is not None, "it has just ended"
    return f"{done['run']}/student-{done['iteration']}"


def ways(data: Path, adapter: str) -> Iterator[Way]:
    """All ways, the base's first."""
    for benchmark, pattern in FILES.items():
        for file in sorted(data.glob(pattern))[:1]:
            formats = ("cot", "program") if benchmark == "GSM8K" else ("program",)
            for answer_format in formats:
                prompts = PROMPTS if benchmark == "GSM8K" else (0, 3)
                yield from (Way(benchmark, file, answer_format, shots, None) for shots in prompts)
            yield Way(benchmark, file, "tools", 0, None)
            yield from (Way(benchmark, file, one, 0, adapter) for one in ("tools", "program"))


def ask(way: Way, limit: int, options: argparse.Namespace) -> Row:
    """Ask the first problems that are not answered yet. Returns the evaluation's record."""
    words = ["--file", str(way.file), "--format", way.format, "--shots", str(way.shots), "--limit", str(limit)]
    words += ["--adapter", way.adapter] if way.adapter else ["--config", str(options.config)]
    for setting in options.set:
        words += ["--set", setting]
    [result] = rows("eval", options.store, *words)
    return result


def again(result: Row, options: argparse.Namespace) -> Row:
    """The record as it is now: compared with those that came later, too. No model is opened."""
    [now] = rows("show", options.store, result["evaluation"])
    return now


def table(results: Mapping[Way, Row]) -> Iterator[str]:
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


def against(way: Way, result: Row, rival: str) -> Iterator[str]:
    """A way against the base's best prompt: McNemar's test on the problems that only one of them solved."""
    for one in result["comparisons"]:
        if one["evaluation"] == rival:
            lead = one["share"] - one["rival_share"]
            split = f"{one['better']} better, {one['worse']} worse of {one['problems']}"
            yield f"  {way!s:<30} {lead:+.3f}  {split}, p = {one['p_value']:.3g}"


def leaks(results: Mapping[Way, Row]) -> Iterator[str]:
    """What was seen before, of each way."""
    for way, result in results.items():
        found: Sequence[Row] = result["contamination"]["leaks"]
        compared = result["contamination"]["compared_with"]
        if found:
            yield f"LEAK: {way} on {way.benchmark}: {len(found)} problems; agent0es show {result['evaluation']}"
        elif way.adapter:
            yield f"{way} on {way.benchmark}: no problem is among {compared['dataset']} training examples"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with the published files")
    parser.add_argument("--store", type=Path, default=Path("store"))
    parser.add_argument("--config", type=Path, default=Path("configs/public.yaml"), help="how it practises")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--adapter", metavar="RUN/NAME", help="one of the store, in place of practice")
    parser.add_argument("--limit", type=int, default=500, help="problems of each file")
    parser.add_argument("--piece", type=int, default=100, help="problems that each way is asked before the next one")
    parser.add_argument("--minutes", type=float, default=110.0, help="after this time no further piece is begun")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if not any(ways(options.data, "")):
        parser.error(f"{options.data}: there is none of {', '.join(FILES.values())}")
    ends = time.monotonic() + 60 * options.minutes
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # else the run that it watches would go on alone
    try:
        every = list(ways(options.data, options.adapter or practised(options, ends)))
    except OutOfTime:
        sys.exit("stopped while it practises; the same command goes on")
    results: dict[Way, Row] = {}
    for limit in [*range(options.piece, options.limit, options.piece), options.limit]:
        for way in every:
            if time.monotonic() > ends:
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
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("stopped; the same command goes on")

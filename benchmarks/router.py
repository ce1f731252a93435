"""The router against what users would pick instead, on real models; and how fast it is by itself.

    python benchmarks/router.py table [--families practised|held_out] [--gsm8k FILE.jsonl] [--store store-router]
                                      [--limit N] [--minutes 110] [--cloud-url http://…/v1] [--plot FILE.svg] [--json]
    python benchmarks/router.py speed [--entries 10000] [--json]

`table`: 75 questions of each of four task domains, and 150 of GSM8K. Those of the domains are of families that a run
practises, as users would ask a model that was trained for them (what came up in the store's practice word for word is
left out), or of those that no run ever practises. The local model (the embedded one, with its adapter where the store
has one in use) makes its drafts, and the model behind it answers each question too, once. All of it is a batch in the
store, so the same command goes on after Ctrl-C, after `--minutes`, and after a kill; with a higher `--limit` it asks
what is missing. The questions are shuffled, so that the first ones are a fair sample. Each row of the table is then
computed from what was recorded, by cross-validation: what a rule learns is never measured on what it learnt from.

Behind the local model is Qwen2.5-Coder-1.5B in a real llama-server (xllamacpp), or any server with `--cloud-url`;
`--input-price` and `--output-price` are its prices in dollars for a million tokens.

`speed`: a hit among so many kept answers, what a decision takes before anybody is asked, and whether fifty questions at
once stay within a budget. `cpu_ms` is processor time of all threads, for machines on which others work too.
"""

import argparse
import asyncio
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
os.environ["PYTHONPATH"] = str(ROOT)  # the server's process needs the tests' helper too
sys.path.insert(0, str(ROOT))

import router_speed  # noqa: E402

from agent0es.bootstrap import open_store, open_tables  # noqa: E402
from agent0es.configuration import Configuration, load_configuration  # noqa: E402
from agent0es.decisions.tradeoff import Aim, Compared, Measured, cross_validated, curve, parted  # noqa: E402
from agent0es.domain.seeds import derive_seed  # noqa: E402
from agent0es.errors import Agent0Error  # noqa: E402
from agent0es.evaluation.benchmarks import Line, read_file  # noqa: E402
from agent0es.evaluation.estimates import paired  # noqa: E402
from agent0es.models.weights import find_weights  # noqa: E402
from agent0es.projections import Projections  # noqa: E402
from agent0es.runs import tradeoff  # noqa: E402
from agent0es.runs.batching import Progress, batch, masked  # noqa: E402
from agent0es.taskdomains import Split, load_task_domain  # noqa: E402

DOMAINS = ("math", "code", "logic", "long_horizon")
OF_EACH, OF_GSM8K = 75, 150
SEED = 15
"""Pinned: the questions and their order are always the same."""
QWEN = "qwen2.5-coder-1.5b-instruct"
SLOTS, CONTEXT = 4, 4096
"""Requests that the server answers at the same time, and tokens of each."""
AIMS = {
    "keeping 95% of always-cloud's accuracy": Aim(keep=0.95),
    "spending at most 40% of always-cloud's cost": Aim(spend=0.40),
}
COLUMNS = "{:<24} {:>8} {:>15} {:>11} {:>7} {:>7} {:>7} {:>7}"


def questions(split: Split, gsm8k: Path | None) -> list[Line]:
    """All of them, in a fixed order in which the first ones are a fair sample."""
    found = []
    for name in DOMAINS:
        families = list(load_task_domain(name).families(split))
        random.Random(SEED).shuffle(families)  # more of them than questions, in some domains
        for number in range(OF_EACH):
            family = families[number % len(families)]
            rng = random.Random(derive_seed(SEED, "router", name, number))
            difficulty = (0.1, 0.3, 0.5, 0.7, 0.9)[number % 5]
            task = family.task(family.sample(rng, difficulty), rng.randrange(len(family.wordings)), difficulty)
            found.append(Line(0, f"{name}/{family.name}", masked(task)))
    if gsm8k is not None:
        found += [Line(0, "gsm8k", masked(one.task)) for one in read_file(gsm8k)[:OF_GSM8K]]
    random.Random(SEED).shuffle(found)
    return [Line(place, line.id, line.task) for place, line in enumerate(found, 1)]


@contextmanager
def behind(options: argparse.Namespace) -> Iterator[tuple[str, str]]:
    """The address of the model behind the local one, and its name there."""
    if options.cloud_url or options.no_ask:
        yield options.cloud_url or "http://localhost:0/v1", options.cloud_model
        return
    from tests.support.llama_server import LlamaServer

    path = find_weights(QWEN, options.store / "base").path
    with LlamaServer(path, threads=options.threads, n_ctx=SLOTS * CONTEXT, n_parallel=SLOTS) as server:
        yield f"{server.url}/v1", str(path)


def configured(options: argparse.Namespace, address: str, model: str) -> Configuration:
    """Both models, asked to be compared; nothing is taken from the cache."""
    return load_configuration(
        options.config,
        [
            "router.compare=true",
            "router.cache_size=0",
            "router.timeout_seconds=1800",
            f"router.drafts={options.drafts}",
            "router.cloud.backend=openai-compatible",
            f"router.cloud.name={model}",
            f"router.cloud.base_url={address}",
            "router.cloud.max_tokens=512",
            f"router.cloud.input_price={options.input_price}",
            f"router.cloud.output_price={options.output_price}",
            *options.set,
        ],
    )


class Watcher:
    def __init__(self) -> None:
        self.last = 0.0

    def opened(self, batch: str, progress: Progress) -> None:
        print(f"{batch}: {progress.done} of {progress.total} were asked before", file=sys.stderr)

    def answered(self, progress: Progress) -> None:
        if time.monotonic() - self.last > 15.0 or progress.done == progress.total:
            self.last = time.monotonic()
            print(f"{progress.done}/{progress.total}, ${progress.cost_usd:.4f}", file=sys.stderr, flush=True)


async def ask(options: argparse.Namespace, lines: Sequence[Line], configuration: Configuration, name: str) -> None:
    """What is missing, for as long as there is time."""
    with open_store(options.store, create=True) as log:
        try:
            async with asyncio.timeout(60 * options.minutes):
                asked = batch(
                    options.store, log, configuration, lines, options.concurrency, Watcher(), lambda _: None, name
                )
                short = await asked
                if short["failed"]:
                    print(f"{short['failed']} questions failed; the same command asks them again", file=sys.stderr)
        except TimeoutError:
            print(f"{options.minutes:g} minutes are over; the same command goes on", file=sys.stderr)


def measured(compared: Sequence[Compared], store: Path, configuration: Configuration) -> dict[str, dict[str, Measured]]:
    """Each aim to each rule to what it came to on questions that it had not learnt from."""
    similar = tradeoff.alike(store, compared)
    rules = tradeoff.rules(compared, similar, list(configuration.router.signals))
    return {
        words: {name: cross_validated(compared, rule, aim) for name, rule in rules.items()}
        for words, aim in AIMS.items()
    }


def unpractised(compared: Sequence[Compared], tables: Projections) -> list[Compared]:
    """The questions that no task of the store's runs was word for word."""
    practised = {
        " ".join(text.split())
        for [text] in tables.query("SELECT description FROM tasks WHERE description IS NOT NULL").rows
    }
    return [one for one in compared if " ".join(one.question.split()) not in practised]


def at_best(compared: Sequence[Compared]) -> str:
    """What a rule would come to that knew beforehand which of both answers is right, and paid where only that helps."""
    right = statistics.fmean(one.first.correct or one.cloud.correct for one in compared)
    spent = sum(one.cloud.cost_usd for one in compared if one.cloud.correct and not one.first.correct)
    share = spent / sum(one.cloud.cost_usd for one in compared)
    return f"a rule that knew both verdicts: {right:.3f} right at {share:.0%} of always-cloud's cost"


def table(found: Mapping[str, Mapping[str, Measured]], compared: Sequence[Compared]) -> Iterator[str]:
    yield f"{len(compared)} questions that both models answered; {at_best(compared)}"
    for domain in sorted({one.domain for one in compared}):
        mine = [one for one in compared if one.domain == domain]
        shares = [sum(of) / len(mine) for of in zip(*((c.first.correct, c.cloud.correct) for c in mine), strict=True)]
        yield f"  {domain:<16} {len(mine):>4} local {shares[0]:.3f}, cloud {shares[1]:.3f}"
    for words, rows in found.items():
        cloud = rows["always cloud"]
        yield ""
        yield f"Thresholds that are learnt are chosen for {words}"
        yield COLUMNS.format("", "right", "95% interval", "$ a 1000", "of cloud", "p50 s", "p95 s", "local")
        for name, row in rows.items():
            share = f"{row.cost_usd / cloud.cost_usd:.0%}" if cloud.cost_usd else ""
            interval = f"{row.low:.3f}-{row.high:.3f}"
            yield COLUMNS.format(
                name,
                f"{row.accuracy:.3f}",
                interval,
                f"{1000 * row.cost_usd:.4f}",
                share,
                f"{row.p50:.2f}",
                f"{row.p95:.2f}",
                f"{row.share_local:.0%}",
            )
        for rival in ("kNN alone", "token confidence alone"):
            pair = paired(*({str(at): right for at, right in enumerate(rows[n].outcomes)} for n in ("ours", rival)))
            assert pair is not None, "they were asked the same"
            lead = f"{pair.share - pair.rival_share:+.3f}, {pair.better} better, {pair.worse} worse"
            yield f"  ours against {rival}: {lead}, p = {pair.p_value:.3g}"
        kept = rows["ours"].accuracy / cloud.accuracy if cloud.accuracy else 0.0
        spent = rows["ours"].cost_usd / cloud.cost_usd if cloud.cost_usd else 0.0
        yield f"  ours: {kept:.1%} of always-cloud's accuracy at {spent:.1%} of its cost"


def plot(compared: Sequence[Compared], store: Path, configuration: Configuration, file: Path) -> None:
    """Accuracy by cost for the rules with a threshold, each threshold's point on parts that were not learnt from."""
    import numpy as np
    from matplotlib.figure import Figure

    rules = tradeoff.rules(compared, tradeoff.alike(store, compared), list(configuration.router.signals))
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    for name in ("kNN alone", "token confidence alone", "ours"):
        rule, sure = rules[name], np.zeros(len(compared))
        for learnt, others in parted(len(compared), 10):
            sure[others] = rule.fit(learnt)(learnt, others)  # each part from the others
        points = curve(compared, np.arange(len(compared)), sure, rule)
        axes.plot([1000 * p.cost_usd for p in points], [p.accuracy for p in points], label=name)
    for name in ("first", "cloud"):
        options = [getattr(one, name) for one in compared]
        cost, right = (statistics.fmean(getattr(one, of) for one in options) for of in ("cost_usd", "correct"))
        axes.plot(1000 * cost, right, "o", color="black")
        axes.annotate({"first": "always local", "cloud": "always cloud"}[name], (1000 * cost, right))
    axes.set(xlabel="$ for 1,000 questions", ylabel="right")
    axes.legend()
    figure.savefig(file, metadata={"Date": None} if file.suffix == ".svg" else None)


def table_command(options: argparse.Namespace) -> None:
    lines = questions(options.families, options.gsm8k)[: options.limit]
    options.store.mkdir(parents=True, exist_ok=True)
    name = f"batch-table-{options.families}-{options.drafts}"
    with behind(options) as (address, model):
        configuration = configured(options, address, model)
        if not options.no_ask:
            asyncio.run(ask(options, lines, configuration, name))
    with open_tables(options.store) as (_, tables):
        answered = tradeoff.compared(tables, name)
        compared = unpractised(answered, tables)
    if len(compared) < len(answered):
        print(f"{len(answered) - len(compared)} questions came up in practice and are left out", file=sys.stderr)
    if len(compared) < 2:
        sys.exit("fewer than two questions were answered by both; nothing to compare")
    found = measured(compared, options.store, configuration)
    if options.plot:
        plot(compared, options.store, configuration, options.plot)
    if options.json:
        print(json.dumps({words: {n: tradeoff.told(row) for n, row in rows.items()} for words, rows in found.items()}))
    else:
        print("\n".join(table(found, compared)))


def speed_command(options: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as folder:
        found = {
            "cache hit": asyncio.run(router_speed.hits(Path(folder) / "hits", options.entries)),
            "decision without drafts": asyncio.run(router_speed.overhead(Path(folder) / "overhead")),
            "fifty at once": asyncio.run(router_speed.fifty(Path(folder) / "fifty")),
        }
    if options.json:
        print(json.dumps(found))
        return
    for name, row in found.items():
        print(f"{name:<24} " + ", ".join(f"{key} {value:g}" for key, value in row.items()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = parser.add_subparsers(required=True)
    one = parts.add_parser("table", help="the router against what users would pick instead")
    one.set_defaults(command=table_command)
    one.add_argument("--store", type=Path, default=Path("store-router"))
    one.add_argument("--families", choices=("practised", "held_out"), default="practised")
    one.add_argument("--gsm8k", type=Path, metavar="FILE", help="the published test file")
    one.add_argument("--limit", type=int, metavar="N", help="only the first N questions")
    one.add_argument("--minutes", type=float, default=110.0, help="after this time it stops, and can go on")
    one.add_argument("--concurrency", type=int, default=SLOTS, help="questions at once")
    one.add_argument("--drafts", type=int, default=3)
    one.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="of the server started here")
    one.add_argument("--cloud-url", metavar="URL", help="an OpenAI-compatible server, instead of one started here")
    one.add_argument("--cloud-model", default=QWEN, metavar="NAME", help="its name there")
    one.add_argument("--input-price", type=float, default=0.3, help="dollars for a million tokens read")
    one.add_argument("--output-price", type=float, default=1.2, help="dollars for a million tokens written")
    one.add_argument("--config", type=Path)
    one.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    one.add_argument("--no-ask", action="store_true", help="only compute the table from what the store has")
    one.add_argument("--plot", type=Path, metavar="FILE.svg")
    one.add_argument("--json", action="store_true")
    other = parts.add_parser("speed", help="cache, overhead, budget")
    other.set_defaults(command=speed_command)
    other.add_argument("--entries", type=int, default=10_000)
    other.add_argument("--json", action="store_true")
    options = parser.parse_args()
    try:
        options.command(options)
    except Agent0Error as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("stopped; the same command goes on")


if __name__ == "__main__":
    main()

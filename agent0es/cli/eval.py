"""`agent0es eval`: what a model or an adapter can do, on built-in suites or on files of problems."""

import asyncio
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agent0es.cli.exit_codes import INTERRUPTED
from agent0es.cli.hints import command
from agent0es.cli.output import json_line, json_option, printable, store_option, write_lines, write_table
from agent0es.domain.text import counted

if TYPE_CHECKING:
    from agent0es.domain.events import AnswerFormat
    from agent0es.log import EventLog
    from agent0es.runs.asking import Wanted

FORMATS = ("tools", "cot", "program")
MOST_LEAKS = 10
"""Leaks that are named; --json has all."""
LEARNT_OTHERWISE = (
    "{name} learnt from other rows than its log gives now: what students are told, or how rows are chosen, has changed "
    "since. Told something else than it learnt, it may answer worse than it can."
)


@click.command("eval")
@click.option("--suite", metavar="NAME", help="held-out, task domains, or families; with commas.  [default: held-out]")
@click.option(
    "--file", "file", type=click.Path(path_type=Path), metavar="F.jsonl", help="Problems of GSM8K, MATH, HumanEval, …"
)
@click.option("--adapter", metavar="[RUN/]A", help="Answer with this adapter.  [default: the base model]")
@click.option("--model", metavar="NAME", help="Another model: models.student.name.")
@click.option(
    "--config", "config_file", type=click.Path(path_type=Path), metavar="FILE", help="YAML file; configs/ has examples."
)
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Set one key; repeatable.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N problems.")
@click.option("--k", "samples", type=click.IntRange(1, 256), default=1, help="Answers to each.  [default: 1, greedy]")
@click.option(
    "--format", "answer_format", type=click.Choice(FORMATS), default="tools", show_default=True, help="How to answer."
)
@click.option(
    "--shots", type=click.IntRange(0, 16), default=0, metavar="N", help="Worked examples in the prompt.  [default: 0]"
)
@store_option
@json_option
def eval_command(
    suite: str | None,
    file: Path | None,
    adapter: str | None,
    model: str | None,
    config_file: Path | None,
    overrides: tuple[str, ...],
    limit: int | None,
    samples: int,
    answer_format: "AnswerFormat",
    shots: int,
    store: Path,
    as_json: bool,
) -> None:
    """Measure a model or an adapter on problems it never practised.

    Without --file the problems are built in: families that are never practised, the same ones for every model. The
    format `tools` is how the student works in a run, `cot` is reasoning that ends in `Answer:`, and `program` one
    Python program that prints the answer. With --k more answers are drawn at the student's temperature.

    The same command goes on where it was cut off, and asks what is missing for a higher --limit. The result is compared
    with all earlier evaluations of the same problems in the store. With --adapter the settings are those of its run.
    """
    from agent0es.bootstrap import open_store
    from agent0es.runs import evaluating, exporting_datasets, looking
    from agent0es.runs.tracing import place

    if suite is not None and file is not None:
        raise click.UsageError("--suite and --file both say what to ask; leave one out")
    trained = None
    if adapter is not None:
        with open_store(store) as log:  # which makes no store
            trained = evaluating.trained(log, place(adapter))
            if answer_format == "tools" and exporting_datasets.gives_other_rows_now(log, trained.run, trained.name):
                click.echo(LEARNT_OTHERWISE.format(name=trained.name), err=True)
    configuration = evaluating.settings(trained, config_file, overrides, model)
    asked = evaluating.wanted(
        configuration,
        suite=suite or "held-out",
        file=file,
        adapter=trained,
        limit=limit,
        samples=samples,
        answer_format=answer_format,
        shots=shots,
    )
    with open_store(store, create=True, url=configuration.log.url) as log:
        name = _ask(store, log, asked, as_json)
        result = looking.evaluation(log, name)
    if not as_json and asked.limit < (every := result["scores"]["problems"]):
        write_lines([f"{counted(every, 'problem')} of it had been answered; the scores are of all of them."])
    write_result(result, store, as_json)


def _ask(store: Path, log: "EventLog", asked: "Wanted", as_json: bool) -> str:
    """Ask what is missing and show how it goes. Returns the evaluation's name; exits with 130 where the user stops."""
    try:
        return asyncio.run(_until_stopped(store, log, asked, as_json))
    except (KeyboardInterrupt, asyncio.CancelledError):
        click.echo("Stopped; nothing is lost. The same command goes on from here.", err=True)
        sys.exit(INTERRUPTED)


async def _until_stopped(store: Path, log: "EventLog", asked: "Wanted", as_json: bool) -> str:
    from agent0es.runs.evaluating import evaluate

    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    watcher = Watcher(as_json)
    try:
        return await evaluate(store, log, asked, watcher)
    finally:
        watcher.close()


class Watcher:
    """Shows how an evaluation goes."""

    def __init__(self, as_json: bool) -> None:
        from rich.console import Console

        from agent0es.cli.meters import meter_for

        self._json = as_json
        self._meter = meter_for(Console(), lambda text: write_lines([text]), as_json)
        self._began = time.monotonic()
        self._meter.show("opening the model, the tools and the sandbox", 0, None, "")

    def opened(self, evaluation: str, continued: bool) -> None:
        """Say which evaluation this is."""
        self._began = time.monotonic()
        if not self._json:
            write_lines([f"{evaluation}: {'goes on' if continued else 'begins'}"])

    def answered(self, done: int, total: int, right: int, tokens: int) -> None:
        """How many answers there are, and how many are right."""
        rate = tokens / max(1.0, time.monotonic() - self._began)
        share = f"{right / done:.0%} right" if done else ""
        self._meter.show("answers", done, total, f"{share}, {rate:.0f} tokens/s" if done else "")

    def close(self) -> None:
        self._meter.close()


def write_result(result: Mapping[str, Any], store: Path, as_json: bool) -> None:
    """The scores of an evaluation, the comparisons with others, and leaks."""
    if as_json:
        write_lines([json_line(result)])
        return
    name, scores = result["evaluation"], result["scores"]
    write_lines([printable(f"{name}: {result['suite']}"), printable(f"{result['model']}, {result['label']}"), ""])
    whole = result["problems"] * result["way"]["samples"]
    if result["answers"] < whole:
        write_lines([f"{result['answers']} of {whole} answers are there; the same command goes on.", ""])
    elif scores is not None and scores["problems"] < result["problems"]:
        write_lines([f"Of the first {scores['problems']} of {result['problems']} problems that were answered:", ""])
    if scores is not None:
        _write_scores(scores, result["seconds"])
        _write_parts(scores)
    if refused := result["refused"]:
        said = f"The model refused {counted(len(refused), 'request')}, which count as wrong: {refused[0]['why']}"
        write_lines(["", printable(said)])
    _write_comparisons(result)
    _write_contamination(result)
    attempt = next((one["attempt"] for one in result["attempts"] if one["correct"] is not True), None)
    if attempt is not None:
        words = [("show", attempt, "--run", name), ("audit", name)]
        write_lines(["", *(printable(command(store, *some)) for some in words)])


def _write_scores(scores: Mapping[str, Any], seconds: float | None) -> None:
    def share(value: float, low: float | None = None, high: float | None = None) -> tuple[str, str]:
        return f"{value:.1%}", "" if low is None or high is None else f"{low:.1%} to {high:.1%}"

    rows = [("strict", *share(scores["pass_at"]["1"], scores["low"], scores["high"]))]
    rows.append(("lenient", *share(scores["lenient"], scores["lenient_low"], scores["lenient_high"])))
    rows += [(f"pass@{k}", *share(value)) for k, value in scores["pass_at"].items() if k != "1"]
    if scores["majority"] is not None:
        rows.append((f"majority@{scores['samples']}", *share(scores["majority"])))
    rows.append(("without an answer", *share(scores["unanswered"])))
    rows.append(("undecided", *share(scores["undecided"])))
    rows.append(("with a tool", *share(scores["with_tool"])))
    rows.append(("tokens read, written", f"{scores['prompt_tokens']:.0f}, {scores['completion_tokens']:.0f}", ""))
    if seconds is not None:
        rows.append(("seconds an answer", f"{seconds:.1f}", ""))
    problems = counted(scores["problems"], "problem")
    write_table(["", problems, "95% interval"], rows)


def _write_parts(scores: Mapping[str, Any]) -> None:
    for kind in ("domain", "difficulty"):
        parts = scores[f"by_{kind}"]
        if len(parts) > 1:
            write_lines([""])
            rows = [
                (name, f"{tally['solved']:g}", tally["problems"], f"{tally['solved'] / tally['problems']:.0%}")
                for name, tally in parts.items()
            ]
            write_table([kind, "solved", "of", "share"], rows)


def _write_comparisons(result: Mapping[str, Any]) -> None:
    if not result["comparisons"]:
        return
    of_label = Counter(one["label"] for one in result["comparisons"])
    rows = [
        (
            printable(_rival(one, result["model"], alone=of_label[one["label"]] == 1)),
            one["problems"],
            f"{one['rival_share']:.1%}",
            f"{one['share'] - one['rival_share']:+.1%}",
            one["better"],
            one["worse"],
            f"{one['p_value']:.2g}",
        )
        for one in result["comparisons"]
    ]
    title = "Against others on the same problems (strict, first answers; McNemar, exact)"
    write_lines([""])
    write_table(["other", "of", "other's", "lead", "better", "worse", "p"], rows, title)


def _rival(one: Mapping[str, Any], model: str, *, alone: bool) -> str:
    """Who another evaluation is of, with a mark at the base model's best prompt. Its name, where it isn't `alone` with
    what would be said of it: settings, or the run, tell them apart then."""
    label = one["label"] if alone else one["evaluation"]
    if alone and one["model"] != model:
        label = f"{one['model']}: {label}"
    return f"{label} (best of base)" if one["best_of_base"] else str(label)


def _write_contamination(result: Mapping[str, Any]) -> None:
    compared, leaks = result["contamination"]["compared_with"], result["contamination"]["leaks"]
    what = [counted(compared["dataset"], "training example")] if result["way"]["adapter"] else []
    what += [counted(compared["worked examples"], "worked example")] if compared["worked examples"] else []
    if not what:
        return
    if not leaks:
        write_lines(["", f"No problem, nor one nearly the same, is among {' and '.join(what)}."])
        return
    problems = len({leak["problem"] for leak in leaks})
    write_lines(["", f"LEAK: {counted(problems, 'problem')} seen before, among {' and '.join(what)}:"])
    write_lines(_leak_lines(leaks[:MOST_LEAKS]))
    if len(leaks) > MOST_LEAKS:
        write_lines([f"  … and {len(leaks) - MOST_LEAKS} more; --json has all"])


def _leak_lines(leaks: Sequence[Mapping[str, Any]]) -> Iterable[str]:
    for leak in leaks:
        where = leak["seen_in"] + (f" of run {leak['run']}" if leak["run"] else "")
        how = "the same" if leak["same"] else "nearly the same"
        yield printable(f"  problem {leak['problem']} ({leak['source']}) is {how} as in {where}")


def write_evaluations(rows: Sequence[Mapping[str, Any]], store: Path, as_json: bool) -> None:
    """All evaluations, the oldest first."""
    if as_json:
        write_lines(map(json_line, rows))
    elif not rows:
        write_lines([f"No evaluations yet. Make one with: {command(store, 'eval')}"])
    else:
        body = [
            (
                row["evaluation"],
                row["suite"],
                row["label"],
                f"{row['answers']}/{row['of']}",
                "running" if row["running"] else None if row["score"] is None else f"{row['score']:.1%}",
            )
            for row in rows
        ]
        write_table(["evaluation", "suite", "who and how", "answers", "strict"], body)

"""`agent0es batch`: a file of questions, answered by the router in order."""

import asyncio
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from agent0es.cli.ask import config_option, domain_option, set_option
from agent0es.cli.exit_codes import INTERRUPTED
from agent0es.cli.hints import command
from agent0es.cli.output import json_line, json_option, printable, store_option, write_lines
from agent0es.domain.text import counted

if TYPE_CHECKING:
    from agent0es.configuration import Configuration
    from agent0es.evaluation.benchmarks import Line
    from agent0es.runs.batching import Progress


@click.command("batch")
@click.argument("file", type=click.Path(path_type=Path), metavar="TASKS.jsonl")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, metavar="FILE", help="Where the answers go."
)
@domain_option
@click.option(
    "--concurrency", type=click.IntRange(1, 256), default=8, show_default=True, metavar="N", help="Questions at once."
)
@click.option("--both", is_flag=True, help="Have both models answer each question, for route calibrate.")
@config_option
@set_option
@store_option
@json_option
def batch_command(
    file: Path,
    output: Path,
    domain: str,
    concurrency: int,
    both: bool,
    config_file: Path | None,
    overrides: tuple[str, ...],
    store: Path,
    as_json: bool,
) -> None:
    """Ask a file of questions, in order.

    Each line is answered as `agent0es ask` does. It is a JSON object: `question`, and where there are `domain`,
    `answer` (or `reference`), `tests`, `id`; the formats of `agent0es eval --file` are read too. Where the answer is
    known, the router's one is judged. A line of the answers is an object too, in the same order; one that failed has
    an `error`.

    The same command goes on where it was cut off: nothing is asked or paid again, but for what failed. Exit code 1
    where a line has no answer.
    """
    from agent0es.configuration import load_configuration
    from agent0es.files import replacing
    from agent0es.runs.batching import questions

    configuration = load_configuration(config_file, [*overrides, *(["router.compare=true"] if both else [])])
    lines = questions(file, domain)
    with replacing(output) as stream:
        result = _ask(store, configuration, lines, concurrency, stream, as_json)
    if result is None:
        click.echo(f"Stopped; {output} has what was answered so far. The same command goes on from here.", err=True)
        sys.exit(INTERRUPTED)
    if as_json:
        write_lines([json_line({**result, "output": str(output)})])
    else:
        _write(result, output, store)
    if result["failed"]:
        sys.exit(1)


def _ask(
    store: Path,
    configuration: "Configuration",
    lines: "list[Line]",
    concurrency: int,
    stream: IO[bytes],
    as_json: bool,
) -> dict[str, Any] | None:
    """The batch in short; None where the user stopped it."""

    def write(record: Mapping[str, Any]) -> None:
        stream.write(json_line(record).encode() + b"\n")
        stream.flush()

    async def until_stopped() -> dict[str, Any]:
        from agent0es.bootstrap import open_store
        from agent0es.runs.batching import batch

        task = asyncio.current_task()
        assert task is not None
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        watcher = Watcher(as_json)
        try:
            with open_store(store, create=True, url=configuration.log.url) as log:
                return await batch(store, log, configuration, lines, concurrency, watcher, write)
        finally:
            watcher.close()

    try:
        return asyncio.run(until_stopped())
    except (KeyboardInterrupt, asyncio.CancelledError):
        return None


class Watcher:
    """Shows how a batch goes."""

    def __init__(self, as_json: bool) -> None:
        from rich.console import Console

        from agent0es.cli.meters import meter_for

        self._json = as_json
        self._meter = meter_for(Console(), lambda text: write_lines([text]), as_json)

    def opened(self, batch: str, progress: "Progress") -> None:
        """Say which batch this is."""
        if not self._json:
            write_lines([f"{batch}: {'goes on' if progress.by else 'begins'}"])
        self.answered(progress)

    def answered(self, progress: "Progress") -> None:
        """How many are done, by whom, for how much."""
        answers = max(1, progress.by.total())
        shares = [f"{progress.by[who] / answers:.0%} {who}" for who in ("local", "cloud", "cached") if progress.by[who]]
        notes = [f"${progress.cost_usd:.4g}", *shares, *([f"{progress.failed} failed"] if progress.failed else [])]
        self._meter.show("answers", progress.done, progress.total, ", ".join(notes))

    def close(self) -> None:
        self._meter.close()


def _write(result: Mapping[str, Any], output: Path, store: Path) -> None:
    """For a person."""
    by = ", ".join(f"{result[who]} {words}" for who, words in _BY.items() if result[who])
    write_lines([printable(f"{counted(result['answered'], 'answer')} in {output}{f': {by}' if by else ''}")])
    unknown = f", and what nobody knows of {counted(result['unpriced'], 'answer')}" if result["unpriced"] else ""
    write_lines([f"cost      ${result['cost_usd']:.6g}{unknown}"])
    if result["judged"]:
        share = f"{result['accuracy']:.1%} (95% interval {result['low']:.1%} to {result['high']:.1%})"
        write_lines([f"right     {result['right']} of {result['judged']} judged, {share}"])
    if result["failed"]:
        lines = counted(result["failed"], "line has no answer", "lines have no answer")
        write_lines([f"failed    {lines}; each says why, and the same command asks again"])
    write_lines([printable(f"more      {command(store, 'route', 'report')}")])


_BY = {"local": "by the local model", "cloud": "by the cloud model", "cached": "from the cache"}

"""`agent0es replay`: replay a run from its log alone."""

import asyncio
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agent0es.cli.arguments import run_argument
from agent0es.cli.output import json_line, printable, shorten, store_option, terminal_width, write_lines

if TYPE_CHECKING:
    from agent0es.history.timeline import Moment
    from agent0es.history.verification import Report

WORDS = 160
"""Characters of an event's words where there is no terminal to fit them to."""
LONGEST_PAUSE = 3600.0


class Speed(click.ParamType[float]):
    """A factor over 0, or `max`."""

    name = "speed"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if value == "max" or isinstance(value, float):
            return float("inf") if value == "max" else value
        try:
            speed = float(value)
        except ValueError:
            speed = 0.0
        if not speed > 0:
            self.fail(f"{value!r} is neither a number over 0 nor max", param, ctx)
        return speed


@click.command("replay")
@run_argument
@store_option
@click.option("--from", "first", type=click.IntRange(min=1), metavar="POSITION", help="Begin at this position.")
@click.option("--to", "last", type=click.IntRange(min=1), metavar="POSITION", help="End at this position.")
@click.option("--speed", type=Speed(), default="max", show_default=True, help="Multiple of the original speed, or max.")
@click.option("--verify", is_flag=True, help="Recompute every decision and compare it with the log.")
@click.option("--novelty", is_flag=True, help="With --verify: novelties too, which loads the embedding model.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def replay_command(
    run: str,
    store: Path,
    first: int | None,
    last: int | None,
    speed: float,
    verify: bool,
    novelty: bool,
    as_json: bool,
) -> None:
    """Replay a run's events, or recompute and check its decisions.

    RUN is a run's name, a prefix of it, or `latest`, the default. No model, no tool and no network is used. --verify
    stops with exit code 1 at the first decision that does not match the log.
    """
    from agent0es.bootstrap import open_store
    from agent0es.errors import QueryError
    from agent0es.history.timeline import timeline
    from agent0es.runs.finding import find_recorded

    if novelty and not verify:
        raise QueryError("--novelty needs --verify")
    if verify and (first is not None or last is not None):
        raise QueryError("--verify reads a run from its beginning; leave out --from and --to")
    if first is not None and last is not None and first > last:
        raise QueryError(f"--from {first} comes after --to {last}; swap them")
    with open_store(store) as log:
        name = find_recorded(log, run)
        if not verify:
            pace = Pace(speed)
            for moment in timeline(log, name, first, last):
                pace.wait_for(moment.offset)
                write_lines([_json(moment) if as_json else _line(moment)])
            return
        from agent0es.runs.verifying import verify_run

        report = asyncio.run(verify_run(log, name, with_novelty=novelty))
    _write_report(report, as_json)
    if report.difference is not None:
        sys.exit(1)


class Pace:
    """Waits between events as the run did, `speed` times as fast."""

    def __init__(self, speed: float) -> None:
        self._speed = speed
        self._began: float | None = None
        self._first = 0.0

    def wait_for(self, offset: float) -> None:
        """Return when the run's clock shows `offset` seconds, counted from the first offset that was waited for."""
        now = time.monotonic()
        if self._began is None:
            self._began, self._first = now, offset
        pause = (offset - self._first) / self._speed - (now - self._began)
        if pause > 0:
            time.sleep(min(pause, LONGEST_PAUSE))


def _line(moment: "Moment") -> str:
    recorded = moment.recorded
    minutes, seconds = divmod(max(0.0, moment.offset), 60)
    hours, minutes = divmod(int(minutes), 60)
    line = f"{hours}:{minutes:02}:{seconds:06.3f}  {recorded.position:>7}  {printable(recorded.stream):<28}  "
    width = terminal_width()
    words = printable(moment.words)
    return line + shorten(words, WORDS) if width is None else shorten(line + words, width)


def _json(moment: "Moment") -> str:
    recorded = moment.recorded
    return json_line(
        {
            "offset": round(moment.offset, 6),
            "position": recorded.position,
            "stream": recorded.stream,
            "type": recorded.event.type,
            "words": moment.words,
        }
    )


def _write_report(report: "Report", as_json: bool) -> None:
    difference = report.difference
    if as_json:
        found = None
        if difference is not None:
            found = {
                "kind": difference.kind,
                "position": difference.position,
                "stream": difference.stream,
                "log": difference.log,
                "recomputed": difference.recomputed,
                "log_hash": difference.log_hash,
                "recomputed_hash": difference.recomputed_hash,
            }
        write_lines([json_line({"run": report.run, "checked": report.checked, "difference": found})])
        return
    if difference is None:
        total = sum(report.checked.values())
        write_lines([f"All {total} decisions of {printable(report.run)} match the log"])
        write_lines(f"  {count:>7}  {kind}" for kind, count in report.checked.items())
        return
    checked = sum(report.checked.values())
    write_lines(
        [
            f"{difference.kind} at event {difference.position} ({printable(difference.stream)}) does not match what "
            f"follows from the events before it; {checked} decisions before it match",
            f"  in the log  {difference.log_hash}  {printable(difference.log)}",
            f"  recomputed  {difference.recomputed_hash}  {printable(difference.recomputed)}",
        ]
    )

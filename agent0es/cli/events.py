"""`agent0es events`: the events of a run, of one task or of one attempt, also as they are appended."""

import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from agent0es.cli.arguments import run_argument
from agent0es.cli.output import json_line, printable, shorten, store_option, terminal_width, write_lines
from agent0es.domain.names import stream, task_of

if TYPE_CHECKING:
    from agent0es.log import EventLog, Recorded

SHORT_VALUE = 100
"""Characters that are shown of one field."""

POLL_SECONDS = 0.2
"""How often --follow looks for new events."""

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""


@click.command("events")
@run_argument
@store_option
@click.option("--type", "types", multiple=True, metavar="TYPE", help="Only this type, e.g. TaskProposed; repeatable.")
@click.option("--task", type=click.IntRange(min=1), metavar="N", help="Only events of this task and its attempts.")
@click.option("--attempt", metavar="ATTEMPT", help="Only events of this attempt, e.g. 12/0, with its reward.")
@click.option("--after", type=click.IntRange(min=0), metavar="POSITION", help="Only events after this position.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N events.")
@click.option(
    "--follow", is_flag=True, help="Show events as they are appended, until the run is completed or Ctrl-C is pressed."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, with texts in full.")
def events_command(
    run: str,
    store: Path,
    types: tuple[str, ...],
    task: int | None,
    attempt: str | None,
    after: int | None,
    limit: int | None,
    follow: bool,
    as_json: bool,
) -> None:
    """List the events of a run, or follow them as they come.

    RUN is a run's name, a prefix of it, or `latest`, the default. --follow starts with the next new event; with
    --after 0 it shows all earlier ones first.
    """
    from agent0es.bootstrap import open_store
    from agent0es.errors import QueryError
    from agent0es.runs.finding import find_run

    _check_types(types)
    with open_store(store) as log:
        if after is not None and after > log.head():
            raise QueryError(f"--after {after}: the log ends at position {log.head()}")
        name = find_run(log, run)
        if task is not None or attempt is not None:
            _check_place(log, name, task, attempt)
        wanted = _chooser(set(types), task, attempt)
        if follow:
            every = _follow(log, name, log.head() if after is None else after)
        else:
            every = log.read(run=name, after=after or 0, types=types or None)
        found = islice(filter(wanted, every), limit)
        lines = (_event_json(recorded) if as_json else _event_line(recorded) for recorded in found)
        if not follow:
            write_lines(lines)
            return
        try:
            for line in lines:
                write_lines([line])  # at once
        except KeyboardInterrupt:
            sys.exit(INTERRUPTED)


def _chooser(types: set[str], task: int | None, attempt: str | None) -> "Callable[[Recorded], bool]":
    """Whether an event is asked for."""

    def wanted(recorded: "Recorded") -> bool:
        if types and recorded.event.type not in types:
            return False
        if attempt is not None:
            return getattr(recorded.event, "attempt", None) == attempt
        if task is not None:
            return task in (
                getattr(recorded.event, "task", None),
                task_of(getattr(recorded.event, "attempt", None) or ""),
            )
        return True

    return wanted


def _check_place(log: "EventLog", run: str, task: int | None, attempt: str | None) -> None:
    """Raise UnknownName for a task or an attempt without an event in the run."""
    from agent0es.errors import UnknownName, nearest
    from agent0es.provenance.whole import attempt_names

    if attempt is not None and next(log.read(stream=stream("attempt", run, attempt), limit=1), None) is None:
        near = nearest(attempt, attempt_names(log.read(run=run, types=["AttemptStarted"])))
        raise UnknownName(f"run {run} has no attempt {attempt!r}; {near}")
    if task is not None and next(log.read(stream=stream("task", run, task), limit=1), None) is None:
        raise UnknownName(f"run {run} has no task {task}; list its tasks with", see=("sql", "FROM tasks"))


def _follow(log: "EventLog", run: str, after: int) -> "Iterator[Recorded]":
    """Events of the run after a position, also new ones, until it is completed and no process drives it any more."""
    completed = any(log.read(run=run, types=["RunCompleted"], limit=1))
    told = False
    while True:
        driven = run in log.drivers()  # before the read: what a driver wrote before it let go is read after that
        for recorded in log.read(run=run, after=after):
            after = recorded.position
            completed = completed or recorded.event.type == "RunCompleted"
            yield recorded
        if completed and not driven:
            return
        if not driven and not told:
            click.echo(printable(f"Run {run} is not running now; waiting for events. Press Ctrl-C to stop."), err=True)
            told = True
        time.sleep(POLL_SECONDS)


def _check_types(types: tuple[str, ...]) -> None:
    from typing import get_args

    from agent0es.domain.events import Event
    from agent0es.errors import QueryError

    known = [kind.__name__ for kind in get_args(Event)]
    for name in types:
        if name not in known:
            raise QueryError(f"--type {name}: there is no such event; there are: {', '.join(known)}")


def _event_json(recorded: "Recorded") -> str:
    meta = recorded.meta
    return json_line(
        {
            "position": recorded.position,
            "stream": recorded.stream,
            "version": recorded.version,
            "type": recorded.event.type,
            "content": recorded.event.model_dump(mode="json"),
            "meta": {
                "event_id": meta.event_id,
                "time": meta.time,
                "host": meta.host,
                "handler": meta.handler,
                "cause": meta.cause,
                "correlation": meta.correlation,
                "measured": dict(meta.measured),
            },
            "hash": recorded.content_hash,
            "chain_hash": recorded.chain_hash,
        }
    )


def _event_line(recorded: "Recorded") -> str:
    """Position, time, type, stream, and the content in short."""
    time = datetime.fromtimestamp(recorded.meta.time, UTC).strftime("%Y-%m-%d %H:%M:%S")
    content = recorded.event.model_dump(mode="json", exclude={"type", "version"})
    fields = " ".join(
        f"{name}={shorten(printable(value if isinstance(value, str) else json_line(value)), SHORT_VALUE)}"
        for name, value in content.items()
    )
    line = f"{recorded.position:>7}  {time}  {recorded.event.type:<18}  {printable(recorded.stream)}  {fields}"
    width = terminal_width()
    return line if width is None else shorten(line, width)

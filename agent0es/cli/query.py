"""`agent0es runs`, `show`, `events`: looking at what the log holds. None of them writes to it."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from agent0es.cli.output import (
    json_line,
    json_option,
    printable,
    shorten,
    store_option,
    terminal_width,
    write_lines,
    write_table,
)
from agent0es.cli.tables import objects, open_tables

if TYPE_CHECKING:
    from agent0es.log import Recorded

SHORT_VALUE = 100
"""Characters that `events` shows of one field."""

RUN_COLUMNS = ("run", "status", "started", "iteration", "tasks", "attempts", "solve_rate", "serving_student", "events")


@click.command("runs")
@store_option
@json_option
def runs_command(store: Path, as_json: bool) -> None:
    """List the runs of the store."""
    with open_tables(store) as (_, tables):
        if as_json:
            write_lines(map(json_line, objects(tables.query("FROM runs ORDER BY position"))))
            return
        rows = list(tables.query(f"SELECT {', '.join(RUN_COLUMNS)} FROM runs ORDER BY position").rows)  # noqa: S608
        if rows:
            write_table(RUN_COLUMNS, rows)
        else:
            write_lines(["No runs yet. Start one with: agent0es run"])


@click.command("show")
@click.argument("run")
@store_option
@click.option("--at", "position", type=click.IntRange(min=1), help="The state as it was after the event there.")
@click.option("--time", "moment", metavar="TIME", help="The state as it was then: ISO 8601, UTC unless it says else.")
@json_option
def show_command(run: str, store: Path, position: int | None, moment: str | None, as_json: bool) -> None:
    """Show how RUN is going, or how it was: its name, a prefix of it, or `latest`."""
    from agent0es.bootstrap import resolve_run

    if position is not None or moment is not None:
        _show_state(run, store, position, moment, as_json)
        return
    from agent0es.cli.show import details, write_details

    with open_tables(store) as (log, tables):
        found = details(tables, resolve_run(log, run), store)
    if as_json:
        write_lines([json_line(found)])
    else:
        write_details(found)


def _show_state(run: str, store: Path, position: int | None, moment: str | None, as_json: bool) -> None:
    """The state as it was, folded from the nearest snapshot."""
    from agent0es.bootstrap import open_store, resolve_run
    from agent0es.cli.show import write_view
    from agent0es.errors import QueryError
    from agent0es.history.positions import check_position, position_at
    from agent0es.history.view import view
    from agent0es.projections.snapshots import SNAPSHOTS_FILE, Snapshots

    if position is not None and moment is not None:
        raise QueryError("--at and --time both name a place; leave one out")
    with open_store(store) as log, Snapshots(log, store / SNAPSHOTS_FILE) as snapshots:
        name = resolve_run(log, run)
        if moment is not None:
            try:
                wanted = datetime.fromisoformat(moment)
            except ValueError:
                raise QueryError(f"--time {moment}: write it as in 2026-01-31T12:30:00") from None
            position = position_at(log, name, wanted)
        assert position is not None
        check_position(log, name, position)
        found = view(log, name, snapshots.state_at(name, position), position)
    if as_json:
        write_lines([json_line(found)])
    else:
        write_view(found)


@click.command("events")
@click.argument("run")
@store_option
@click.option("--type", "types", multiple=True, metavar="TYPE", help="Only this type, e.g. TaskProposed; repeatable.")
@click.option("--after", type=click.IntRange(min=0), default=0, help="Only events after this position.")
@click.option("--limit", type=click.IntRange(min=1), help="At most so many.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, with texts in full.")
def events_command(run: str, store: Path, types: tuple[str, ...], after: int, limit: int | None, as_json: bool) -> None:
    """List the events of RUN (its name, a prefix of it, or `latest`) in order."""
    from agent0es.bootstrap import open_store, resolve_run
    from agent0es.errors import QueryError

    _check_types(types)
    with open_store(store) as log:
        if after > log.head():
            raise QueryError(f"--after {after}: the log ends at position {log.head()}")
        events = log.read(run=resolve_run(log, run), after=after, types=types or None, limit=limit)
        write_lines(_event_json(recorded) if as_json else _event_line(recorded) for recorded in events)


QUERY_COMMANDS: list[click.Command] = [runs_command, show_command, events_command]


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

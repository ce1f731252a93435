"""`agent0es runs` and `show`: they read the log and never write to it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from agent0es.cli.hints import command
from agent0es.cli.output import (
    json_line,
    json_option,
    printable,
    store_option,
    write_lines,
    write_table,
)
from agent0es.cli.warnings import next_step, taint
from agent0es.domain.names import ROUTES


@click.command("runs")
@click.option("--evaluations", "of_evaluations", is_flag=True, help="List what agent0es eval made instead.")
@store_option
@json_option
def runs_command(of_evaluations: bool, store: Path, as_json: bool) -> None:
    """List the runs: status, solve rate and the adapter in use.

    A run is running (a process drives it now), training (it trains an adapter now), completed, interrupted, failed
    (an error stopped it), or not started (a fork that was only created).
    """
    from agent0es.bootstrap import open_store, open_tables
    from agent0es.cli.eval import write_evaluations
    from agent0es.runs import looking

    if of_evaluations:
        with open_store(store) as log:
            write_evaluations(looking.evaluations(log), store, as_json)
        return
    with open_tables(store) as (log, tables):
        runs = looking.all_runs(log, tables)
    if as_json:
        write_lines(map(json_line, runs))
    elif runs:
        _write_runs(runs, store)
    else:
        write_lines([f"No runs yet. Start one with: {command(store, 'run')}"])


@click.command("show")
@click.argument("what", metavar="[RUN|ADAPTER|ATTEMPT]", required=False)
@click.option(
    "--run", metavar="RUN", help="The run of ADAPTER, ATTEMPT or --task: its name or a prefix of it.  [default: latest]"
)
@click.option("--task", type=click.IntRange(min=1), metavar="N", help="Show this task with its attempts.")
@store_option
@click.option(
    "--at", "position", type=click.IntRange(min=1), metavar="POSITION", help="Show the state after this event."
)
@click.option("--time", "moment", metavar="TIME", help="Show the state at this time: ISO 8601, UTC by default.")
@json_option
def show_command(
    what: str | None,
    run: str | None,
    task: int | None,
    store: Path,
    position: int | None,
    moment: str | None,
    as_json: bool,
) -> None:
    """Show a run, an adapter and its training, one answer, or a task.

    An argument with a slash is an ATTEMPT: 12/0 in practice, eval/student-1/17 at a held-out problem, one that
    `agent0es ask` names at a question. Anything else is
    a RUN: its name, a prefix of it, or `latest`, the default; an ADAPTER, such as student-1; or an evaluation:
    eval-20260131-120000, `eval-latest`.
    """
    attempt = what if what is not None and "/" in what else None
    if attempt is None and what is not None and task is None and (run is not None or _names_adapter(what, store)):
        if position is not None or moment is not None:
            raise click.UsageError("--at and --time show the state of a run; leave out the adapter")
        _show_adapter(run or "latest", what, store, as_json)
        return
    if attempt is None and what is not None and run is not None:
        raise click.UsageError(f"{what!r} and --run both name a run; leave one out")
    if attempt is not None and task is not None:
        raise click.UsageError("an attempt and --task can't be shown together; leave one out")
    at_a_time = position is not None or moment is not None
    if at_a_time and (attempt is not None or task is not None):
        raise click.UsageError("--at and --time show the state of a run; leave out the attempt or the task")
    if attempt is not None and attempt.startswith("route-") and run is None:
        run = ROUTES
    named = what if run is None and attempt is None else run
    run = "latest" if named is None else named
    if attempt is not None or task is not None:
        _show_whole(run, attempt, task, store, as_json)
    elif at_a_time:
        _show_state(run, store, position, moment, as_json)
    else:
        _show_run(run, store, as_json)


def _names_adapter(what: str, store: Path) -> bool:
    """Whether there is no such run, and the latest one has such an adapter."""
    from agent0es.bootstrap import open_store
    from agent0es.errors import RunNotFound
    from agent0es.runs import looking
    from agent0es.runs.finding import LATEST, find_run

    with open_store(store) as log:
        try:
            find_run(log, what)
        except RunNotFound:
            return bool(log.runs()) and looking.is_adapter(log, find_run(log, LATEST), what)
    return False


def _show_adapter(run: str, name: str, store: Path, as_json: bool) -> None:
    from agent0es.bootstrap import open_tables
    from agent0es.cli.curve import write_adapter
    from agent0es.runs import looking
    from agent0es.runs.finding import find_run

    with open_tables(store) as (log, tables):
        found = looking.adapter(log, tables, find_run(log, run), name)
    if as_json:
        write_lines([json_line(found)])
    else:
        write_adapter(found)


def _show_run(run: str, store: Path, as_json: bool) -> None:
    from agent0es.bootstrap import open_store, open_tables
    from agent0es.cli.eval import write_result
    from agent0es.cli.show import write_details
    from agent0es.domain.names import is_evaluation
    from agent0es.runs import looking
    from agent0es.runs.finding import find_recorded

    if is_evaluation(run):
        with open_store(store) as log:
            write_result(looking.evaluation(log, find_recorded(log, run)), store, as_json)
        return
    with open_tables(store) as (log, tables):
        found = looking.one_run(log, tables, store, run)
    if as_json:
        write_lines([json_line(found)])
    else:
        write_details(found, store)


def _show_whole(run: str, attempt: str | None, task: int | None, store: Path, as_json: bool) -> None:
    """An attempt or a task from its first event to its last."""
    from agent0es.bootstrap import open_store
    from agent0es.cli.whole import write_attempt, write_task
    from agent0es.runs import looking
    from agent0es.runs.finding import find_recorded

    with open_store(store) as log:
        name = find_recorded(log, run)
        if attempt is not None:
            found = looking.attempt(log, name, attempt)
        else:
            assert task is not None
            found = looking.task(log, name, task)
    if as_json:
        write_lines([json_line(found)])
    elif attempt is not None:
        write_attempt(found, store)
    else:
        write_task(found, store)


def _show_state(run: str, store: Path, position: int | None, moment: str | None, as_json: bool) -> None:
    """The state at a position or time."""
    from agent0es.bootstrap import open_store
    from agent0es.cli.show import write_view
    from agent0es.runs import looking
    from agent0es.runs.finding import find_run

    with open_store(store) as log:
        found = looking.state(log, store, find_run(log, run), position=position, time=moment)
    if as_json:
        write_lines([json_line(found)])
    else:
        write_view(found)


def _write_runs(runs: Sequence[Mapping[str, Any]], store: Path) -> None:
    rows = [
        [
            row["run"],
            row["status"],
            row["iteration"],
            row["tasks"],
            None if row["solve_rate"] is None else f"{row['solve_rate']:.0%}",
            row["serving_student"] or "base model",
        ]
        for row in runs
    ]
    write_table(["run", "status", "iteration", "tasks", "solved", "student"], rows)
    for row in runs:
        if (now := row["training"]) is not None:
            far = "the trainer starts" if now["step"] is None else f"step {now['step']} of {now['steps']}"
            loss = "" if now["loss"] is None else f", loss {now['loss']:.4g}"
            write_lines([printable(f"{row['run']} trains {now['adapter']}: {far}{loss}")])
        write_lines(taint(row["run"], row["tainted"], row["status"], store))
    for row in reversed(runs):
        if steps := list(next_step(row["run"], row["status"], store)):
            write_lines(steps)
            break

"""`agent0es train`: a new adapter from the practice of a run that is completed."""

from pathlib import Path
from typing import Literal

import click

from agent0es.cli.arguments import run_argument
from agent0es.cli.output import store_option
from agent0es.cli.run import drive_and_report


@click.command("train")
@run_argument
@store_option
@click.option("--method", metavar="METHOD", help="Training method; short for --set training.method=METHOD.")
@click.option("--set", "overrides", multiple=True, metavar="training.KEY=VALUE", help="Set one key; repeatable.")
@click.option("--role", type=click.Choice(("student", "teacher")), help="Whose adapter.  [default: student]")
@click.option("--without-retracted", is_flag=True, help="Retrain a tainted adapter without what was retracted.")
@click.option("--name", metavar="NAME", help="Name of the new adapter.  [default: e.g. student-1-rft]")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line instead of tables.")
def train_command(
    run: str,
    store: Path,
    method: str | None,
    overrides: tuple[str, ...],
    role: Literal["student", "teacher"] | None,
    without_retracted: bool,
    name: str | None,
    as_json: bool,
) -> None:
    """Train a new adapter on what a completed run has practised.

    RUN is its name, a prefix of it, or `latest`, the default. The adapter learns from all of the run's practice, with
    the run's settings but for those given here. It answers the same held-out problems as those before it, and is
    promoted when it beats the one in use. An interrupted training is resumed.

    With --without-retracted the tainted adapter in use is retrained, or else the latest tainted one. The new one must
    beat the adapter that was in use before the tainted one.
    """
    from agent0es.bootstrap import open_store
    from agent0es.runs.finding import find_run
    from agent0es.runs.training import Wanted, plan, train

    if without_retracted and role is not None:
        raise click.UsageError("the tainted adapter says whose it is; leave out --role")
    given = (*overrides, *([f"training.method={method}"] if method is not None else []))
    wanted = Wanted(given, role or "student", without_retracted, name)
    with open_store(store) as log:
        run = find_run(log, run)
    with open_store(store, create=True) as log, log.lease(run):
        planned = plan(log, run, wanted)
        drive_and_report(
            store, log, run, planned.configuration, as_json, lambda reporter: train(store, log, run, planned, reporter)
        )

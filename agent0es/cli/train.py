"""`agent0es train`: retrain an adapter without what was retracted since."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from agent0es.cli.arguments import run_argument
from agent0es.cli.output import printable, store_option

if TYPE_CHECKING:
    from agent0es.handlers.base import Ports


@click.command("train")
@run_argument
@store_option
@click.option("--without-retracted", is_flag=True, help="Leave out what was retracted. Required.")
@click.option("--name", metavar="NAME", help="Name of the new adapter.  [default: e.g. student-1-clean]")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line instead of tables.")
def train_command(run: str, store: Path, without_retracted: bool, name: str | None, as_json: bool) -> None:
    """Retrain a tainted adapter without what was retracted.

    RUN is a completed run: its name, a prefix of it, or `latest`, the default. The tainted adapter in use is rebuilt,
    or else the latest tainted one. The new one answers the same held-out problems and is promoted when it beats the
    adapter that was in use before the tainted one. An interrupted rebuild is resumed.
    """
    from agent0es.bootstrap import configuration_of, open_store, resolve_run, start_rebuild
    from agent0es.cli.run import drive_and_report

    if not without_retracted:
        raise click.UsageError("add --without-retracted; all other training is part of agent0es run")
    with open_store(store) as log:
        run = resolve_run(log, run)

    def begin(ports: "Ports") -> None:
        plan = start_rebuild(ports, name)
        what = f"Retraining {plan.original} as {plan.adapter}" if plan else "Resuming the rebuild that was interrupted"
        click.echo(printable(what), err=True)

    with open_store(store, create=True) as log, log.lease(run):
        drive_and_report(store, log, run, configuration_of(log, run), as_json, begin)

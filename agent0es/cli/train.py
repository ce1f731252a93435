"""`agent0es train`: retrain an adapter without what was retracted since."""

from pathlib import Path

import click

from agent0es.cli.arguments import run_argument
from agent0es.cli.output import store_option
from agent0es.cli.run import drive_and_report


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
    from agent0es.bootstrap import open_store
    from agent0es.runs.finding import find_run
    from agent0es.runs.rebuilding import rebuild
    from agent0es.runs.settings import configuration_of

    if not without_retracted:
        raise click.UsageError("add --without-retracted; all other training is part of agent0es run")
    with open_store(store) as log:
        run = find_run(log, run)
    with open_store(store, create=True) as log, log.lease(run):
        configuration = configuration_of(log, run)
        drive_and_report(
            store, log, run, configuration, as_json, lambda reporter: rebuild(store, log, run, name, reporter)
        )

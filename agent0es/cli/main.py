"""`agent0es`: the command group, and how errors reach the user."""

import sys

import click

from agent0es import __version__
from agent0es.cli.audit import audit_group
from agent0es.cli.calibrate import calibrate_command
from agent0es.cli.compare import diff_command, whatif_command
from agent0es.cli.config import config_group
from agent0es.cli.export import export_group
from agent0es.cli.fork import fork_command
from agent0es.cli.lineage import lineage_command
from agent0es.cli.log import log_group
from agent0es.cli.output import printable
from agent0es.cli.query import QUERY_COMMANDS
from agent0es.cli.replay import replay_command
from agent0es.cli.report import report_command
from agent0es.cli.retract import retract_command
from agent0es.cli.run import run_command
from agent0es.cli.sandbox import sandbox_group
from agent0es.cli.sql import sql_command
from agent0es.cli.tools import tools_group
from agent0es.cli.train import train_command
from agent0es.cli.verify import verify_command
from agent0es.errors import Agent0Error, UserError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="agent0es")
def cli() -> None:
    """The flight recorder for self-evolving agents."""


cli.add_command(run_command)
cli.add_command(config_group)
cli.add_command(export_group)
cli.add_command(audit_group)
cli.add_command(tools_group)
cli.add_command(sandbox_group)
cli.add_command(lineage_command)
cli.add_command(retract_command)
cli.add_command(train_command)
cli.add_command(log_group)
cli.add_command(fork_command)
cli.add_command(replay_command)
cli.add_command(diff_command)
cli.add_command(whatif_command)
cli.add_command(verify_command)
cli.add_command(calibrate_command)
for _command in (*QUERY_COMMANDS, sql_command, report_command):
    cli.add_command(_command)


def main() -> None:
    """Entry point: one clear line for every known error; exit code 2 for what the user can put right."""
    try:
        code = cli(standalone_mode=False)  # else click writes three lines of its own
        sys.exit(code if isinstance(code, int) else 0)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(2)
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx else "agent0es"
        click.echo(f"agent0es: {printable(error.format_message())} See {where} --help", err=True)
        sys.exit(2)
    except click.Abort:
        click.echo("Aborted!", err=True)
        sys.exit(1)
    except UserError as error:
        click.echo(f"agent0es: {printable(str(error))}", err=True)
        sys.exit(2)
    except Agent0Error as error:
        click.echo(f"agent0es: {printable(str(error))}", err=True)
        sys.exit(1)

"""`agent0es`: the command group, and how errors reach the user."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from agent0es import __version__
from agent0es.cli import streams
from agent0es.cli.alerts import alerts_command
from agent0es.cli.ask import ask_command
from agent0es.cli.audit import audit_group
from agent0es.cli.batch import batch_command
from agent0es.cli.calibrate import calibrate_command
from agent0es.cli.compare import diff_command, whatif_command
from agent0es.cli.config import config_group
from agent0es.cli.eval import eval_command
from agent0es.cli.events import events_command
from agent0es.cli.exit_codes import FAILED, INTERRUPTED, MISTAKE
from agent0es.cli.export import export_group
from agent0es.cli.fork import fork_command
from agent0es.cli.hints import store_in_use, store_words
from agent0es.cli.lineage import lineage_command
from agent0es.cli.log import log_group
from agent0es.cli.logging import begin_logging, logging_options
from agent0es.cli.models import models_group
from agent0es.cli.plugins import plugins_group
from agent0es.cli.query import runs_command, show_command
from agent0es.cli.replay import replay_command
from agent0es.cli.report import report_command
from agent0es.cli.retract import retract_command
from agent0es.cli.route import route_group
from agent0es.cli.run import run_command
from agent0es.cli.sandbox import sandbox_group
from agent0es.cli.schedule import schedule_group
from agent0es.cli.serve import serve_command
from agent0es.cli.sql import sql_command
from agent0es.cli.store import store_group
from agent0es.cli.tools import tools_group
from agent0es.cli.train import train_command
from agent0es.cli.verify import verify_command
from agent0es.errors import Agent0Error, UserError


class Commands(click.Group):
    """All commands. Where an error suggests a command, the store in use is added to it."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Agent0Error as error:
            if error.see:
                error.see += store_words(store_in_use(ctx))
            raise


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="agent0es")
@logging_options
@click.pass_context
def cli(ctx: click.Context, log_level: str | None, log_file: Path | None, log_format: str) -> None:
    """The flight recorder for self-evolving agents.

    Start with `agent0es run`, then look with `agent0es show`. Add --help to any command; docs/commands.md has examples.
    """
    if log_level is not None or log_file is not None:
        begin_logging(ctx, log_level, log_file, log_format)


cli.add_command(run_command)
cli.add_command(ask_command)
cli.add_command(batch_command)
cli.add_command(route_group)
cli.add_command(serve_command)
cli.add_command(config_group)
cli.add_command(export_group)
cli.add_command(audit_group)
cli.add_command(tools_group)
cli.add_command(models_group)
cli.add_command(plugins_group)
cli.add_command(sandbox_group)
cli.add_command(lineage_command)
cli.add_command(retract_command)
cli.add_command(train_command)
cli.add_command(eval_command)
cli.add_command(log_group)
cli.add_command(schedule_group)
cli.add_command(store_group)
cli.add_command(fork_command)
cli.add_command(replay_command)
cli.add_command(diff_command)
cli.add_command(whatif_command)
cli.add_command(verify_command)
cli.add_command(calibrate_command)
for _command in (alerts_command, runs_command, show_command, events_command, sql_command, report_command):
    cli.add_command(_command)


def main() -> None:
    """Entry point: one clear line for every known error, and the exit codes of docs/commands.md."""
    streams.prepare()
    code = _run(sys.argv[1:])
    sys.exit(code)


def _run(arguments: Sequence[str]) -> int:
    """Run the command and say in one line what went wrong. Returns the exit code."""
    try:
        code = cli(arguments, standalone_mode=False)  # else click writes three lines of its own
        return code if isinstance(code, int) else 0
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return MISTAKE
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx else "agent0es"
        streams.complain(f"{error.format_message()} See {where} --help")
        return MISTAKE
    except click.Abort:
        streams.complain("stopped")
        return INTERRUPTED
    except UserError as error:
        streams.complain(_without_secrets(str(error)))
        return MISTAKE
    except Agent0Error as error:
        streams.complain(_without_secrets(str(error)))
        return FAILED
    except UnicodeEncodeError as error:  # bytes of an argument that nothing could store or compare
        streams.complain(f"{error.object} is not UTF-8 text")
        return MISTAKE
    except OSError as error:
        streams.complain(f"{error.filename or 'agent0es'}: {error.strerror or error}")
        return MISTAKE
    except Exception:  # noqa: BLE001 — a fault of ours: all of it, as Python shows it, but without secrets
        import traceback

        click.echo(_without_secrets(traceback.format_exc()), err=True)
        return FAILED


def _without_secrets(text: str) -> str:
    from agent0es.configuration.secrets import text_without_secrets  # which only errors need

    return text_without_secrets(text)

"""`agent0es tools`: what the student can call, and calls by hand within the same limits."""

import asyncio
import sys
from pathlib import Path

import click

from agent0es.cli.output import json_line, json_option, printable, write_lines, write_table
from agent0es.files import read_text

config_option = click.option(
    "--config", "config_file", type=click.Path(path_type=Path), metavar="FILE", help="YAML file with settings."
)
set_option = click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Set one key, e.g. tools.timeout_seconds=2."
)
domain_option = click.option("--domain", metavar="NAME", help="Use the limits of this task domain.")


@click.group("tools")
def tools_group() -> None:
    """List the tools, or call one by hand."""


@tools_group.command("list")
@config_option
@set_option
@domain_option
@json_option
def list_command(config_file: Path | None, overrides: tuple[str, ...], domain: str | None, as_json: bool) -> None:
    """List the installed tools and their limits.

    `enabled` tells whether the student may call a tool.
    """
    from agent0es.configuration import load_configuration
    from agent0es.runs.tools import installed

    found = list(installed(load_configuration(config_file, overrides), domain))
    if as_json:
        write_lines(map(json_line, found))
    else:
        columns = ("tool", "enabled", "timeout_seconds", "memory_limit_mb")
        rows = [[*(one[column] for column in columns), one["description"]] for one in found]
        write_table([*columns, "description"], rows)


@tools_group.command("run")
@click.argument("tool")
@click.option("--code", metavar="TEXT", help="The input.")
@click.option(
    "--input", "input_file", type=click.Path(path_type=Path), metavar="FILE", help="The input; - is standard input."
)
@click.option(
    "--dir", "folder", type=click.Path(path_type=Path), metavar="DIR", help="Folder whose text files the tool gets."
)
@config_option
@set_option
@domain_option
@json_option
def run_command(
    tool: str,
    code: str | None,
    input_file: Path | None,
    folder: Path | None,
    config_file: Path | None,
    overrides: tuple[str, ...],
    domain: str | None,
    as_json: bool,
) -> None:
    """Call TOOL once, in the sandbox, within the limits of a run.

    The call is not logged; --json shows what an audit would. The exit code is 0 when the call succeeded, else 1.
    """
    from agent0es.configuration import load_configuration
    from agent0es.errors import ConfigurationError
    from agent0es.runs.tools import call_by_hand, described, files_in

    if (code is None) == (input_file is None):
        raise ConfigurationError("give the input with either --code TEXT or --input FILE")
    text = code if input_file is None else read_text(input_file)
    files = {} if folder is None else files_in(folder)
    configuration = load_configuration(config_file, overrides)
    policy, result = asyncio.run(call_by_hand(configuration, tool, text or "", files, domain))
    if as_json:
        write_lines([json_line(described(policy, result))])
    else:
        refused = f", refused: {printable(', '.join(result.denied))}" if result.denied else ""
        write_lines([f"{result.status} ({result.tier}{refused})", *map(printable, result.output.split("\n"))])
    sys.exit(0 if result.status == "ok" else 1)

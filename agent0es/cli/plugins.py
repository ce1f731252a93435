"""`agent0es plugins`: what is installed, and whether it can be used."""

import sys
from importlib.metadata import EntryPoint
from typing import Any

import click

from agent0es import plugins
from agent0es.cli.output import json_line, json_option, write_lines, write_table


@click.group("plugins")
def plugins_group() -> None:
    """List the installed plug-ins, or check that each can be used."""


@plugins_group.command("list")
@json_option
def list_command(as_json: bool) -> None:
    """List every plug-in, those of agent0es included, with its package.

    Nothing is imported. A name that two packages register is listed twice, and can't be used.
    """
    found = [_row(group, point) for group in plugins.KINDS for point in plugins.registered(group)]
    if as_json:
        write_lines(map(json_line, found))
    else:
        columns = ("group", "name", "package", "built in")
        write_table(columns, [[row[column.replace(" ", "_")] for column in columns] for row in found])


@plugins_group.command("check")
@json_option
def check_command(as_json: bool) -> None:
    """Import and try every plug-in and say which can't be used, and why.

    The exit code is 2 when one is broken. One that needs an extra of agent0es which is not installed is named, and not
    counted as broken.
    """
    from agent0es.runs.machine import plugins_checked

    found = list(plugins_checked())
    if as_json:
        write_lines(json_line(one._asdict()) for one in found)
    else:
        faults = [one for one in found if one.status != "ok"]
        write_lines(f"{one.status}: {one.reason}" for one in faults)
        write_lines([f"{len(found) - len(faults)} of {len(found)} plug-ins can be used"])
    sys.exit(2 if any(one.status == "broken" for one in found) else 0)


def _row(group: plugins.Group, point: EntryPoint) -> dict[str, Any]:
    return {
        "group": group,
        "name": point.name,
        "package": plugins.package_of(point),
        "built_in": plugins.is_built_in(point),
        "value": point.value,
    }

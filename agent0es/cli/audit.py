"""`agent0es audit`: every sandbox call. Code and output were written by a model and are shown escaped."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from agent0es.cli.arguments import run_argument, run_option
from agent0es.cli.listing import write_fields, write_listing
from agent0es.cli.output import json_line, json_option, printable, store_option, write_lines
from agent0es.domain.names import ROUTES
from agent0es.domain.text import counted


class AuditGroup(click.Group):
    """`audit RUN` is short for `audit list RUN`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or args[0] not in {*self.commands, *ctx.help_option_names}:
            args = ["list", *args]
        return super().parse_args(ctx, args)


@click.group("audit", cls=AuditGroup)
def audit_group() -> None:
    """List the sandbox calls of a run, or show one in full.

    `agent0es audit RUN` is `agent0es audit list RUN` and takes its options.
    """


@audit_group.command("list")
@run_argument
@click.option("--denied", is_flag=True, help="Only calls that were refused or had something blocked.")
@click.option("--tool", metavar="TOOL", help="Only calls of this tool.")
@click.option("--attempt", metavar="ATTEMPT", help="Only calls of this attempt, e.g. 12/0.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the newest N calls.")
@store_option
@json_option
def list_command(
    run: str, denied: bool, tool: str | None, attempt: str | None, limit: int | None, store: Path, as_json: bool
) -> None:
    """List the sandbox calls of a run, the newest last.

    RUN is a run's name, a prefix of it, or `latest`, the default. A call that a crash cut off, or that is still
    running, has the status `unknown`.
    """
    from agent0es.bootstrap import open_tables
    from agent0es.provenance.audit import calls
    from agent0es.runs.finding import find_recorded

    with open_tables(store) as (log, tables):
        name = find_recorded(log, run)
        status = "denied" if denied else None
        found = calls(tables, name, status=status, tool=tool, attempt=attempt, limit=limit)
        if as_json:
            write_lines(map(json_line, found))
            return
        listed = list(found)
    if listed:
        refused = ["refused"] if any(call["denied"] for call in listed) else []
        columns = ["call", "tool", "purpose", "status", "ms", *refused]
        write_listing(columns, [_row(call)[: len(columns)] for call in listed], [c["input"] for c in listed], "input")
    else:
        write_lines([f"Run {printable(name)} has no such sandbox call."])


@audit_group.command("show")
@click.argument("call")
@run_option
@store_option
@json_option
def show_command(call: str, run: str, store: Path, as_json: bool) -> None:
    """Show one call in full, named as in the list (12/0#1)."""
    from agent0es.bootstrap import open_tables
    from agent0es.provenance.audit import one_call
    from agent0es.runs.finding import find_recorded

    with open_tables(store) as (log, tables):
        found = one_call(tables, find_recorded(log, run), call)
    if as_json:
        write_lines([json_line(found)])
    else:
        _write_call(found)


def _row(call: Mapping[str, Any]) -> list[str | None]:
    wall = call["measured"].get("wall_seconds")
    return [
        call["call"],
        call["tool"],
        call["purpose"],
        call["status"],
        None if wall is None else f"{wall * 1000:.0f}",
        ", ".join(call["denied"]),
    ]


def _write_call(call: Mapping[str, Any]) -> None:
    measured = call["measured"]
    outcome = call["status"]
    if outcome == "unknown":
        outcome = "unknown: the log does not hold its end; a crash cut it off, or it is still running"
    problem = (
        "a question" if call["run"] == ROUTES else f"task {call['task']}" if call["task"] else "a held-out problem"
    )
    asked_by = f"attempt {call['attempt']} at {problem}"
    fields = {
        "run": call["run"],
        "asked by": f"{asked_by}, {call['adapter'] or 'base model'}",
        "purpose": call["purpose"],
        "tool": call["tool"],
        "limits": f"{call['timeout_seconds']:g} s, {call['memory_limit_mb']} MB",
        "policy": call["policy_sha256"],
        "isolation": call["tier"],
        "files": call["files_sha256"],
        "status": outcome,
        "denied": ", ".join(call["denied"]) or None,
        "exit code": call["exit_code"],
        "requested": _time(call["requested"]),
        "ended": _time(call["ended"]),
        "wall": _amount(measured, "wall_seconds", "s"),
        "CPU": _amount(measured, "cpu_seconds", "s"),
        "memory": _amount(measured, "peak_memory_mb", "MB at peak"),
        "stdout": _stream(call, "stdout"),
        "stderr": _stream(call, "stderr"),
        "event": call["position"],
    }
    write_lines([f"Call {printable(call['call'])}"])
    write_fields(list(fields.items()))
    touched = [f"{file['path']}  {counted(file['bytes'], 'byte')}, sha256 {file['sha256']}" for file in call["written"]]
    touched += [f"{path}  deleted" for path in call["deleted"]]
    if touched:
        write_lines(["", "Files touched", *(f"    {printable(line)}" for line in touched)])
    for title in ("input", "output", "stdout", "stderr"):
        if call[title] is not None:
            write_lines(["", title.capitalize(), *(f"    {printable(line)}" for line in call[title].split("\n"))])


def _time(time: datetime | None) -> str | None:
    return None if time is None else f"{time:%Y-%m-%d %H:%M:%S} UTC"


def _amount(measured: Mapping[str, Any], name: str, unit: str) -> str | None:
    return f"{measured[name]:g} {unit}" if name in measured else None


def _stream(call: Mapping[str, Any], name: str) -> str | None:
    """Length and hash of standard output or standard error."""
    size, sha256 = _amount(call["measured"], f"{name}_bytes", "bytes"), call[f"{name}_sha256"]
    return f"{size}, sha256 {sha256}" if size and sha256 else size

"""`agent0es sandbox`: which isolation works on this machine, and whether it holds."""

import asyncio
import sys
from typing import TYPE_CHECKING

import click

from agent0es.cli.output import json_line, json_option, write_lines, write_table
from agent0es.domain.text import counted

if TYPE_CHECKING:
    from agent0es.sandbox import TierName


@click.group("sandbox")
def sandbox_group() -> None:
    """Show and test the isolation of tools on this machine."""


@sandbox_group.command("doctor")
@json_option
def doctor_command(as_json: bool) -> None:
    """Show which isolation works here, and what to change.

    The exit code is 1 when no tier works.
    """
    from agent0es.sandbox import probe

    report = probe()
    rows = [(finding.mechanism, finding.works, finding.detail) for finding in report.findings]
    tier = None if report.tier is None else report.tier.name
    if as_json:
        columns = ("mechanism", "works", "detail")
        findings = [dict(zip(columns, row, strict=True)) for row in rows]
        write_lines([json_line({"tier": tier, "detail": report.detail, "findings": findings})])
    else:
        write_lines([f"tier {report.detail}" if tier else report.detail])
        write_table(
            ("mechanism", "answer", "detail"), [(name, "yes" if works else "no", why) for name, works, why in rows]
        )
    sys.exit(0 if tier else 1)


@sandbox_group.command("test")
@click.option(
    "--tier", type=click.Choice(["full", "kernel", "unsafe"]), help="Tier to test; by default the best that works here."
)
@click.option("--attack", "wanted", multiple=True, metavar="TEXT", help="Only attacks with TEXT in their name.")
@json_option
def test_command(tier: "TierName | None", wanted: tuple[str, ...], as_json: bool) -> None:
    """Run the known attacks against the sandbox.

    The exit code is 1 when an attack escaped or proved nothing. In the unsafe tier, which only limits resources, nearly
    all escape; there they attack targets made for the test.
    """
    from agent0es.runs.machine import attacked

    outcomes = asyncio.run(attacked(tier, wanted))
    columns = ("attack", "row", "tier", "outcome", "denied", "detail")
    rows = [(o.attack.name, o.attack.row, o.tier, o.verdict, ", ".join(o.denied), o.detail) for o in outcomes]
    if as_json:
        write_lines(json_line(dict(zip(columns, row, strict=True))) for row in rows)
    else:
        write_table(columns[:-1], [row[:-1] for row in rows])
        failed = [row for row in rows if row[3] != "denied"]
        write_lines(f"{row[3]}: {row[0]}: {row[5]}" for row in failed)
        write_lines([f"{len(rows) - len(failed)} of {counted(len(rows), 'attack')} denied"])
    sys.exit(1 if any(outcome.verdict != "denied" for outcome in outcomes) else 0)

"""`agent0es alerts`: what an operator was told of."""

from pathlib import Path

import click

from agent0es.cli.output import json_line, json_option, store_option, write_lines, write_table


@click.command("alerts")
@click.option("--all", "every", is_flag=True, help="Also those that are over.")
@store_option
@json_option
def alerts_command(every: bool, store: Path, as_json: bool) -> None:
    """List the alerts that are not over, the latest last.

    They are raised by the rules of alerts.rules while a run or the service goes on.
    """
    from agent0es.bootstrap import open_store
    from agent0es.runs.alerting import listed

    with open_store(store) as log:
        found = [alert for alert in listed(log) if every or alert["cleared"] is None]
    if as_json:
        write_lines(map(json_line, found))
    elif not found:
        write_lines(["No alert was raised." if every else "No alert is active."])
    else:
        columns = ["raised", "cleared", "rule", "run", "subject", "value", "above", "message"]
        write_table(columns, [[alert[name] for name in columns] for alert in found])

"""`agent0es route`: who would be asked and why, what the router came to, and which threshold it should have."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agent0es.cli.ask import REASONS, config_option, cost, domain_option, set_option, settings
from agent0es.cli.output import json_line, json_option, printable, store_option, write_lines, write_table
from agent0es.domain.text import counted

if TYPE_CHECKING:
    from agent0es.configuration import Configuration


@click.group("route")
def route_group() -> None:
    """Look at how questions are routed."""


@route_group.command("explain")
@click.argument("question")
@domain_option
@config_option
@set_option
@store_option
@json_option
def explain_command(
    question: str, domain: str, config_file: Path | None, overrides: tuple[str, ...], store: Path, as_json: bool
) -> None:
    """Say what would be done with a question, and why. No model is asked, and the log is left as it is."""
    found, adapter = asyncio.run(_explained(question, domain, settings(config_file, overrides), store))
    if as_json:
        write_lines([json_line(found)])
        return
    first = {
        "cache": "take the cached answer",
        "ask": f"ask the {found['candidate']} model for {counted(found['attempts'], 'attempt')}",
    }
    write_lines([f"{first.get(found['action'], 'fail')}: {REASONS[found['reason']]}"])
    write_lines([f"its answer is taken where it is at least {found['threshold']:.0%} likely to be right"])
    if adapter is not None:
        write_lines([printable(f"the local model answers with the adapter {adapter}")])
    rows = [
        [
            one["name"],
            "unknown" if one["quality"] is None else f"{one['quality']:.0%} ({one['basis']})",
            "unknown" if one["cost_usd"] is None else cost(one["cost_usd"]),
            "unknown" if one["seconds"] is None else f"{one['seconds']:.2f} s",
            one["unavailable"] or "yes",
        ]
        for one in found["candidates"]
    ]
    write_lines([""])
    write_table(["candidate", "likely right", "cost", "time", "can be asked"], rows)
    said = [[name, "unknown" if value is None else f"{value:.2f}"] for name, value in found["signals"].items()]
    write_lines([""])
    write_table(["signal", "before it is asked"], said)
    if found["neighbours"]:
        write_lines([""])
        shown = [[one["attempt"], f"{one['similarity']:.2f}", one["correct"]] for one in found["neighbours"]]
        write_table(["judged question like it", "similarity", "right"], shown)


async def _explained(
    question: str, domain: str, configuration: "Configuration", store: Path
) -> tuple[dict[str, Any], str | None]:
    from agent0es.bootstrap import open_store
    from agent0es.runs.routing import open_router, posed

    with open_store(store, create=True, url=configuration.log.url) as log:
        async with open_router(store, log, configuration) as router:
            decided = await router.explain(posed(question, domain))
            return decided.model_dump(mode="json", exclude={"type", "version", "route", "step"}), router.adapter

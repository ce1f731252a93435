"""`agent0es ask`: a question, who answers it, and why."""

import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agent0es.cli.hints import command
from agent0es.cli.listing import first_line
from agent0es.cli.output import json_line, json_option, printable, store_option, write_lines
from agent0es.domain.text import counted

if TYPE_CHECKING:
    from agent0es.configuration import Configuration
    from agent0es.log import Recorded

LONGEST = 100
"""Characters of a call that are shown."""
REASONS = {
    "cached": "the answer is in the cache",
    "first": "its drafts tell how sure it is",
    "confident": "it is likely enough to be right",
    "unsure": "the local model is not likely enough to be right",
    "unknown": "nobody knows how likely the local model is to be right",
    "compare": "the answer would be taken; the other one is asked to learn from (router.compare)",
    "best": "it is the last one that can be asked",
    "fallback": "the other one could not answer",
    "only": "there is no other",
    "none": "nobody can answer",
}

config_option = click.option(
    "--config", "config_file", type=click.Path(path_type=Path), metavar="FILE", help="YAML file; section router."
)
set_option = click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Set one key, e.g. router.drafts=5."
)
domain_option = click.option(
    "--domain", default="math", show_default=True, metavar="NAME", help="The task domain: its tools and instructions."
)


@click.command("ask")
@click.argument("question")
@domain_option
@config_option
@set_option
@click.option("--stream", "streamed", is_flag=True, help="Print each step as it happens.")
@store_option
@json_option
def ask_command(
    question: str,
    domain: str,
    config_file: Path | None,
    overrides: tuple[str, ...],
    streamed: bool,
    store: Path,
    as_json: bool,
) -> None:
    """Ask a question; the cheapest model that will do answers it.

    The local model is asked first, with the adapter in use where a run has promoted one, and may call the tools of the
    domain in the sandbox. Where its drafts do not agree, or it is unsure, router.cloud is asked, if it is set. Every
    step is in the log. With --stream and --json each event is a line of JSON as it happens, the answer the last one.
    """
    found, seconds = asyncio.run(_answer(question, domain, settings(config_file, overrides), store, streamed, as_json))
    if as_json:
        write_lines([json_line({**found, "seconds": round(seconds, 4)})])
    else:
        write_lines(_told(found, seconds, store))


async def _answer(
    question: str, domain: str, configuration: "Configuration", store: Path, streamed: bool, as_json: bool
) -> tuple[dict[str, Any], float]:
    from agent0es.bootstrap import open_store
    from agent0es.runs.routing import open_router, posed, routed

    def show(recorded: "Recorded") -> None:
        if as_json:
            event = recorded.event.model_dump(mode="json")
            write_lines([json_line({"position": recorded.position, "stream": recorded.stream, "event": event})])
        else:
            write_lines(_step(recorded))

    with open_store(store, create=True, url=configuration.log.url) as log:
        async with open_router(store, log, configuration) as router:
            asked = await router.answer(posed(question, domain), show if streamed else None)
        return routed(log, asked.event), asked.seconds


def _step(recorded: "Recorded") -> Iterator[str]:
    """An event as it happens, where it says something to a person."""
    match recorded.event.model_dump():
        case {"type": "RouteDecided", "action": "ask", "candidate": who, "attempts": count, "reason": reason}:
            yield f"asks {who}, {counted(count, 'attempt')}: {REASONS[reason]}"
        case {"type": "ToolRequested", "call": call, "tool": tool, "input": text}:
            yield printable(f"{call}: {tool}[{first_line(text, LONGEST)}]")
        case {"type": "ToolCalled", "call": call, "status": status, "output": text}:
            yield printable(f"{call}: {status}, {first_line(text, LONGEST)}")
        case {"type": "SolutionSubmitted", "attempt": attempt, "solution": {"answer": answer}}:
            yield printable(f"{attempt}: {'no answer' if answer is None else first_line(answer, LONGEST)}")
        case _:
            pass


def _told(found: Mapping[str, Any], seconds: float, store: Path) -> Iterator[str]:
    """The answer, what it rests on, how sure it is, and what it cost."""
    yield from map(printable, found["answer"].split("\n"))
    yield ""
    for call in found["calls"]:
        shown = f"{call['tool']}[{first_line(call['input'], LONGEST)}]"
        outcome = call.get("output") if call.get("status") == "ok" else call.get("status", "unknown")
        yield printable(f"called    {shown}: {first_line(outcome or '', LONGEST)}")
    last = found["decisions"][-1]
    adapter = f" with adapter {found['adapter']}" if found["adapter"] else ""
    cached = ", from the cache" if found["cached"] else ""
    yield printable(f"by        the {found['candidate']} model, {found['model']}{adapter}{cached}")
    yield printable(f"because   {REASONS[last['reason']]}")
    yield printable(f"sure      {_sure(found, last)}")
    if found["verdict"] is not None:
        yield f"verdict   {'right' if found['verdict'] else 'wrong'}"
    tokens = f"{counted(found['prompt_tokens'], 'token')} read, {found['completion_tokens']} written"
    yield f"cost      {cost(found['cost_usd'])}; {tokens}; {seconds:.2f} s"
    yield printable(f"all of it {command(store, 'show', found['attempt'])}")


def _sure(found: Mapping[str, Any], last: Mapping[str, Any]) -> str:
    """How likely the answer is right, and how anybody knows."""
    if found["confidence"] is None:
        return "nobody knows: no answer of this model was judged yet"
    said = ", ".join(f"{name} {value:.2f}" for name, value in last["signals"].items() if value is not None)
    source = "by what the log has of answers like it" if found["basis"] == "history" else "a guess: no history yet"
    return f"{found['confidence']:.0%} likely to be right ({source}{f'; {said}' if said else ''})"


def cost(dollars: float | None) -> str:
    """Dollars in words; None where nobody knows."""
    if dollars is None:
        return "unknown: this model has no price here"
    return f"${dollars:.6g}" if dollars else "nothing"


def settings(config_file: Path | None, overrides: tuple[str, ...]) -> "Configuration":
    """What the options --config and --set say. Raises ConfigurationError."""
    from agent0es.configuration import load_configuration

    return load_configuration(config_file, overrides)

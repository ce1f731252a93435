"""What a student is told before its first word: the system turn, worked examples, the task."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from agent0es.agents.student import ACTION_LEAD, OBSERVATION
from agent0es.domain.prompt import Part, Prompt
from agent0es.taskdomains.base import Demonstration, Guide, TaskDomain, Told
from agent0es.tools.base import Tool

CALLING = (
    "To call a tool, write a line `Action: tool[input]` and stop; its result follows as `Observation: …`. "
    "End with a line `Answer: …`."
)
CALLING_WITH_PROGRAMS = (
    "To call a tool, write its name in a line `Action: tool`, its input in a fenced block below, and stop there:\n"
    "Action: python\n```python\nprint(6 * 7)\n```\n"
    "The result comes back as `Observation: …`. Then call a tool again, or end with a line `Answer: …`. "
    "Each call starts afresh: names of an earlier one are unknown. Where a call fails, change it before you call again."
)
"""For who writes programs of many lines."""

CALL = re.compile(r"^Action: (\w+)", re.MULTILINE)


def render(demonstration: Demonstration) -> str:
    """A worked example as the student's turn."""
    calls = (*demonstration.steps, (demonstration.action, demonstration.observation))
    seen = "".join(f"Action: {action}\n{OBSERVATION} {observation}\n" for action, observation in calls)
    return f"{seen}Answer: {demonstration.answer}"


def as_turns(demonstration: Demonstration) -> list[Part]:
    """A worked example as turns of a chat, after the task's own."""
    turns = []
    for action, observation in (*demonstration.steps, (demonstration.action, demonstration.observation)):
        turns += [Part(text=f"Action: {action}"), Part(role="user", text=f"{OBSERVATION} {observation}")]
    return [*turns, Part(text=f"Answer: {demonstration.answer}")]


def lead(demonstrations: Sequence[Demonstration]) -> str:
    """Words that put an untrained model on the right track; without them it often opens with an observation.

    They end before the bracket, because `["` and `[[` are tokens of their own: after a lone `[` the model leaves quotes
    and inner brackets out. Nothing without worked examples: a trained model needs no help.
    """
    return ACTION_LEAD if demonstrations else ""


def with_tools(system: str, tools: Iterable[type[Tool]], calling: str = CALLING) -> str:
    """A system turn that also says what each tool does, what its input is, and how tools are called."""
    lines = [f"- {tool.name}: {tool.description}. Input: {_input(tool.schema)}" for tool in tools]
    return "\n".join([system, "Tools:", *lines, calling])


def told(domain: TaskDomain, *, trained: bool) -> Told:
    """What a student is told of a domain: one with an adapter, or the base model."""
    return (domain.trained if trained else None) or Told(domain.system, domain.shown)


def tools_shown(system: str, guide: Guide) -> list[str]:
    """The tools that a guide calls, in the words about calling or in its worked example."""
    said = [system, *(turn.content for turn in guide if turn.role == "assistant")]
    return list(dict.fromkeys(name for text in said for name in CALL.findall(text)))


def _input(schema: Mapping[str, Any]) -> str:
    """The schema's own words; without any, JSON of this schema."""
    return schema.get("description") or f"JSON, {json.dumps(schema, separators=(',', ':'))}"


def opening(
    system: str,
    demonstrations: Sequence[Demonstration],
    description: str,
    *,
    guide: Guide = (),
    in_turns: bool = False,
) -> Prompt:
    """The prompt before the student's first word: what tasks share, and the task's own turn.

    `guide` is the domain's worked example. `in_turns`, what tools gave stands in turns of its own.
    """
    turns = [Part(role="system", text=system), *(guided(guide) if in_turns else continued(guided(guide)))]
    for demonstration in demonstrations:
        turns.append(Part(role="user", text=demonstration.description))
        turns += as_turns(demonstration) if in_turns else [Part(text=render(demonstration))]
    return Prompt(opening=tuple(turns), turns=(Part(role="user", text=description),))


def guided(guide: Guide) -> list[Part]:
    """A domain's worked example as turns of a chat."""
    return [Part(role=message.role, text=message.content) for message in guide]


def continued(turns: Iterable[Part]) -> list[Part]:
    """The same turns where a tool's result stands in the assistant's own turn."""
    merged: list[Part] = []
    for part in turns:
        if part.role == "user" and part.text.startswith(OBSERVATION):
            part = Part(text=part.text)
        if merged and merged[-1].role == part.role == "assistant":
            merged[-1] = Part(text=f"{merged[-1].text}\n{part.text}")
        else:
            merged.append(part)
    return merged

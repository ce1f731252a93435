"""The student: reasons in ReAct steps, `Action: tool[input]`, `Observation: …`, `Answer: …`."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from agent0es.agents.react import Action, parse
from agent0es.domain.prompt import Part, Prompt
from agent0es.domain.task import Solution
from agent0es.domain.uncertainty import confidence
from agent0es.models.base import Completion
from agent0es.taskdomains.base import Demonstration
from agent0es.tools.base import Tool, ToolResult

ALWAYS_READ = ("python", "math")
"""Tools whose calls are read as such even where they are not enabled: the student is then told so."""
STOP = ("Observation:",)
"""The harness writes observations, so the model must not."""

ACTION_LEAD = "Action:"
CALL_LEAD = "Action: python["
ANSWER_LEAD = "Answer:"

CALLING = (
    "To call a tool, write a line `Action: tool[input]` and stop; its result follows as `Observation: …`. "
    "End with a line `Answer: …`."
)


@dataclass(frozen=True, slots=True)
class Transcript:
    """An attempt so far. A value: each step gives a new one."""

    steps: tuple[Part, ...] = ()
    """The turn so far: the student's own words, to be learnt, and what tools gave, which never is."""
    lead: str = ""
    """Words that the harness puts into the student's mouth before its next turn."""
    logprobs: tuple[float, ...] | None = ()
    """Of all tokens that the student wrote; None where nobody knows."""
    calls: int = 0
    errors: int = 0
    observation: str | None = None
    """What the last call printed."""
    answer: str | None = None
    ignored: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    """Tools that may be called."""

    @property
    def answering(self) -> bool:
        """True when all that is left is to give the answer."""
        return self.lead == ANSWER_LEAD

    @property
    def prefill(self) -> tuple[Part, ...]:
        """The turn as the student is to continue it."""
        return (*self.steps, *([Part(text=self.lead, trainable=True)] if self.lead else []))

    @property
    def said(self) -> str:
        """The student's turn so far, observations included."""
        return "".join(step.text for step in self.steps)

    def read(self, completion: Completion) -> tuple["Transcript", Action | None]:
        """What the student's words mean: the tool call to make, or None when the attempt is over.

        Only the first action counts, and nothing after it: an answer written before the observation is a guess.
        """
        words = self.lead + completion.text
        turn = parse(words, tuple(dict.fromkeys((*ALWAYS_READ, *self.tools))))
        after = replace(self, lead="", logprobs=joined(self.logprobs, completion), ignored=self.ignored + turn.ignored)
        if turn.actions and not self.answering:
            action = turn.actions[0]
            clean = len(turn.actions) == 1 and turn.answer is None and not turn.ignored
            thought = f"Thought: {turn.thought}\n" if turn.thought else ""
            said = words.rstrip() + "\n" if clean else f"{thought}Action: {action.tool}[{action.input}]\n"
            return replace(after, steps=(*self.steps, own_words(said))), action
        return replace(after, steps=(*self.steps, own_words(words.rstrip())), answer=turn.answer), None

    def observe(self, result: ToolResult, last_call: bool) -> "Transcript":
        """The transcript with a tool's result; after the last allowed call the student is led to its answer."""
        return replace(
            self,
            steps=(*self.steps, Part(text=f"Observation: {result.output}\n", author="tool")),
            lead=ANSWER_LEAD if last_call else "",
            calls=self.calls + 1,
            errors=self.errors + (result.status != "ok"),
            observation=result.output,
        )

    def solution(self) -> Solution:
        """The attempt's result."""
        seen = self.observation is not None and self.answer == self.observation.strip()
        return Solution(
            answer=self.answer,
            confidence=None if self.logprobs is None else round(confidence(self.logprobs), 4),
            tool_calls=self.calls,
            tool_errors=self.errors,
            observed=self.answer is not None and seen,
            ignored=self.ignored,
        )


def joined(before: tuple[float, ...] | None, completion: Completion) -> tuple[float, ...] | None:
    """The log-probabilities so far with a completion's; where only their mean is known, each token has it."""
    written, mean = completion.usage.written, completion.mean_logprob
    own = completion.logprobs if completion.logprobs is not None or mean is None else (mean,) * written
    if own is None and not written:
        own = ()
    return None if before is None or own is None else before + own


def own_words(text: str) -> Part:
    """What the student wrote."""
    return Part(text=text, author="model", trainable=True)


def render(demonstration: Demonstration) -> str:
    """A worked example as the student's turn."""
    calls = (*demonstration.steps, (demonstration.action, demonstration.observation))
    seen = "".join(f"Action: {action}\nObservation: {observation}\n" for action, observation in calls)
    return f"{seen}Answer: {demonstration.answer}"


def lead(demonstrations: Sequence[Demonstration]) -> str:
    """Words that put an untrained model on the right track; without them it often opens with an observation.

    They end before the bracket, because `["` and `[[` are tokens of their own: after a lone `[` the model leaves quotes
    and inner brackets out. Nothing without worked examples: a trained model needs no help.
    """
    return ACTION_LEAD if demonstrations else ""


def with_tools(system: str, tools: Iterable[type[Tool]]) -> str:
    """A system turn that also says what each tool does, what its input is, and how tools are called."""
    lines = [f"- {tool.name}: {tool.description}. Input: {_input(tool.schema)}" for tool in tools]
    return "\n".join([system, "Tools:", *lines, CALLING])


def _input(schema: Mapping[str, Any]) -> str:
    """The schema's own words; without any, JSON of this schema."""
    return schema.get("description") or f"JSON, {json.dumps(schema, separators=(',', ':'))}"


def opening(system: str, demonstrations: Sequence[Demonstration], description: str) -> Prompt:
    """The prompt before the student's first word: what tasks share, and the task's own turn."""
    turns = [Part(role="system", text=system)]
    for demonstration in demonstrations:
        turns += [Part(role="user", text=demonstration.description), Part(text=render(demonstration))]
    return Prompt(opening=tuple(turns), turns=(Part(role="user", text=description),))

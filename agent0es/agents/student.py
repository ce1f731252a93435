"""The student: reasons in ReAct steps, `Action: tool[input]`, `Observation: …`, `Answer: …`.

What a tool gave stands where `models.student.observations` says: in the student's own turn, which it continues, or in
turns of the user between its turns, as in a chat.
"""

from dataclasses import dataclass, replace

from agent0es.agents.react import Action, Turn, parse
from agent0es.domain.prompt import Part
from agent0es.domain.task import Solution
from agent0es.domain.uncertainty import confidence
from agent0es.models.base import Completion
from agent0es.tools.base import ToolResult

ALWAYS_READ = ("python", "math")
"""Tools whose calls are read as such even where they are not enabled: the student is then told so."""
OBSERVATION = "Observation:"
STOP = (OBSERVATION,)
"""The harness writes observations, so the model must not."""

ACTION_LEAD = "Action:"
CALL_LEAD = "Action: python["
ANSWER_LEAD = "Answer:"

NO_CALLS_LEFT = "No calls are left. End with a line `Answer: …`."
"""What a chat is told in place of the words that lead to an answer."""
UNREADABLE = "Neither a call nor an answer could be read. Call a tool as shown, or end with a line `Answer: …`."


@dataclass(frozen=True, slots=True)
class Transcript:
    """An attempt so far. A value: each step gives a new one."""

    steps: tuple[Part, ...] = ()
    """All that was said: the student's own words, to be learnt, and what tools gave and the harness said, which never
    is. Pieces of one turn, or turns; of these a call that failed and words that could not be read are not to be learnt
    either: they are there so that mending them can be."""
    in_turns: bool = False
    """Whether what tools gave stands in turns of its own."""
    lead: str = ""
    """Words that the harness puts into the student's mouth before its next turn."""
    logprobs: tuple[float, ...] | None = ()
    """Of all tokens that the student wrote; None where nobody knows."""
    calls: int = 0
    errors: int = 0
    no_calls_left: bool = False
    reminders: int = 0
    """How often it may still be asked for a call or an answer."""
    again: bool = False
    """Whether it is the student's turn again, because its words held neither."""
    observation: str | None = None
    """What the last call printed."""
    answer: str | None = None
    ignored: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    """Tools that may be called."""

    @property
    def prefill(self) -> tuple[Part, ...]:
        """The turn as the student is to continue it."""
        if self.in_turns:
            return ()
        return (*self.steps, *([Part(text=self.lead, trainable=True)] if self.lead else []))

    @property
    def turns(self) -> tuple[Part, ...]:
        """The turns after the task's own."""
        return self.steps if self.in_turns else ()

    def read(self, completion: Completion) -> tuple["Transcript", Action | None]:
        """What the student's words mean: the tool call to make; None when the attempt is over, or goes on `again`.

        Only the first action counts, and nothing after it: what was written before the observation, an answer or
        another call, was a guess at it.
        """
        words = self.lead + (completion.text.replace("\r\n", "\n") if self.in_turns else completion.text)
        turn = parse(words, tuple(dict.fromkeys((*ALWAYS_READ, *self.tools))))
        logprobs, ignored = joined(self.logprobs, completion), self.ignored + turn.ignored
        after = replace(self, lead="", logprobs=logprobs, ignored=ignored, again=False)
        if turn.actions and not self.no_calls_left:
            said = up_to_call(words, turn) if self.in_turns else as_line(words, turn)
            return replace(after, steps=(*self.steps, own_words(said))), turn.actions[0]
        said = words.strip() if self.in_turns else words.rstrip()
        if turn.answer is not None or not self.reminders:
            return replace(after, steps=(*self.steps, own_words(said)), answer=turn.answer), None
        asked = Part(role="user", text=NO_CALLS_LEFT if self.no_calls_left else UNREADABLE)
        told = (
            (not_learnt(own_words(said)), asked) if said else ()
        )  # nothing is no turn: it is asked as before, with another seed
        return replace(after, steps=(*self.steps, *told), reminders=self.reminders - 1, again=True), None

    def observe(self, result: ToolResult, last_call: bool) -> "Transcript":
        """The transcript with a tool's result; after the last allowed call the student is asked for its answer."""
        text = f"{OBSERVATION} {result.output}\n"
        if self.in_turns:
            text = text + NO_CALLS_LEFT if last_call else text.rstrip()
        seen = Part(role="user" if self.in_turns else "assistant", text=text, author="tool")
        steps = self.steps
        if self.in_turns and result.status != "ok":
            steps = (*steps[:-1], not_learnt(steps[-1]))
        return replace(
            self,
            steps=(*steps, seen),
            lead=ANSWER_LEAD if last_call and not self.in_turns else "",
            no_calls_left=last_call,
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


def as_line(words: str, turn: Turn) -> str:
    """A turn with a call as the student's own turn has it: as written where that is all, else the call in one form."""
    action = turn.actions[0]
    if len(turn.actions) == 1 and turn.answer is None and not turn.ignored:
        return words.rstrip() + "\n"
    thought = f"Thought: {turn.thought}\n" if turn.thought else ""
    return f"{thought}Action: {action.tool}[{action.input}]\n"


def up_to_call(words: str, turn: Turn) -> str:
    """A turn with a call as a chat has it: what the student wrote, to the letter, up to the end of its first call."""
    return words[: turn.first_call_end].strip()


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


def not_learnt(words: Part) -> Part:
    """The same, as context alone."""
    return words.model_copy(update={"trainable": False})

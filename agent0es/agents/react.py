"""Model text -> thoughts, tool calls, answer. Never raises, whatever the text; linear in its length.

The shape that models are trained on is

    Action: python[17*25]
    Answer: 425

and what models write instead is read too: fenced blocks, JSON, XML tags, `Action Input:`, the special tokens of some
chat formats, a missing colon or closing bracket, markdown around the words. What could not be read is listed,
not guessed at.

Where a text can be read in two ways: tool calls are listed in the order in which they were written. A turn may hold
calls *and* an answer: then the answer was written before its observation, so run the call first; but a call of what
does not exist is none where an answer follows, and `Finish[42]` is an answer. The first `Answer:` wins, and all after
it is ignored, because small models go on to invent the next problem. An `Observation:` is the harness's word: what a
model writes there is ignored. An answer in a sentence counts only where nothing else is said. An input may go on over
lines, to the next marker or to a line that is none of it. What stands before a lone `</think>` was thought.
"""

from dataclasses import dataclass

from agent0es.agents import react_text as patterns
from agent0es.agents.react_reader import SHORTENED, Reader

MAX_CHARACTERS = 100_000


@dataclass(frozen=True, slots=True)
class Action:
    """One tool call."""

    tool: str
    """Lower case; not necessarily the name of a tool that there is."""
    input: str


@dataclass(frozen=True, slots=True)
class Turn:
    """What one piece of model text says."""

    thought: str
    actions: tuple[Action, ...]
    answer: str | None
    """The first line after `Answer:`, stripped; all lines of a fenced block, of code, of a numbered list. None when
    there is none or it is empty."""
    ignored: tuple[str, ...]
    """What could not be read, each shortened to one line of at most 80 characters."""
    first_call_end: int | None = None
    """Where the first call ends in the text, a fence or tag around it included; None without calls. Counted with `\\n`
    for `\\r\\n`."""


def parse(text: str, tools: tuple[str, ...] = ("python", "math")) -> Turn:
    """Read a turn. `tools` are the names that count as a call even without `Action:` before them."""
    said = patterns.TILDES.sub("```", text[:MAX_CHARACTERS].replace("\r\n", "\n"))
    ended = patterns.END_OF_TURN.search(said)
    thought, rest = patterns.without_thought(said if ended is None else said[: ended.start()])
    reader = Reader(rest, tools)
    if thought:
        reader.thoughts.append(patterns.LONE_END_OF_THOUGHT.sub("", thought).strip())
    reader.read()
    if ended is not None:
        reader.ignore(said[ended.end() : ended.end() + 2 * SHORTENED])
    if len(text) > MAX_CHARACTERS:
        reader.ignore(text[MAX_CHARACTERS : MAX_CHARACTERS + 2 * SHORTENED])
    return Turn(
        "\n".join(reader.thoughts).strip(),
        tuple(Action(tool, text) for tool, text in reader.actions),
        reader.answer,
        tuple(reader.ignored),
        len(thought) + reader.ends[0] if reader.actions else None,
    )

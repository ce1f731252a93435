"""Model text -> thoughts, tool calls, answer. Never raises, whatever the text; linear in its length.

The shape that models are trained on is

    Action: python[17*25]
    Answer: 425

and what models write instead is read too: fenced blocks, JSON, XML tags, `Action Input:`, the special tokens of some
chat formats, a missing colon or closing bracket, markdown around the words. What could not be read is listed,
not guessed at.

Where a text can be read in two ways: tool calls are listed in the order in which they were written. A turn may hold
calls *and* an answer: then the answer was written before its observation, so run the call first. The first `Answer:`
wins, and all after it is ignored, because small models go on to invent the next problem. An `Observation:` is the
harness's word: what a model writes there is ignored. An answer in a sentence counts only where
nothing else is said.
"""

from dataclasses import dataclass
from typing import Any

from agent0es.agents import react_text as patterns
from agent0es.agents.react_json import answer_of, calls_of, decode, input_text, tagged_input
from agent0es.agents.react_text import DECORATION, MARKER, NAME, block_end, closing, said_in_passing, unfenced

MAX_CHARACTERS = 100_000
MAX_ACTIONS = 16
MAX_JSON_ATTEMPTS = 32
MAX_IGNORED, SHORTENED = 8, 80

CODE_LANGUAGES = {"": "python", "py": "python", "python3": "python", "tool_code": "python", "sympy": "math"}


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


def parse(text: str, tools: tuple[str, ...] = ("python", "math")) -> Turn:
    """Read a turn. `tools` are the names that count as a call even without `Action:` before them."""
    said = patterns.TILDES.sub("```", text[:MAX_CHARACTERS].replace("\r\n", "\n"))
    ended = patterns.END_OF_TURN.search(said)
    reader = _Reader(said if ended is None else said[: ended.start()], tools)
    reader.read()
    if ended is not None:
        reader.ignore(said[ended.end() : ended.end() + 2 * SHORTENED])
    if len(text) > MAX_CHARACTERS:
        reader.ignore(text[MAX_CHARACTERS : MAX_CHARACTERS + 2 * SHORTENED])
    return Turn("\n".join(reader.thoughts).strip(), tuple(reader.actions), reader.answer, tuple(reader.ignored))


class _Reader:
    """A cursor that only moves forward. Each method takes a position and returns the next one to look at."""

    def __init__(self, text: str, tools: tuple[str, ...]) -> None:
        self.text = text
        self.tools = tools
        self.thoughts: list[str] = []
        self.actions: list[Action] = []
        self.answer: str | None = None
        self.ignored: list[str] = []
        self._thinking = True
        self._pending: str | None = None
        """Tool of an `Action:` whose input is still to come on a later line; empty when it was not named."""
        self._in_wrapper = False
        """Inside a fence that holds a whole turn, so that the next bare fence only closes it."""
        self._next_marker = -1
        self._json_attempts = 0

    def read(self) -> None:
        position = 0
        while position < len(self.text) and self.answer is None and len(self.actions) < MAX_ACTIONS:
            position = self._line(position)
        if self._pending and self.answer is None:
            self.ignore(f"Action: {self._pending}")
        if self.answer is None and not self.actions:
            self.answer = said_in_passing("\n".join(self.thoughts))
        self.ignore(self.text[position : position + 2 * SHORTENED])

    def ignore(self, text: str) -> None:
        """Remember, shortened, that this was not read."""
        line = " ".join(text[: 2 * SHORTENED].split())
        if line.strip("`.*_>-<|/") and len(self.ignored) < MAX_IGNORED:
            self.ignored.append(line if len(line) <= SHORTENED else line[: SHORTENED - 1] + "…")

    def _line(self, start: int) -> int:
        end = self._end_of_line(start)
        at = start
        while at < end and self.text[at] in DECORATION:
            at += 1
        if self.text.startswith("```", at):
            return self._fence(at)
        if self.text.startswith("<", at) and (after := self._tag(at)) is not None:
            return after
        if self.text.startswith("[TOOL_CALLS]", at):
            return self._json(at + len("[TOOL_CALLS]")) or self._action(at + len("[TOOL_CALLS]"))
        if self.text.startswith(("{", "[{"), at):
            broken = self._pending is None and self.text.startswith('{"', at)
            return self._json(at) or (self._unread(at, end) if broken else self._plain(start, end))
        if (marker := MARKER.match(self.text, at, end)) is not None:
            return self._marked(marker["word"].lower(), marker.end())
        if (action := patterns.ACTION_WITHOUT_COLON.match(self.text, at, end)) is not None:
            return self._action(action.end())
        if (answer := patterns.ANSWER_WITHOUT_COLON.match(self.text, at, end)) is not None:
            return self._answer(answer.end())
        if self._is_call(at):
            return self._action(at)
        return self._plain(start, end)

    def _tag(self, at: int) -> int | None:
        """What an XML tag or a special token at the beginning of a line says; None when it is neither."""
        if (channel := patterns.CHANNEL.match(self.text, at) or patterns.TOOL_TOKEN.match(self.text, at)) is not None:
            self._pending = channel["tool"].lower() if channel["tool"] else self._pending
            return channel.end() if self._pending is None else self._input(channel.end())
        tag = patterns.TAG.match(self.text, at)
        if tag is None:
            return None
        if tag["token"] == "python_tag" and not self.text.startswith("{", tag.end()):
            stop = self._marker_after(tag.end())
            self._add("python", self.text[tag.end() : stop])
            return stop
        if tag["close"] or tag["token"]:
            return tag.end()
        name, value = tag["name"].lower(), tag["value"]
        if name == "action":
            return self._action(tag.end())
        if name in patterns.NAME_TAGS and (named := NAME.match(self.text, tag.end())) is not None:
            self._pending = named[0].lower()
            return named.end()
        tool = value if value and name in patterns.CALL_TAGS else patterns.CODE_TAGS.get(name, name).lower()
        is_input = name in patterns.INPUT_TAGS and self._pending is not None
        is_text = name in patterns.THINKING_TAGS or name in patterns.ANSWER_TAGS
        if not (is_input or is_text or tool != name or name in self.tools):
            return tag.end()  # a wrapper such as <tool_call>
        body, after = self._until(f"</{tag['name']}>", tag.end())
        if name in patterns.THINKING_TAGS:
            self.thoughts.append(body.strip())
        elif name in patterns.ANSWER_TAGS:
            self._answered(body)
        else:
            self._add(self._take_pending() if is_input else tool.lower(), tagged_input(body))
        return after

    def _until(self, close: str, at: int) -> tuple[str, int]:
        """The text up to a closing tag and where to go on; to the end where the tag is missing."""
        end = self.text.find(close, at)
        return (self.text[at:], len(self.text)) if end < 0 else (self.text[at:end], end + len(close))

    def _marked(self, word: str, at: int) -> int:
        pending, self._pending = self._pending, None
        end = self._end_of_line(at)
        if word == "thought":
            self._thinking = True
            return self._plain(at, end)
        if word in ("action", "tool"):
            return self._action(at)
        if word in ("action input", "tool input", "input") and pending is not None:
            self._pending = pending
            return self._input(at)
        if pending is not None:
            self.ignore(f"Action: {pending}")
        if word in ("answer", "final answer"):
            return self._answer(at)
        self._thinking = False
        self.ignore(f"{word.capitalize()}: {self.text[at:end][:SHORTENED]}")
        return end + 1

    def _answer(self, at: int) -> int:
        """What follows `Answer:`: the rest of the line, or what begins on the next one when the rest is empty.

        A fenced block comes whole, and so do code and numbered lines, which take more than one line to say.
        """
        end = self._end_of_line(at)
        line = self.text[at:end]
        below = end + len(self.text[end:]) - len(self.text[end:].lstrip())
        if "```" not in line and (not line.strip(" \t*_`") or (line.rstrip().endswith(":") and below > end)):
            if self.text.startswith("```", below):
                at = below
            elif not line.strip(" \t*_`"):
                at = self.text.rfind("\n", end, below) + 1 or below
                if MARKER.match(self.text[below : self._end_of_line(below)].lstrip(DECORATION)):
                    return below
            end = self._end_of_line(at)
        fence = self.text.find("```", at, end)
        if (
            fence >= 0
            and (opening := patterns.LANGUAGE.match(self.text, fence))
            and not self.text[at:fence].strip(" \t*_")
        ):
            same_line = self.text.find("```", opening.end(), end)
            close = same_line if same_line >= 0 else self._find("\n```", opening.end())
            self._answered(self.text[opening.end() : close])
            return self._end_of_line(close + 1) + 1
        end = block_end(self.text, at, end)
        self._answered(self.text[at:end])
        return end + 1

    def _answered(self, text: str) -> None:
        """The answer without what decorates it. Indentation is part of code."""
        text = unfenced(text).strip("\n").rstrip()
        self.answer = text if "\n" in text else text.strip().strip("*`").strip() or None

    def _action(self, at: int) -> int:
        """What follows `Action:`."""
        end = self._end_of_line(at)
        while at < end and self.text[at] in " \t*`" and not self.text.startswith("```", at):
            at += 1
        if at == end:
            self._pending = ""
            return end + 1
        if self.text.startswith("```", at):
            return self._fence(at)
        if self.text.startswith("{", at):
            return self._json(at) or self._unread(at, end)
        if self.text.startswith("<", at) and (after := self._tag(at)) is not None:
            return after
        name = NAME.match(self.text, at, end)
        if name is None:
            return self._unread(at, end)
        tool, at = name[0].lower(), name.end()
        while at < end and self.text[at] in " \t*`" and not self.text.startswith("```", at):
            at += 1
        if self.text.startswith("[", at) or (tool in self.tools and self.text.startswith("(", at)):
            return self._bracketed(tool, at)
        if tool in self.tools and self.text.startswith("{", at):
            self._pending = tool
            return self._input(at)
        if at == end or self.text.startswith((":", "：", "```"), at):
            self._pending = tool
            return self._input(at + 1 if self.text.startswith((":", "："), at) else at)
        if tool in self.tools:
            self._add(tool, self.text[at:end])
            return end + 1
        for start in (place.start() for place in NAME.finditer(self.text, at, min(end, at + SHORTENED))):
            if self._is_call(start):  # `use python[17*25]`
                return self._action(start)
        return self._unread(name.start(), end)

    def _input(self, at: int) -> int:
        """The input of the pending tool: on this line, or in a fence or block of lines that starts below."""
        end = self._end_of_line(at)
        line = self.text[at:end].strip()
        if line.startswith("```"):
            return self._fence(self.text.index("```", at))
        if not line:
            return end + 1
        if line.startswith("{"):
            brace = self.text.index("{", at)
            if (found := self._decode(brace)) is not None:
                self._add(self._take_pending(), (isinstance(found[0], dict) and input_text(found[0])) or line)
                return found[1]
            if closing(self.text, brace, end, strings=True) is not None:
                return self._bracketed(self._take_pending(), brace)
        self._add(self._take_pending(), line)
        return end + 1

    def _plain(self, start: int, end: int) -> int:
        """A line without a marker: the input that was announced, a thought, or nothing that we know."""
        line = self.text[start:end]
        if self._pending is not None and line.strip():
            stop = min(self._marker_after(start), self._blank_line_after(start))
            self._add(self._take_pending(), self.text[start:stop])
            return stop
        if (inner := patterns.MIDDLE_OF_LINE.search(self.text, start + 1, end)) is not None:
            end = inner.start()
        if self._thinking:
            self.thoughts.append(self.text[start:end].strip())
        else:
            self.ignore(self.text[start:end])
        return end if inner is not None else end + 1

    def _fence(self, at: int) -> int:
        """A block between lines of backticks, or from one to the end of a text that was cut off."""
        opening = patterns.LANGUAGE.match(self.text, at)
        if opening is None:
            return self._unread(at, self._end_of_line(at))
        end = self._end_of_line(at)
        if self._in_wrapper and not self.text[at:end].strip("` \t"):
            self._in_wrapper = False
            return end + 1
        same_line = self.text.find("```", opening.end(), end)
        if same_line >= 0:
            body, after = self.text[opening.end() : same_line], same_line + 3
        else:
            close = self.text.find("\n```", opening.end())
            body = self.text[opening.end() : close if close >= 0 else len(self.text)]
            after = self._end_of_line(close + 1) + 1 if close >= 0 else len(self.text)
        language = opening[1].lower()
        if language in ("json", "tool_call", "tool") or (not language and body.lstrip().startswith("{")):
            brace = self.text.find("{", opening.end(), after)
            if brace >= 0 and self._pending:
                self._input(brace)
            elif brace < 0 or self._json(brace) is None:
                self.ignore(body)
            return after
        if patterns.MARKER_LINE.match(body.lstrip()) and self._pending is None:
            self._in_wrapper = same_line < 0
            return opening.end()
        tool = CODE_LANGUAGES.get(language, language)
        if self._pending is not None:
            tool = self._take_pending()
        if tool not in self.tools or not body.strip():
            self._thinking = False
            self.ignore(self.text[at:after])
            return after
        inner = NAME.match(body.strip())
        if inner is not None and inner[0].lower() in self.tools and body.strip()[inner.end() :].startswith("["):
            return self._bracketed(inner[0].lower(), self.text.index("[", opening.end()), after)
        self._add(tool, body)
        return after

    def _bracketed(self, tool: str, opening: int, after: int | None = None) -> int:
        """The balanced text between brackets; up to the next marker when the closing one is missing."""
        stop = self._marker_after(opening)
        close = closing(self.text, opening, stop, strings=True)
        if close is None:
            close = closing(self.text, opening, stop, strings=False)
        inside = self.text[opening + 1 : stop if close is None else close]
        self._add(tool, inside if close is not None else inside.rstrip().rstrip("`"))
        if after is not None:
            return after
        return stop if close is None else close + 1

    def _json(self, at: int) -> int | None:
        """Tool calls or an answer as a JSON object or a list of them; None when it is neither."""
        start = next((place for place in range(at, min(at + 16, len(self.text))) if self.text[place] in "{["), None)
        found = None if start is None else self._decode(start)
        if found is None:
            return None
        value, after = found
        if calls := calls_of(value):
            self._pending = None
            for tool, text in calls[: MAX_ACTIONS - len(self.actions)]:
                self._add(tool, text)
        elif (answer := answer_of(value)) is not None:
            self._answered(answer)
        else:
            return None
        return after

    def _decode(self, at: int) -> tuple[Any, int] | None:
        self._json_attempts += 1
        if self._json_attempts > MAX_JSON_ATTEMPTS:  # a failing attempt may read to the end of the text
            return None
        return decode(self.text, at)

    def _add(self, tool: str, text: str) -> None:
        self._thinking = False
        text = unfenced(text).strip()
        if text:
            self.actions.append(Action(tool, text))
        else:
            self.ignore(f"{tool}[]")

    def _take_pending(self) -> str:
        tool, self._pending = self._pending or "python", None
        return tool

    def _unread(self, start: int, end: int) -> int:
        self.ignore(self.text[start:end])
        return end + 1

    def _is_call(self, at: int) -> bool:
        name = NAME.match(self.text, at)
        return name is not None and name[0].lower() in self.tools and self.text.startswith("[", name.end())

    def _end_of_line(self, at: int) -> int:
        return self._find("\n", at)

    def _blank_line_after(self, at: int) -> int:
        return self._find("\n\n", at)

    def _find(self, what: str, at: int) -> int:
        found = self.text.find(what, at)
        return found if found >= 0 else len(self.text)

    def _marker_after(self, at: int) -> int:
        """Start of the next line with a marker. Remembered, so that all calls together read the text once."""
        if self._next_marker <= at:
            found = patterns.MARKER_LINE.search(self.text, self._end_of_line(at))
            self._next_marker = found.start() if found is not None else len(self.text) + 1
        return min(self._next_marker, len(self.text))

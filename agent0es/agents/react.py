"""Model text -> thoughts, tool calls, answer. Never raises, whatever the text; linear in its length.

The shape that models are trained on is

    Action: python[17*25]
    Answer: 425

and what small models write instead is read too: fenced blocks, JSON, `<tool_call>`, `Action Input:`, a missing colon or
closing bracket, markdown around the words. What could not be read is listed, not guessed at.

Where a text can be read in two ways: tool calls are listed in the order in which they were written. A turn may hold
calls *and* an answer: then the answer was written before its observation, so run the call first. The first `Answer:`
wins, and all after it is ignored, because small models go on to invent the next problem. An `Observation:` is the
harness's word: what a model writes there is ignored.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

MAX_CHARACTERS = 100_000
MAX_ACTIONS = 16
MAX_JSON_ATTEMPTS = 32
MAX_IGNORED, SHORTENED = 8, 80

WORD = r"final answer|answer|thought|observation|action input|action|input"
# Every repetition is bounded, so that matching takes constant time at each position.
COLON = r"[ \t]{0,3}[0-9]{0,2}[ \t]{0,3}[*_]{0,3}[ \t]{0,3}[:：][*_]{0,3}"
MARKER = re.compile(rf"(?P<word>{WORD}){COLON}", re.IGNORECASE)
MARKER_LINE = re.compile(rf"^[ \t>*#_-]{{0,8}}(?:{WORD}){COLON}", re.IGNORECASE | re.MULTILINE)
ACTION_WITHOUT_COLON = re.compile(r"action[ \t]{1,3}(?=[a-z_]\w{0,31}[ \t]{0,3}[\[(:])", re.IGNORECASE)
MIDDLE_OF_LINE = re.compile(
    r"(?<=[\s.!?;,)])(?:(?:Final Answer|Answer|Action|Observation)[ \t]{0,3}:|(?:python|math)\[)"
)
NAME = re.compile(r"[A-Za-z_][\w-]{0,31}")
LANGUAGE = re.compile(r"```+[ \t]{0,3}([A-Za-z_0-9+-]{0,20})")
DECORATION = " \t>*#_-•"
CODE_LANGUAGES = {"": "python", "py": "python", "python3": "python", "tool_code": "python", "sympy": "math"}
TOOL_KEYS = ("tool", "name", "action", "tool_name", "function")
INPUT_KEYS = ("input", "code", "expression", "arguments", "args", "parameters", "action_input", "tool_input", "query")


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
    """The first line after `Answer:`, stripped; None when there is none or it is empty."""
    ignored: tuple[str, ...]
    """What could not be read, each shortened to one line of at most 80 characters."""


def parse(text: str, tools: tuple[str, ...] = ("python", "math")) -> Turn:
    """Read a turn. `tools` are the names that count as a call even without `Action:` before them."""
    reader = _Reader(text[:MAX_CHARACTERS].replace("\r\n", "\n"), tools)
    reader.read()
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
        if self.text.startswith("<tool_call>", at):
            return self._json(at + len("<tool_call>")) or self._unread(start, end)
        if self.text.startswith("{", at):
            return self._json(at) or self._plain(start, end)
        if (marker := MARKER.match(self.text, at, end)) is not None:
            return self._marked(marker["word"].lower(), marker.end())
        if (action := ACTION_WITHOUT_COLON.match(self.text, at, end)) is not None:
            return self._action(action.end())
        if self._is_call(at):
            return self._action(at)
        return self._plain(start, end)

    def _marked(self, word: str, at: int) -> int:
        pending, self._pending = self._pending, None
        end = self._end_of_line(at)
        if word == "thought":
            self._thinking = True
            return self._plain(at, end)
        if word == "action":
            return self._action(at)
        if word in ("action input", "input") and pending is not None:
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
        """The rest of the line, or the next line when the rest is empty."""
        end = self._end_of_line(at)
        line = self.text[at:end]
        if not line.strip(" \t*_`"):
            at = end + len(self.text[end:]) - len(self.text[end:].lstrip())
            end = self._end_of_line(at)
            if MARKER.match((line := self.text[at:end]).lstrip(DECORATION)):
                return at
        self.answer = line.strip().strip("*`").strip() or None
        return end + 1

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
        name = NAME.match(self.text, at, end)
        if name is None:
            return self._unread(at, end)
        tool, at = name[0].lower(), name.end()
        while at < end and self.text[at] in " \t*`" and not self.text.startswith("```", at):
            at += 1
        if self.text.startswith("[", at) or (tool in self.tools and self.text.startswith("(", at)):
            return self._bracketed(tool, at)
        if at == end or self.text.startswith((":", "：", "```"), at):
            self._pending = tool
            return self._input(at + 1 if self.text.startswith((":", "："), at) else at)
        if tool in self.tools:
            self._add(tool, self.text[at:end])
            return end + 1
        return self._unread(name.start(), end)

    def _input(self, at: int) -> int:
        """The input of the pending tool: on this line, or in a fence or block of lines that starts below."""
        end = self._end_of_line(at)
        line = self.text[at:end].strip()
        if line.startswith("```"):
            return self._fence(self.text.index("```", at))
        if not line:
            return end + 1
        if line.startswith("{") and (found := self._decode(self.text.index("{", at))) is not None:
            value, after = found
            self._add(self._take_pending(), _input_text(value) or line)
            return after
        self._add(self._take_pending(), line)
        return end + 1

    def _plain(self, start: int, end: int) -> int:
        """A line without a marker: the input that was announced, a thought, or nothing that we know."""
        line = self.text[start:end]
        if self._pending is not None and line.strip():
            stop = min(self._marker_after(start), self._blank_line_after(start))
            self._add(self._take_pending(), self.text[start:stop])
            return stop
        if (inner := MIDDLE_OF_LINE.search(self.text, start + 1, end)) is not None:
            end = inner.start()
        if self._thinking:
            self.thoughts.append(self.text[start:end].strip())
        else:
            self.ignore(self.text[start:end])
        return end if inner is not None else end + 1

    def _fence(self, at: int) -> int:
        """A block between lines of backticks, or from one to the end of a text that was cut off."""
        opening = LANGUAGE.match(self.text, at)
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
            if brace < 0 or self._json(brace) is None:
                self.ignore(body)
            return after
        if MARKER_LINE.match(body.lstrip()) and self._pending is None:
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
        close = _closing(self.text, opening, stop, strings=True)
        if close is None:
            close = _closing(self.text, opening, stop, strings=False)
        inside = self.text[opening + 1 : stop if close is None else close]
        self._add(tool, inside if close is not None else inside.rstrip().rstrip("`"))
        if after is not None:
            return after
        return stop if close is None else close + 1

    def _json(self, at: int) -> int | None:
        """A tool call or an answer as a JSON object; None when it is neither."""
        brace = self.text.find("{", at, at + 16)
        found = self._decode(brace) if brace >= 0 else None
        if found is None:
            return None
        value, after = found
        if (call := _call(value)) is not None:
            self._pending = None
            self._add(call.tool, call.input)
        elif isinstance(value.get("answer"), str | int | float):
            self.answer = str(value["answer"]).strip() or None
        else:
            return None
        rest = self.text[after : after + 32].lstrip()
        if rest.startswith("</tool_call>"):
            after = self.text.index("</tool_call>", after) + len("</tool_call>")
        return after

    def _decode(self, brace: int) -> tuple[dict[str, Any], int] | None:
        self._json_attempts += 1
        if self._json_attempts > MAX_JSON_ATTEMPTS:  # a failing attempt may read to the end of the text
            return None
        try:
            value, after = json.JSONDecoder(strict=False).raw_decode(self.text, brace)
        except (ValueError, RecursionError):
            return None
        return (value, after) if isinstance(value, dict) else None

    def _add(self, tool: str, text: str) -> None:
        self._thinking = False
        text = text.strip()
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
            found = MARKER_LINE.search(self.text, self._end_of_line(at))
            self._next_marker = found.start() if found is not None else len(self.text) + 1
        return min(self._next_marker, len(self.text))


def _closing(text: str, opening: int, stop: int, strings: bool) -> int | None:
    """Position of the bracket that closes the one at `opening`, before `stop`; brackets in strings do not count."""
    left, right = text[opening], "]" if text[opening] == "[" else ")"
    depth, at = 0, opening
    no_string_until = {"'": -1, '"': -1}
    while at < stop:
        character = text[at]
        if character == left:
            depth += 1
        elif character == right:
            depth -= 1
            if depth == 0:
                return at
        elif strings and character in no_string_until and at > no_string_until[character]:
            end = _end_of_string(text, at, stop)
            if end is None:  # an apostrophe; so is every other one on this line, or this would take quadratic time
                line = text.find("\n", at, stop)
                no_string_until[character] = line if line >= 0 else stop
            else:
                at = end
        at += 1
    return None


def _end_of_string(text: str, start: int, stop: int) -> int | None:
    """Position of the last quote of the string that starts here; None when it does not end on its line."""
    quote = text[start]
    if text.startswith(quote * 3, start):
        end = text.find(quote * 3, start + 3, stop)
        return end + 2 if end >= 0 else None
    at = start + 1
    while at < stop and text[at] != "\n":
        if text[at] == "\\":
            at += 1
        elif text[at] == quote:
            return at
        at += 1
    return None


def _call(value: dict[str, Any]) -> Action | None:
    """A tool call from one of the JSON shapes that models know."""
    tool: Any = next((value[key] for key in TOOL_KEYS if key in value), None)
    if isinstance(tool, dict):  # {"function": {"name": …, "arguments": …}}
        value, tool = tool, tool.get("name")
    if not isinstance(tool, str) or NAME.fullmatch(tool.strip()) is None:
        return None
    text = _input_text(value)
    return None if text is None else Action(tool.strip().lower(), text)


def _input_text(value: dict[str, Any]) -> str | None:
    """The input, which may be wrapped in another object or in a string that holds one."""
    for _ in range(3):
        found: Any = next((value[key] for key in INPUT_KEYS if key in value), None)
        if found is None and len(value) == 1:
            found = next(iter(value.values()))
        if isinstance(found, str):
            try:
                inner = json.loads(found) if found.lstrip().startswith("{") else None
            except (ValueError, RecursionError):
                inner = None
            if not isinstance(inner, dict):
                return found
            found = inner
        if not isinstance(found, dict):
            return None if found is None else json.dumps(found)
        value = found
    return None

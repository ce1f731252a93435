"""The reader behind `react.parse`: goes over a turn once, line by line, and notes what each says."""

import textwrap
from typing import Any

from agent0es.agents import react_text as patterns
from agent0es.agents.react_cursor import Cursor
from agent0es.agents.react_json import FINAL, Call, answer_of, calls_of, decode, input_text, tagged_input
from agent0es.agents.react_text import DECORATION, MARKER, NAME, block_end, closing, quoted, said_in_passing, unfenced
from agent0es.domain.text import storable

MAX_ACTIONS = 16
MAX_JSON_ATTEMPTS = 32
MAX_IGNORED, SHORTENED = 8, 80

NO_TOOL = ("none", "null", "nothing", "no", "na")
"""What models write after `Action:` when they mean to call nothing."""
CODE_LANGUAGES = {"": "python", "py": "python", "python3": "python", "tool_code": "python", "sympy": "math"}


class Reader(Cursor):
    """A cursor that only moves forward. Each method takes a position and returns the next one to look at."""

    def __init__(self, text: str, tools: tuple[str, ...]) -> None:
        super().__init__(text, tools)
        self.thoughts: list[str] = []
        self.actions: list[Call] = []
        self.ends: list[int] = []
        """Where each call ends, with what closes around it."""
        self.answer: str | None = None
        self.ignored: list[str] = []
        self._thinking = True
        self._pending: str | None = None
        """Tool of an `Action:` whose input is still to come on a later line; empty when it was not named."""
        self._in_wrapper = False
        """Inside a fence that holds a whole turn, so that the next bare fence only closes it."""
        self._json_attempts = 0

    def read(self) -> None:
        position = 0
        while position < len(self.text) and self.answer is None and len(self.actions) < MAX_ACTIONS:
            position = self._line(position)
            if len(self.ends) < len(self.actions):
                around = patterns.CLOSED_AROUND.match(self.text, position)
                end = position if around is None else around.end()
                self.ends += [end] * (len(self.actions) - len(self.ends))
        if self._pending and self.answer is None:
            self.ignore(f"Action: {self._pending}")
        if self.answer is not None:  # what was called and does not exist was no call
            called = list(zip(self.actions, self.ends, strict=True))
            self.actions, self.ends = [], []
            for call, end in called:
                if call[0] in self.tools and call[1].lower() not in NO_TOOL:
                    self.actions.append(call)
                    self.ends.append(end)
                else:
                    self.ignore(f"Action: {call[0]}[{call[1]}]")
        elif not self.actions:
            self.answer = said_in_passing("\n".join(self.thoughts))
        self.ignore(self.text[position : position + 2 * SHORTENED])

    def ignore(self, text: str) -> None:
        """Remember, shortened, that this was not read."""
        line = " ".join(text[: 2 * SHORTENED].split())
        if line.strip("`.*_>-<|/") and len(self.ignored) < MAX_IGNORED:
            self.ignored.append(line if len(line) <= SHORTENED else line[: SHORTENED - 1] + "…")

    def _line(self, start: int) -> int:
        end = self.end_of_line(start)
        at = start
        while at < end and self.text[at] in DECORATION:
            at += 1
        if self.text.startswith("```", at):
            return self._fence(at)
        if self.text.startswith(("<", "[TOOL_CALLS]"), at) and (after := self._tag(at)) is not None:
            return after
        if self.text.startswith("[TOOL_CALLS]", at):
            return self._json(at + len("[TOOL_CALLS]")) or self._action(at + len("[TOOL_CALLS]"))
        if self.text.startswith(("{", "[{"), at):
            broken = self._pending is None and self.text.startswith('{"', at)
            return self._json(at) or (self._unread(at, end) if broken else self._plain(start, end))
        if (step := patterns.NUMBERED_MARKER.match(self.text, at, end)) is not None:
            at = step.end()
        if (marker := MARKER.match(self.text, at, end)) is not None:
            return self._marked(marker["word"].lower(), marker.end())
        if (action := patterns.ACTION_WITHOUT_COLON.match(self.text, at, end)) is not None:
            return self._action(action.end())
        if (answer := patterns.ANSWER_WITHOUT_COLON.match(self.text, at, end)) is not None:
            return self._answer(answer.end())
        if self.is_call(at):
            return self._action(at)
        return self._plain(start, end)

    def _tag(self, at: int) -> int | None:
        """What an XML tag or a special token at the beginning of a line says; None when it is neither."""
        tokens = (pattern.match(self.text, at) for pattern in patterns.TOOL_TOKENS)
        if (channel := next((found for found in tokens if found is not None), None)) is not None:
            self._pending = channel["tool"].lower() if channel["tool"] else self._pending
            if channel[0].endswith("<arg_value>"):
                body, after = self.until("</arg_value>", channel.end())
                self._add(self._take_pending(), body)
                return after
            return channel.end() if self._pending is None else self._input(channel.end())
        tag = patterns.TAG.match(self.text, at)
        if tag is None:
            return None
        if tag["token"] == "python_tag" and not self.text.startswith("{", tag.end()):
            stop = self.marker_after(tag.end())
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
        body, after = self.until(f"</{tag['name']}>", tag.end())
        if name in patterns.THINKING_TAGS:
            self.thoughts.append(body.strip())
        elif name in patterns.ANSWER_TAGS:
            self._answered(body)
        else:
            self._add(self._take_pending() if is_input else tool.lower(), tagged_input(body))
        return after

    def _marked(self, word: str, at: int) -> int:
        pending, self._pending = self._pending, None
        end = self.end_of_line(at)
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
        end = self.end_of_line(at)
        line = self.text[at:end]
        below = end + len(self.text[end:]) - len(self.text[end:].lstrip())
        if "```" not in line and (not line.strip(" \t*_`") or (line.rstrip().endswith(":") and below > end)):
            if self.text.startswith("```", below):
                at = below
            elif not line.strip(" \t*_`"):
                at = self.text.rfind("\n", end, below) + 1 or below
                if MARKER.match(self.text[below : self.end_of_line(below)].lstrip(DECORATION)):
                    return below
            end = self.end_of_line(at)
        fence = self.text.find("```", at, end)
        if (
            fence >= 0
            and (opening := patterns.LANGUAGE.match(self.text, fence))
            and not self.text[at:fence].strip(" \t*_")
        ):
            same_line = self.text.find("```", opening.end(), end)
            close = same_line if same_line >= 0 else patterns.fence_close(self.text, fence, opening.end())
            self._answered(self.text[opening.end() : close])
            return self.end_of_line(close) + 1
        end = block_end(self.text, at, end)
        self._answered(self.text[at:end])
        return end + 1

    def _answered(self, text: str) -> None:
        """The answer without what decorates it. Indentation is part of code."""
        text = storable(unfenced(text)).strip("\n").rstrip()
        self.answer = text if "\n" in text else text.strip().strip("*`").strip() or None

    def _action(self, at: int) -> int:
        """What follows `Action:`."""
        end = self.end_of_line(at)
        while at < end and self.text[at] in " \t*`" and not self.text.startswith("```", at):
            at += 1
        if at == end:
            self._pending = ""
            return end + 1
        if self.text.startswith("```", at):
            return self._fence(at)
        if self.text.startswith("{", at):
            return self._json(at) or self._unread(at, end)
        named = patterns.NAMED_ALONE.match(self.text, at, end)
        lone_tag = named is not None and not self._is_closed(named["tool"], end)
        angles = patterns.ANGLES.match(self.text, at, end)
        if angles is not None and angles["tool"].lower() in self.tools and not self._is_closed(angles["tool"], at):
            return self._bracketed(angles["tool"].lower(), angles.end())
        if self.text.startswith("<", at) and not lone_tag and (after := self._tag(at)) is not None:
            return after
        if named is not None and named["tool"].lower() in self.tools:
            self._pending = named["tool"].lower()
            return end + 1
        name = patterns.FINAL_NAME.match(self.text, at, end) or NAME.match(self.text, at, end)
        if name is None:
            return self._unread(at, end)
        tool, at = name[0].lower(), name.end()
        while at < end and self.text[at] in " \t*`" and not self.text.startswith("```", at):
            at += 1
        if (beside := patterns.INPUT_BESIDE.match(self.text, at)) is not None:
            at = beside.end()
        if self.text.startswith("[", at) or (tool in (*self.tools, *FINAL) and self.text.startswith("(", at)):
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
            if self.is_call(start):  # `use python[17*25]`
                return self._action(start)
        return self._unread(name.start(), end)

    def _is_closed(self, tag: str, at: int) -> bool:
        """Whether the end of a tag stands before the next marker."""
        return self.text.find(f"</{tag}>", at, self.marker_after(self.end_of_line(at))) >= 0

    def _input(self, at: int) -> int:
        """The input of the pending tool: on this line, or in a fence or block of lines that starts below."""
        end = self.end_of_line(at)
        line = self.text[at:end].strip()
        if self._pending in NO_TOOL:
            if line:
                self.ignore(f"Action: {self._pending}[{line}]")
                self._pending = None
            return end + 1
        if self._pending in FINAL and line:
            self._pending = None
            return self._answer(at)
        if line.startswith("```"):
            return self._fence(self.text.index("```", at))
        if not line or (line.endswith(":") and self.text[end:].lstrip().startswith("```")):
            return end + 1
        if line.startswith("{"):
            brace = self.text.index("{", at)
            if (found := self._decode(brace)) is not None:
                self._add(self._take_pending(), (isinstance(found[0], dict) and input_text(found[0])) or line)
                return found[1]
            if closing(self.text, brace, end, strings=True) is not None:
                return self._bracketed(self._take_pending(), brace)
        return self._over_lines(at + len(self.text[at:end]) - len(self.text[at:end].lstrip()))

    def _over_lines(self, at: int) -> int:
        """The input of the pending tool that begins here, with the lines below that belong to it."""
        stop = patterns.input_end(self.text, at, self.input_marker_after(at))
        text = self.text[at:stop].strip()
        whole = len(text) > 2 and text[0] == text[-1] == "`" and text.count("`") == 2
        whole = whole or (quoted(text) and patterns.SIGN_OF_CODE.search(text) is not None)
        self._add(self._take_pending(), text[1:-1] if whole else self.text[at:stop])
        return stop

    def _plain(self, start: int, end: int) -> int:
        """A line without a marker: the input that was announced, a thought, or nothing that we know."""
        line = self.text[start:end]
        if self._pending in NO_TOOL:
            self.ignore(f"Action: {self._pending}")
            self._pending = None
        if self._pending is not None and line.strip():
            if self._pending not in FINAL:
                return self._over_lines(start)
            self._pending = None
            if patterns.SENTENCE.search(line) is None:
                return self._answer(start)
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
            return self._unread(at, self.end_of_line(at))
        end = self.end_of_line(at)
        if self._in_wrapper and not self.text[at:end].strip("` \t"):
            self._in_wrapper = False
            return end + 1
        same_line = self.text.find("```", opening.end(), end)
        if same_line >= 0:
            body, after = self.text[opening.end() : same_line], same_line + 3
        else:
            close = patterns.fence_close(self.text, at, opening.end())
            body = self.text[opening.end() : close]
            after = self.end_of_line(close) + 1
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
        start = opening.end() + len(body) - len(body.lstrip())
        if self.is_call(start) and (inner := NAME.match(self.text, start)) is not None:
            return self._bracketed(inner[0].lower(), inner.end(), after)
        self._add(tool, body)
        return after

    def _bracketed(self, tool: str, opening: int, after: int | None = None) -> int:
        """The balanced text between brackets; up to the next marker when the closing one is missing."""
        stop = self.marker_after(opening)
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
        text = unfenced(text).strip("\n")
        text = storable(textwrap.dedent(text) if text[:1] in (" ", "\t") else text).strip()
        if tool in FINAL:
            self._answered(text[1:-1] if quoted(text) else text)
            return
        if tool in NO_TOOL:
            self.ignore(f"Action: {tool}[{text}]")
            return
        self._thinking = False
        if text:
            self.actions.append((tool, text))
        else:
            self.ignore(f"{tool}[]")

    def _take_pending(self) -> str:
        tool, self._pending = self._pending or "python", None
        return tool

    def _unread(self, start: int, end: int) -> int:
        self.ignore(self.text[start:end])
        return end + 1

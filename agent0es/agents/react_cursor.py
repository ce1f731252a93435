"""A place in a turn: looks ahead for lines, brackets and markers. The reader that moves it is in `react_reader.py`."""

import re

from agent0es.agents import react_text as patterns
from agent0es.agents.react_text import NAME


class Cursor:
    """A text, and the names that count as tools in it."""

    def __init__(self, text: str, tools: tuple[str, ...]) -> None:
        self.text = text
        self.tools = tools
        self._next_marker = self._next_input_marker = -1

    def is_call(self, at: int) -> bool:
        """Whether a call begins here: a tool's name and a bracket."""
        name = NAME.match(self.text, at)
        if name is not None and name[0].lower() == "final_answer":
            return self.text.startswith("(", name.end())
        return name is not None and name[0].lower() in (*self.tools, "finish") and self.text.startswith("[", name.end())

    def until(self, close: str, at: int) -> tuple[str, int]:
        """The text up to a closing tag and where to go on; to the end where the tag is missing."""
        end = self.text.find(close, at)
        return (self.text[at:], len(self.text)) if end < 0 else (self.text[at:end], end + len(close))

    def end_of_line(self, at: int) -> int:
        """The next line break; the text's end where there is none."""
        found = self.text.find("\n", at)
        return found if found >= 0 else len(self.text)

    def marker_after(self, at: int) -> int:
        """Start of the next line with a marker. Remembered, so that all calls together read the text once."""
        if self._next_marker <= at:
            self._next_marker = self._next_line(patterns.MARKER_LINE, at)
        return min(self._next_marker, len(self.text))

    def input_marker_after(self, at: int) -> int:
        """Start of the next line with a marker that ends an input; remembered too."""
        if self._next_input_marker <= at:
            self._next_input_marker = self._next_line(patterns.AFTER_INPUT, at)
        return min(self._next_input_marker, len(self.text))

    def _next_line(self, pattern: re.Pattern[str], at: int) -> int:
        found = pattern.search(self.text, self.end_of_line(at))
        return found.start() if found is not None else len(self.text) + 1

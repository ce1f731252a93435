"""Thinking that a server leaves in the text, between the tags that most models write."""

import re

_THOUGHT = re.compile(r"\s*<think(?:ing)?>(.*?)(?:</think(?:ing)?>\s*|\Z)", re.DOTALL)
_BEGUN_BY_THE_PROMPT = re.compile(r"(.*?)</think(?:ing)?>\s*", re.DOTALL)


def split_thinking(text: str) -> tuple[str | None, str]:
    """(thinking, text): what a text begins with between `<think>` and `</think>`, and what follows. Some templates
    write `<think>` themselves, so that only its end is in the text; one that was cut off has no end."""
    found = _THOUGHT.match(text)
    if found is None and "<think" not in text:
        found = _BEGUN_BY_THE_PROMPT.match(text)
    return (found[1].strip("\n"), text[found.end() :]) if found else (None, text)

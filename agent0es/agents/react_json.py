"""Tool calls and answers in the JSON shapes that models know. Never raises."""

import json
import re
from typing import Any

from agent0es.agents.react_text import NAME, PARAMETER, closing

TOOL_KEYS = ("tool", "name", "action", "tool_name", "function")
INPUT_KEYS = ("input", "code", "expression", "arguments", "args", "parameters", "action_input", "tool_input", "query")
ANSWER_KEYS = ("answer", "final_answer")
FINAL = ("final answer", "final_answer", "answer", "finish")
"""Names of a tool that is none: what it is given is the answer."""
TRAILING_COMMA = re.compile(r",([ \t\n]{0,20}[}\]])")
MAX_REPAIRED = 4000

Call = tuple[str, str]
"""Tool in lower case, input."""


def decode(text: str, at: int) -> tuple[Any, int] | None:
    """The object or list that begins here, and where it ends; None where there is none.

    Trailing commas and single quotes are mended in what is not too long.
    """
    try:
        value, after = json.JSONDecoder(strict=False).raw_decode(text, at)
    except (ValueError, RecursionError):
        end = closing(text, at, min(len(text), at + MAX_REPAIRED), strings=True)
        if end is None:
            return None
        mended, after = TRAILING_COMMA.sub(r"\1", text[at : end + 1]), end + 1
        if '"' not in mended:
            mended = mended.replace("'", '"')
        try:
            value = json.loads(mended, strict=False)
        except (ValueError, RecursionError):
            return None
    return (value, after) if isinstance(value, dict | list) else None


def calls_of(value: Any) -> list[Call]:
    """The tool calls in one object, or in a list of them; empty where it holds something else."""
    if isinstance(value, dict) and isinstance(value.get("tool_calls"), list):
        value = value["tool_calls"]
    objects = [one for one in value if isinstance(one, dict)] if isinstance(value, list) else [value]
    return [call for call in map(_call, objects) if call is not None]


def answer_of(value: Any) -> str | None:
    """The answer that an object states; None where it states none."""
    if not isinstance(value, dict):
        return None
    answer = next((value[key] for key in ANSWER_KEYS if key in value), None)
    if isinstance(answer, str | int | float):
        return str(answer)
    tool: Any = next((value[key] for key in TOOL_KEYS if key in value), None)
    return input_text(value) if isinstance(tool, str) and tool.strip().lower() in FINAL else None


def tagged_input(body: str) -> str:
    """A call's input between tags: a JSON object's, the first parameter's, or all of it."""
    if (parameter := PARAMETER.search(body)) is not None:
        return body[parameter.end() :].split("</parameter>", 1)[0]
    start = len(body) - len(body.lstrip())
    found = decode(body, start) if body.startswith("{", start) else None
    inner = input_text(found[0]) if found is not None and isinstance(found[0], dict) else None
    return body if inner is None else inner


def _call(value: dict[str, Any]) -> Call | None:
    """A tool call from one of the JSON shapes that models know."""
    tool: Any = next((value[key] for key in TOOL_KEYS if key in value), None)
    if isinstance(tool, dict):  # {"function": {"name": …, "arguments": …}}
        value, tool = tool, tool.get("name")
    if not isinstance(tool, str) or NAME.fullmatch(tool.strip()) is None or tool.strip().lower() in FINAL:
        return None
    text = input_text(value)
    return None if text is None else (tool.strip().lower(), text)


def input_text(value: dict[str, Any]) -> str | None:
    """The input, which may be wrapped in another object or in a string that holds one."""
    for _ in range(3):
        found: Any = next((value[key] for key in INPUT_KEYS if key in value), None)
        if found is None and len(value) == 1 and not value.keys() & set(TOOL_KEYS):
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

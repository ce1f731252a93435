"""How Ollama reads a Modelfile, and fills the template that agent0es writes into one: after `parser/parser.go` and
`template/template.go` of ollama/ollama at fb30760. Both were compared with the real ones on thousands of texts."""

from collections.abc import Mapping, Sequence
from typing import Any

COMMANDS = ("from", "license", "template", "system", "adapter", "draft", "renderer", "parser", "parameter", "message")


def commands(text: str) -> list[tuple[str, str]]:
    """Each instruction with its value; those of PARAMETER are named after the parameter. Raises ValueError."""
    found: list[tuple[str, str]] = []
    state, name, role, buffer = "nil", "", "", ""
    for letter in text:
        then, letter = _after(state, letter)
        if then != state:
            if state == "name":
                name = buffer.lower()
                if name not in (*COMMANDS, "requires"):
                    raise ValueError(f"command must be one of {COMMANDS}")
                then = name if name in ("parameter", "message") else then
            elif state == "parameter":
                name = buffer
            elif state == "message":
                role = f"{buffer}: "
                if buffer not in ("system", "user", "assistant"):
                    raise ValueError("message role must be one of system, user, or assistant")
            elif state == "value":
                value = _unquoted(buffer.strip())
                if value is None or letter in (" ", "\t"):
                    buffer += letter
                    continue
                found.append((name, role + value))
                role = ""
            buffer, state = "", then
        if letter.isprintable():
            buffer += letter
    if state not in ("nil", "comment"):
        value = _unquoted(buffer.strip()) if state == "value" else None
        if value is None:
            raise ValueError("unexpected EOF")
        found.append((name, role + value))
    return found


def _after(state: str, letter: str) -> tuple[str, str]:
    """The next state, and what of the letter is kept."""
    space, newline = letter in (" ", "\t"), letter in ("\r", "\n")
    alpha = letter.isascii() and letter.isalpha()
    match state:
        case "nil":
            return ("comment", "") if letter == "#" else ("nil", "") if space or newline else ("name", letter)
        case "comment":
            return ("nil", "") if newline else (state, "")
        case "value":
            return ("nil" if space or newline else state), letter
    if space:
        return "value", ""
    if alpha or (state == "parameter" and letter in "0123456789_"):
        return state, letter
    raise ValueError("unexpected EOF" if state != "name" else f"command must be one of {COMMANDS}")


def _unquoted(value: str) -> str | None:
    for quotes in ('"""', '"'):
        if value.startswith(quotes):
            whole = len(value) >= 2 * len(quotes) and value.endswith(quotes)
            return value[len(quotes) : -len(quotes)] if whole else None
    return value


def create_body(text: str, files: Mapping[str, str]) -> dict[str, Any]:
    """What `ollama create` asks of the server; `files` are the digests of those beside the Modelfile."""
    body: dict[str, Any] = {"parameters": {}, "messages": []}
    for name, value in commands(text):
        if name == "from":
            file = value.removeprefix("./")
            body["files"] = {file: files[file]}
        elif name == "message":
            role, _, content = value.partition(": ")
            body["messages"].append({"role": role, "content": content})
        elif name in ("template", "system"):
            body[name] = value
        elif name == "stop":
            body["parameters"].setdefault("stop", []).append(value)
        else:
            body["parameters"][name] = float(value) if "." in value else int(value)
    return body


def continuing_chatml(messages: Sequence[Mapping[str, str]]) -> str:
    """CONTINUING_CHATML, filled."""
    written = ""
    for place, message in enumerate(messages, 1):
        last = place == len(messages)
        written += f"<|im_start|>{message['role']}\n{message['content']}"
        if not (last and message["role"] == "assistant"):
            written += "<|im_end|>\n"
        if last and message["role"] != "assistant":
            written += "<|im_start|>assistant\n"
    return written

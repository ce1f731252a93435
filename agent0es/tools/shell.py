"""The tool that looks at files: a few commands with a grammar for their arguments, and pipes between them.

There is no shell, and no program is started: the commands are a few lines of Python each (`inside/shell_commands.py`)
on the working directory's texts, in the sandbox. Nothing that real ones can be talked into, `find -exec`, `sort -o`,
`sed e`, is there to be talked into.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from agent0es.configuration import SHELL_COMMANDS
from agent0es.sandbox import Sandbox
from agent0es.tools.base import NO_FILES, ToolLimits, ToolResult, refused
from agent0es.tools.program import INPUT_LIMIT_BYTES, inside, run_program
from agent0es.tools.workdir import complaint, encoded

MAX_STAGES, MAX_WORDS = 8, 200
INPUT_BYTES = 4 << 20
OPERATORS = {
    ";": "`;`: one command at a time",
    "&": "`&`: no background and no `&&`",
    ">": "`>`: nothing is written here, use python for that",
    "<": "`<`: name the file as an argument",
    "`": "backquotes: no command substitution",
    "$": "`$`: no variables and no command substitution",
    "(": "brackets: no subshells, quote them",
    ")": "brackets: no subshells, quote them",
    "\n": "a second line: one command at a time",
}
NUMBER = re.compile(r"[0-9]{1,9}")


class Refused(Exception):
    """A command that this tool does not run: (line to read, word for the audit)."""

    def __init__(self, line: str, denied: str) -> None:
        super().__init__(line)
        self.line, self.denied = line, ascii(denied[:60])[1:-1]


@dataclass(frozen=True, slots=True)
class Grammar:
    """What may follow a command."""

    flags: str = ""
    """Letters of options without a value."""
    numbers: str = ""
    """Letters of options with a number."""
    texts: str = ""
    """Letters of options with any text."""
    operands: tuple[int, int] = (0, MAX_WORDS)
    """How many words may follow, at least and at most."""
    bare_number: str = ""
    """The option that `-5` stands for."""


GRAMMARS: Mapping[str, Grammar] = {
    "cat": Grammar("n"),
    "cut": Grammar("s", texts="dfc"),
    "diff": Grammar("uqibwB", operands=(2, 2)),
    "echo": Grammar("n"),
    "grep": Grammar("ivnclrwxEFohHqs", "ABCm", "e"),
    "head": Grammar("q", "nc", bare_number="n"),
    "ls": Grammar("1aAlRF"),
    "nl": Grammar(),
    "pwd": Grammar(operands=(0, 0)),
    "sort": Grammar("rnufbc", texts="kt"),
    "tail": Grammar("q", "nc", bare_number="n"),
    "tr": Grammar("dsc", operands=(1, 2)),
    "uniq": Grammar("cdui", operands=(0, 1)),
    "wc": Grammar("lwcm"),
}
FIND = {
    "-name": "text",
    "-iname": "text",
    "-path": "text",
    "-type": "text",
    "-maxdepth": "number",
    "-mindepth": "number",
}
FIND_FLAGS = ("-empty", "-print")


@dataclass(frozen=True, slots=True)
class Word:
    """A word of the command line."""

    text: str
    glob: bool = False
    """Whether it has an unquoted `*`, `?` or `[`."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One command between pipes."""

    command: str
    options: Mapping[str, Any]
    operands: tuple[Word, ...]


class ShellTool:
    """`shell[grep -n error log.txt | head -5]` in the working directory, without a shell."""

    name = "shell"
    description = (
        "looks at the files in the working directory, read-only: "
        + ", ".join(SHELL_COMMANDS)
        + "; pipes work, redirections and variables do not"
    )
    schema: Mapping[str, Any] = {"type": "string", "description": "one command line, e.g. `sort -n data.txt | head -3`"}
    allowed: tuple[str, ...] = SHELL_COMMANDS

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    async def run(self, text: str, limits: ToolLimits, files: Mapping[str, str] = NO_FILES) -> ToolResult:
        """What is outside the grammar is `denied`, before anything is started; a missing file is an `error`."""
        tier = self._sandbox.tier
        if (why := complaint(files)) is not None:
            return refused(why, "files", tier=tier)
        try:
            stages = parse(text, self.allowed if limits.allow is None else limits.allow)
        except Refused as refusal:
            return refused(f"NotAllowed: {refusal.line}", refusal.denied, tier=tier)
        texts = {path: data.decode() for path, data in encoded(files).items()}
        job = json.dumps({"stages": [asdict(stage) for stage in stages], "files": texts})
        return await run_program(self._sandbox, inside("shell_commands"), job, limits, input_limit_bytes=INPUT_BYTES)


def parse(text: str, allow: tuple[str, ...]) -> list[Stage]:
    """The command line as stages. Pure; linear. Raises Refused for everything outside the grammar."""
    if len(text) > INPUT_LIMIT_BYTES:
        raise Refused("a command line of more than 64 KB", "input")
    stages = [_stage(words, allow) for words in split(text.strip())]
    if len(stages) > MAX_STAGES:
        raise Refused(f"more than {MAX_STAGES} commands in a pipe", "pipe")
    return stages


def split(text: str) -> list[list[Word]]:
    """Words between pipes, with quotes and backslashes as a POSIX shell reads them. Raises Refused."""
    stages: list[list[Word]] = [[]]
    word: str | None = None
    glob = False
    at = 0
    while at < len(text):
        character = text[at]
        if character in " \t|":
            if word is not None:
                stages[-1].append(Word(word, glob))
                word, glob = None, False
            if character == "|":
                stages.append([])
            at += 1
        elif character in OPERATORS:
            raise Refused(OPERATORS[character], "shell syntax")
        elif character in "'\"":
            piece, at = _quoted(text, at)
            word = (word or "") + piece
        elif character == "\\" and at + 1 < len(text):
            word = (word or "") + text[at + 1]
            at += 2
        else:
            word = (word or "") + character
            glob = glob or character in "*?["
            at += 1
    if word is not None:
        stages[-1].append(Word(word, glob))
    if any(not words for words in stages):
        raise Refused("an empty command", "shell syntax")
    if any(len(words) > MAX_WORDS for words in stages):
        raise Refused(f"more than {MAX_WORDS} words", "input")
    return stages


def _quoted(text: str, at: int) -> tuple[str, int]:
    """(what is between the quotes, the position after them)."""
    quote, start = text[at], at + 1
    if quote == "'":
        end = text.find("'", start)
        if end < 0:
            raise Refused("a quote without its end", "shell syntax")
        return text[start:end], end + 1
    piece, at = [], start
    while at < len(text) and text[at] != '"':
        if text[at] in "$`":
            raise Refused(OPERATORS[text[at]], "shell syntax")
        if text[at] == "\\" and at + 1 < len(text):
            at += 1
            piece.append(text[at] if text[at] in '"\\$`' else "\\" + text[at])
        else:
            piece.append(text[at])
        at += 1
    if at >= len(text):
        raise Refused("a quote without its end", "shell syntax")
    return "".join(piece), at + 1


def _stage(words: list[Word], allow: tuple[str, ...]) -> Stage:
    command, rest = words[0].text, words[1:]
    if command not in allow or command not in SHELL_COMMANDS:
        raise Refused(f"{command[:40]!a} is no command here; there are: {', '.join(allow)}", f"command {command[:40]}")
    if command == "find":
        return _find(rest)
    if command == "echo":
        silent = rest[:1] == [Word("-n")]
        return Stage(command, {"n": True} if silent else {}, tuple(rest[silent:]))
    grammar = GRAMMARS[command]
    options: dict[str, Any] = {}
    operands: list[Word] = []
    at, ended = 0, False
    while at < len(rest):
        text = rest[at].text
        at += 1
        if ended or not text.startswith("-") or text == "-":
            operands.append(rest[at - 1])
        elif text == "--":
            ended = True
        elif grammar.bare_number and NUMBER.fullmatch(text[1:]):
            options[grammar.bare_number] = int(text[1:])
        else:
            at = _options(command, grammar, text, rest, at, options)
    if command == "grep" and "e" not in options:
        if not operands:
            raise Refused("grep without a pattern", "argument")
        options["e"] = operands.pop(0).text
    least, most = grammar.operands
    if not least <= len(operands) <= most:
        count = str(least) if least == most else f"{least} to {most}"
        raise Refused(f"{command} takes {count} arguments, not {len(operands)}", "argument")
    return Stage(command, options, tuple(operands))


def _options(command: str, grammar: Grammar, text: str, rest: list[Word], at: int, options: dict[str, Any]) -> int:
    """Read one cluster such as `-rn` or `-k2`; returns the position after it and its value."""
    if text.startswith("--"):
        raise Refused(f"{command} {text[:40]!a}: only short options", f"option {text[:40]}")
    for index, letter in enumerate(text[1:], 1):
        if letter in grammar.flags:
            options[letter] = True
            continue
        if letter not in grammar.numbers + grammar.texts:
            raise Refused(f"{command} has no option {'-' + letter!a} here", f"option -{letter}")
        value = text[index + 1 :]
        if not value:
            if at >= len(rest):
                raise Refused(f"{command} -{letter} without its value", "argument")
            value = rest[at].text
            at += 1
        if letter in grammar.numbers:
            if not NUMBER.fullmatch(value):
                raise Refused(f"{command} -{letter} takes a number, not {value[:40]!a}", "argument")
            options[letter] = int(value)
        else:
            options[letter] = value
        break
    return at


def _find(rest: list[Word]) -> Stage:
    """`find [folder] [tests]`, tests without actions: nothing is run, deleted or written."""
    options: dict[str, Any] = {}
    operands: list[Word] = []
    at = 0
    while at < len(rest):
        text = rest[at].text
        at += 1
        if not text.startswith("-"):
            if options:
                raise Refused("find takes its folder first", "argument")
            operands.append(rest[at - 1])
        elif text in FIND_FLAGS:
            options[text] = True
        elif text not in FIND:
            raise Refused(f"find {text[:40]!a}: only {', '.join([*FIND, *FIND_FLAGS])}", f"option {text[:40]}")
        elif at >= len(rest):
            raise Refused(f"find {text} without its value", "argument")
        else:
            value = rest[at].text
            at += 1
            if FIND[text] == "number" and not NUMBER.fullmatch(value):
                raise Refused(f"find {text} takes a number", "argument")
            options[text] = int(value) if FIND[text] == "number" else value
    if len(operands) > 1:
        raise Refused("find takes one folder", "argument")
    return Stage("find", options, tuple(replace(word, glob=False) for word in operands))

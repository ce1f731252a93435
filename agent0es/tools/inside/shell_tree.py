"""The working directory as the commands see it: texts by path, and nothing is opened."""

import fnmatch
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NoReturn

Options = Mapping[str, Any]
"""Letter to True, a number or a text."""


class ShellError(Exception):
    """What a command complains of."""


def outside(path: str) -> NoReturn:
    raise ShellError(f"{path}: outside the working directory") from PermissionError(1, path)


def normal(path: str) -> str:
    """A path inside the working directory, or ShellError."""
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            if not parts:
                outside(path)
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    if path.startswith("/"):
        outside(path)
    return "/".join(parts)


def lines_of(text: str) -> list[str]:
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    return lines


def joined(lines: Iterable[str]) -> str:
    return "".join(line + "\n" for line in lines)


class Tree:
    """The files, and the folders that they lie in."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self.files = files
        self.folders = {""} | {path[:at] for path in files for at, character in enumerate(path) if character == "/"}

    def expand(self, words: Sequence[Mapping[str, Any]]) -> list[str]:
        """Operands with their patterns replaced by the names that fit."""
        found: list[str] = []
        for word in words:
            if word["glob"]:
                pattern = word["text"].removeprefix("./")
                names = sorted(name for name in {*self.files, *self.folders} - {""} if _fits(name, pattern))
                if not names:
                    raise ShellError(f"{pattern}: nothing has such a name")
                found += names
            else:
                found.append(word["text"])
        return found

    def text_of(self, path: str) -> str | None:
        """A file's text; None for `-`."""
        if path == "-":
            return None
        name = normal(path)
        if name in self.files:
            return self.files[name]
        raise ShellError(f"{path}: is a folder" if name in self.folders else f"{path}: no such file")

    def inputs(self, operands: Sequence[str], stdin: str | None) -> list[tuple[str, str]]:
        """(name, text) of each file; standard input where none is named."""
        pairs = []
        for path in operands or ["-"]:
            text = self.text_of(path)
            text = stdin if text is None else text
            if text is None:
                raise ShellError("no file is named, and nothing comes through a pipe")
            pairs.append((path, text))
        return pairs

    def all_lines(self, operands: Sequence[str], stdin: str | None) -> list[str]:
        return [line for _, text in self.inputs(operands, stdin) for line in lines_of(text)]

    def below(self, path: str) -> list[str]:
        """Files in a folder, however deep."""
        prefix = path + "/" if path else ""
        return [name for name in sorted(self.files) if name.startswith(prefix)]


def _fits(name: str, pattern: str) -> bool:
    return name.count("/") == pattern.count("/") and all(
        fnmatch.fnmatchcase(a, b) for a, b in zip(name.split("/"), pattern.split("/"), strict=False)
    )

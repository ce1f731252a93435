"""Code with its literals taken out: what idiom it is, and what it says when asked about other numbers and words."""

import io
import re
import tokenize
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from agent0es.domain.task import Task

WORD_OR_NUMBER = re.compile(r"[A-Za-z]+|[0-9]+")
STRING_TOKEN = re.compile(r"([A-Za-z]*)('''|\"\"\"|'|\")(.*)\2", re.DOTALL)
LITERAL_LIST = re.compile(r"(?<!S )(?<!\) )(?<!\] )\[ (?:[NS] , )*[NS] (?:, )?\]")
FOR_WANT_OF_TOKENS = re.compile(r"(?P<S>'[^']*'|\"[^\"]*\")|(?P<N>(?<![A-Za-z_])[0-9][0-9._]*)|\s+")
LAYOUT = frozenset(
    {tokenize.NL, tokenize.NEWLINE, tokenize.COMMENT, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
)


def signature(code: str) -> str:
    """The idiom of a tool input: numbers become N, strings S, lists of literals [L], loop variables v.

    `sum(d for d in [3, 1])` and `sum(x for x in [9, 8, 7])` are the same: `sum ( v for v in [L] )`.
    """
    tokens = _tokens(code)
    if tokens is None:
        return FOR_WANT_OF_TOKENS.sub(lambda match: match.lastgroup or " ", code).strip()
    texts = [token.string for token in tokens]
    bound = {name for word, name in pairwise(texts) if word == "for"}
    masked = []
    for token in tokens:
        if token.type == tokenize.NUMBER:
            masked.append("N")
        elif token.type == tokenize.STRING or _kind(token) == "FSTRING_START":
            masked.append("S")
        elif token.type not in LAYOUT and _kind(token) not in ("FSTRING_MIDDLE", "FSTRING_END"):
            masked.append("v" if token.string in bound else token.string)
    return LITERAL_LIST.sub("[L]", " ".join(masked))


def transplant(code: str, first: Task, second: Task) -> str | None:
    """A tool input that was written for `first`, rewritten for `second`, another instance of the same family.

    Numbers and strings that stand for parameters of `first` become those of `second`, and so do parts of a
    parameter: the items of a list, the words of a phrase, the year, month and day of a date. Constants that happen
    to equal a parameter are taken for it. None where the code can't be moved: no parameter occurs in it, or a literal
    stands for two parameters that differ in `second`.
    """
    tokens = _tokens(code)
    if tokens is None:
        return None
    moves = _Moves()
    for name, old in first.parameters.items():
        moves.add(str(old), str(second.parameters[name]), tokens)
    edits = []
    for index, token in enumerate(tokens):
        text = moves.in_place.get(index)
        if text is None and token.type == tokenize.NUMBER:
            text = moves.number(token.string)
        elif token.type == tokenize.STRING:
            text = moves.string(token.string)
        elif _kind(token) == "FSTRING_MIDDLE":
            text = moves.words(token.string)
        if text is not None and text != token.string:
            edits.append((token, text))
    return _apply(code, edits) if edits and not moves.ambiguous else None


@dataclass(slots=True)
class _Moves:
    """Which literal becomes which, for one pair of tasks."""

    in_place: dict[int, str] = field(default_factory=dict)
    """Token index to its new text, for the items of lists that stand in the code in their order."""
    wholes: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    parts: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    ambiguous: bool = False

    def add(self, old: str, new: str, tokens: Sequence[tokenize.TokenInfo]) -> None:
        """Know that the parameter `old` is now `new`."""
        self.wholes[old].add(new)
        old_parts, new_parts = WORD_OR_NUMBER.findall(old), WORD_OR_NUMBER.findall(new)
        in_quotes = any(token.type == tokenize.STRING and token.string[1:-1] == old for token in tokens)
        if in_quotes or len(old_parts) != len(new_parts):
            return
        if len(old_parts) > 1:
            found = _runs([_plain(part) for part in old_parts], tokens)
            if found:
                for start in found:
                    # every second token: those between are commas
                    self.in_place |= {start + 2 * i: _plain(part) for i, part in enumerate(new_parts)}
                return
        for before, after in zip(old_parts, new_parts, strict=True):
            self.parts[before].add(after)
            if _plain(before) != before:
                self.parts[_plain(before)].add(_plain(after))

    def number(self, text: str) -> str | None:
        """What a number in the code becomes, or None to leave it."""
        moved = self._one(self.parts.get(text) or self.wholes.get(text))
        return None if moved is None else _plain(moved)

    def string(self, token: str) -> str | None:
        """What a string literal becomes, or None to leave it."""
        match = STRING_TOKEN.fullmatch(token)
        if match is None:
            return None
        prefix, quote, body = match.groups()
        moved = self._one(self.wholes.get(body))
        if moved is None:
            moved = self.words(body)
        return f"{prefix}{quote}{moved}{quote}"

    def words(self, text: str) -> str:
        """A text with its words and numbers moved."""
        return WORD_OR_NUMBER.sub(lambda part: self._one(self.parts.get(part[0])) or part[0], text)

    def _one(self, candidates: set[str] | None) -> str | None:
        if not candidates:
            return None
        if len(candidates) > 1:
            self.ambiguous = True
        return min(candidates)


def _runs(numbers: Sequence[str], tokens: Sequence[tokenize.TokenInfo]) -> list[int]:
    """Where these numbers stand one after the other with commas between: indices of the first token of each run."""
    wanted = ", ".join(numbers).replace(", ", " , ").split()
    texts = [token.string for token in tokens]
    return [i for i in range(len(texts) - len(wanted) + 1) if texts[i : i + len(wanted)] == wanted]


def _plain(text: str) -> str:
    """A number as Python writes it, `03` as `3`; any other text as it is."""
    return text.lstrip("0") or "0" if text.isdecimal() else text


def _kind(token: tokenize.TokenInfo) -> str:
    """The token's type by name: since Python 3.12 an f-string is several tokens."""
    return tokenize.tok_name[token.type]


def _tokens(code: str) -> list[tokenize.TokenInfo] | None:
    try:
        return list(tokenize.generate_tokens(io.StringIO(code).readline))
    except (tokenize.TokenError, SyntaxError, ValueError):
        return None


def _apply(code: str, edits: Sequence[tuple[tokenize.TokenInfo, str]]) -> str:
    lines = list(io.StringIO(code))  # as the tokenizer counts them: a form feed ends no line
    for token, text in reversed(edits):
        (row, start), (end_row, end) = token.start, token.end
        tail = lines[end_row - 1][end:]
        lines[row - 1 : end_row] = [lines[row - 1][:start] + text + tail]
    return "".join(lines)

"""Code that was written for one instance of a family, rewritten for another.

What tells instances apart are the texts that the family puts into its reference action: a formula, a list of pairs.
They are looked for in the student's code token by token, so white space makes no difference.
"""

import io
import re
import tokenize
from collections.abc import Mapping

LAYOUT = frozenset(
    {tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER, tokenize.COMMENT}
)
LONGEST = 4000
LETTER = re.compile(r"(?<![A-Za-z_])[a-z](?![A-Za-z_])")


def move(code: str, first: Mapping[str, str], second: Mapping[str, str]) -> str | None:
    """The code with each of the first instance's texts replaced by the second's.

    None where one that differs between the two does not occur in the code.
    """
    tokens = _tokens(code)
    if tokens is None:
        return None
    texts = [_plain(token) for token in tokens]
    taken: dict[int, tuple[int, str]] = {}
    covered: set[int] = set()
    # Longest first: a short text that is part of a longer one moves with it.
    for name in sorted(first, key=lambda name: -len(first[name])):
        if first[name] == second[name]:
            continue
        wanted = [_plain(token) for token in _tokens(first[name]) or []]
        found = [i for i in range(len(texts) - len(wanted) + 1) if wanted and texts[i : i + len(wanted)] == wanted]
        free = [i for i in found if covered.isdisjoint(range(i, i + len(wanted)))]
        if not free:
            return None
        for i in free:
            if covered.isdisjoint(range(i, i + len(wanted))):
                taken[i] = (i + len(wanted), second[name])
                covered |= set(range(i, i + len(wanted)))
    return _spliced(code, tokens, taken) if taken else None


def rename(code: str, first: str, second: str) -> str | None:
    """The code with each of the first instance's single letters replaced by the second's: proofs are moved so, whatever
    their lines are. None where one of them does not occur in the code."""
    if len(code) > LONGEST:
        return None
    moved = dict(zip(first.split(), second.split(), strict=True))
    found: set[str] = set()

    def other(match: re.Match[str]) -> str:
        found.add(match[0])
        return moved.get(match[0], match[0])

    text = LETTER.sub(other, code)
    return text if found >= set(moved) else None


def _plain(token: tokenize.TokenInfo) -> str:
    """The token, with the quotes of a short string made double."""
    text = token.string
    short = token.type == tokenize.STRING and text[0] == "'" and not text.startswith("'''") and '"' not in text
    return f'"{text[1:-1]}"' if short else text


def _tokens(code: str) -> list[tokenize.TokenInfo] | None:
    if len(code) > LONGEST:
        return None
    try:
        found = list(tokenize.generate_tokens(io.StringIO(code).readline))
    except (tokenize.TokenError, SyntaxError, ValueError):
        return None
    return [token for token in found if token.type not in LAYOUT]


def _spliced(code: str, tokens: list[tokenize.TokenInfo], taken: Mapping[int, tuple[int, str]]) -> str:
    lines = list(io.StringIO(code))  # as the tokenizer counts them
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    for start in sorted(taken, reverse=True):
        end, text = taken[start]
        (row, column), (end_row, end_column) = tokens[start].start, tokens[end - 1].end
        code = code[: starts[row - 1] + column] + text + code[starts[end_row - 1] + end_column :]
    return code

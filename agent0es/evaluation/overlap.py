"""Whether a held-out problem, or one that is nearly the same, stands in what was learnt from or shown.

Texts are compared in normal form: lower case, words and numbers alone. Two are *the same* where that is equal. They are
*nearly* the same where they name the same values (numbers, and words in quotes, in any order) and at least half of the
problem's 5-grams of words stand in the other text; of a problem without any value, four fifths.

Why not the 13-grams of GPT-3 (arXiv 2005.14165, appendix C), which are made for web pages: a problem has some 10 to 60
words, of which an author who retells it changes a few, so runs of 13 are missed. And problems of one family share all
words but their values: with other values they are other problems, so the values must agree, and half of the words is
then enough.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

WORD = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_]+")
VALUE = re.compile(r"\d+(?:[.,]\d+)*|'[^'\n]{1,80}'|\"[^\"\n]{1,80}\"")
GRAM = 5
SHARE, SHARE_WITHOUT_VALUES = 0.5, 0.8


@dataclass(frozen=True, slots=True)
class Leak:
    """A problem that was seen before."""

    problem: int
    """Number of the problem."""
    seen_in: str
    """Attempt or task of the dataset, or the worked example, that has it."""
    kind: Literal["same", "nearly the same"]
    share: float
    """Of the problem's 5-grams, those that stand there too."""


def leaks(problems: Mapping[int, str], seen: Mapping[str, str]) -> list[Leak]:
    """For each problem (number to text) the most similar of the texts that were seen (name to text), where that is a
    leak. Pure."""
    prepared = {name: _prepared(text) for name, text in seen.items()}
    where: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for name, (grams, _, _) in prepared.items():
        for gram in grams:
            where[gram].append(name)
    found = []
    for number, text in problems.items():
        grams, values, normal = _prepared(text)
        shared = Counter(name for gram in grams for name in where.get(gram, ()))
        closest: Leak | None = None
        for name, count in shared.items():
            share = count / len(grams)
            _, other_values, other = prepared[name]
            if other == normal:
                closest = Leak(number, name, "same", 1.0)
                break
            least = SHARE if values else SHARE_WITHOUT_VALUES
            if values == other_values and share >= least and (closest is None or share > closest.share):
                closest = Leak(number, name, "nearly the same", round(share, 3))
        if closest is not None:
            found.append(closest)
    return found


def _prepared(text: str) -> tuple[set[tuple[str, ...]], list[str], str]:
    """The n-grams of a text, its values in order of size, and its normal form. A short text is one n-gram."""
    words = [word.replace(",", "") for word in WORD.findall(text.lower())]
    n = min(GRAM, max(1, len(words)))
    grams = {tuple(words[i : i + n]) for i in range(len(words) - n + 1)} if words else set()
    values = sorted(value.strip("'\"").replace(",", "") for value in VALUE.findall(text.lower()))
    return grams, values, " ".join(words)

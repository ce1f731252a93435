"""Worked examples that are like a question: what a small model without an adapter needs most.

By the words, and pairs of words, that both have, the rare ones counting more (the cosine of their idf-weighted sets):
it takes no model and a millisecond, and the families of a domain say what they want in a few words. Numbers are all
the same.
"""

import math
import random
import re
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise

from agent0es.taskdomains.base import Demonstration, TaskDomain

EACH = 3
"""Examples that are made of each practised family, from easy to middling."""
_THOUSANDS = re.compile(r"(?<![\w'\"`.,])[1-9]\d{0,2}(?:,\d{3})+(?![\w'\"`]|,\d)")
_WORD = re.compile(r"[^\W\d_]+|\d[\d.,]*|[^\w\s]")


def as_read(domain: TaskDomain, question: str) -> str:
    """A question as a model reads it: `2,340` is written 2340, where the domain takes both for the same number. In a
    program it would be two numbers, and small models write what they read. Not next to a quotation mark."""
    if domain.normal_form("2,340") != domain.normal_form("2340"):
        return question
    return _THOUSANDS.sub(lambda number: number[0].replace(",", ""), question)


def words_of(text: str) -> frozenset[str]:
    """What a text is compared by: its words, and each two that follow each other."""
    found = _WORD.findall(text.lower().replace("%", " percent "))
    words = ["0" if word[0].isdigit() else word for word in found]
    return frozenset([*words, *(f"{one} {two}" for one, two in pairwise(words))])


@dataclass(frozen=True, slots=True)
class Shelf:
    """The worked examples of a domain's practised families."""

    examples: tuple[Demonstration, ...]
    words: tuple[frozenset[str], ...]
    weights: dict[str, float]
    """Word to its inverse document frequency."""

    def like(self, question: str, count: int) -> tuple[Demonstration, ...]:
        """So many examples, the one most like the question last, where a model looks most. Always the same ones."""
        asked = words_of(question)
        likeness = [self._cosine(asked, words) for words in self.words]
        order = sorted(range(len(self.examples)), key=lambda place: (-likeness[place], place))[:count]
        return tuple(self.examples[place] for place in reversed(order))

    def _cosine(self, one: frozenset[str], two: frozenset[str]) -> float:
        def square(words: frozenset[str]) -> float:
            # exact, for the order of a set's members is another one in each process
            return math.fsum(self.weights.get(word, 0.0) ** 2 for word in words)

        norm = math.sqrt(square(one) * square(two))
        return square(one & two) / norm if norm else 0.0


def shelf_of(domain: TaskDomain) -> Shelf:
    """The worked examples of a domain."""
    examples = tuple(
        example
        for family in domain.families("practised")
        for example in domain.demonstrations(family.name, EACH, random.Random(family.name))
    )
    words = tuple(words_of(example.description) for example in examples)
    seen = Counter(word for each in words for word in each)
    return Shelf(examples, words, {word: math.log((1 + len(words)) / count) for word, count in seen.items()})

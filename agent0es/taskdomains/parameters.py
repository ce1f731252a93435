"""Kinds of parameters: what may stand in a family's blank, and how its range grows with difficulty.

Every kind samples values, gives a JSON schema from which a teacher model can write one, and checks what was written.
A value is a scalar, so lists are written as text: `4, 8, 15`.
"""

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from agent0es.domain.task import Scalar

Bounds = tuple[int, int]
"""Lowest and highest, both included."""

DIFFERENT_TRIES = 50


class Parameter(Protocol):
    """One blank of a family. All methods are pure; `difficulty` is in [0, 1]."""

    def sample(self, rng: random.Random, difficulty: float) -> Scalar:
        """A value in range."""
        ...

    def different(self, rng: random.Random, difficulty: float, value: Scalar) -> Scalar:
        """A value in range that differs from this one in every part where there is one. Lists keep their length."""
        ...

    def schema(self, difficulty: float) -> dict[str, Any]:
        """JSON schema of the values in range."""
        ...

    def refusal(self, value: Scalar, difficulty: float) -> str | None:
        """Why the value is not in range, in one line; None when it is."""
        ...


def between(easy: Bounds, hard: Bounds, difficulty: float) -> Bounds:
    """Bounds at a difficulty: straight lines from the easy ones to the hard ones, rounded."""
    low, high = (round(a + (b - a) * difficulty) for a, b in zip(easy, hard, strict=True))
    return low, high


@dataclass(frozen=True, slots=True)
class Int:
    """A whole number."""

    easy: Bounds
    hard: Bounds

    def bounds(self, difficulty: float) -> Bounds:
        """Lowest and highest value."""
        return between(self.easy, self.hard, difficulty)

    def sample(self, rng: random.Random, difficulty: float) -> int:
        return rng.randint(*self.bounds(difficulty))

    def different(self, rng: random.Random, difficulty: float, value: Scalar) -> Scalar:
        return _different(self, rng, difficulty, value)

    def schema(self, difficulty: float) -> dict[str, Any]:
        low, high = self.bounds(difficulty)
        return {"type": "integer", "minimum": low, "maximum": high}

    def refusal(self, value: Scalar, difficulty: float) -> str | None:
        low, high = self.bounds(difficulty)
        if not isinstance(value, int) or isinstance(value, bool):
            return f"{_short(value)} is not a whole number"
        return None if low <= value <= high else f"{_short(value)} is not in {low} to {high}"


@dataclass(frozen=True, slots=True)
class Limit(Int):
    """A whole number from the middle of what a list holds: some items are above it and some below.

    The bounds are, as `IntList.digits`, on the digits of an item at difficulty 0 and 1; see `limit_for`.
    """

    def bounds(self, difficulty: float) -> Bounds:
        top = 10 ** between(self.easy, self.hard, difficulty)[0]
        return 3 * top // 10, 7 * top // 10


def limit_for(numbers: "IntList") -> Limit:
    """A limit that goes with this kind of list."""
    easy, hard = numbers.digits
    return Limit((easy, easy), (hard, hard))


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few texts, the same at every difficulty."""

    options: tuple[str, ...]

    def sample(self, rng: random.Random, difficulty: float) -> str:
        return rng.choice(self.options)

    def different(self, rng: random.Random, difficulty: float, value: Scalar) -> Scalar:
        return _different(self, rng, difficulty, value)

    def schema(self, difficulty: float) -> dict[str, Any]:
        return {"type": "string", "enum": list(self.options)}

    def refusal(self, value: Scalar, difficulty: float) -> str | None:
        return None if value in self.options else f"{_short(value)} is not one of {', '.join(self.options)}"


@dataclass(frozen=True, slots=True)
class IntList:
    """Positive whole numbers as text, `4, 8, 15`. Bounds are on how many there are; digits on how long each is."""

    easy: Bounds
    hard: Bounds
    digits: Bounds = (1, 2)
    """Most digits of a number at difficulty 0 and at 1."""

    def sample(self, rng: random.Random, difficulty: float) -> str:
        count = rng.randint(*between(self.easy, self.hard, difficulty))
        return ", ".join(self._number(rng, difficulty) for _ in range(count))

    def different(self, rng: random.Random, difficulty: float, value: Scalar) -> Scalar:
        old = str(value).split(", ")
        return ", ".join(str(_different(self._item(difficulty), rng, difficulty, int(item))) for item in old)

    def schema(self, difficulty: float) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^{self._pattern(difficulty)}$"}

    def refusal(self, value: Scalar, difficulty: float) -> str | None:
        if isinstance(value, str) and re.fullmatch(self._pattern(difficulty), value):
            return None
        low, high = between(self.easy, self.hard, difficulty)
        return f"{_short(value)} is not a list of {low} to {high} numbers below {10 ** self._digits(difficulty)}"

    def _digits(self, difficulty: float) -> int:
        return round(self.digits[0] + (self.digits[1] - self.digits[0]) * difficulty)

    def _item(self, difficulty: float) -> Int:
        bounds = (1, 10 ** self._digits(difficulty) - 1)
        return Int(bounds, bounds)

    def _number(self, rng: random.Random, difficulty: float) -> str:
        return str(self._item(difficulty).sample(rng, difficulty))

    def _pattern(self, difficulty: float) -> str:
        low, high = between(self.easy, self.hard, difficulty)
        digits = self._digits(difficulty)
        number = "[1-9]" if digits == 1 else f"[1-9][0-9]{{0,{digits - 1}}}"
        return f"{number}(, {number}){{{low - 1},{high - 1}}}"


@dataclass(frozen=True, slots=True)
class Phrase:
    """Lower-case words with single spaces between. Bounds are on how many words, and on the length of each."""

    vocabulary: Mapping[int, tuple[str, ...]]
    """Words by length, for sampling; a teacher may write others."""
    easy: Bounds = (1, 1)
    hard: Bounds = (1, 1)
    easy_letters: Bounds = (3, 5)
    hard_letters: Bounds = (6, 10)

    def sample(self, rng: random.Random, difficulty: float) -> str:
        count = rng.randint(*between(self.easy, self.hard, difficulty))
        return " ".join(rng.sample(self._words(difficulty), count))

    def different(self, rng: random.Random, difficulty: float, value: Scalar) -> Scalar:
        old = str(value).split()
        words = [word for word in self._words(difficulty) if word not in old]
        return " ".join(rng.sample(words, rng.randint(*between(self.easy, self.hard, difficulty))))

    def schema(self, difficulty: float) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^{self._pattern(difficulty)}$"}

    def refusal(self, value: Scalar, difficulty: float) -> str | None:
        if isinstance(value, str) and re.fullmatch(self._pattern(difficulty), value):
            return None
        low, high = between(self.easy, self.hard, difficulty)
        shortest, longest = between(self.easy_letters, self.hard_letters, difficulty)
        return f"{_short(value)} is not {low} to {high} lower-case words of {shortest} to {longest} letters"

    def _words(self, difficulty: float) -> list[str]:
        shortest, longest = between(self.easy_letters, self.hard_letters, difficulty)
        return [word for length in range(shortest, longest + 1) for word in self.vocabulary[length]]

    def _pattern(self, difficulty: float) -> str:
        low, high = between(self.easy, self.hard, difficulty)
        shortest, longest = between(self.easy_letters, self.hard_letters, difficulty)
        word = f"[a-z]{{{shortest},{longest}}}"
        return word if high == 1 else f"{word}( {word}){{{low - 1},{high - 1}}}"


@dataclass(frozen=True, slots=True)
class Day:
    """An ISO date of this century up to the 28th, `2024-03-15`, in a span of whole decades."""

    first_decade: int = 0
    last_decade: int = 4

    def sample(self, rng: random.Random, difficulty: float) -> str:
        decade = rng.randint(self.first_decade, self.last_decade)
        return f"20{decade}{rng.randrange(10)}-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d}"

    def different(self, rng: random.Random, difficulty: float, value: Scalar) -> Scalar:
        old = set(str(value).split("-"))
        for _ in range(DIFFERENT_TRIES):
            other = self.sample(rng, difficulty)
            if old.isdisjoint(other.split("-")):
                return other
        return _different(self, rng, difficulty, value)

    def schema(self, difficulty: float) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^{self._pattern()}$"}

    def refusal(self, value: Scalar, difficulty: float) -> str | None:
        if isinstance(value, str) and re.fullmatch(self._pattern(), value):
            return None
        return f"{_short(value)} is not a date up to the 28th from 20{self.first_decade}0 to 20{self.last_decade}9"

    def _pattern(self) -> str:
        return f"20[{self.first_decade}-{self.last_decade}][0-9]-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])"


def _different(kind: Parameter, rng: random.Random, difficulty: float, value: Scalar) -> Scalar:
    """Sample until the value is another one; give up on ranges that hold no other."""
    for _ in range(DIFFERENT_TRIES):
        other = kind.sample(rng, difficulty)
        if other != value:
            return other
    return value


def _short(value: Scalar) -> str:
    """A value that a model wrote, fit for a one-line message."""
    if isinstance(value, int) and value.bit_length() > 200:
        return "a very long number"
    text = repr(value)
    return text if len(text) <= 60 else text[:60] + "…"

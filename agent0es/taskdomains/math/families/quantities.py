"""What composed stories are made of: quantities that follow from each other by rules, and the numbers that are told."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

LARGEST = 20_000
"""More than any quantity of a story."""
TIMES = {2: "twice", 3: "three times", 4: "four times", 5: "five times", 6: "six times"}
PARTS = {2: "half", 3: "a third", 4: "a quarter", 5: "a fifth", 6: "a sixth"}


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number of the story: its value, and how Python reckons it from what is told."""

    value: Fraction
    code: str


@dataclass(frozen=True, slots=True)
class Rule:
    """How a quantity follows from another one, and a number."""

    numbers: Sequence[int]
    value: Callable[[Fraction, int], Fraction]
    code: str

    def apply(self, of: Quantity, n: int) -> Quantity:
        return Quantity(self.value(of.value, n), self.code.format(of=of.code, n=n))


MORE = Rule(range(3, 60), lambda of, n: of + n, "({of} + {n})")
FEWER = Rule(range(3, 60), lambda of, n: of - n, "({of} - {n})")
MULTIPLE = Rule(tuple(TIMES), lambda of, n: of * n, "({of} * {n})")
PART = Rule(tuple(PARTS), lambda of, n: of / n, "({of} // {n})")
ALL_BUT_A_PART = Rule(tuple(PARTS), lambda of, n: of * (n - 1) / n, "({of} * ({n} - 1) // {n})")
PERCENT_MORE = Rule(range(10, 80, 5), lambda of, n: of * (100 + n) / 100, "({of} * (100 + {n}) // 100)")
PERCENT_LESS = Rule(range(10, 80, 5), lambda of, n: of * (100 - n) / 100, "({of} * (100 - {n}) // 100)")
TOGETHER = "together"

OF_RULES = (1, 100)
"""Numbers in the code of rules."""
RULES: Mapping[str, Rule] = {
    "more": MORE,
    "fewer": FEWER,
    "times": MULTIPLE,
    "part": PART,
    "percent_more": PERCENT_MORE,
    "told_of_the_larger": FEWER,
    "told_of_the_multiple": PART,
}
"""The last two are told of the other quantity: `Ben has 5 more than Ann` where Ben's is known."""


@dataclass(slots=True)
class Draw:
    """The numbers of a story, in the order in which they are drawn: no two are the same, so that in a program for it
    one can tell which is which."""

    rng: random.Random
    told: list[int] = field(default_factory=list)

    def __call__(self, numbers: Sequence[int]) -> int:
        """One that the story tells."""
        return self.tell(self.unknown(numbers))

    def unknown(self, numbers: Sequence[int]) -> int:
        """One that is asked for, or follows from what is told."""
        return self.rng.choice(numbers)

    def tell(self, number: int) -> int:
        """The same number, told, or known to everybody."""
        self.told.append(number)
        return number


@dataclass(frozen=True, slots=True)
class Story:
    """A story, its question's answer, and all quantities in between, which are to be whole and positive."""

    sentences: Sequence[str]
    question: str
    asked: Quantity
    between: Sequence[Quantity]

    @property
    def is_sound(self) -> bool:
        values = [quantity.value for quantity in (self.asked, *self.between)]
        return all(value.denominator == 1 and 0 < value < LARGEST for value in values)

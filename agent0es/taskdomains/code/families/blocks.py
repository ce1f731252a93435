"""The building blocks of functions on whole numbers: conditions, and steps of a calculation.

A block says the same thing three times: in words, as Python text, and as a trusted implementation that computes it in
another way. Expected values come from the implementation, worked examples from the text; tests hold one against the
other.
"""

import random
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

NEAR = 120
"""How far from an edge a number is looked for that meets the other conditions."""


class Condition(NamedTuple):
    """Something that is true of some whole numbers."""

    spoken: str
    code: str
    """Template with {x}."""
    holds: Callable[[int], bool]
    edges: tuple[int, ...]
    """Numbers at which a slightly wrong condition goes wrong."""


def condition(kind: str, k: int) -> Condition:
    """The condition of this kind with the constant k > 1."""
    near = (k - 1, k, k + 1)
    match kind:
        case "even":
            return Condition("even", "{x} % 2 == 0", lambda x: str(x)[-1] in "02468", (-2, -1, 0, 1, 2))
        case "odd":
            return Condition("odd", "{x} % 2 == 1", lambda x: str(x)[-1] in "13579", (-2, -1, 0, 1, 2))
        case "greater":
            return Condition(f"greater than {k}", f"{{x}} > {k}", lambda x: max(x, k) != k, near)
        case "less":
            return Condition(f"less than {k}", f"{{x}} < {k}", lambda x: min(x, k) != k, near)
        case "at least":
            return Condition(f"at least {k}", f"{{x}} >= {k}", lambda x: max(x, k) == x, near)
        case "at most":
            return Condition(f"at most {k}", f"{{x}} <= {k}", lambda x: min(x, k) == x, near)
        case "divisible":
            multiples = (-k, 0, k, 2 * k, k + 1, k - 1)
            return Condition(f"divisible by {k}", f"{{x}} % {k} == 0", lambda x: x // k * k == x, multiples)
        case "not divisible":
            multiples = (-k, 0, k, 2 * k, k + 1, k - 1)
            return Condition(f"not divisible by {k}", f"{{x}} % {k} != 0", lambda x: x // k * k != x, multiples)
        case "different":
            return Condition(f"different from {k}", f"{{x}} != {k}", lambda x: bool(x - k), near)
        case "negative":
            return Condition("negative", "{x} < 0", lambda x: str(x)[0] == "-", (-1, 0, 1))
        case "positive":
            return Condition("positive", "{x} > 0", lambda x: str(x)[0] not in "-0", (-1, 0, 1))
    raise ValueError(f"no condition is called {kind!r}")


COMPARING = ("greater", "less", "at least", "at most")
ARITHMETIC = ("even", "odd", "divisible", "not divisible")
CONDITIONS = (*COMPARING, *ARITHMETIC, "different", "negative", "positive")


def conditions(rng: random.Random, parts: int, size: int) -> list[Condition]:
    """So many conditions that may hold together and don't imply each other: of different sorts, constants apart."""
    if parts == 1:
        return [condition(rng.choice(CONDITIONS), rng.randint(2, size))]
    found = [condition(rng.choice(ARITHMETIC), rng.randint(3, max(4, size // 4)))]
    low = rng.randint(2, size)
    if parts == 2:
        return [found[0], condition(rng.choice(COMPARING), low)]
    high = low + rng.randint(8, 8 + size)
    return [found[0], condition(rng.choice(COMPARING[::2]), low), condition(rng.choice(COMPARING[1::2]), high)]


def both(items: Sequence[Condition]) -> Condition:
    """All of them together."""
    return Condition(
        " and ".join(item.spoken for item in items),
        " and ".join(item.code for item in items),
        lambda x: not any(not item.holds(x) for item in items),
        tuple(dict.fromkeys(edge for item in items for edge in _telling(item, items))),
    )


def _telling(item: Condition, items: Sequence[Condition]) -> list[int]:
    """The edges of one condition; where there are others, numbers nearby for which those hold: there it decides."""
    others = [other for other in items if other is not item]
    if not others:
        return list(item.edges)

    def open_to(x: int) -> bool:
        return all(other.holds(x) for other in others)

    found = []
    for edge in item.edges:
        for way in (-1, 1):
            found += [x for x in (edge + way * i for i in range(NEAR)) if open_to(x)][:1]
    centre = others[-1].edges[0]
    by_distance = sorted(range(centre - 2 * NEAR, centre + 2 * NEAR), key=lambda x: abs(x - centre))
    return found + [x for x in by_distance if open_to(x) and not item.holds(x)][:2]


class Step(NamedTuple):
    """Something that is done to a number."""

    spoken: str
    code: str
    """Template with {x}, which is an atom or in brackets."""
    apply: Callable[[int], int]
    turns: tuple[tuple[Callable[[int], int], int], ...] = ()
    """Of each division in it, what is divided and by what."""

    def edges(self, holds: Callable[[int], bool] = lambda x: True) -> list[int]:
        """Numbers at which a division by a slightly wrong divisor goes wrong, where the condition holds for them."""
        found = []
        for before, k in self.turns:
            for want in (0, k - 1):
                found += [
                    x for x in range(1, 10 * NEAR) if holds(x) and before(x) % k == want and abs(before(x)) >= k - 1
                ][:1]
        return found


def step(kind: str, k: int) -> Step:
    """The step of this kind with the constant k > 1."""
    match kind:
        case "add":
            return Step(f"add {k}", f"{{x}} + {k}", k.__add__)
        case "subtract":
            return Step(f"subtract {k}", f"{{x}} - {k}", (-k).__add__)
        case "multiply":
            return Step(f"multiply by {k}", f"{{x}} * {k}", lambda x: sum([x] * k))
        case "square":
            return Step("square it", "{x} ** 2", lambda x: abs(x) * abs(x))
        case "remainder":
            return Step(f"take the remainder by {k}", f"{{x}} % {k}", lambda x: x - x // k * k, ((int, k),))
        case "quotient":
            return Step(f"divide by {k}, rounding down", f"{{x}} // {k}", lambda x: divmod(x, k)[0], ((int, k),))
        case "negate":
            return Step("negate it", "-{x}", lambda x: 0 - x)
    raise ValueError(f"no step is called {kind!r}")


STEPS = ("add", "subtract", "multiply", "square", "remainder", "quotient", "negate")


def steps(rng: random.Random, parts: int, size: int) -> Step:
    """So many steps one after the other, no two of a kind."""
    kinds = rng.sample(STEPS, parts)
    if kinds[0] == "remainder" and "negate" in kinds[1:]:
        kinds.reverse()
    made = [step(kind, rng.randint(2, size)) for kind in kinds]
    code = "{x}"
    for i, one in enumerate(made):
        code = one.code.replace("{x}", code if i == 0 else f"({code})")

    def first(count: int, x: int) -> int:
        for one in made[:count]:
            x = one.apply(x)
        return x

    turns = tuple((partial(first, i), k) for i, one in enumerate(made) for _, k in one.turns)
    return Step(", then ".join(one.spoken for one in made), code, partial(first, parts), turns)

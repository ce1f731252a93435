"""Stories in which the quantity that others follow from isn't told: an equation, or a way back from the end."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial

from agent0es.taskdomains.base import Split
from agent0es.taskdomains.math.families.composed_stories import (
    FIRST,
    Tell,
    changes_of_a_stock,
    same_throughout,
    sentence,
    story_family,
)
from agent0es.taskdomains.math.families.composing import ComposedFamily
from agent0es.taskdomains.math.families.quantities import RULES, TIMES, Draw, Quantity, Story
from agent0es.taskdomains.math.families.story_themes import NAMES, OWNERS, PRICES, TOWERS, WEEK, Theme

FOLLOWS = ("more", "fewer", "times", "told_of_the_larger")
AGES: Mapping[str, str] = {
    "more": "{x} is {n} years older than {y}.",
    "fewer": "{x} is {n} years younger than {y}.",
    "times": "{x} is {times} as old as {y}.",
}


@dataclass(frozen=True, slots=True)
class Linear:
    """A quantity that is `a` times the one that isn't told, and `b`; `a` and `b` as Python reckons them."""

    value: Fraction
    a: str
    b: str


def _follow(
    told: Mapping[str, str],
    subjects: Sequence[str],
    rng: random.Random,
    draw: Draw,
    numbers: Sequence[int],
    **same: str,
) -> tuple[list[str], list[Linear]]:
    """The sentences of all subjects but the first, whose quantity isn't told, and the quantities of all."""
    quantities, sentences = [Linear(Fraction(draw.unknown(numbers)), "1", "0")], []
    for i in range(1, len(subjects)):
        kind, of = rng.choice([kind for kind in FOLLOWS if kind in told]), rng.randrange(i)
        n, y = draw(RULES[kind].numbers), quantities[of]
        value = RULES[kind].value(y.value, n)
        if kind == "times":
            quantities.append(Linear(value, f"{y.a} * {n}", f"({y.b}) * {n}"))
        else:
            quantities.append(Linear(value, y.a, f"{y.b} {'+' if kind == 'more' else '-'} {n}"))
        sentences.append(sentence(told[kind], x=subjects[i], y=subjects[of], n=n, times=TIMES.get(n), **same))
    return sentences, quantities


def _solved(quantities: Sequence[Linear], total: str, asked: int) -> Quantity:
    """The quantity that is asked for, from the sum of all."""
    a, b = (" + ".join(parts) for parts in zip(*((q.a, q.b) for q in quantities), strict=True))
    one = quantities[asked]
    return Quantity(one.value, f"({total} - ({b})) // ({a}) * {one.a} + {one.b}")


def _known_total(theme: Theme, rng: random.Random, draw: Draw, steps: int) -> Story:
    """The total is told instead of the first quantity."""
    subjects, same = rng.sample(theme.subjects, steps + 1), same_throughout(theme, rng)
    sentences, quantities = _follow(theme.related, subjects, rng, draw, FIRST, **same)
    total = draw.tell(int(sum(one.value for one in quantities)))
    known, asked = theme.total.format(n=total, **same), rng.randrange(steps + 1)
    sentences = [known, *sentences] if rng.random() < 0.5 else [*sentences, known]
    question = sentence(theme.one, x=subjects[asked], **same)
    between = [Quantity(one.value, "") for one in quantities]
    return Story(sentences, question, _solved(quantities, str(total), asked), between)


def _ages(rng: random.Random, draw: Draw, steps: int) -> Story:
    """Ages told by way of each other, and how old all will be together some years later."""
    subjects = rng.sample(NAMES, steps + 1)
    sentences, quantities = _follow(AGES, subjects, rng, draw, range(4, 40))
    years = draw(range(2, 15))
    total = draw.tell(int(sum(one.value for one in quantities)) + years * len(subjects))
    known, asked = f"In {years} years they will be {total} years old together.", rng.randrange(steps + 1)
    sentences = [known, *sentences] if rng.random() < 0.5 else [*sentences, known]
    first = _solved(quantities, f"({total} - {years} * {draw.tell(len(subjects))})", asked)
    too_old = Quantity(Fraction(100) - max(one.value for one in quantities), "")
    between = [*(Quantity(one.value, "") for one in quantities), too_old]
    return Story(sentences, f"How old is {subjects[asked]} now?", first, between)


@dataclass(frozen=True, slots=True)
class Kinds:
    """Things of two kinds, and what one of each counts for."""

    told: str
    """So many: {n}; one of the first kind counts for {a}, of the second for {b}."""
    total: str
    further: str
    """What would be, with {m} more, is {n}."""
    first: str
    second: str


KINDS = (
    Kinds(
        "{who} sells {n} tickets, at ${a} for grown-ups and ${b} for children.",
        "They bring in ${n}.",
        "With ${m} more they would bring in ${n}.",
        "tickets for grown-ups",
        "tickets for children",
    ),
    Kinds(
        "{who} buys {n} fruits: melons at ${a} each, and the rest pears at ${b} each.",
        "{who} pays ${n}.",
        "If it cost ${m} more, {who} would pay ${n}.",
        "melons",
        "pears",
    ),
    Kinds(
        "{who} fills {n} boxes: each large one with {a} bottles, each small one with {b}.",
        "They hold {n} bottles.",
        "With {m} more bottles that would be {n}.",
        "large boxes",
        "small boxes",
    ),
    Kinds(
        "{who} answers {n} questions of a quiz: a hard one gives {a} points, an easy one {b}.",
        "That makes {n} points.",
        "With {m} more points it would be {n}.",
        "hard questions",
        "easy questions",
    ),
)


def _two_kinds(rng: random.Random, draw: Draw, steps: int) -> Story:
    """How many there are of two kinds together, and what they come to, in longer stories by way of more."""
    kinds, who = rng.choice(KINDS), rng.choice(NAMES)
    first, second = draw.unknown(range(5, 60)), draw.unknown(range(5, 60))
    n, a, b = draw.tell(first + second), draw(range(5, 30)), draw(range(2, 20))
    value = a * first + b * second
    sentences, code = [kinds.told.format(who=who, n=n, a=a, b=b)], str(value)
    if steps > 1:
        more = draw(range(10, 100))
        sentences.append(kinds.further.format(who=who, m=more, n=draw.tell(value + more)))
        code = f"({value + more} - {more})"
    else:
        sentences.append(kinds.total.format(who=who, n=draw.tell(value)))
    one = Quantity(Fraction(first), f"({code} - {b} * {n}) // ({a} - {b})")
    positive = [Quantity(Fraction(a - b), ""), one]
    if steps < 3:
        return Story(sentences, f"How many {kinds.first} are there?", one, positive)
    question = f"How many more {kinds.first} than {kinds.second} are there?"
    return Story(sentences, question, Quantity(Fraction(first - second), f"{one.code} - ({n} - {one.code})"), positive)


def _family(name: str, split: Split, tell: Tell) -> ComposedFamily:
    return story_family(name, split, tell, "unknown_quantities")


FAMILIES = (
    _family("unknown_owner", "practised", partial(_known_total, OWNERS)),
    _family("unknown_day", "practised", partial(_known_total, WEEK)),
    _family("unknown_price", "practised", partial(_known_total, PRICES)),
    _family("unknown_start", "practised", partial(changes_of_a_stock, backwards=True)),
    _family("unknown_age", "practised", _ages),
    _family("unknown_share", "practised", _two_kinds),
    _family("unknown_tower", "held_out", partial(_known_total, TOWERS)),
)

"""Stories composed at random: quantities told by way of each other, in an order that need not be that of the reckoning.

Such a family has no list of wordings to learn by heart: each `shape` is another story. Its numbers are drawn until all
quantities are whole and positive and no two numbers are the same. After Allen-Zhu's iGSM (Physics of Language Models,
part 2.1, arXiv 2407.20311), in the words of schoolbooks.
"""

import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial

from agent0es.taskdomains.base import Int, Split
from agent0es.taskdomains.math.families.composing import Composed, ComposedFamily, composed_family
from agent0es.taskdomains.math.families.quantities import (
    ALL_BUT_A_PART,
    FEWER,
    MORE,
    MULTIPLE,
    OF_RULES,
    PART,
    PARTS,
    PERCENT_LESS,
    PERCENT_MORE,
    RULES,
    TIMES,
    TOGETHER,
    Draw,
    Quantity,
    Rule,
    Story,
)
from agent0es.taskdomains.math.families.story_themes import (
    HABITS,
    NAMES,
    OWNERS,
    PRICES,
    THINGS,
    TOWERS,
    WEEK,
    Theme,
)

STEPS = Int((1, 2), (3, 5))
"""Quantities that follow from others, beside what the question does with them."""

STOCKS = (
    ("A shop has {n} apples", "apples", "are sold", "are delivered"),
    ("A library has {n} books", "books", "are lent", "are brought back"),
    ("A car park holds {n} cars", "cars", "drive off", "arrive"),
    ("A tank holds {n} liters", "liters", "flow out", "flow in"),
    ("A club has {n} members", "members", "leave", "join"),
)
Tell = Callable[[random.Random, Draw, int], Story]
"""From the randomness of the shape, the numbers, and the steps."""


FIRST = range(6, 120)
"""The quantity that is told plainly."""


def sentence(template: str, **texts: object) -> str:
    """What a template tells, with a capital letter at its beginning."""
    told = template.format(**texts)
    return told[0].upper() + told[1:]


def same_throughout(theme: Theme, rng: random.Random) -> dict[str, str]:
    """What stands in a story's templates throughout."""
    does, things = rng.choice(HABITS) if theme is WEEK else ("", rng.choice(THINGS))
    return {"things": things, "does": does, "who": rng.choice(NAMES)}


def _told(
    theme: Theme, rng: random.Random, draw: Draw, steps: int
) -> tuple[list[str], list[str], list[Quantity], dict[str, str]]:
    """Subjects, the sentences of their quantities, the quantities, and what stands in templates throughout."""
    subjects, same = rng.sample(theme.subjects, steps + 1), same_throughout(theme, rng)
    first = draw(FIRST)
    sentences = [sentence(theme.plain, x=subjects[0], n=first, **same)]
    quantities = [Quantity(Fraction(first), str(first))]
    for i in range(1, steps + 1):
        kind = rng.choice([*RULES, TOGETHER] if i > 1 else [*RULES])
        of = i - 1 if rng.random() < 0.6 else rng.randrange(i)
        names = {"x": subjects[i], "y": subjects[of]}
        if kind == TOGETHER:
            other = rng.choice([j for j in range(i) if j != of])
            made = Quantity(
                quantities[of].value + quantities[other].value, f"({quantities[of].code} + {quantities[other].code})"
            )
            sentences.append(sentence(theme.related[kind], **names, z=subjects[other], **same))
        else:
            n = draw(RULES[kind].numbers)
            made = RULES[kind].apply(quantities[of], n)
            words = {"n": n, "times": TIMES.get(n), "part": PARTS.get(n)}
            sentences.append(sentence(theme.related[kind], **names, **words, **same))
        quantities.append(made)
    return subjects, sentences, quantities, same


def _sum(quantities: Iterable[Quantity]) -> Quantity:
    terms = list(quantities)
    return Quantity(sum((q.value for q in terms), Fraction()), f"({' + '.join(q.code for q in terms)})")


def _difference(more: Quantity, less: Quantity) -> Quantity:
    return Quantity(more.value - less.value, f"({more.code} - {less.code})")


def _mixed_up(rng: random.Random, sentences: list[str]) -> list[str]:
    """Two stories in five are told in another order than that of the reckoning."""
    return rng.sample(sentences, len(sentences)) if rng.random() < 0.4 else sentences


def _compared(theme: Theme, rng: random.Random, draw: Draw, steps: int) -> Story:
    """Quantities of several subjects: asked for is one of them, the sum, a difference, or what follows from the sum."""
    subjects, sentences, quantities, same = _told(theme, rng, draw, steps)
    sentences = _mixed_up(rng, sentences)
    total, last = _sum(quantities), steps
    before = rng.randrange(last)
    match rng.choice(("one", "all", "all", "difference", "difference", "other way", "shared", "missing")):
        case "one":
            return Story(sentences, sentence(theme.one, x=subjects[last], **same), quantities[last], quantities)
        case "difference":
            asked = _difference(quantities[last], quantities[before])
            question = sentence(theme.difference, x=subjects[last], y=subjects[before], **same)
        case "other way":
            asked = _difference(quantities[before], quantities[last])
            question = sentence(theme.difference, x=subjects[before], y=subjects[last], **same)
        case "shared":
            n = draw(range(2, 10))
            asked = PART.apply(total, n)
            question = sentence(theme.shared, n=n, **same)
        case "missing":
            n = draw(range(200, 1000, 10))
            asked = _difference(Quantity(Fraction(n), str(n)), total)
            question = sentence(theme.missing, n=n, **same)
        case _:
            asked, question = total, sentence(theme.all, **same)
    return Story(sentences, question, asked, quantities)


def _shopping(rng: random.Random, draw: Draw, steps: int) -> Story:
    """Prices told by way of each other, and so many of two goods; perhaps a discount, or what is paid with."""
    subjects, sentences, prices, same = _told(PRICES, rng, draw, steps)
    who, (x, y) = same["who"], rng.sample(range(steps + 1), 2)
    a, b = draw(range(2, 13)), draw(range(2, 13))
    total = _sum([MULTIPLE.apply(prices[x], a), MULTIPLE.apply(prices[y], b)])
    bought = f"{who} buys {a} {subjects[x]}s and {b} {subjects[y]}s"
    sentences = _mixed_up(rng, sentences)
    match rng.choice(("pays", "change", "discount")):
        case "change":
            n = draw(range(100, 2000, 50))
            paid = Quantity(Fraction(n), str(n))
            told, asked = f"{bought}, and pays with ${n}.", _difference(paid, total)
            question = f"How many dollars of change does {who} get?"
        case "discount":
            n = draw(PERCENT_LESS.numbers)
            told, asked = f"{bought}, and gets {n}% off the whole.", PERCENT_LESS.apply(total, n)
            question = f"How many dollars does {who} pay?"
        case _:
            told, asked, question = f"{bought}.", total, f"How many dollars does {who} pay?"
    return Story([*sentences, told], question, asked, [*prices, total])


CHANGES: Mapping[str, Rule] = {
    "{n} {things} {go}": FEWER,
    "{n} {things} {come}": MORE,
    "{part} of the {things} that are there {go}": ALL_BUT_A_PART,
    "{n}% of the {things} that are there {go}": PERCENT_LESS,
    "the number of {things} grows by {n}%": PERCENT_MORE,
}
BACKWARDS: Mapping[str, Rule] = {
    "{n} {things} {go}": MORE,
    "{n} {things} {come}": FEWER,
    "{part} of the {things} that are there {go}": Rule(
        tuple(PARTS), lambda of, n: of * n / (n - 1), "({of} * {n} // ({n} - 1))"
    ),
    "{n}% of the {things} that are there {go}": Rule(
        range(10, 80, 5), lambda of, n: of * 100 / (100 - n), "({of} * 100 // (100 - {n}))"
    ),
}
"""From what is there after such a change to what was there before it."""
AFTER = ("Then", "After that", "Later", "Next", "In the evening")


def changes_of_a_stock(rng: random.Random, draw: Draw, steps: int, *, backwards: bool = False) -> Story:
    """A stock that changes several times: what is left is asked for, or, backwards, what was there at first."""
    opening, things, go, come = rng.choice(STOCKS)
    rules = BACKWARDS if backwards else CHANGES
    first = draw(range(20, 400))
    now = Quantity(Fraction(first), str(first))
    between, changes = [now], []
    for _ in range(steps + 1):
        told = rng.choice(list(rules))
        n = draw(rules[told].numbers)
        now = rules[told].apply(now, n)
        between.append(now)
        changes.append((told, {"n": n, "part": PARTS.get(n), "things": things, "go": go, "come": come}))
    if backwards:
        changes.reverse()
    words = [sentence(changes[0][0], **changes[0][1])]
    words += [f"{AFTER[i % len(AFTER)]} {told.format(**texts)}" for i, (told, texts) in enumerate(changes[1:])]
    sentences = [f"{word}." for word in words]
    if backwards:
        start = opening.format(n="some")
        question = f"In the end {first} {things} are there. How many {things} were there at first?"
    else:
        start, question = opening.format(n=first), f"How many {things} are there in the end?"
    return Story([f"{start}.", *sentences], question, now, between)


RATES = (("a minute", "hours", 60), ("a day", "weeks", 7), ("a month", "years", 12), ("an hour", "days", 24))
"""What a rate is told in, what the time is told in, and how many of the one are in the other."""


@dataclass(frozen=True, slots=True)
class Stage:
    """What happens next to what was made."""

    of: str
    """What is counted before it, and after it."""
    to: str
    rule: Rule
    told: str


STAGES = (
    Stage("things", "things", ALL_BUT_A_PART, "{part} of the {things} that are there are broken and thrown away."),
    Stage("things", "things", FEWER, "{n} {things} are kept back."),
    Stage("things", "boxes", replace(PART, numbers=range(3, 13)), "The {things} are packed in boxes of {n}."),
    Stage("things", "dozens", replace(PART, numbers=(12,)), "The {things} are packed by the dozen."),
    Stage("things", "dollars", replace(MULTIPLE, numbers=range(2, 10)), "The {things} are sold for ${n} each."),
    Stage("boxes", "dollars", replace(MULTIPLE, numbers=range(5, 40)), "A box is sold for ${n}."),
    Stage("dozens", "dollars", replace(MULTIPLE, numbers=range(5, 40)), "A dozen is sold for ${n}."),
    Stage("dollars", "profit", replace(FEWER, numbers=range(20, 400, 10)), "Material and power cost ${n}."),
    Stage("dollars", "each", replace(PART, numbers=range(2, 7)), "{n} owners share the money equally."),
    Stage("profit", "each", replace(PART, numbers=range(2, 7)), "{n} owners share what is left equally."),
)
LEFT = {
    "things": "How many {things} are there then?",
    "boxes": "How many boxes is that?",
    "dozens": "How many dozens is that?",
    "dollars": "How many dollars does that bring in?",
    "profit": "How many dollars are left?",
    "each": "How many dollars does each of them get?",
}


def _production(rng: random.Random, draw: Draw, steps: int) -> Story:
    """So many in a short time, made for a long one; then packed, sold, paid for and shared, as far as the steps go."""
    things, (short, long, factor) = rng.choice(THINGS), rng.choice(RATES)
    rate, time = draw(range(3, 40)), draw(range(2, 12))
    between = [Quantity(Fraction(rate * time * factor), f"({rate} * {time} * {draw.tell(factor)})")]
    sentences = [f"A machine makes {rate} {things} {short}.", f"It runs for {time} {long} without a break."]
    unit, stages = "things", list(STAGES)
    for _ in range(steps):
        possible = [stage for stage in stages if stage.of == unit]
        if not possible:
            break
        stage = rng.choice(possible)
        stages.remove(stage)
        n = draw(stage.rule.numbers)
        between.append(stage.rule.apply(between[-1], n))
        sentences.append(sentence(stage.told, n=n, part=PARTS.get(n), things=things))
        unit = stage.to
    return Story(sentences, LEFT[unit].format(things=things), between[-1], between)


def story_family(name: str, split: Split, tell: Tell, domain: str = "composed_stories") -> ComposedFamily:
    """A family of stories of a domain: without a number that is told twice, or stands in the code of rules."""

    def compose(shape: random.Random, numbers: random.Random, steps: int) -> Composed | None:
        draw = Draw(numbers)
        story = tell(shape, draw, steps)
        if not story.is_sound or len({*draw.told, *OF_RULES}) < len(draw.told) + len(OF_RULES):
            return None
        description = " ".join([*story.sentences, story.question])
        return Composed(description, story.asked.code, str(story.asked.value), list(map(str, draw.told)))

    return composed_family(name, split, domain, STEPS, compose)


FAMILIES = (
    story_family("composed_owners", "practised", partial(_compared, OWNERS)),
    story_family("composed_week", "practised", partial(_compared, WEEK)),
    story_family("composed_prices", "practised", partial(_compared, PRICES)),
    story_family("composed_shopping", "practised", _shopping),
    story_family("composed_changes", "practised", changes_of_a_stock),
    story_family("composed_production", "practised", _production),
    story_family("composed_towers", "held_out", partial(_compared, TOWERS)),
)

"""Who or what has the quantities of a composed story, and the sentences that tell them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agent0es.taskdomains.math.families.quantities import TOGETHER

NAMES = tuple(
    "Ada Ben Cleo Dan Eva Finn Gus Hana Ivo Jana Karl Lea Max Nora Omar Pia Ray Sara Tim Uma Vera Will".split()
)
COLOURS = tuple("red blue green yellow white black brown grey".split())
DAYS = tuple("Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split())
GOODS = tuple("pen book bag lamp chair mug scarf puzzle kite plate vase clock basket jacket cap belt".split())
THINGS = tuple("stamps marbles cards shells stickers coins beads books pencils sweets".split())
HABITS = (("reads", "pages"), ("runs", "rounds"), ("sells", "tickets"), ("bakes", "rolls"), ("picks", "apples"))


@dataclass(frozen=True, slots=True)
class Theme:
    """Who or what has quantities, and how a sentence tells one by way of another."""

    subjects: Sequence[str]
    plain: str
    """Of {x}: {n}. The same names stand in all templates."""
    related: Mapping[str, str]
    """Rule to template; {y} has the quantity from which that of {x} follows, {z} the one that is added to it."""
    one: str
    """Questions: of {x} alone, of all, by how much {x} has more than {y}."""
    all: str
    difference: str
    shared: str
    """What is done with the sum of all: divided by {n}, compared with the larger {n}; and how it is told to be {n}."""
    missing: str
    total: str


OWNERS = Theme(
    NAMES,
    "{x} has {n} {things}.",
    {
        "more": "{x} has {n} more {things} than {y}.",
        "fewer": "{x} has {n} fewer {things} than {y}.",
        "times": "{x} has {times} as many {things} as {y}.",
        "part": "{x} has {part} as many {things} as {y}.",
        "percent_more": "{x} has {n}% more {things} than {y}.",
        "told_of_the_larger": "{y} has {n} more {things} than {x}.",
        "told_of_the_multiple": "{y} has {times} as many {things} as {x}.",
        TOGETHER: "{x} has as many {things} as {y} and {z} together.",
    },
    "How many {things} does {x} have?",
    "How many {things} do they have altogether?",
    "How many more {things} does {x} have than {y}?",
    "They share all these {things} equally among {n} children. How many does each child get?",
    "Together they want to have {n} {things}. How many are missing?",
    "Together they have {n} {things}.",
)
WEEK = Theme(
    DAYS,
    "On {x} {who} {does} {n} {things}.",
    {
        "more": "On {x} {who} {does} {n} {things} more than on {y}.",
        "fewer": "On {x} {who} {does} {n} {things} fewer than on {y}.",
        "times": "On {x} {who} {does} {times} as many {things} as on {y}.",
        "part": "On {x} {who} {does} only {part} as many {things} as on {y}.",
        "percent_more": "On {x} {who} {does} {n}% more {things} than on {y}.",
        "told_of_the_larger": "On {y} {who} {does} {n} {things} more than on {x}.",
        "told_of_the_multiple": "On {y} {who} {does} {times} as many {things} as on {x}.",
        TOGETHER: "On {x} {who} {does} as many {things} as on {y} and {z} together.",
    },
    "How many {things} is that on {x}?",
    "How many {things} is that on all these days together?",
    "How many {things} more is that on {x} than on {y}?",
    "All that is divided into {n} equal parts. How many {things} is a part?",
    "In all, {who} wants to reach {n} {things} on these days. How many are missing?",
    "On these days {who} {does} {n} {things} altogether.",
)
PRICES = Theme(
    GOODS,
    "A {x} costs ${n}.",
    {
        "more": "A {x} costs ${n} more than a {y}.",
        "fewer": "A {x} is ${n} cheaper than a {y}.",
        "times": "A {x} costs {times} as much as a {y}.",
        "part": "A {x} costs {part} as much as a {y}.",
        "percent_more": "A {x} costs {n}% more than a {y}.",
        "told_of_the_larger": "A {y} costs ${n} more than a {x}.",
        "told_of_the_multiple": "A {y} costs {times} as much as a {x}.",
        TOGETHER: "A {x} costs as much as a {y} and a {z} together.",
    },
    "How many dollars does a {x} cost?",
    "What does one of each cost altogether, in dollars?",
    "By how many dollars is a {x} dearer than a {y}?",
    "{n} friends buy one of each and share the cost equally. How many dollars does each of them pay?",
    "One of each is bought and paid with ${n}. How many dollars of change are given back?",
    "One of each costs ${n} altogether.",
)
TOWERS = Theme(
    COLOURS,
    "The {x} tower is {n} m high.",
    {
        "more": "The {x} tower is {n} m higher than the {y} one.",
        "fewer": "The {x} tower is {n} m lower than the {y} one.",
        "times": "The {x} tower is {times} as high as the {y} one.",
        "part": "The {x} tower is {part} as high as the {y} one.",
        "percent_more": "The {x} tower is {n}% higher than the {y} one.",
        "told_of_the_larger": "The {y} tower is {n} m higher than the {x} one.",
        "told_of_the_multiple": "The {y} tower is {times} as high as the {x} one.",
        TOGETHER: "The {x} tower is as high as the {y} and the {z} one on top of each other.",
    },
    "How many m high is the {x} tower?",
    "How many m high would all of them be on top of each other?",
    "By how many m is the {x} tower higher than the {y} one?",
    "The stones of all of them make {n} equal towers. How many m high is each?",
    "How many m are missing to {n} m if all stand on top of each other?",
    "On top of each other all of them would be {n} m high.",
)

"""Stories of which the first quantity isn't told: each is read again, and SymPy finds the answer."""

import re

from sympy import Eq, Expr, Integer, Symbol, solve

from agent0es.taskdomains.math.families import UNKNOWN, quantities
from tests.support.composed import FACTORS, instances

BY_NAME = {family.name: family for family in UNKNOWN}
PARTS = "|".join(quantities.PARTS.values())


def test_ages_in_years_to_come_are_those_that_are_asked_for() -> None:
    for task in instances(BY_NAME["unknown_age"], 40):
        relations = re.findall(r"(\w+) is (\d+) years (older|younger) than (\w+)\.", task.description)
        multiples = re.findall(r"(\w+) is (\w+(?: times)?) as old as (\w+)\.", task.description)
        told = re.search(r"In (\d+) years they will be (\d+) years old together\.", task.description)
        asked = re.search(r"How old is (\w+) now\?$", task.description)
        assert told is not None and asked is not None
        ages = {name: Symbol(name) for x, *_, y in (*relations, *multiples) for name in (x, y)}
        signs = {"older": 1, "younger": -1}
        found = solve(
            [
                *(Eq(ages[x] - ages[y], signs[which] * int(n)) for x, n, which, y in relations),
                *(Eq(ages[x], FACTORS[times] * ages[y]) for x, times, y in multiples),
                Eq(sum(age + int(told[1]) for age in ages.values()), int(told[2])),
            ],
            dict=True,
        )
        assert [str(each[ages[asked[1]]]) for each in found] == [task.reference], task.description


def test_so_many_of_two_kinds_come_to_what_is_told() -> None:
    first, second = Symbol("first"), Symbol("second")
    for task in instances(BY_NAME["unknown_share"], 60):
        story, question = task.description.rsplit(". ", 1)
        n, a, b, *rest = map(int, re.findall(r"\d+", story))
        total = rest[0] if len(rest) == 1 else rest[1] - rest[0]
        (found,) = solve([Eq(first + second, n), Eq(a * first + b * second, total)], dict=True)
        both = re.fullmatch(r"How many more .+ than .+ are there\?", question)
        asked = found[first] - found[second] if both else found[first]
        assert str(asked) == task.reference, task.description


CHANGES = (
    (r"(\d+) \w+ (?:are sold|are lent|drive off|flow out|leave)", -1),
    (r"(\d+) \w+ (?:are delivered|are brought back|arrive|flow in|join)", 1),
)


def after(change: str, there: Expr) -> Expr:
    """What is there after a sentence, read again."""
    for pattern, sign in CHANGES:
        if match := re.fullmatch(pattern, change, flags=re.IGNORECASE):
            return there + sign * int(match[1])
    if match := re.match(rf"({PARTS}) of the ", change, flags=re.IGNORECASE):
        return there - there / FACTORS[match[1].lower()]
    match = re.match(r"(\d+)% of the ", change)
    assert match is not None, change
    return there - there * Integer(match[1]) / 100


def test_from_what_was_there_at_first_the_story_leads_to_its_end() -> None:
    start = Symbol("start")
    for task in instances(BY_NAME["unknown_start"], 40):
        story, _, ending = task.description.partition(" In the end ")
        _, *changes = story.removesuffix(".").split(". ")
        there: Expr = start
        for change in changes:
            there = after(re.sub(r"^(?:Then|After that|Later|Next|In the evening) ", "", change), there)
        end = int(ending.split(" ", 1)[0])
        assert [str(found) for found in solve(Eq(there, end), start)] == [task.reference], task.description

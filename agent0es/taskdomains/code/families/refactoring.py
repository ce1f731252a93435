"""A function to be written in a better way, its behaviour kept: what it does is tested, how it looks is counted."""

import random
from collections.abc import Callable
from functools import partial

from agent0es.taskdomains.code.families import blocks, common
from agent0es.taskdomains.code.families.common import Exercise, tested
from agent0es.taskdomains.code.reference import Criteria

practised = partial(tested, group="refactoring", split="practised")
held_out = partial(tested, group="refactoring", split="held_out")

NAMES = ("price", "count", "total", "width", "height", "speed", "score", "weight", "amount", "length", "age", "level")


def loops(rng: random.Random, parts: int, size: int) -> Exercise:
    """A loop that appends becomes a comprehension."""
    s = blocks.steps(rng, 1, size)
    c = blocks.both(blocks.conditions(rng, max(1, parts - 1), size)) if parts > 1 else None
    test, made = c.code.format(x="x") if c else "", s.code.format(x="x")
    body = f"        if {test}:\n            ys.append({made})" if c else f"        ys.append({made})"
    return Exercise(
        signature="f(xs)",
        spoken="",
        solution=f"def f(xs): return [{made} for x in xs{f' if {test}' if c else ''}]",
        function=lambda xs: [s.apply(x) for x in xs if c is None or c.holds(x)],
        inputs=common.number_lists(rng, size, (*c.edges, *s.edges(c.holds)) if c else s.edges()),
        start=f"def f(xs):\n    ys = []\n    for x in xs:\n{body}\n    return ys",
        criteria=Criteria(most={"For": 0, "While": 0, "FunctionDef": 1}, least={"comprehension": 1}),
    )


def renaming(rng: random.Random, parts: int, size: int) -> Exercise:
    """A parameter gets a name that says what it is."""
    old, new, k = rng.choice("abcdxyz"), rng.choice(NAMES), rng.randint(2, size)
    s = blocks.steps(rng, parts, size)
    code = f"({s.code}) * {{x}} + {k}"
    return Exercise(
        signature=f"f({old})",
        spoken="",
        solution=f"def f({new}): return {code.format(x=new)}",
        function=lambda n: s.apply(n) * n + k,
        inputs=common.numbers(rng, size, s.edges()),
        start=f"def f({old}): return {code.format(x=old)}",
        criteria=Criteria(parameters=(new,)),
        facts={"old": old, "new": new},
        by_keyword=new,
    )


def repetition(rng: random.Random, parts: int, size: int) -> Exercise:
    """What is computed twice is computed once."""
    s = blocks.steps(rng, parts, size)
    while "-{x}" in s.code:  # the sign is no binary operation, and those are counted
        s = blocks.steps(rng, parts, size)
    again = s.code.format(x="n")
    of: Callable[[int], int]
    last, of = rng.choice((("*", lambda y: abs(y) * abs(y)), ("+", lambda y: y - -y)))
    k = rng.randint(2, size)
    return Exercise(
        signature="f(n)",
        spoken="",
        solution=f"def f(n): y = {again}; return y {last} y + {k}",
        function=lambda n: k + of(s.apply(n)),
        inputs=common.numbers(rng, size, s.edges()),
        start=f"def f(n): return ({again}) {last} ({again}) + {k}",
        criteria=Criteria(
            most={"BinOp": parts + 2, **dict.fromkeys(("Call", "Lambda", "For", "While", "comprehension"), 0)}
        ),
        facts={"again": again},
    )


def truth(rng: random.Random, parts: int, size: int) -> Exercise:
    """`True if … else False` says nothing that the condition does not."""
    c = blocks.both(blocks.conditions(rng, parts, size))
    test = c.code.format(x="n")
    return Exercise(
        signature="f(n)",
        spoken="",
        solution=f"def f(n): return {test}",
        function=c.holds,
        inputs=common.numbers(rng, size, c.edges),
        start=f"def f(n): return True if {test} else False",
        criteria=Criteria(most={"If": 0, "IfExp": 0, "FunctionDef": 1}),
    )


def chains(rng: random.Random, parts: int, size: int) -> Exercise:
    """Two comparisons of one number become a chain."""
    low = rng.randint(2, size)
    high = low + rng.randint(5, 5 + size)
    (left, below), (right, above) = (
        rng.choice((("<", low), ("<=", low - 1))),
        rng.choice((("<", high), ("<=", high - 1))),
    )
    flipped = {"<": ">", "<=": ">="}[left]
    s = blocks.steps(rng, 1, size) if parts > 1 else blocks.Step("", "{x}", lambda x: x)
    made = s.code.format(x="x")
    low_edge, high_edge = low if left == "<" else low - 1, high if right == "<" else high - 1
    edges = tuple(edge + i for edge in (low_edge, high_edge) for i in (-1, 0, 1))

    def keep(x: int) -> bool:
        return (
            max(x, low_edge) == x
            and (left == "<=" or x != low_edge)
            and min(x, high_edge) == x
            and (right == "<=" or x != high_edge)
        )

    return Exercise(
        signature="f(xs)",
        spoken="",
        solution=f"def f(xs): return [{made} for x in xs if {below} {left} x {right} {above}]",
        function=lambda xs: [s.apply(x) for x in xs if keep(x)],
        inputs=common.number_lists(rng, size, (*edges, *s.edges(keep))),
        start=f"def f(xs): return [{made} for x in xs if x {flipped} {below} and x {right} {above}]",
        criteria=Criteria(most={"BoolOp": 0, "If": 0, "IfExp": 0, "FunctionDef": 1}, least={"ChainedCompare": 1}),
    )


FAMILIES = (
    practised(
        "loop_to_comprehension",
        wordings=(
            "Write this function in one line, with a comprehension in place of the loop:\n{start}",
            "Replace the loop in this function by a comprehension, in one line:\n{start}",
        ),
        make=loops,
    ),
    practised(
        "rename_parameter",
        wordings=(
            "Rename the parameter {old} of this function to {new}: {start}",
            "In {start} the parameter {old} should be called {new}. Write the function so.",
        ),
        make=renaming,
    ),
    practised(
        "compute_once",
        wordings=(
            "This function computes {again} twice: {start} Write it in one line so that it is computed once.",
            "Write a function in one line that does the same as this one and computes {again} only once: {start}",
        ),
        make=repetition,
    ),
    practised(
        "plain_condition",
        wordings=(
            "Write this function without if and else, so that it does the same: {start}",
            "Simplify {start} so that it has no if and no else.",
        ),
        make=truth,
    ),
    held_out(
        "chained_comparison",
        wordings=(
            "Write the two comparisons in this function as one chain, without and: {start}",
            "Simplify {start} so that it has one chained comparison in place of and.",
        ),
        make=chains,
    ),
)

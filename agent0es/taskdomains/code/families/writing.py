"""A function from its description."""

import random
from collections.abc import Callable
from functools import partial
from typing import Any

from agent0es.taskdomains.code.families import blocks, common
from agent0es.taskdomains.code.families.common import Exercise, tested

WORDINGS = (
    "Write a Python function {signature} that {spoken}. For example, {example}.",
    "Define {signature} in Python so that it {spoken}. Then {example}.",
)
practised = partial(tested, group="writing code", split="practised", wordings=WORDINGS)
held_out = partial(tested, group="writing code", split="held_out", wordings=WORDINGS)
validation = partial(tested, group="writing code", split="validation", wordings=WORDINGS)


def filtering(rng: random.Random, parts: int, size: int) -> Exercise:
    """Keep what meets the conditions."""
    c = blocks.both(blocks.conditions(rng, parts, size))
    return Exercise(
        signature="f(xs)",
        spoken=f"returns the list of the numbers in xs that are {c.spoken}",
        solution=f"def f(xs): return [x for x in xs if {c.code.format(x='x')}]",
        function=lambda xs: list(filter(c.holds, xs)),
        inputs=common.number_lists(rng, size, c.edges),
    )


def mapping(rng: random.Random, parts: int, size: int) -> Exercise:
    """Do the steps to each."""
    s = blocks.steps(rng, parts, size)
    return Exercise(
        signature="f(xs)",
        spoken=f"returns the list with this done to each number in xs: {s.spoken}",
        solution=f"def f(xs): return [{s.code.format(x='x')} for x in xs]",
        function=lambda xs: list(map(s.apply, xs)),
        inputs=common.number_lists(rng, size, s.edges()),
    )


def totalling(rng: random.Random, parts: int, size: int) -> Exercise:
    """Sum, number or largest of what meets the conditions."""
    c = blocks.both(blocks.conditions(rng, parts, size))
    test = c.code.format(x="x")
    kind = rng.choice(("sum", "count", "largest"))
    spoken, solution = {
        "sum": ("the sum of the numbers", f"sum(x for x in xs if {test})"),
        "count": ("how many numbers there are", f"len([x for x in xs if {test}])"),
        "largest": ("the largest (0 if there are none) of the numbers", f"max([x for x in xs if {test}], default=0)"),
    }[kind]

    def total(xs: list[int]) -> int:
        kept = sorted(filter(c.holds, xs))
        added = 0
        for x in kept:
            added += x if kind == "sum" else 1
        return (kept[-1] if kept else 0) if kind == "largest" else added

    return Exercise(
        signature="f(xs)",
        spoken=f"returns {spoken} in xs that are {c.spoken}",
        solution=f"def f(xs): return {solution}",
        function=total,
        inputs=[*(([edge],) for edge in c.edges[:12]), *common.number_lists(rng, size, c.edges)],
    )


def formula(rng: random.Random, parts: int, size: int) -> Exercise:
    """A formula in two variables, step by step."""
    first, sign = rng.choice((("adds b to a", "+"), ("subtracts b from a", "-"), ("multiplies a by b", "*")))
    s = blocks.steps(rng, parts, size)

    def apply(a: int, b: int) -> int:
        return s.apply({"+": b + a, "-": -(b - a), "*": sum([a] * abs(b)) * (1 if b > 0 else -1)}[sign])

    pairs = [(0, 0), (1, 0), (0, 1), (-1, 1), (1009, 2), (-997, 3), (2, 2), (1, -1), (3, 2)]
    pairs += [(rng.randint(-size, size), rng.randint(-9, size)) for _ in range(12)]
    return Exercise(
        signature="f(a, b)",
        spoken=f"{first}, does this to the result, and returns it: {s.spoken}",
        solution=f"def f(a, b): return {s.code.format(x=f'(a {sign} b)')}",
        function=apply,
        inputs=pairs,
    )


def predicate(rng: random.Random, parts: int, size: int) -> Exercise:
    """True where the conditions hold."""
    c = blocks.both(blocks.conditions(rng, parts, size))
    return Exercise(
        signature="f(n)",
        spoken=f"returns True where the number n is {c.spoken}, and False where not",
        solution=f"def f(n): return {c.code.format(x='n')}",
        function=c.holds,
        inputs=common.numbers(rng, size, c.edges),
    )


TEXT_STEPS: dict[str, tuple[str, str, Callable[..., str]]] = {
    "upper": ("in upper case", "{s}.upper()", lambda s: "".join(map(str.upper, s))),
    "reverse": ("backwards", "{s}[::-1]", lambda s: "".join(reversed(s))),
    "hyphen": ("with '-' in place of each space", "{s}.replace(' ', '-')", lambda s: "-".join(s.split(" "))),
    "start": (
        "cut to its first {k} characters",
        "{s}[:{k}]",
        lambda s, k: "".join(c for i, c in enumerate(s) if i < k),
    ),
    "without": (
        "without its first {k} characters",
        "{s}[{k}:]",
        lambda s, k: "".join(c for i, c in enumerate(s) if i >= k),
    ),
    "twice": ("written {k} times", "{s} * {k}", lambda s, k: "".join([s] * k)),
    "strip": ("without spaces at its ends", "{s}.strip()", lambda s: s.lstrip(" ").rstrip(" ")),
}


def rewriting(rng: random.Random, parts: int, size: int) -> Exercise:
    """A text, changed step by step."""
    kinds = rng.sample(list(TEXT_STEPS), parts)
    k = rng.randint(2, min(5, size))
    code = "s"
    for kind in kinds:
        code = TEXT_STEPS[kind][1].format(s=f"({code})" if "*" in code else code, k=k)

    def rewrite(s: str) -> str:
        for kind in kinds:
            function = TEXT_STEPS[kind][2]
            s = function(s, k) if "{k}" in TEXT_STEPS[kind][0] else function(s)
        return s

    return Exercise(
        signature="f(s)",
        spoken=f"returns the text s {', then '.join(TEXT_STEPS[kind][0].format(k=k) for kind in kinds)}",
        solution=f"def f(s): return {code}",
        function=rewrite,
        inputs=common.texts(rng),
    )


def counting(rng: random.Random, parts: int, size: int) -> Exercise:
    """How many characters are among a few."""
    letters = "".join(sorted(rng.sample("aeiorstln", parts + rng.randint(0, min(2, size // 8)))))
    shown = " or ".join(letters)
    extra = [(letters.upper(),), (letters,), (letters * 2 + "x",)]
    return Exercise(
        signature="f(s)",
        spoken=f"returns how many characters of the text s are {shown}, not counting capital letters",
        solution=f"def f(s): return sum(c in {letters!r} for c in s)",
        function=lambda s: sum(s.count(letter) for letter in letters),
        inputs=[*extra, *common.texts(rng)],
    )


def sorting(rng: random.Random, parts: int, size: int) -> Exercise:
    """Words in the order of a key."""
    kinds: tuple[tuple[str, str, Callable[[str], Any]], ...] = (
        ("length", "len", lambda w: sum(1 for _ in w)),
        ("last letter", "lambda w: w[-1]", lambda w: w[len(w) - 1]),
        ("second letter (nothing if there is none)", "lambda w: w[1:2]", lambda w: "".join(list(w)[1:2])),
    )
    spoken, key, of = rng.choice(kinds)
    down = parts > 1 or rng.random() < 0.3
    k = rng.randint(2, 3 + size // 30)

    def order(ws: list[str]) -> list[str]:
        done: list[str] = []
        for word in ws:  # insertion after all that may stand before it: equal ones stay in their order
            at = len(done)
            while at and (of(done[at - 1]) < of(word) if down else of(done[at - 1]) > of(word)):
                at -= 1
            done.insert(at, word)
        return done[:k] if parts > 2 else done

    order_too, cut = ", reverse=True" if down else "", f"[:{k}]" if parts > 2 else ""
    return Exercise(
        signature="f(ws)",
        spoken=f"returns the words in ws sorted by their {spoken}{', from the highest to the lowest' if down else ''}, "
        f"equal ones in their order{f', and of those the first {k}' if parts > 2 else ''}",
        solution=f"def f(ws): return sorted(ws, key={key}{order_too}){cut}",
        function=order,
        inputs=common.word_lists(rng),
    )


def dictionary(rng: random.Random, parts: int, size: int) -> Exercise:
    """What belongs to each word."""
    k = rng.randint(3, min(5, size))
    kinds: tuple[tuple[str, str, Callable[[str], object]], ...] = (
        ("its length", "len(w)", lambda w: sum(1 for _ in w)),
        ("its first letter", "w[0]", lambda w: next(iter(w))),
        ("itself in upper case", "w.upper()", lambda w: "".join(map(str.upper, w))),
        ("itself backwards", "w[::-1]", lambda w: "".join(reversed(w))),
        (f"its length plus {k}", f"len(w) + {k}", lambda w: sum(1 for _ in w + "." * k)),
    )
    spoken, code, of = rng.choice(kinds)
    tests: tuple[tuple[str, str, Callable[[str], bool]], ...] = (
        (f"longer than {k}", f"len(w) > {k}", lambda w: w[k:] != ""),
        ("not starting with a", "w[0] != 'a'", lambda w: not w.startswith("a")),
    )
    chosen = tests[: parts - 1]
    test = " if " + " and ".join(t[1] for t in chosen) if chosen else ""
    only = f", only for words that are {' and '.join(t[0] for t in chosen)}" if chosen else ""
    return Exercise(
        signature="f(ws)",
        spoken=f"returns a dictionary from each word in ws to {spoken}{only}",
        solution=f"def f(ws): return {{w: {code} for w in ws{test}}}",
        function=lambda ws: {w: of(w) for w in ws if all(t[2](w) for t in chosen)},
        inputs=common.word_lists(rng),
    )


def branching(rng: random.Random, parts: int, size: int) -> Exercise:
    """One formula or another."""
    k = rng.randint(2, size)
    c = blocks.condition(rng.choice(("greater", "less", "at least", "even", "divisible")), k)
    yes, no = (blocks.steps(rng, 1 + (parts > 2), size) for _ in range(2))
    while yes.code == no.code:
        no = blocks.steps(rng, 1, size)
    if parts == 1:
        no = blocks.Step("leave it", "{x}", lambda x: x)
    inputs = common.numbers(rng, size, (*yes.edges(c.holds), *no.edges(lambda x: not c.holds(x)), *c.edges))
    return Exercise(
        signature="f(n)",
        spoken=f"returns what becomes of the number n: where n is {c.spoken}, {yes.spoken}; otherwise {no.spoken}",
        solution=f"def f(n): return {yes.code.format(x='n')} if {c.code.format(x='n')} else {no.code.format(x='n')}",
        function=lambda n: (no.apply, yes.apply)[c.holds(n)](n),
        inputs=inputs,
    )


def pairing(rng: random.Random, parts: int, size: int) -> Exercise:
    """Two lists, item by item."""
    word, sign = rng.choice((("sum", "+"), ("product", "*"), ("difference", "-")))
    s = blocks.steps(rng, parts - 1, size) if parts > 1 else blocks.Step("", "{x}", lambda x: x)

    def pairs(xs: list[int], ys: list[int]) -> list[int]:
        return [
            s.apply({"+": ys[i] + xs[i], "*": ys[i] * xs[i], "-": -(ys[i] - xs[i])}[sign])
            for i in range(min(len(xs), len(ys)))
        ]

    code = s.code.format(x=f"(x {sign} y)" if s.spoken else f"x {sign} y")
    lists = [
        ([], []),
        ([1], []),
        ([5], [3]),
        ([0, 0], [1, 2]),
        ([1, 2, 3], [4, 5]),
        ([2], [9, 9]),
        ([1009, -997], [2, 3]),
    ]
    for _ in range(12):
        count = rng.randint(2, 4)
        lists.append(([rng.randint(-5, size) for _ in range(count)], [rng.randint(-5, size) for _ in range(count)]))
    return Exercise(
        signature="f(xs, ys)",
        spoken=f"returns the list of the {word} of each number in xs and the number at its place in ys, as far as both "
        f"go{f', with this done to each: {s.spoken}' if s.spoken else ''}",
        solution=f"def f(xs, ys): return [{code} for x, y in zip(xs, ys)]",
        function=pairs,
        inputs=lists,
    )


def slicing(rng: random.Random, parts: int, size: int) -> Exercise:
    """Every so many items, from somewhere on."""
    start, every = rng.randint(1, 3), rng.randint(2, 3 + size // 40)
    back = parts > 2
    from_there = f", leaving out the first {start}" if parts > 1 else ""
    first = start if parts > 1 else 0

    def pick(xs: list[int]) -> list[int]:
        kept = [x for i, x in enumerate(xs) if i >= first and (i - first) % every == 0]
        return list(reversed(kept)) if back else kept

    long = [([rng.randint(1, size) for _ in range(rng.randint(5, 10))],) for _ in range(12)]
    return Exercise(
        signature="f(xs)",
        spoken=f"returns every item of xs in steps of {every}, beginning with the first{from_there}"
        f"{', in reverse order' if back else ''}",
        solution=f"def f(xs): return xs[{first or ''}::{every}]{'[::-1]' if back else ''}",
        function=pick,
        inputs=[*common.number_lists(rng, size)[:7], *long],
    )


def common_items(rng: random.Random, parts: int, size: int) -> Exercise:
    """What two lists have together, or one alone."""
    spoken, sign = rng.choice((("both in xs and in ys", "&"), ("in xs but not in ys", "-"), ("in xs or in ys", "|")))
    down = parts > 1
    k = rng.randint(2, 4)

    def items(xs: list[int], ys: list[int]) -> list[int]:
        wanted = {"&": [x for x in xs if x in ys], "-": [x for x in xs if x not in ys], "|": xs + ys}[sign]
        found: list[int] = []
        for item in sorted(wanted):
            if found[-1:] != [item]:
                found.append(item)
        found = found[::-1] if down else found
        return found[:k] if parts > 2 else found

    lists = [([], []), ([1, 2], []), ([], [3, 1]), ([2, 2, 1], [2]), ([1, 2, 3], [3, 2, 1]), ([4], [5])]
    for _ in range(12):
        one, other = ([rng.randint(1, 7 + size // 9) for _ in range(rng.randint(4, 7))] for _ in range(2))
        lists.append((one, other))
    return Exercise(
        signature="f(xs, ys)",
        spoken=f"returns the sorted list{', highest first,' if down else ''} of the different numbers that are {spoken}"
        f"{f', at most {k} of them' if parts > 2 else ''}",
        solution=f"def f(xs, ys): return sorted(set(xs) {sign} set(ys){', reverse=True' if down else ''})"
        f"{f'[:{k}]' if parts > 2 else ''}",
        function=items,
        inputs=lists,
    )


FAMILIES = (
    practised("write_filter", make=filtering),
    practised("write_map", make=mapping),
    practised("write_total", make=totalling),
    practised("write_formula", make=formula),
    practised("write_predicate", make=predicate),
    practised("write_text_change", make=rewriting),
    practised("write_letter_count", make=counting),
    practised("write_sorting", make=sorting),
    practised("write_dictionary", make=dictionary),
    practised("write_branches", make=branching),
    held_out("write_pairing", make=pairing),
    held_out("write_slicing", make=slicing),
    validation("write_common_items", make=common_items),
)

"""A function with a mistake, to be fixed."""

import random
from functools import partial

from agent0es.taskdomains.code.families import blocks, common
from agent0es.taskdomains.code.families.common import Exercise, tested

WORDINGS = (
    "This function has a mistake: {start} It should be a function {signature} that {spoken}, so that {example}. "
    "Write it correctly.",
    "Fix the mistake in {start} so that it {spoken}; {example}.",
)
practised = partial(tested, group="fixing code", split="practised", wordings=WORDINGS)
held_out = partial(tested, group="fixing code", split="held_out", wordings=WORDINGS)

MIXED_UP = {
    "greater": "at least",
    "at least": "greater",
    "less": "at most",
    "at most": "less",
    "even": "odd",
    "odd": "even",
    "divisible": "not divisible",
    "not divisible": "divisible",
    "negative": "positive",
    "positive": "negative",
    "different": "less",
}


def conditions(rng: random.Random, parts: int, size: int) -> Exercise:
    """A condition that is almost right."""
    others = blocks.conditions(rng, parts, size)[1:]
    kind, k = rng.choice(blocks.ARITHMETIC if others else blocks.CONDITIONS), rng.randint(3, size)
    right, wrong = (blocks.both([blocks.condition(one, k), *others]) for one in (kind, MIXED_UP[kind]))
    return Exercise(
        signature="f(xs)",
        spoken=f"returns the list of the numbers in xs that are {right.spoken}",
        solution=f"def f(xs): return [x for x in xs if {right.code.format(x='x')}]",
        function=lambda xs: list(filter(right.holds, xs)),
        inputs=common.number_lists(rng, size, right.edges),
        start=f"def f(xs): return [x for x in xs if {wrong.code.format(x='x')}]",
        start_function=lambda xs: list(filter(wrong.holds, xs)),
    )


def operators(rng: random.Random, parts: int, size: int) -> Exercise:
    """A step that does something else."""
    kind, k = rng.choice(("add", "subtract", "multiply", "remainder", "quotient")), rng.randint(3, size)
    swapped = {
        "add": "subtract",
        "subtract": "add",
        "multiply": "add",
        "remainder": "quotient",
        "quotient": "remainder",
    }
    before = blocks.steps(rng, parts - 1, size) if parts > 1 else blocks.Step("", "{x}", lambda x: x)
    right, wrong = (blocks.step(one, k) for one in (kind, swapped[kind]))
    whole = right._replace(turns=(*before.turns, *((before.apply, by) for _, by in right.turns)))
    inner = f"({before.code})" if before.spoken else "{x}"
    return Exercise(
        signature="f(n)",
        spoken="does this to the number n and returns it: "
        + ", then ".join(filter(None, [before.spoken, right.spoken])),
        solution=f"def f(n): return {right.code.replace('{x}', inner).format(x='n')}",
        function=lambda n: right.apply(before.apply(n)),
        inputs=common.numbers(rng, size, whole.edges()),
        start=f"def f(n): return {wrong.code.replace('{x}', inner).format(x='n')}",
        start_function=lambda n: wrong.apply(before.apply(n)),
    )


def slices(rng: random.Random, parts: int, size: int) -> Exercise:
    """A slice that is off by one, or from the wrong end."""
    k = rng.randint(2, 3 + size // 30)
    down, back = parts > 1, parts > 2
    spoken, right, wrong = rng.choice(
        (
            (f"the first {k} items of xs", f"[:{k}]", f"[1:{k}]"),
            (f"the first {k} items of xs", f"[:{k}]", f"[:{k - 1}]"),
            (f"the last {k} items of xs", f"[-{k}:]", f"[-{k}]"),
            (f"xs without its first {k} items", f"[{k}:]", f"[{k - 1}:]"),
            (f"xs without its last {k} items", f"[:-{k}]", "[:-1]"),
        )
    )
    if wrong == f"[-{k}]":
        wrong = f"[:-{k}]"
    keeps = {
        f"[:{k}]": lambda i, n: i < k,
        f"[1:{k}]": lambda i, n: 0 < i < k,
        f"[:{k - 1}]": lambda i, n: i < k - 1,
        f"[-{k}:]": lambda i, n: n - i <= k,
        f"[:-{k}]": lambda i, n: n - i > k,
        f"[{k}:]": lambda i, n: i >= k,
        f"[{k - 1}:]": lambda i, n: i >= k - 1,
        "[:-1]": lambda i, n: n - i > 1,
    }

    def pick(code: str, xs: list[int]) -> list[int]:
        ordered = [-x for x in sorted(-x for x in xs)] if down else xs
        kept = [x for i, x in enumerate(ordered) if keeps[code](i, len(xs))]
        return list(reversed(kept)) if back else kept

    base, then = "sorted(xs, reverse=True)" if down else "xs", "[::-1]" if back else ""
    long = [([rng.randint(1, size) for _ in range(rng.randint(k + 1, k + 5))],) for _ in range(12)]
    return Exercise(
        signature="f(xs)",
        spoken=f"returns {spoken}{', once xs is sorted from the highest to the lowest' if down else ''}"
        f"{', and those backwards' if back else ''}",
        solution=f"def f(xs): return {base}{right}{then}",
        function=lambda xs: pick(right, xs),
        inputs=[*long[:6], ([],), ([rng.randint(1, size)],), ([rng.randint(1, size)] * 3,), *long[6:]],
        start=f"def f(xs): return {base}{wrong}{then}",
        start_function=lambda xs: pick(wrong, xs),
    )


def text_tests(rng: random.Random, parts: int, size: int) -> Exercise:
    """A test of words that looks at the wrong end, or at the wrong thing."""
    letter, k = rng.choice("abcefghlmoprstw"), rng.randint(3, 5)
    spoken, right, of, wrong, wrong_of = rng.choice(
        (
            (f"start with {letter}", f"w.startswith('{letter}')", lambda w: w[:1] == letter,
             f"w.endswith('{letter}')", lambda w: w[-1:] == letter),
            (f"end with {letter}", f"w.endswith('{letter}')", lambda w: w[-1:] == letter,
             f"w.startswith('{letter}')", lambda w: w[:1] == letter),
            (f"contain {letter}", f"'{letter}' in w", lambda w: w.count(letter) > 0,
             f"'{letter}' not in w", lambda w: w.count(letter) == 0),
            (f"have {k} letters", f"len(w) == {k}", lambda w: w[k - 1 : k] != "" and w[k:] == "",
             f"len(w) > {k}", lambda w: w[k:] != ""),
        )
    )  # fmt: skip
    telling = [[letter, letter + "xyz", "xyz" + letter, "x" * k, "y" * (k + 1), "z" * (k - 1), "x" + letter + "yz"]]
    for _ in range(4):
        words = rng.sample(common.WORDS, 3)
        telling.append([*(letter + word for word in words), *(word + letter for word in words), *words])
    down = parts > 1
    short = parts > 2

    def select(test: object, ws: list[str]) -> list[str]:
        assert callable(test)
        kept = sorted(w for w in ws if test(w)) if down else [w for w in ws if test(w)]
        return kept[:2] if short else kept

    def text(test: str) -> str:
        kept = f"[w for w in ws if {test}]"
        return (f"sorted({kept})" if down else kept) + ("[:2]" if short else "")

    return Exercise(
        signature="f(ws)",
        spoken=f"returns the {'sorted ' if down else ''}list of the words in ws that {spoken}"
        f"{', at most the first 2' if short else ''}",
        solution=f"def f(ws): return {text(right)}",
        function=lambda ws: select(of, ws),
        inputs=[*((one,) for one in telling), *common.word_lists(rng)],
        start=f"def f(ws): return {text(wrong)}",
        start_function=lambda ws: select(wrong_of, ws),
    )


FAMILIES = (
    practised("fix_condition", make=conditions),
    practised("fix_operator", make=operators),
    practised("fix_slice", make=slices),
    held_out("fix_text_test", make=text_tests),
)

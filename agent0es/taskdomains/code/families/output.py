"""What a program prints. Each is one line, so that a student can hand it to its tool as it is.

The output is computed step by step beside the text of the program; tests run the program and compare.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from agent0es.domain.task import Scalar, Task
from agent0es.taskdomains.base import Family, Split
from agent0es.taskdomains.code.families import blocks, common

WORDINGS = ("What does this Python program print? {program}", "Predict the output of this Python program: {program}")


class Program(NamedTuple):
    """A program in one line, and what it prints."""

    text: str
    printed: str


Make = Callable[[random.Random, int, int], Program]


@dataclass(frozen=True, slots=True)
class PredictedFamily(Family):
    """A family whose answer is what a program prints."""

    def rewritten(self, code: str, first: Task, second: Task) -> str | None:
        """The code with the second task's program in place of the first's, wherever that stands in it; None for code
        without it, such as a `print` of its output."""
        program, other = (task.reference_action.removeprefix("python[")[:-1] for task in (first, second))
        return code.replace(program, other) if program in code else None


def predicted(name: str, split: Split, make: Make) -> PredictedFamily:
    """A family from a function that makes its programs."""

    def program(parameters: Mapping[str, Scalar]) -> Program:
        parts, size, variant = (int(parameters[key]) for key in ("parts", "size", "variant"))
        return make(random.Random(f"{name}/{parts}/{size}/{variant}"), parts, size)

    return PredictedFamily(
        name=name,
        group="reading code",
        split=split,
        parameters=common.PARAMETERS,
        wordings=WORDINGS,
        reference_action="python[{program}]",
        answer_of=lambda **parameters: program(parameters).printed,
        constraint=lambda **parameters: (
            "the output is empty" if program(parameters).printed in ("[]", "{}", "") else None
        ),
        domain="code",
        facts_of=lambda **parameters: {"program": program(parameters).text},
    )


practised = partial(predicted, split="practised")
held_out = partial(predicted, split="held_out")
validation = partial(predicted, split="validation")


def assignments(rng: random.Random, parts: int, size: int) -> Program:
    """Numbers in variables that are overwritten."""
    a, k = rng.randint(2, size), rng.randint(2, size)
    values = {"a": a, "b": sum([a] * k)}
    lines = [f"a = {a}", f"b = a * {k}"]
    for _ in range(parts):
        name, other = rng.choice((("a", "b"), ("b", "a")))
        k = rng.randint(1, size)
        if rng.random() < 0.5:
            values[name] = k + values[other]
            lines.append(f"{name} = {other} + {k}")
        else:
            values[name] = -(k - values[name])
            lines.append(f"{name} -= {k}")
    return Program("; ".join([*lines, "print(a + b)"]), str(values["b"] + values["a"]))


def list_methods(rng: random.Random, parts: int, size: int) -> Program:
    """A list that is changed in place."""
    items = rng.sample(range(1, size + 3), 3 + parts // 2)
    lines = [f"xs = {items}"]
    for kind in rng.sample(("append", "insert", "sort", "reverse", "pop"), parts):
        k = rng.randint(1, size)
        match kind:
            case "append":
                items, line = [*items, k], f"xs.append({k})"
            case "insert":
                items, line = [*items[:1], k, *items[1:]], f"xs.insert(1, {k})"
            case "sort":
                items, line = [-x for x in sorted((-x for x in items), reverse=True)], "xs.sort()"
            case "reverse":
                items, line = items[::-1], "xs.reverse()"
            case _:
                items, line = items[1:], "xs.pop(0)"
        lines.append(line)
    return Program("; ".join([*lines, "print(xs)"]), "[" + ", ".join(map(str, items)) + "]")


def text_methods(rng: random.Random, parts: int, size: int) -> Program:
    """A text that is changed by its methods."""
    text = rng.choice(common.WORDS) + rng.choice(common.WORDS)
    lines = [f"s = {text!r}"]
    k = rng.randint(1, 3)
    for kind in rng.sample(("upper", "reverse", "cut", "replace", "title", "double"), parts):
        letter = text[k % len(text)] if text else "a"
        match kind:
            case "upper":
                text, line = "".join(map(str.upper, text)), "s = s.upper()"
            case "reverse":
                text, line = "".join(reversed(text)), "s = s[::-1]"
            case "cut":
                text, line = "".join(c for i, c in enumerate(text) if i >= k), f"s = s[{k}:]"
            case "replace":
                text, line = "#".join(text.split(letter)), f"s = s.replace({letter!r}, '#')"
            case "title":
                text, line = text[:1].upper() + text[1:].lower(), "s = s.capitalize()"
            case _:
                text, line = "".join([text, "-", text]), "s = s + '-' + s"
        lines.append(line)
    return Program("; ".join([*lines, "print(s)"]), text)


def comprehensions(rng: random.Random, parts: int, size: int) -> Program:
    """A comprehension over a list that is written out."""
    items = [rng.randint(1, size) for _ in range(3 + parts)]
    s = blocks.steps(rng, 1 + (parts > 2), size)
    kind = rng.choice(blocks.COMPARING + blocks.ARITHMETIC)
    c = blocks.condition(kind, sorted(items)[len(items) // 2] + 1 if kind in blocks.COMPARING else rng.randint(2, 4))
    text = f"[{s.code.format(x='x')} for x in {items}{'' if parts == 1 else ' if ' + c.code.format(x='x')}]"
    made = [s.apply(x) for x in items if parts == 1 or c.holds(x)]
    return Program(f"print({text})", "[" + ", ".join(map(str, made)) + "]")


def dictionaries(rng: random.Random, parts: int, size: int) -> Program:
    """A dictionary that is changed and read."""
    names = rng.sample(("a", "b", "c", "d", "e"), 3)
    held = [(name, rng.randint(1, size)) for name in names[:2]]
    text = "{" + ", ".join(f"{name!r}: {value}" for name, value in held) + "}"
    lines = [f"d = {text}"]
    for kind in rng.sample(("new", "change", "delete"), parts):
        k = rng.randint(1, size)
        known = [name for name, _ in held]
        match kind:
            case "new":
                held = [*((n, v) for n, v in held if n != names[2]), (names[2], k)]
                lines.append(f"d[{names[2]!r}] = {k}")
            case "change" if known:
                held = [(n, v + k if n == known[0] else v) for n, v in held]
                lines.append(f"d[{known[0]!r}] += {k}")
            case _:
                held = held[:-1]
                lines.append(f"del d[{known[-1]!r}]")
    whole = rng.random() < 0.5 or not held
    printed = "{" + ", ".join(f"'{n}': {v}" for n, v in held) + "}" if whole else str(sum(v for _, v in held))
    return Program("; ".join([*lines, "print(d)" if whole else "print(sum(d.values()))"]), printed)


def tuples(rng: random.Random, parts: int, size: int) -> Program:
    """Several variables that are assigned at once."""
    a, b = rng.randint(1, size), rng.randint(1, size)
    lines = [f"a, b = {a}, {b}"]
    for _ in range(parts):
        k = rng.randint(2, 9)
        kind = rng.randrange(3)
        lines.append(("a, b = b, a + b", f"a, b = b - a, a * {k}", f"a, b = b + {k}, a")[kind])
        a, b = ((b, b + a), (-(a - b), sum([a] * k)), (k + b, a))[kind]
    return Program("; ".join([*lines, "print(a, b)"]), f"{a} {b}")


def choices(rng: random.Random, parts: int, size: int) -> Program:
    """One value or another, by a condition."""
    n, k = rng.randint(1, size), rng.randint(2, size)
    c = blocks.both(blocks.conditions(rng, parts, size))
    s = blocks.steps(rng, 1, size)
    text = f"n = {n}; print({s.code.format(x='n')} if {c.code.format(x='n')} else n - {k})"
    return Program(text, str(s.apply(n) if c.holds(n) else -(k - n)))


FAMILIES: Sequence[Family] = (
    practised("output_assignments", make=assignments),
    practised("output_list_methods", make=list_methods),
    practised("output_text_methods", make=text_methods),
    practised("output_comprehension", make=comprehensions),
    held_out("output_dictionary", make=dictionaries),
    held_out("output_tuples", make=tuples),
    validation("output_choice", make=choices),
)

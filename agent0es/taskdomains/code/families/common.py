"""What the families share: exercises with visible and hidden tests, and the building blocks of functions.

A block says the same thing three times: in words, as Python text, and as a trusted implementation that computes it in
another way. Expected values come from the implementation, worked examples from the text; tests hold one against the other.
"""

import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

from agent0es.domain.task import Scalar
from agent0es.taskdomains.base import Demonstration, Family, Int, Split
from agent0es.taskdomains.code.reference import Case, Criteria, Reference, tests_json

VISIBLE = 3
"""Tests that the student may run."""
FEWEST, HIDDEN = 8, 16
"""Tests that it never sees; none of them is visible too."""
COMMONEST = 0.7
"""Largest share of the hidden tests with one and the same result."""
NEAR = 120
"""How far from an edge a number is looked for that meets the other conditions."""
SAYING_LITTLE = ("[]", "{}", "''", "0", "False")

PARAMETERS = {
    "parts": Int((1, 1), (2, 3)),
    "size": Int((4, 9), (20, 99)),
    "variant": Int((0, 999), (0, 9999)),
}
"""How many things the code must do, the largest constant in it, and which of many exercises it is."""

Arguments = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Exercise:
    """One exercise on a function `f`."""

    signature: str
    """E.g. `f(xs)`."""
    spoken: str
    """What the function is to do."""
    solution: str
    """A right answer, in one line."""
    function: Callable[..., object]
    """The trusted implementation."""
    inputs: Sequence[Arguments]
    """Arguments to test with, the telling ones first; equal ones are used once."""
    start: str = ""
    """The code that is given, where some is."""
    start_function: Callable[..., object] | None = None
    """What the given code does, where that is wrong."""
    criteria: Criteria = Criteria()
    facts: Mapping[str, str] = field(default_factory=dict)
    """More for the wordings."""
    by_keyword: str = ""
    """Name of the parameter that tests pass by keyword."""


Make = Callable[[random.Random, int, int], Exercise]
"""An exercise from a source of randomness, the number of parts, and the largest constant."""


@dataclass(frozen=True, slots=True)
class TestedFamily(Family):
    """A family whose tasks are functions with hidden tests; its reference is a `Reference` as JSON."""

    __test__ = False

    def demonstrations(self, count: int, rng: random.Random) -> list[Demonstration]:
        """Worked examples from easy to middling difficulty: the solution is tested, then given."""
        made = []
        for i in range(count):
            difficulty = 0.5 * i / max(1, count - 1)
            task = self.task(self.sample(rng, difficulty), i % len(self.wordings), difficulty)
            solution = Reference.model_validate_json(task.reference).solution
            seen = len(json.loads(task.files["tests.json"]))
            made.append(Demonstration(task.description, task.reference_action, f"{seen} of {seen} passed", solution))
        return made


def tested(name: str, group: str, split: Split, wordings: tuple[str, ...], make: Make) -> TestedFamily:
    """A family from a function that makes its exercises. Wordings may use {signature}, {spoken}, {start}, {example}."""

    def exercise(parameters: Mapping[str, Scalar]) -> Exercise:
        parts, size, variant = (int(parameters[key]) for key in ("parts", "size", "variant"))
        return make(random.Random(f"{name}/{parts}/{size}/{variant}"), parts, size)

    def flaw(**parameters: Scalar) -> str | None:
        return flaw_of(exercise(parameters))

    return TestedFamily(
        name=name,
        group=group,
        split=split,
        parameters=PARAMETERS,
        wordings=wordings,
        reference_action="tests[{solution}]",
        answer_of=lambda **parameters: reference_of(exercise(parameters)).model_dump_json(),
        constraint=flaw,
        domain="code",
        facts_of=lambda **parameters: facts(exercise(parameters)),
        files_of=lambda **parameters: {"tests.json": tests_json(split_cases(exercise(parameters))[0])},
    )


def facts(exercise: Exercise) -> dict[str, str]:
    """What the wordings are filled with."""
    shown = split_cases(exercise)[0][0]
    return {
        "signature": exercise.signature,
        "spoken": exercise.spoken,
        "start": exercise.start,
        "solution": exercise.solution,
        "example": f"{shown.call} gives {shown.expect}",
        **exercise.facts,
    }


def reference_of(exercise: Exercise) -> Reference:
    """The tests that decide: the hidden ones, and those that the student saw."""
    visible, hidden = split_cases(exercise)
    tests, baseline = (*hidden, *visible), 0
    if exercise.start_function is not None:
        wrong = {case.call: case.expect for case in _cases(exercise, exercise.start_function)}
        baseline = sum(wrong[case.call] == case.expect for case in tests)
    return Reference(tests=tests, solution=exercise.solution, criteria=exercise.criteria, baseline=baseline)


def flaw_of(exercise: Exercise) -> str | None:
    """Why this exercise is none: too few tests, one result for most of them, or a given mistake that none of them shows."""
    visible, hidden = split_cases(exercise)
    results = [case.expect for case in hidden]
    if len(visible) == 0 or len(hidden) < FEWEST:
        return f"there are {len(visible)} visible and {len(hidden)} hidden tests"
    if max(map(results.count, results)) > COMMONEST * len(results):
        return "the function gives the same result nearly everywhere"
    if exercise.start_function is not None and reference_of(exercise).baseline > len(hidden):
        return "the mistake shows nearly nowhere"
    return None


def split_cases(exercise: Exercise) -> tuple[tuple[Case, ...], tuple[Case, ...]]:
    """(visible, hidden). What is seen says something: of inputs that aren't empty, with different results, and where the
    given code is wrong, with one of its mistakes. No visible test is hidden too."""
    cases = _cases(exercise, exercise.function)
    several = zip(cases, _distinct(exercise.inputs), strict=True)
    plain = [case for case, arguments in several if all(map(_size, arguments))][::-1]
    plain.sort(key=lambda case: case.expect in SAYING_LITTLE)
    if exercise.start_function is not None:
        wrong = {case.call: case.expect for case in _cases(exercise, exercise.start_function)}
        mistaken = [case for case in plain if wrong[case.call] != case.expect]
        plain = [
            *sorted(mistaken, key=lambda case: len(case.call))[:1],
            *(case for case in plain if case not in mistaken),
        ]
    visible: list[Case] = []
    for case in plain:
        if len(visible) < VISIBLE and case.expect not in [seen.expect for seen in visible]:
            visible.append(case)
    return tuple(visible), tuple(case for case in cases if case not in visible)[:HIDDEN]


def _cases(exercise: Exercise, function: Callable[..., object]) -> list[Case]:
    def call(arguments: Arguments) -> str:
        texts = [repr(argument) for argument in arguments]
        if exercise.by_keyword:
            texts[-1] = f"{exercise.by_keyword}={texts[-1]}"
        return f"f({', '.join(texts)})"

    return [Case(call=call(a), expect=repr(function(*a))) for a in _distinct(exercise.inputs)]


def _distinct(inputs: Sequence[Arguments]) -> list[Arguments]:
    return list({repr(arguments): arguments for arguments in inputs}.values())


def _size(argument: object) -> int:
    return len(argument) if isinstance(argument, list | str) else 1


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
        """Numbers at which a division by a slightly wrong divisor goes wrong, as far as the condition holds for them."""
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


def number_lists(rng: random.Random, size: int, edges: Sequence[int] = ()) -> list[Arguments]:
    """Lists of whole numbers to test with: the edges first, the empty list, negative and equal numbers, then longer ones."""
    edge = list(dict.fromkeys(edges)) or [rng.randint(1, size)]
    made = [edge, [], edge[::-1][:2], [0], [-rng.randint(1, size) for _ in range(3)], [7, 7, 7], [edge[0]]]
    made += [[x] for x in edge[1:6]] + [[1009, -997, 100 * size - 1]]
    made += [[rng.randint(-size, 3 * size) for _ in range(rng.randint(4, 7))] for _ in range(3)]
    made += [[rng.randint(1, 2 * size) for _ in range(4)] + [rng.choice(edge)] for _ in range(8)]
    return [(one,) for one in made]


def numbers(rng: random.Random, size: int, edges: Sequence[int] = ()) -> list[Arguments]:
    """Single whole numbers to test with: edges, zero, negative ones, then others."""
    made = [
        *edges,
        0,
        1,
        -1,
        1009,
        -997,
        100 * size - 1,
        *(rng.randint(-3 * size, 3 * size) for _ in range(16 + len(edges))),
    ]
    return [(one,) for one in made]


WORDS = tuple(
    "ant art bag bear bird boat book cake card cat city cloud cow cup dance door eagle ear egg field fig fish flag fox "
    "fruit gift glass green hat hill honey house ink jar key lake lamp lemon level lion map milk moon mouse nest night "
    "noon oak ocean owl paper pen piano pig plant queen rain rice river rose salt sheep ship snow star stone sugar sun "
    "table tea tiger train tree violin water wind wolf yellow".split()
)


def texts(rng: random.Random) -> list[Arguments]:
    """Texts to test with: empty, blank, upper case, signs, one letter, then words."""
    made = ["", " ", "a", "Aa", "Banana bread", "  two  spaces ", "x-1, y-2!", "AEIOU aeiou", "12 Apples"]
    made += [" ".join(rng.sample(WORDS, rng.randint(1, 3))) for _ in range(10)]
    made += [rng.choice(WORDS).title() for _ in range(3)]
    return [(one,) for one in made]


def word_lists(rng: random.Random) -> list[Arguments]:
    """Lists of words to test with: empty, one, equal lengths, repeated, then others."""
    made: list[list[str]] = [[], ["a"], ["owl", "ant", "cow"], ["fig", "egg", "fig"], ["lemon", "tea", "rose", "oak"]]
    made += [
        ["ink", "water", "ink", "violin", "sun"],
        ["Ant", "ant", "Zebra", "animal"],
        ["arrow", "answers", "bread", "ape"],
    ]
    made += [rng.sample(WORDS, rng.randint(3, 6)) for _ in range(12)]
    return [(one,) for one in made]

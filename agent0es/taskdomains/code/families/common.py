"""What the families share: exercises with visible and hidden tests, and inputs to test with."""

import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

from agent0es.domain.task import Task
from agent0es.taskdomains.base import Demonstration, Family, Int, Split
from agent0es.taskdomains.code.reference import Case, Criteria, Reference, tests_json

CACHED = 64
"""Exercises of a family: a task asks for its own several times."""
VISIBLE = 3
"""Tests that the student may run."""
FEWEST, HIDDEN = 8, 16
"""Tests that it never sees; none of them is visible too."""
COMMONEST = 0.7
"""Largest share of the hidden tests with one and the same result."""
SAYING_LITTLE = ("[]", "{}", "''", "0", "False")

PARAMETERS = {
    "parts": Int((1, 1), (2, 3)),
    "size": Int((4, 9), (20, 99)),
    "variant": Int((0, 999), (0, 9999)),
}
"""How many things the code must do, the largest constant in it, and which of many exercises it is."""

Arguments = tuple[Any, ...]


ANY = Criteria()
"""Code of any looks."""


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
    criteria: Criteria = ANY
    facts: Mapping[str, str] = field(default_factory=dict)
    """More for the wordings."""
    by_keyword: str = ""
    """Name of the parameter that tests pass by keyword."""


class Prepared(NamedTuple):
    """What a task is made of."""

    facts: Mapping[str, str]
    visible: str
    """`tests.json`."""
    reference: str
    flaw: str | None


Make = Callable[[random.Random, int, int], Exercise]
"""An exercise from a source of randomness, the number of parts, and the largest constant."""


@dataclass(frozen=True, slots=True)
class TestedFamily(Family):
    """A family whose tasks are functions with hidden tests; its reference is a `Reference` as JSON."""

    __test__ = False

    def moved(self, task: Task, code: str, rng: random.Random) -> tuple[Task, str] | None:
        """None: the hidden tests are the other instances."""
        return None

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

    @lru_cache(maxsize=CACHED)
    def prepared(parts: int, size: int, variant: int) -> Prepared:
        return prepare(make(random.Random(f"{name}/{parts}/{size}/{variant}"), parts, size))

    return TestedFamily(
        name=name,
        group=group,
        split=split,
        parameters=PARAMETERS,
        wordings=wordings,
        reference_action="tests[{solution}]",
        answer_of=lambda **parameters: prepared(**parameters).reference,
        constraint=lambda **parameters: prepared(**parameters).flaw,
        domain="code",
        facts_of=lambda **parameters: prepared(**parameters).facts,
        files_of=lambda **parameters: {"tests.json": prepared(**parameters).visible},
    )


def prepare(exercise: Exercise) -> Prepared:
    """All that a task needs of an exercise."""
    visible, hidden = split_cases(exercise)
    reference = reference_of(exercise, visible, hidden)
    return Prepared(
        facts(exercise, visible),
        tests_json(visible),
        reference.model_dump_json(),
        flaw_of(exercise, visible, hidden, reference),
    )


def facts(exercise: Exercise, visible: Sequence[Case]) -> dict[str, str]:
    """What the wordings are filled with."""
    return {
        "signature": exercise.signature,
        "spoken": exercise.spoken,
        "start": exercise.start,
        "solution": exercise.solution,
        "example": f"{visible[0].call} gives {visible[0].expect}" if visible else "",
        **exercise.facts,
    }


def reference_of(exercise: Exercise, visible: tuple[Case, ...], hidden: tuple[Case, ...]) -> Reference:
    """The tests that decide: the hidden ones, and those that the student saw."""
    tests, baseline = (*hidden, *visible), 0
    if exercise.start_function is not None:
        wrong = {case.call: case.expect for case in _cases(exercise, exercise.start_function)}
        baseline = sum(wrong[case.call] == case.expect for case in tests)
    return Reference(tests=tests, solution=exercise.solution, criteria=exercise.criteria, baseline=baseline)


def flaw_of(exercise: Exercise, visible: Sequence[Case], hidden: Sequence[Case], reference: Reference) -> str | None:
    """Why this exercise is none: too few tests, one result for most of them, or a mistake that hardly one shows."""
    results = [case.expect for case in hidden]
    if len(visible) == 0 or len(hidden) < FEWEST:
        return f"there are {len(visible)} visible and {len(hidden)} hidden tests"
    if max(map(results.count, results)) > COMMONEST * len(results):
        return "the function gives the same result nearly everywhere"
    if exercise.start_function is not None and reference.baseline > len(hidden):
        return "the mistake shows nearly nowhere"
    return None


def split_cases(exercise: Exercise) -> tuple[tuple[Case, ...], tuple[Case, ...]]:
    """(visible, hidden). What is seen says something: it is of inputs that aren't empty, with different results and,
    where the given code is wrong, one of its mistakes. No visible test is hidden too."""
    cases = _cases(exercise, exercise.function)
    several = zip(cases, _distinct(exercise.inputs), strict=True)
    plain = [case for case, arguments in several if all(map(_size, arguments))][::-1]
    plain.sort(key=lambda case: case.expect in SAYING_LITTLE)
    if exercise.start_function is not None:
        wrong = {case.call: case.expect for case in _cases(exercise, exercise.start_function)}
        mistaken = [case for case in plain if wrong[case.call] != case.expect]
        plain = [
            *sorted(mistaken, key=lambda case: (case.expect in SAYING_LITTLE, len(case.call)))[:1],
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


def number_lists(rng: random.Random, size: int, edges: Sequence[int] = ()) -> list[Arguments]:
    """Lists of whole numbers to test with: the edges, the empty list, negative and equal numbers, then longer ones."""
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
    made += [rng.sample(WORDS, rng.randint(7, 9)) for _ in range(2)]
    made += [rng.sample(WORDS, rng.randint(3, 6)) for _ in range(12)]
    return [(one,) for one in made]

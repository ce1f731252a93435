"""Stories put together at random: what they say is what their answer is computed from."""

import random
import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from string import Formatter
from typing import Any

import pytest
from sympy import Eq, Rational, Symbol, solve

from agent0es.taskdomains.math import ComposedStoriesDomain
from agent0es.taskdomains.math.families import COMPOSED, UNKNOWN, quantities, story_themes
from agent0es.taskdomains.math.families import composed_stories as composed
from agent0es.taskdomains.math.families.story_themes import Theme
from tests.support.composed import FACTORS, instances

DOMAIN = ComposedStoriesDomain()
BY_NAME = {family.name: family for family in (*COMPOSED, *UNKNOWN)}
THEMES = {
    "composed_owners": story_themes.OWNERS,
    "composed_week": story_themes.WEEK,
    "composed_prices": story_themes.PRICES,
    "composed_towers": story_themes.TOWERS,
    "unknown_owner": story_themes.OWNERS,
    "unknown_day": story_themes.WEEK,
    "unknown_price": story_themes.PRICES,
    "unknown_tower": story_themes.TOWERS,
}


def read(theme: Theme, story: str) -> list[tuple[str, dict[str, str]]]:
    """Each sentence of a story as the name of its template, and what stands in it. `told_of_the_larger` is `more`, seen
    from the other, so either will do."""
    subject = "|".join(theme.subjects)
    kinds = {
        "n": "[0-9]+",
        "times": "|".join(quantities.TIMES.values()),
        "part": "|".join(quantities.PARTS.values()),
        **dict.fromkeys("xyz", subject),
    }
    asked = {"one", "all", "difference", "shared", "missing"}
    templates = {**theme.related, **{key: getattr(theme, key) for key in ("plain", "total", *asked)}}

    def pattern(template: str) -> str:
        parts: list[str] = []
        for text, field, _, _ in Formatter().parse(template):
            group = f"(?P<{field}>{kinds.get(field or '', '[a-z]+')})" if field else ""
            again = any(part.startswith(f"(?P<{field}>") for part in parts)
            parts += [re.escape(text), f"(?P={field})" if field and again else group]
        return "".join(parts)

    found, rest = [], story
    while rest:
        name, match = next(
            (name, match)
            for name, template in templates.items()
            if (match := re.match(pattern(template) + r"(?: |$)", rest, flags=re.IGNORECASE))
        )
        found.append((name, match.groupdict()))
        rest = rest[match.end() :]
    return found


Values = Mapping[str, Any]
"""Subject to the symbol or value of its quantity; `n` to the sentence's number, `factor` to that of its words."""
MEANING: dict[str, Callable[[Values], Eq]] = {
    "plain": lambda of: Eq(of["x"], of["n"]),
    "more": lambda of: Eq(of["x"] - of["y"], of["n"]),
    "fewer": lambda of: Eq(of["y"] - of["x"], of["n"]),
    "times": lambda of: Eq(of["x"] / of["y"], of["factor"]),
    "part": lambda of: Eq(of["y"] / of["x"], of["factor"]),
    "percent_more": lambda of: Eq(100 * of["x"], (100 + of["n"]) * of["y"]),
    "told_of_the_larger": lambda of: Eq(of["y"] - of["x"], of["n"]),
    "told_of_the_multiple": lambda of: Eq(of["y"] / of["x"], of["factor"]),
    quantities.TOGETHER: lambda of: Eq(of["x"], of["y"] + of["z"]),
    "total": lambda of: Eq(of["all"], of["n"]),
}
"""What a sentence says, written a second time, as it is read."""
ASKED: dict[str, Callable[[Values], Any]] = {
    "one": lambda of: of["x"],
    "all": lambda of: of["all"],
    "difference": lambda of: of["x"] - of["y"],
    "shared": lambda of: of["all"] / of["n"],
    "missing": lambda of: of["n"] - of["all"],
}


@pytest.mark.parametrize("name", THEMES)
def test_the_sentences_as_equations_have_the_answer_as_their_solution(name: str) -> None:
    theme = THEMES[name]
    for task in instances(BY_NAME[name], 25):
        sentences = read(theme, task.description)
        subjects = {said[key].lower() for _, said in sentences for key in "xyz" if said.get(key)}
        symbols = {subject: Symbol(subject) for subject in subjects}

        def values(said: Mapping[str, str], known: Values) -> Values:
            of = {key: known[said[key].lower()] for key in "xyz" if said.get(key)}
            factor = FACTORS.get((said.get("times") or said.get("part") or "").lower())
            return {**of, "n": Rational(said.get("n") or 0), "factor": factor, "all": sum(known.values())}

        equations = [MEANING[kind](values(said, symbols)) for kind, said in sentences if kind in MEANING]
        (found,) = solve(equations, list(symbols.values()), dict=True)
        solution = {subject: found[symbol] for subject, symbol in symbols.items()}
        (asked,) = ((kind, said) for kind, said in sentences if kind in ASKED)
        assert str(ASKED[asked[0]](values(asked[1], solution))) == task.reference, task


@pytest.mark.parametrize(
    ("compose", "numbers", "story", "answer"),
    [
        pytest.param(quantities.ALL_BUT_A_PART, (60, 3), "a third of 60 are broken", 40, id="all but a part"),
        pytest.param(quantities.PERCENT_MORE, (60, 25), "25% more than 60", 75, id="percent more"),
        pytest.param(quantities.PERCENT_LESS, (60, 25), "25% off 60", 45, id="percent less"),
        pytest.param(quantities.PART, (60, 4), "a quarter of 60", 15, id="part"),
    ],
)
def test_rules(compose: quantities.Rule, numbers: tuple[int, int], story: str, answer: int) -> None:
    of, n = numbers
    made = compose.apply(quantities.Quantity(Fraction(of), str(of)), n)
    assert made.value == answer == eval(made.code), story


@pytest.mark.parametrize("told", composed.BACKWARDS)
def test_backwards_undoes_what_forwards_does(told: str) -> None:
    for n in composed.BACKWARDS[told].numbers:
        start = Fraction(1000)
        assert composed.BACKWARDS[told].value(composed.CHANGES[told].value(start, n), n) == start


def test_a_program_that_a_student_wrote_is_moved_to_another_story() -> None:
    family = BY_NAME["composed_shopping"]
    task = family.task({"steps": 1, "shape": 2, "variant": 996}, 0, 0.0)
    assert task.description == (
        "A book costs $28. A basket costs four times as much as a book. Eva buys 7 baskets and 8 books. "
        "How many dollars does Eva pay?"
    )
    program = "book = 28\n# a basket costs 4 books\nbasket = 4 * book\nprint(7 * basket + 8 * book)"
    moved = DOMAIN.second_instance(task, program, random.Random(1))
    assert moved is not None
    second, code = moved
    code = code.replace("print(", "total = (")
    names: dict[str, int] = {}
    exec(code, names)
    assert str(names["total"]) == second.reference != task.reference

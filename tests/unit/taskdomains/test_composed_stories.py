"""Stories put together at random: what they say is what their answer is computed from."""

import random
import re

import pytest
from sympy import Eq, Rational, Symbol, solve

from agent0es.domain.task import Submission, Task, Verification
from agent0es.taskdomains.math import ComposedStoriesDomain
from agent0es.taskdomains.math.families import COMPOSED
from agent0es.taskdomains.math.families import composed_stories as composed
from agent0es.taskdomains.math.families.composed_stories import ComposedFamily, Theme

DOMAIN = ComposedStoriesDomain()
BY_NAME = {family.name: family for family in COMPOSED}
every_family = pytest.mark.parametrize("family", COMPOSED, ids=lambda family: family.name)
THEMES = {
    "composed_owners": composed.OWNERS,
    "composed_week": composed.WEEK,
    "composed_prices": composed.PRICES,
    "composed_towers": composed.TOWERS,
    "composed_known_total": composed.OWNERS,
    "composed_week_known_total": composed.WEEK,
    "composed_prices_known_total": composed.PRICES,
    "composed_towers_known_total": composed.TOWERS,
}


def instances(family: ComposedFamily, count: int) -> list[Task]:
    """Tasks of rising difficulty."""
    rng = random.Random(family.name)
    difficulties = [i / (count - 1) for i in range(count)]
    return [family.task(family.sample(rng, difficulty), 0, difficulty) for difficulty in difficulties]


def tool_input(task: Task) -> str:
    return task.reference_action.removeprefix("python[")[:-1]


@every_family
def test_the_reference_action_prints_the_answer(family: ComposedFamily) -> None:
    for task in instances(family, 150):
        assert family.check(task.parameters, task.difficulty) is None
        printed = str(eval(tool_input(task)))
        judged = DOMAIN.judge(Submission(printed), task)
        assert printed == task.reference and isinstance(judged, Verification) and judged.correct is True, task
        assert int(printed) > 0
        assert not re.search(r"[{}]|None|\bNaN\b", task.description), task.description
        assert task.description.endswith("?") and len(task.description) < 500


@every_family
def test_there_is_no_end_of_different_stories(family: ComposedFamily) -> None:
    tasks = instances(family, 300)
    shapes = {re.sub("[0-9]+", "N", task.description) for task in tasks}
    answers = [task.reference for task in tasks]
    assert len(shapes) > 200
    assert max(map(answers.count, answers)) < 30


@every_family
def test_difficulty_makes_stories_longer(family: ComposedFamily) -> None:
    def length(difficulty: float) -> int:
        rng = random.Random(7)
        return sum(len(family.task(family.sample(rng, difficulty), 0, difficulty).description) for _ in range(40))

    assert length(0.0) < length(0.5) < length(1.0)


@every_family
def test_a_second_instance_is_the_same_story_with_other_numbers(family: ComposedFamily) -> None:
    rng = random.Random(3)
    pairs = [(task, DOMAIN.second_instance(task, tool_input(task), rng)) for task in instances(family, 100)]
    moved = [(task, second) for task, second in pairs if second is not None]
    assert len(moved) >= 50, "the others tell more than is needed for their answer"
    for task, (second, code) in moved:
        assert str(eval(code)) == second.reference
        assert without_numbers(task.description) == without_numbers(second.description)


def without_numbers(story: str) -> str:
    words = "|".join([*composed.TIMES.values(), *composed.PARTS.values(), "[0-9]+"])
    return re.sub(rf"\b({words})\b", "N", story, flags=re.IGNORECASE)


def read(theme: Theme, story: str, templates: dict[str, str]) -> list[tuple[str, dict[str, str]]]:
    """Each sentence of a story as the name of its template, and what stands in it."""
    words = {"n": r"[0-9]+", "times": "|".join(composed.TIMES.values()), "part": "|".join(composed.PARTS.values())}
    names = {"x": "|".join(theme.subjects), "y": "|".join(theme.subjects), "z": "|".join(theme.subjects)}
    found = []
    for sentence in re.split(r"(?<=[.?]) ", story):
        matches = []
        for name, template in templates.items():
            pattern = re.escape(template)
            for field in re.findall(r"\\{(\w+)\\}", pattern):
                kind = {**words, **names}.get(field, r"\w+")
                pattern = pattern.replace(rf"\{{{field}\}}", f"(?P<{field}>{kind})", 1)
                pattern = pattern.replace(rf"\{{{field}\}}", f"(?P={field})")
            if match := re.fullmatch(pattern, sentence, flags=re.IGNORECASE):
                matches.append((name, match.groupdict()))
        assert matches, sentence  # `told_of_the_larger` is `more`, seen from the other: either will do
        found.append(matches[0])
    return found


@pytest.mark.parametrize("name", THEMES)
def test_the_sentences_as_equations_have_the_answer_as_their_solution(name: str) -> None:
    """What each sentence means is written here a second time, as it is read."""
    theme = THEMES[name]
    questions = {key: getattr(theme, key) for key in ("one", "all", "difference", "total", "plain")}
    parted = {"shared": theme.shared, "missing": theme.missing}
    factor = {word: n for words in (composed.TIMES, composed.PARTS) for n, word in words.items()}
    for task in instances(BY_NAME[name], 60):
        story = task.description
        with_two = {key: re.split(r"(?<=[.?]) ", text) for key, text in parted.items()}
        templates = {**questions, **theme.related}
        templates |= {f"{key}/{i}": text for key, texts in with_two.items() for i, text in enumerate(texts)}
        sentences = read(theme, story, templates)
        value: dict[str, Symbol] = {}
        of = lambda name: value.setdefault(name.lower(), Symbol(name.lower()))  # noqa: B023, E731
        equations, asked, total = [], None, None
        for kind, said in sentences:
            x, y = (of(said[key]) if said.get(key) else None for key in "xy")
            n = Rational(said["n"]) if said.get("n") else None
            match kind:
                case "plain":
                    equations.append(Eq(x, n))
                case "more":
                    equations.append(Eq(x - y, n))
                case "fewer":
                    equations.append(Eq(y - x, n))
                case "times":
                    equations.append(Eq(x / y, factor[said["times"].lower()]))
                case "part":
                    equations.append(Eq(y / x, factor[said["part"].lower()]))
                case "percent_more":
                    equations.append(Eq(100 * x, (100 + n) * y))
                case "told_of_the_larger":
                    equations.append(Eq(y - x, n))
                case "told_of_the_multiple":
                    equations.append(Eq(y / x, factor[said["times"].lower()]))
                case composed.TOGETHER:
                    equations.append(Eq(x, y + of(said["z"])))
                case "total":
                    total = n
                case "one":
                    asked = lambda found, x=x: found[x]  # noqa: E731
                case "difference":
                    asked = lambda found, x=x, y=y: found[x] - found[y]  # noqa: E731
                case "all":
                    asked = lambda found: sum(found.values())  # noqa: E731
                case "shared/0" if n is not None:
                    asked = lambda found, n=n: sum(found.values()) / n  # noqa: E731
                case "missing/0" if n is not None:
                    asked = lambda found, n=n: n - sum(found.values())  # noqa: E731
        if total is not None:
            equations.append(Eq(sum(value.values()), total))
        (found,) = solve(equations, list(value.values()), dict=True)
        assert asked is not None and str(asked(found)) == task.reference, task


@pytest.mark.parametrize(
    ("compose", "numbers", "story", "answer"),
    [
        pytest.param(composed.ALL_BUT_A_PART, (60, 3), "a third of 60 are broken", 40, id="all but a part"),
        pytest.param(composed.PERCENT_MORE, (60, 25), "25% more than 60", 75, id="percent more"),
        pytest.param(composed.PERCENT_LESS, (60, 25), "25% off 60", 45, id="percent less"),
        pytest.param(composed.PART, (60, 4), "a quarter of 60", 15, id="part"),
    ],
)
def test_rules(compose: composed.Rule, numbers: tuple[int, int], story: str, answer: int) -> None:
    of, n = numbers
    made = compose.apply(composed.Quantity(composed.Fraction(of), str(of)), n)
    assert made.value == answer == eval(made.code), story


@pytest.mark.parametrize("told", composed.BACKWARDS)
def test_backwards_undoes_what_forwards_does(told: str) -> None:
    for n in composed.BACKWARDS[told].numbers:
        start = composed.Fraction(1000)
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

"""Every family, over all difficulties: its samples, its schema, its answer, its reference action."""

import ast
import random
import re
from collections.abc import Callable

import pytest

from agent0es.domain.task import Scalar, Submission, Task, Verification
from agent0es.errors import ConfigurationError
from agent0es.taskdomains.base import Family, Int, IntList, Phrase, signature
from agent0es.taskdomains.math import AdvancedMathDomain, MathDomain, WordProblemsDomain
from agent0es.taskdomains.math.families import CORE, EXTENDED, STORIES

SAMPLES = 150
ALL = (*CORE, *EXTENDED, *STORIES)
every_family = pytest.mark.parametrize("family", ALL, ids=lambda family: family.name)


def instances(family: Family, count: int) -> list[Task]:
    """Tasks of rising difficulty."""
    rng = random.Random(family.name)
    difficulties = [i / (count - 1) for i in range(count)]
    wordings = range(count)
    return [
        family.task(family.sample(rng, difficulty), i % len(family.wordings), difficulty)
        for i, difficulty in zip(wordings, difficulties, strict=True)
    ]


def domain_of(family: Family) -> MathDomain:
    """That which has it among its own."""
    if family in CORE:
        return MathDomain()
    return AdvancedMathDomain() if family in EXTENDED else WordProblemsDomain()


def tool_input(task: Task) -> str:
    return task.reference_action.partition("[")[2][:-1]


def slow(family: Family) -> bool:
    return family.reference_action.startswith("math[")


def accepts(schema: dict[str, object], value: Scalar) -> bool:
    """JSON schema, as far as the families use it."""
    match schema:
        case {"type": "integer", "minimum": int(low), "maximum": int(high)}:
            return isinstance(value, int) and low <= value <= high
        case {"type": "string", "pattern": str(pattern)}:
            return isinstance(value, str) and re.search(pattern, value) is not None
        case {"type": "string", "enum": list(options)}:
            return value in options
    raise AssertionError(f"unexpected schema {schema}")


@every_family
def test_samples_are_accepted_and_described(family: Family) -> None:
    for task in instances(family, SAMPLES):
        assert family.check(task.parameters, task.difficulty) is None
        schema = family.schema(task.difficulty)
        assert schema["required"] == list(task.parameters) and schema["additionalProperties"] is False
        for name, value in task.parameters.items():
            assert accepts(schema["properties"][name], value)
            assert str(value) in task.description
            assert str(value) in task.reference_action


@every_family
def test_the_reference_action_prints_the_answer(
    family: Family, domain: MathDomain, observe: Callable[[str], str]
) -> None:
    for task in instances(family, 40 if slow(family) else SAMPLES):
        printed = observe(task.reference_action)
        judged = domain.judge(Submission(printed), task)
        assert isinstance(judged, Verification) and judged.correct is True, (task, printed)
        assert printed == task.reference or family.split != "practised", "demonstrations show what the tool prints"


@every_family
def test_answers_differ_and_one_answer_does_not_serve_all(family: Family, domain: MathDomain) -> None:
    tasks = instances(family, SAMPLES)
    references = [task.reference for task in tasks]
    assert len(set(references)) >= 3
    assert max(map(references.count, references)) < 0.75 * SAMPLES
    sentence = domain.judge(Submission("no answer at all"), tasks[0])
    assert isinstance(sentence, Verification) and not sentence.correct


@every_family
def test_difficulty_makes_parameters_larger(family: Family) -> None:
    def size(difficulty: float) -> float:
        rng = random.Random(7)
        drawn = [family.sample(rng, difficulty) for _ in range(60)]
        return sum(value if isinstance(value, int) else len(str(value)) for p in drawn for value in p.values())

    grows = any(isinstance(kind, Int | IntList | Phrase) for kind in family.parameters.values())
    sizes = [size(difficulty) for difficulty in (0.0, 0.5, 1.0)]
    assert sizes == sorted(sizes) or not grows
    assert sizes[0] < sizes[2] or not grows


@every_family
def test_a_second_instance_differs_and_code_can_be_moved_to_it(
    family: Family, domain: MathDomain, observe: Callable[[str], str]
) -> None:
    rng = random.Random(3)
    count = 30 if slow(family) else 120
    right = 0
    for task in instances(family, count):
        second = family.second_instance(task, rng)
        assert second.wording == task.wording and second.difficulty == task.difficulty
        assert second.parameters != task.parameters
        assert family.check(second.parameters, second.difficulty) is None
        moved = domain_of(family).second_instance(task, tool_input(task), rng)
        if moved is not None:
            tool = task.reference_action.partition("[")[0]
            judged = domain.judge(Submission(observe(f"{tool}[{moved[1]}]")), moved[0])
            right += isinstance(judged, Verification) and judged.correct is True
    assert right >= 0.9 * count


@every_family
def test_wordings_and_parts_are_as_promised(family: Family) -> None:
    assert len(family.wordings) >= 2
    assert len(set(family.wordings)) == len(family.wordings)
    assert "family" not in family.parameters, "the teacher's JSON has a key of that name"
    assert re.match(r"(python|math)\[", family.reference_action)
    if not slow(family):
        ast.parse(tool_input(instances(family, 2)[0]), mode="eval")


def test_splits_are_large_enough_and_names_are_unique(domain: MathDomain) -> None:
    assert len({family.name for family in ALL}) == len(ALL)
    assert len(domain.families("practised")) >= 120
    assert len(domain.families("held_out")) == 40
    assert len(domain.families("validation")) == 8
    slow_ones = {split: sum(map(slow, domain.families(split))) for split in ("practised", "held_out", "validation")}
    assert slow_ones == {"practised": 5, "held_out": 2, "validation": 0}


def test_advanced_families_are_a_domain_of_their_own(domain: MathDomain) -> None:
    assert {split: len(domain.families(split)) for split in ("practised", "held_out", "validation")} == {
        "practised": 132,
        "held_out": 40,
        "validation": 8,
    }
    assert {family.group for family in EXTENDED} == {
        "calculus",
        "equations",
        "counting",
        "geometry",
        "decimals",
        "stories",
    }
    advanced = AdvancedMathDomain()
    for family in EXTENDED:
        assert advanced.family(family.name).domain == advanced.name
        with pytest.raises(ConfigurationError):
            domain.family(family.name)
    assert len(advanced.mixed_demonstrations(16)) == 16


def test_no_family_that_is_never_practised_shares_its_expression_with_a_practised_one(domain: MathDomain) -> None:
    def skeletons(*splits: str) -> set[str]:
        return {signature(tool_input(task)) for f in ALL if f.split in splits for task in instances(f, 10)}

    assert skeletons("practised").isdisjoint(skeletons("held_out", "validation"))


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"a": 20}, "b is missing"),
        ({"a": 20, "b": 15, "c": 1}, "'c' is not a parameter of product"),
        ({"a": 20, "b": "15"}, "b: '15' is not a whole number"),
        ({"a": True, "b": 15}, "a: True is not a whole number"),
        ({"a": 20.0, "b": 15}, "a: 20.0 is not a whole number"),
        ({"a": 20, "b": 10**5000}, "b: a very long number is not in 11 to 40"),
        ({"a": 20, "b": 41}, "b: 41 is not in 11 to 40"),
    ],
)
def test_wrong_parameters_are_refused_with_a_reason(
    domain: MathDomain, parameters: dict[str, Scalar], reason: str
) -> None:
    assert domain.family("product").check(parameters, 0.0) == reason


@pytest.mark.parametrize(
    ("family", "parameters"),
    [
        ("list_sum", {"numbers": "4, 8, 15); import os; ("}),
        ("list_sum", {"numbers": "4, 08, 3"}),
        ("list_sum", {"numbers": "4,8,3"}),
        ("list_sum", {"numbers": "4, 8, 3\n"}),
        ("word_reversal", {"word": 'a" + exit() + "'}),
        ("word_reversal", {"word": "Word"}),
        ("weekday", {"day": "2024-02-30"}),
        ("longest_word", {"text": "cat dog"}),
        ("replace_spaces", {"text": "cat dog", "mark": '"'}),
    ],
)
def test_texts_that_are_not_of_their_kind_are_refused(
    domain: MathDomain, family: str, parameters: dict[str, Scalar]
) -> None:
    assert domain.family(family).check(parameters, 0.0) is not None


def test_demonstrations_are_instances_of_the_family_and_repeatable(domain: MathDomain) -> None:
    shown = domain.demonstrations("gcd", 4, random.Random(5))
    assert shown == domain.demonstrations("gcd", 4, random.Random(5))
    assert [example.action.startswith("python[math.gcd(") for example in shown] == [True] * 4
    assert all(example.answer == example.observation for example in shown)


def test_mixed_demonstrations_are_one_constant_text_of_practised_families(domain: MathDomain) -> None:
    shown = domain.mixed_demonstrations(8)
    assert len(shown) == 8 and shown == MathDomain().mixed_demonstrations(16)[:8]
    assert {domain.family(name).split for name in domain.mixture} == {"practised"}
    assert shown[0].action == "python[26 * 16]"


def test_an_unknown_family_is_named_with_its_nearest(domain: MathDomain) -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'list_sum'"):
        domain.family("list_sums")

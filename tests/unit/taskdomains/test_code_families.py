"""Every family of the code domain: its samples, its programs and functions, how much its hidden tests see.

CODE_SAMPLES=1000 in the environment checks that many instances of each family in place of 50.
"""

import ast
import contextlib
import copy
import io
import json
import os
import random
from collections.abc import Iterator
from typing import Any

import pytest

from agent0es.agents.react import parse
from agent0es.domain.task import Submission, Task, Verification
from agent0es.errors import ConfigurationError
from agent0es.taskdomains.base import Family, NeedsCall, signature
from agent0es.taskdomains.code import CodeDomain
from agent0es.taskdomains.code.families import FAMILIES
from agent0es.taskdomains.code.families.common import TestedFamily
from agent0es.taskdomains.code.reference import Reference
from agent0es.taskdomains.math import MathDomain

SAMPLES = int(os.environ.get("CODE_SAMPLES", "50"))
DOMAIN = CodeDomain()
TESTED = [family for family in FAMILIES if isinstance(family, TestedFamily)]
READING = [family for family in FAMILIES if not isinstance(family, TestedFamily)]
every_family = pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
every_tested = pytest.mark.parametrize("family", TESTED, ids=lambda family: family.name)
every_reading = pytest.mark.parametrize("family", READING, ids=lambda family: family.name)


def instances(family: Family, count: int) -> list[Task]:
    """Tasks of rising difficulty."""
    rng = random.Random(family.name)
    difficulties = [i / (count - 1) for i in range(count)]
    return [family.task(family.sample(rng, d), i % len(family.wordings), d) for i, d in enumerate(difficulties)]


def hidden(task: Task) -> Reference:
    return Reference.model_validate_json(task.reference)


def visible(task: Task) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(task.files["tests.json"])
    return found


def program(task: Task) -> str:
    return task.reference_action.removeprefix("python[")[:-1]


def names(solution: str) -> dict[str, Any]:
    """The names of trusted code of ours, run in-process."""
    found: dict[str, Any] = {}
    exec(solution, found)
    return found


def passes(solution: str, reference: Reference) -> bool:
    defined = names(solution)
    for case in reference.tests:
        try:
            if repr(eval(case.call, dict(defined))) != case.expect:
                return False
        except Exception:  # noqa: BLE001  a mutant may raise anything
            return False
    return True


@every_family
def test_samples_are_accepted_and_described(family: Family) -> None:
    for task in instances(family, SAMPLES):
        assert family.check(task.parameters, task.difficulty) is None
        schema = family.schema(task.difficulty)
        assert schema["required"] == list(task.parameters)
        for name, value in task.parameters.items():
            kind = schema["properties"][name]
            assert kind["minimum"] <= value <= kind["maximum"]
        assert "{" not in task.description.replace("{'", "").replace("{}", ""), "a blank is left open"
        assert task.domain == "code" and len(task.reference_action) < 130
        assert task == family.task(task.parameters, task.wording, task.difficulty)


@every_tested
def test_the_solution_gives_what_the_trusted_implementation_says(family: Family) -> None:
    for task in instances(family, SAMPLES):
        reference = hidden(task)
        defined = names(reference.solution)
        cases = [
            *((case.call, case.expect) for case in reference.tests),
            *((c["call"], c["expect"]) for c in visible(task)),
        ]
        for call, expect in cases:
            assert repr(eval(call, dict(defined))) == expect, (reference.solution, call)
            assert repr(ast.literal_eval(expect)) == expect, "compared as a literal, outside the solution's process"
        assert isinstance(DOMAIN.judge(Submission(reference.solution), task), NeedsCall)
        assert "\n" not in reference.solution
        assert task.reference_action == f"tests[{reference.solution}]"


@every_reading
def test_the_program_prints_what_the_reference_says(family: Family) -> None:
    for task in instances(family, SAMPLES):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(program(task), {})
        assert printed.getvalue() == task.reference + "\n"
        assert program(task) in task.description and "\n" not in task.reference
        judged = DOMAIN.judge(Submission(printed.getvalue()), task)
        assert isinstance(judged, Verification) and judged.correct is True


@every_tested
def test_hidden_tests_are_many_and_a_table_of_the_visible_ones_fails(family: Family) -> None:
    for task in instances(family, SAMPLES):
        seen, reference = visible(task), hidden(task)
        unseen = [case for case in reference.tests if case.call not in [one["call"] for one in seen]]
        assert 1 <= len(seen) <= 3 and len(unseen) >= 8
        results = [case.expect for case in reference.tests]
        for rest in {*results, "None"}:  # the table, and any one result for everything else
            table = {one["call"]: one["expect"] for one in seen}
            assert any(table.get(case.call, rest) != case.expect for case in reference.tests)
        assert reference.baseline < len(reference.tests)


@every_tested
def test_a_solution_with_one_slip_fails_a_hidden_test(family: Family) -> None:
    """But for slips that change nothing, which are told by a thousand calls, and one in fifty others at most."""
    made, missed = 0, []
    for task in instances(family, 12):
        reference = hidden(task)
        for mutant in mutants(reference.solution):
            made += 1
            if passes(mutant, reference) and not equivalent(mutant, reference.solution):
                missed.append((reference.solution, mutant))
    assert made >= 20
    assert len(missed) <= made / 50, missed


OTHER: dict[type, type] = {
    ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Mod: ast.FloorDiv, ast.FloorDiv: ast.Mod,
    ast.Pow: ast.Mult, ast.And: ast.Or, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.In: ast.NotIn,
}  # fmt: skip


def mutants(code: str) -> Iterator[str]:
    """The code with one slip: another operator, a number one off, a condition left out, a letter more or less."""
    tree = ast.parse(code)
    for index in range(len(list(ast.walk(tree)))):
        for slip in range(4):
            changed = copy.deepcopy(tree)
            node = list(ast.walk(changed))[index]
            match node:
                case ast.Compare(ops=ops) if slip < len(ops) and type(ops[slip]) in OTHER:
                    ops[slip] = OTHER[type(ops[slip])]()
                case ast.BinOp(op=op) if slip == 0 and type(op) in OTHER:
                    node.op = OTHER[type(op)]()
                case ast.BoolOp(op=op, values=values) if slip == 0:
                    node.op = OTHER[type(op)]()
                case ast.BoolOp(values=values) if slip <= len(values):
                    del values[slip - 1]
                case ast.Constant(value=bool() as value) if slip == 0:
                    node.value = not value
                case ast.Constant(value=int() as value) if slip < 2 and not isinstance(value, bool):
                    node.value = value + (1, -1)[slip]
                case ast.Constant(value=str() as value) if slip < 2 and value:
                    node.value = (value[1:], value + "y")[slip]
                case ast.comprehension(ifs=[_, *_]) if slip == 0:
                    node.ifs.clear()
                case _:
                    continue
            yield ast.unparse(ast.fix_missing_locations(changed))


def equivalent(one: str, other: str) -> bool:
    """Whether two functions give the same for a thousand arguments of their kinds."""
    rng = random.Random(1)
    first, second = names(one)["f"], names(other)["f"]
    parameters = second.__code__.co_varnames[: second.__code__.co_argcount]

    def argument(name: str) -> object:
        if name in ("xs", "ys"):
            return [rng.randint(-130, 220) for _ in range(rng.randint(0, 9))]
        words = [rng.choice(["ant", "fig", "river", "violin", "apple", "noon", "f"]) for _ in range(rng.randint(0, 7))]
        return {"ws": words, "s": "  ".join(words)}.get(name, rng.randint(-300, 1500))

    def result(function: Any, arguments: list[object]) -> str:
        try:
            return repr(function(*arguments))
        except (ZeroDivisionError, IndexError) as error:
            return type(error).__name__

    calls = [[argument(name) for name in parameters] for _ in range(1000)]
    return all(result(first, arguments) == result(second, arguments) for arguments in calls)


@every_family
def test_tasks_are_many_and_difficulty_makes_more_of_them(family: Family) -> None:
    tasks = instances(family, 60)
    assert len({task.description for task in tasks}) >= 0.7 * len(tasks)
    assert len({task.reference for task in tasks}) >= 20 or family.name == "output_choice"

    def size(difficulty: float) -> float:
        rng = random.Random(7)
        return sum(len(family.action(family.sample(rng, difficulty))) for _ in range(60))

    sizes = [size(difficulty) for difficulty in (0.0, 0.5, 1.0)]
    assert sizes == sorted(sizes) and sizes[0] < sizes[2], "the code to write or to read gets longer"


@every_reading
def test_a_second_instance_is_another_program_in_the_same_call(family: Family) -> None:
    rng, differing = random.Random(3), 0
    for task in instances(family, 20):
        moved = DOMAIN.second_instance(task, program(task), rng)
        assert moved is not None
        second, code = moved
        assert code == program(second) and second.difficulty == task.difficulty
        differing += second.reference != task.reference
        assert DOMAIN.second_instance(task, f"print({task.reference})", rng) is None, "luck is not carried over"
    assert differing >= 18


@every_tested
def test_functions_have_no_second_instance(family: Family) -> None:
    task = instances(family, 2)[0]
    assert DOMAIN.second_instance(task, hidden(task).solution, random.Random(1)) is None


def test_families_are_as_promised() -> None:
    known = [family.name for family in FAMILIES]
    elsewhere = {f.name for split in ("practised", "held_out", "validation") for f in MathDomain().families(split)}  # type: ignore[arg-type]
    assert len(set(known)) == len(known) and elsewhere.isdisjoint(known)
    counts = {split: len(DOMAIN.families(split)) for split in ("practised", "held_out", "validation")}  # type: ignore[arg-type]
    assert counts == {"practised": 21, "held_out": 6, "validation": 2}
    for family in FAMILIES:
        assert len(set(family.wordings)) >= 2 and "family" not in family.parameters


def test_no_family_that_is_never_practised_shares_its_code_with_a_practised_one() -> None:
    def skeletons(*splits: str) -> set[str]:
        return {signature(task.reference_action) for f in FAMILIES if f.split in splits for task in instances(f, 10)}

    # a mistake in a test of words, put right, and other held-out code, has other idioms than any practised code
    assert skeletons("practised").isdisjoint(skeletons("held_out", "validation"))


def test_demonstrations_test_the_solution_and_give_it() -> None:
    shown = DOMAIN.demonstrations("write_filter", 4, random.Random(5))
    assert shown == DOMAIN.demonstrations("write_filter", 4, random.Random(5))
    for example in shown:
        assert example.action == f"tests[{example.answer}]"
        assert example.observation in ("1 of 1 passed", "2 of 2 passed", "3 of 3 passed")
    [read] = DOMAIN.demonstrations("output_tuples", 1, random.Random(5))
    assert read.action.startswith("python[a, b = ") and read.observation == read.answer


@every_family
def test_worked_examples_are_read_as_they_are_written(family: Family) -> None:
    for example in DOMAIN.demonstrations(family.name, 6, random.Random(2)):
        [action] = parse(f"Action: {example.action}", ("python", "math", "tests")).actions
        assert f"{action.tool}[{action.input}]" == example.action
        assert parse(f"Answer: {example.answer}").answer == example.answer


def test_mixed_demonstrations_are_one_constant_text_of_practised_families() -> None:
    shown = DOMAIN.mixed_demonstrations(8)
    assert len(shown) == 8 and shown == CodeDomain().mixed_demonstrations(16)[:8]
    assert {DOMAIN.family(name).split for name in DOMAIN.mixture} == {"practised"} and len(set(DOMAIN.mixture)) == 16
    assert all("\n" not in example.action + example.answer for example in DOMAIN.mixed_demonstrations(16))


def test_parameters_that_make_no_exercise_are_refused_with_a_reason() -> None:
    family = DOMAIN.family("write_formula")
    reasons = {family.check({"parts": 2, "size": 20, "variant": n}, 0.5) for n in range(400)}
    assert reasons == {None, "the function gives the same result nearly everywhere"}
    assert family.check({"parts": 3, "size": 9, "variant": 1}, 0.0) == "parts: 3 is not in 1 to 1"


def test_an_unknown_family_is_named_with_its_nearest() -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'write_filter'"):
        DOMAIN.family("write_filters")

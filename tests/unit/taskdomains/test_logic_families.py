"""Every family, over all difficulties: its samples, its answer by two other routes, its second instance.

AGENT0ES_FAMILY_SAMPLES=1000 in the environment checks so many instances of each family instead of a few.
"""

import ast
import itertools
import os
import random
import re
from statistics import mean

import pytest
import z3

from agent0es.domain.task import Submission, Task, Verification
from agent0es.errors import ConfigurationError
from agent0es.taskdomains.logic import LogicDomain
from agent0es.taskdomains.logic.families import FAMILIES
from agent0es.taskdomains.logic.families.quantifiers import _follows
from agent0es.taskdomains.logic.formula import read_formula
from agent0es.taskdomains.logic.semantics import against, smt
from agent0es.taskdomains.math import MathDomain
from agent0es.taskdomains.moving import move, rename
from agent0es.taskdomains.variants import VariantFamily

SAMPLES = int(os.environ.get("AGENT0ES_FAMILY_SAMPLES", "60"))
DOMAIN = LogicDomain()
every_family = pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
NAMES = {name: getattr(itertools, name) for name in ("product", "permutations", "combinations")}


def instances(family: VariantFamily, count: int) -> list[Task]:
    """Tasks of rising difficulty."""
    rng = random.Random(family.name)
    difficulties = [i / (count - 1) for i in range(count)]
    return [
        family.task(family.sample(rng, difficulty), i % len(family.wordings), difficulty)
        for i, difficulty in enumerate(difficulties)
    ]


def tool_input(task: Task) -> str:
    return task.reference_action.removeprefix("python[")[:-1]


def observe(code: str) -> str:
    """What the python tool prints, for code of ours."""
    names = dict(NAMES)
    tree = ast.parse(code)
    last = tree.body.pop()
    assert isinstance(last, ast.Expr)
    exec(compile(tree, "action", "exec"), names)
    return str(eval(compile(ast.Expression(last.value), "action", "eval"), names))


def correct(answer: str, task: Task) -> bool | None:
    found = DOMAIN.judge(Submission(answer), task)
    assert isinstance(found, Verification)
    return found.correct


@every_family
def test_samples_are_accepted_and_the_reference_action_prints_the_answer(family: VariantFamily) -> None:
    for task in instances(family, SAMPLES):
        assert family.check(task.parameters, task.difficulty) is None
        assert "{" not in re.sub(r"\{[0-9][0-9, ]*\}|\{\"", "", task.description), task.description
        assert task.domain == "logic" and "\n" not in task.reference_action
        printed = observe(tool_input(task))
        assert printed == family.printed(task), task
        assert correct(printed, task) is True, task


@every_family
def test_one_answer_does_not_serve_all(family: VariantFamily) -> None:
    printed = [family.printed(task) for task in instances(family, 300)]
    assert len(set(printed)) >= 2
    assert max(map(printed.count, printed)) <= 0.6 * len(printed)
    assert correct("no answer at all", instances(family, 2)[0]) is False


@every_family
def test_difficulty_makes_tasks_larger(family: VariantFamily) -> None:
    def size(difficulty: float) -> float:
        rng = random.Random(7)
        tasks = [family.task(family.sample(rng, difficulty), 0, difficulty) for _ in range(60)]
        sizes = [sum(int(v) for name, v in task.parameters.items() if name != "variant") for task in tasks]
        return mean(len(task.reference_action) for task in tasks) + mean(sizes)

    sizes = [size(difficulty) for difficulty in (0.0, 0.5, 1.0)]
    assert sizes == sorted(sizes) and sizes[0] < sizes[2]


@every_family
def test_code_can_be_moved_to_a_second_instance_with_another_answer(family: VariantFamily) -> None:
    rng = random.Random(3)
    moves = other = 0
    for task in instances(family, 40):
        moved = DOMAIN.second_instance(task, tool_input(task), rng)
        assert moved is not None, task
        second, code = moved
        assert second.wording == task.wording and family.check(second.parameters, second.difficulty) is None
        assert second.parameters != task.parameters
        moves += correct(observe(code), second) is True
        other += correct(family.printed(task), second) is False
    assert moves == 40 and other >= 30


@pytest.mark.parametrize(
    ("family", "answer", "lucky"),
    [
        ("tautology", "True", "any(({formula}) for {names} in product((0, 1), repeat={count}))"),
        ("satisfiability", "False", "all(({formula}) for {names} in product((0, 1), repeat={count}))"),
        ("entailment", "True", "any(({conclusion}) for {names} in product((0, 1), repeat={count}) if {formula})"),
        ("symmetric_relation", "True", "R = {pairs}; any((y, x) in R for x, y in R)"),
        ("universal_syllogism", "True", "any({goal} for {names} in product((0, 1), repeat={count}) if {given})"),
    ],
)
def test_code_that_is_right_by_luck_is_recognised(family: str, answer: str, lucky: str) -> None:
    rng = random.Random(5)
    known = DOMAIN.family(family)
    tried = caught = 0
    for task in instances(known, 60):
        code = lucky.format(**known.facts(task.parameters))
        if task.reference == answer and observe(code) == answer:
            moved = DOMAIN.second_instance(task, code, rng)
            assert moved is not None
            tried += 1
            caught += correct(observe(moved[1]), moved[0]) is False
        assert DOMAIN.second_instance(task, answer, rng) is None
    assert tried >= 10 and caught == tried


@pytest.mark.parametrize("family", ["tautology", "satisfiability", "equivalence", "entailment", "consistency"])
def test_the_solver_agrees_with_the_families(family: str) -> None:
    known = DOMAIN.family(family)
    for task in instances(known, SAMPLES):
        facts = known.facts(task.parameters)
        match family:
            case "satisfiability":
                question = read_formula(facts["formula"])
            case "consistency":
                question = read_formula(facts["joined"])
            case "tautology":
                question = against([], read_formula(facts["formula"]))
            case "entailment":
                question = against([read_formula(facts["formula"])], read_formula(facts["conclusion"]))
            case _:
                question = read_formula(f"({facts['formula']}) xor ({facts['other']})")
        solver = z3.Solver()
        text = smt(question)
        assert text is not None
        solver.from_string(text)
        has_model = solver.check() == z3.sat
        assert str(has_model == (family in ("satisfiability", "consistency"))) == task.reference, task


def test_exactly_the_classical_syllogisms_follow() -> None:
    """The fifteen moods that hold without assuming that there is anything (Barbara, Celarent, …)."""
    figures = {1: ((1, 2), (0, 1)), 2: ((2, 1), (0, 1)), 3: ((1, 2), (1, 0)), 4: ((2, 1), (1, 0))}
    letters = {"A": "all", "E": "no", "I": "some", "O": "some not"}
    valid = {
        f"{major}{minor}{conclusion}{figure}"
        for figure, (first, second) in figures.items()
        for major, minor, conclusion in itertools.product("AEIO", repeat=3)
        if _follows(((letters[major], *first), (letters[minor], *second)), (letters[conclusion], 0, 2))
    }
    assert valid == set("AAA1 EAE1 AII1 EIO1 EAE2 AEE2 EIO2 AOO2 IAI3 AII3 OAO3 EIO3 AEE4 IAI4 EIO4".split())


@pytest.mark.parametrize(
    "family", ["modus_ponens_proof", "conjunction_proof", "modus_tollens_proof", "disjunctive_proof"]
)
def test_the_solver_finds_that_what_is_to_be_proved_follows(family: str) -> None:
    for task in instances(DOMAIN.family(family), 20):
        sequent = task.reference.replace("proof of: ", "entailment: ")
        assert correct("yes", task.model_copy(update={"reference": sequent})) is True


@pytest.mark.parametrize(
    ("code", "first", "second", "moved"),
    [
        ("any(p  and not q for p in (0,1))", {"f": "p and not q"}, {"f": "q or p"}, "any(q or p for p in (0,1))"),
        ("'A' in s", {"g": '"A" in s'}, {"g": '"B" in s'}, '"B" in s'),
        ("f(p and q, p)", {"a": "p and q", "b": "p"}, {"a": "p or q", "b": "p"}, "f(p or q, p)"),
        ("f(p and q)", {"a": "p and q", "b": "not r"}, {"a": "p or q", "b": "r"}, None),
        ("True", {"f": "p and q"}, {"f": "p"}, None),
        ("'half", {"f": "p"}, {"f": "q"}, None),
        ("p" * 5000, {"f": "p"}, {"f": "q"}, None),
    ],
)
def test_what_is_moved(code: str, first: dict[str, str], second: dict[str, str], moved: str | None) -> None:
    assert move(code, first, second) == moved


def test_proofs_are_moved_by_their_letters() -> None:
    assert rename('"1. p premise; 2. q by MP 1"', "p q", "a b") == '"1. a premise; 2. b by MP 1"'
    assert rename('"1. p premise"', "p q", "a b") is None


def test_splits_names_and_wordings() -> None:
    names = [family.name for family in FAMILIES]
    math = {family.name for split in ("practised", "held_out", "validation") for family in MathDomain().families(split)}
    assert len(set(names)) == len(names) and math.isdisjoint(names)
    assert len(DOMAIN.families("practised")) >= 24
    assert len(DOMAIN.families("held_out")) >= 6
    assert len(DOMAIN.families("validation")) == 2
    for family in FAMILIES:
        assert len(set(family.wordings)) >= 2 and family.reference_action.startswith("python[")
        assert "family" not in family.parameters


def test_no_family_that_is_never_practised_has_the_action_of_a_practised_one() -> None:
    """But for proofs: their actions are the proofs themselves, and the rules are other ones."""
    practised = {family.reference_action for family in DOMAIN.families("practised")}
    others = [family for family in FAMILIES if family.split != "practised" and family.group != "proofs"]
    assert practised.isdisjoint(family.reference_action for family in others)


def test_demonstrations_are_repeatable_and_show_both_answers() -> None:
    shown = DOMAIN.demonstrations("tautology", 4, random.Random(5))
    assert shown == DOMAIN.demonstrations("tautology", 4, random.Random(5))
    assert {example.answer for example in shown} == {"True", "False"}
    models = DOMAIN.demonstrations("satisfying_model", 3, random.Random(5))
    assert all(example.answer == example.observation and example.answer.startswith("(") for example in models)


def test_mixed_demonstrations_are_one_constant_text_of_practised_families() -> None:
    shown = DOMAIN.mixed_demonstrations(8)
    assert len(shown) == 8 and shown == LogicDomain().mixed_demonstrations(16)[:8]
    assert {DOMAIN.family(name).split for name in DOMAIN.mixture} == {"practised"} and len(set(DOMAIN.mixture)) == 16


def test_a_freeform_task_has_no_second_instance_and_an_unknown_family_is_named() -> None:
    free = instances(FAMILIES[0], 2)[0].model_copy(update={"family": "freeform"})
    assert DOMAIN.second_instance(free, "1", random.Random(1)) is None
    with pytest.raises(ConfigurationError, match="did you mean 'tautology'"):
        DOMAIN.family("tautologies")

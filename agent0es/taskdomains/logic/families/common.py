"""What the families share: how an instance is made from numbers, random formulas, and a family that shows a model.

The parameters of a family are sizes and a `variant`, the seed of the instance. What a description shows (a formula, the
statements of knights and knaves) is made from them, and so is the answer: by truth tables and searches over values of
`formula.py`, never through the Python text that the reference action runs.
"""

import random
from collections.abc import Callable, Mapping
from functools import lru_cache

from agent0es.domain.task import Scalar
from agent0es.taskdomains.base import Int, Parameter, Split
from agent0es.taskdomains.logic.formula import Atom, Binary, Connective, Formula, Not, atoms
from agent0es.taskdomains.variants import VARIANT, VariantFamily

VARIABLES = Int((2, 2), (3, 4))
EXTRA = Int((0, 1), (3, 5))
"""Connectives beyond those that join every variable once."""
LETTERS = "acdfghjkmnpqrstuwxyz"
"""No `b`, `o` and `v`, which actions use, and no `e`, `i` and `l`, which read like something else."""
TRIES = 600
BASIC: tuple[Connective, ...] = ("and", "or")
ARROWS: tuple[Connective, ...] = ("and", "or", "implies")

Build = Callable[..., Mapping[str, str]]
"""From a random generator and the sizes to the texts of an instance. `answer` is the reference; `printed` is what the
reference action prints, where that is not the answer to the letter."""


def make(
    name: str,
    split: Split,
    group: str,
    build: Build,
    action: str,
    wordings: tuple[str, ...],
    sizes: Mapping[str, Parameter],
    kind: type[VariantFamily] = VariantFamily,
) -> VariantFamily:
    """A family. `action` is the template of the Python code; the texts of `build` may stand in all templates."""

    @lru_cache(maxsize=2048)
    def facts_of(**parameters: Scalar) -> Mapping[str, str]:
        seed = "/".join([name, *(f"{key}={parameters[key]}" for key in sorted(parameters))])
        rng = random.Random(seed)
        given = {key: value for key, value in parameters.items() if key != "variant"}
        return build(rng, **given)

    return kind(
        name=name,
        group=group,
        split=split,
        parameters={**sizes, "variant": VARIANT},
        wordings=wordings,
        reference_action=f"python[{action}]",
        answer_of=lambda **parameters: facts_of(**parameters)["answer"],
        domain="logic",
        facts_of=facts_of,
    )


def letters(rng: random.Random, count: int) -> tuple[Atom, ...]:
    """So many propositional variables in alphabetical order, other ones in each task, so that no two read alike."""
    return tuple(map(Atom, sorted(rng.sample(LETTERS, count))))


def random_formula(
    rng: random.Random, variables: tuple[Atom, ...], extra: int, connectives: tuple[Connective, ...] = BASIC
) -> Formula:
    """A formula in which every variable occurs, and so many more occurrences."""
    leaves = [*variables, *rng.choices(variables, k=extra)]
    rng.shuffle(leaves)
    made: list[Formula] = [Not(leaf) if rng.random() < 0.4 else leaf for leaf in leaves]
    while len(made) > 1:
        i = rng.randrange(len(made) - 1)
        left, right = made[i], made[i + 1]
        joined: Formula = Binary(rng.choice(connectives), left, right)
        made[i : i + 2] = [Not(joined) if rng.random() < 0.15 and len(made) > 2 else joined]
    return made[0]


def rewritten(rng: random.Random, formula: Formula, rate: float = 0.6) -> Formula:
    """Another formula with the same values: sides swapped, De Morgan, an arrow as `or`, doubled negations dropped."""
    match formula:
        case Not(Binary("and" | "or" as connective, left, right)) if rng.random() < rate:
            other: Connective = "or" if connective == "and" else "and"
            return Binary(other, rewritten(rng, _negated(left), rate), rewritten(rng, _negated(right), rate))
        case Not(part):
            return _negated(rewritten(rng, part, rate))
        case Binary("and" | "or" as connective, left, right):
            sides = [rewritten(rng, left, rate), rewritten(rng, right, rate)]
            if rng.random() < 0.3:
                opposite: Connective = "or" if connective == "and" else "and"
                return Not(Binary(opposite, _negated(sides[0]), _negated(sides[1])))
            if rng.random() < rate:
                sides.reverse()
            return Binary(connective, sides[0], sides[1])
        case Binary("implies", left, right):
            return Binary("or", _negated(rewritten(rng, left, rate)), rewritten(rng, right, rate))
    return formula


def _negated(formula: Formula) -> Formula:
    return formula.part if isinstance(formula, Not) else Not(formula)


def names_of(variables: tuple[Atom, ...]) -> str:
    """`p, q, r`."""
    return ", ".join(atom.name for atom in variables)


def occurs(formula: Formula, variables: tuple[Atom, ...]) -> bool:
    """Whether every variable occurs in it."""
    return set(variables) <= set(atoms(formula))

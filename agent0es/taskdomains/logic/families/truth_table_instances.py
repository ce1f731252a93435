"""What the families of truth tables show: formulas, values and rows, drawn such that no answer is the usual one."""

import random
from collections.abc import Callable, Mapping
from functools import partial

from agent0es.taskdomains.logic.families.common import (
    BASIC,
    TRIES,
    letters,
    names_of,
    random_formula,
    rewritten,
)
from agent0es.taskdomains.logic.formula import Atom, Binary, Connective, Formula, Not, write
from agent0es.taskdomains.logic.semantics import column, conjunction, holds, rows

python = partial(write, notation="python")


def _texts(variables: tuple[Atom, ...], formula: Formula, answer: object, **more: str) -> Mapping[str, str]:
    return {
        "names": names_of(variables),
        "count": str(len(variables)),
        "formula": python(formula),
        "arrows": write(formula),
        "symbols": write(formula, "symbols"),
        "answer": str(answer),
        **more,
    }


def _draw(make_one: Callable[[], Formula], fits: Callable[[Formula], bool]) -> Formula:
    """A formula that fits; the last one where none does."""
    formula = make_one()
    for _ in range(TRIES):
        if fits(formula):
            break
        formula = make_one()
    return formula


def _full(variables: tuple[Atom, ...]) -> int:
    return (1 << (1 << len(variables))) - 1


def _ones(formula: Formula, variables: tuple[Atom, ...]) -> int:
    return column(formula, variables).bit_count()


def value(rng: random.Random, variables: int, extra: int) -> Mapping[str, str]:
    """A formula and values for its variables: true and false as often."""
    atoms = letters(rng, variables)
    wanted = rng.random() < 0.5
    values = {atom: rng.random() < 0.5 for atom in atoms}
    formula = _draw(lambda: random_formula(rng, atoms, extra), lambda made: holds(made, values) is wanted)
    return _texts(atoms, formula, holds(formula, values), values=", ".join(str(values[atom]) for atom in atoms))


def count(connectives: tuple[Connective, ...], false: bool) -> Callable[..., Mapping[str, str]]:
    """How many rows make a formula of these connectives true, or false."""

    def build(rng: random.Random, variables: int, extra: int) -> Mapping[str, str]:
        atoms = letters(rng, variables)
        formula = random_formula(rng, atoms, extra, connectives)
        ones = _ones(formula, atoms)
        return _texts(atoms, formula, (1 << variables) - ones if false else ones)

    return build


def always(rng: random.Random, variables: int, extra: int) -> Mapping[str, str]:
    """True in all rows, or in most: never in none, so that one good row proves nothing."""
    atoms, wanted = letters(rng, variables), rng.random() < 0.5

    def fits(made: Formula) -> bool:
        return column(made, atoms) == _full(atoms) if wanted else _half(made, atoms)

    formula = _draw(lambda: random_formula(rng, atoms, extra, ("or", "or", "and")), fits)
    return _texts(atoms, formula, column(formula, atoms) == _full(atoms))


def _half(made: Formula, atoms: tuple[Atom, ...]) -> bool:
    return (1 << len(atoms)) // 2 <= _ones(made, atoms) < 1 << len(atoms)


def sometimes(rng: random.Random, variables: int, extra: int) -> Mapping[str, str]:
    """True in no row, or in a few: never in all."""
    atoms, wanted = letters(rng, variables), rng.random() < 0.5

    def fits(made: Formula) -> bool:
        return 0 < _ones(made, atoms) <= (1 << variables) // 2 if wanted else column(made, atoms) == 0

    formula = _draw(lambda: random_formula(rng, atoms, extra, ("and", "and", "or")), fits)
    return _texts(atoms, formula, column(formula, atoms) != 0)


def equivalence(rng: random.Random, variables: int, extra: int) -> Mapping[str, str]:
    """The other formula is a rewriting, or one of a formula that differs in a few rows."""
    atoms, wanted = letters(rng, variables), rng.random() < 0.5
    first = _draw(lambda: random_formula(rng, atoms, extra), lambda made: 0 < _ones(made, atoms) < 1 << variables)
    second = _draw(
        lambda: rewritten(rng, first if wanted else _mutated(rng, first)),
        lambda made: made != first and (column(made, atoms) == column(first, atoms)) is wanted,
    )
    return _texts(atoms, first, column(first, atoms) == column(second, atoms), other=python(second))


def _mutated(rng: random.Random, formula: Formula) -> Formula:
    """The formula with one connective or one negation changed."""
    match formula:
        case Binary(connective, left, right):
            if rng.random() < 0.35:
                other: Connective = "or" if connective == "and" else "and"
                return Binary(other, left, right)
            if rng.random() < 0.5:
                return Binary(connective, _mutated(rng, left), right)
            return Binary(connective, left, _mutated(rng, right))
        case Not(part):
            return part if rng.random() < 0.5 else Not(_mutated(rng, part))
    return Not(formula)


def entailment(rng: random.Random, variables: int, extra: int) -> Mapping[str, str]:
    """Premise true in some rows, conclusion in not all; where it does not follow, some rows have both."""
    atoms, wanted = letters(rng, variables), rng.random() < 0.5
    full = _full(atoms)

    def pair() -> Formula:
        premise = random_formula(rng, atoms, extra, ("and", "or"))
        chosen = tuple(rng.sample(atoms, rng.randint(1, variables)))
        return Binary("implies", premise, random_formula(rng, chosen, 0 if len(chosen) > 1 else 1, ("or", "and")))

    def fits(made: Formula) -> bool:
        assert isinstance(made, Binary)
        p, c = column(made.left, atoms), column(made.right, atoms)
        return bool(p & c) and c != full and (p & ~c == 0) is wanted

    made = _draw(pair, fits)
    assert isinstance(made, Binary)
    follows = column(made, atoms) == full
    return _texts(atoms, made.left, follows, conclusion=python(made.right))


def countermodel(rng: random.Random, variables: int, extra: int) -> Mapping[str, str]:
    """A premise, and a conclusion that does not follow from it."""
    atoms = letters(rng, variables)
    premise = _draw(lambda: random_formula(rng, atoms, extra), lambda made: _ones(made, atoms) > 1)
    conclusion = _draw(
        lambda: random_formula(rng, atoms, 0), lambda made: column(Binary("and", premise, Not(made)), atoms) != 0
    )
    against = Binary("and", premise, Not(conclusion))
    found = rows(against, atoms)
    if not found:  # no draw left a row: the conclusion's denial would do, as the premise is true somewhere
        conclusion = Not(premise)
        against = Binary("and", premise, Not(conclusion))
        found = rows(against, atoms)
    return _texts(
        atoms,
        premise,
        f"model ({names_of(atoms)}) of: {write(against)}",
        conclusion=python(conclusion),
        printed=str(found[0]),
    )


def consistency(rng: random.Random, statements: int) -> Mapping[str, str]:
    """So many statements about three variables: together possible, or not."""
    atoms, wanted = letters(rng, 3), rng.random() < 0.5

    def one() -> Formula:
        return random_formula(rng, tuple(rng.sample(atoms, rng.randint(1, 2))), 0)

    def all_of(made: list[Formula]) -> int:
        return column(conjunction(made), atoms)

    made = [one() for _ in range(statements)]
    for _ in range(TRIES):
        if len(set(made)) == statements and (all_of(made) != 0) is wanted and all_of(made).bit_count() < 8:
            break
        made = [one() for _ in range(statements)]
    return {
        "names": names_of(atoms),
        "count": "3",
        "listed": "; ".join(map(python, made)),
        "joined": " and ".join(f"({python(formula)})" for formula in made),
        "answer": str(all_of(made) != 0),
    }


def model(rng: random.Random, variables: int, extra: int) -> Mapping[str, str]:
    """A formula that at most half of the rows make true."""
    atoms = letters(rng, variables)
    formula = _draw(
        lambda: random_formula(rng, atoms, extra), lambda made: 0 < _ones(made, atoms) <= (1 << variables) // 2
    )
    found = rows(formula, atoms)
    if not found:
        formula = conjunction([atom if rng.random() < 0.5 else Not(atom) for atom in atoms])
        found = rows(formula, atoms)
    return _texts(atoms, formula, f"model ({names_of(atoms)}) of: {write(formula)}", printed=str(found[0]))


def models(rng: random.Random, variables: int, extra: int) -> Mapping[str, str]:
    """A formula that few rows make true: all of them are the answer."""
    atoms = letters(rng, variables)
    formula = _draw(lambda: random_formula(rng, atoms, extra), lambda made: 0 < _ones(made, atoms) <= 4)
    return _texts(atoms, formula, rows(formula, atoms))


def truth_column(rng: random.Random, variables: int, extra: int) -> Mapping[str, str]:
    """The values of a formula in all rows."""
    atoms = letters(rng, variables)
    formula = random_formula(rng, atoms, extra, BASIC)
    found = column(formula, atoms)
    return _texts(atoms, formula, [found >> i & 1 for i in range(1 << variables)])


def exclusive(rng: random.Random, bits: int) -> Mapping[str, str]:
    """So many bits, joined by `xor`."""
    values = [rng.randint(0, 1) for _ in range(bits)]
    return {
        "shown": " xor ".join(map(str, values)),
        "action": " ^ ".join(map(str, values)),
        "answer": str(sum(values) % 2),
    }


def most_ones(rng: random.Random, variables: int, extra: int) -> Mapping[str, str]:
    """The most variables that are 1 where a formula is true."""
    atoms = letters(rng, variables)
    formula = _draw(lambda: random_formula(rng, atoms, extra), lambda made: 0 < _ones(made, atoms) < 1 << variables)
    found = rows(formula, atoms)
    return _texts(atoms, formula, max(map(sum, found), default=0), total=" + ".join(atom.name for atom in atoms))


def from_rows(rng: random.Random, variables: int, models: int) -> Mapping[str, str]:
    """Rows, for which a formula is to be written."""
    atoms = tuple(map(Atom, "pqrs"[:variables]))
    everything = rows(Binary("or", atoms[0], Not(atoms[0])), atoms)
    chosen = sorted(rng.sample(everything, models))
    terms = [[atom.name if bit else f"not {atom.name}" for atom, bit in zip(atoms, row, strict=True)] for row in chosen]
    formula = " or ".join("(" + " and ".join(term) + ")" for term in terms)
    return {
        "names": names_of(atoms),
        "letters": "".join(atom.name for atom in atoms),
        "rows": str(chosen),
        "answer": f"dnf of: {formula}",
        "printed": formula,
    }


def de_morgan(rng: random.Random, variables: int) -> Mapping[str, str]:
    """A negated `and` or `or` of so many variables."""
    names = rng.sample("abcdpqrstuwxyz", variables)
    connective, other = rng.choice([("and", "or"), ("or", "and")])
    return {
        "shown": f" {connective} ".join(names),
        "other": other,
        "joiner": f'" {other} "',
        "list": "[" + ", ".join(f'"{name}"' for name in names) + "]",
        "answer": f"nnf of: not ({f' {connective} '.join(names)})",
        "printed": f" {other} ".join(f"not {name}" for name in names),
    }

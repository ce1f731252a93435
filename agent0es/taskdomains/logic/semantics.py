"""The meaning of formulas: truth tables, models of a few individuals, and the same question as text for an SMT solver.

A truth table of n variables is a whole number of 2**n bits, so one operation fills a column.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from itertools import chain, combinations, product
from typing import Literal

from agent0es.taskdomains.logic.formula import (
    Atom,
    Binary,
    Constant,
    Formula,
    Not,
    Quantified,
    TooMuch,
    atoms,
    free_terms,
    is_propositional,
    parts,
)

MOST_VARIABLES = 16
"""Of a truth table."""
MOST_MODELS = 20_000
"""Models that a search looks at."""
LARGEST_DOMAIN = 3
MOST_UNARY = 3
"""Predicates of one place for which every model is looked at: their kinds make 255 sets."""
MOST_QUANTIFIERS = 4
"""Nested in a formula that is evaluated in models: each multiplies the work by the number of individuals."""


def conjunction(formulas: Sequence[Formula]) -> Formula:
    """All of them; true for none."""
    return reduce(lambda left, right: Binary("and", left, right), formulas) if formulas else Constant(True)


def against(premises: Sequence[Formula], conclusion: Formula) -> Formula:
    """What has no model exactly where the premises entail the conclusion."""
    return conjunction([*premises, Not(conclusion)])


def column(formula: Formula, variables: Sequence[Atom]) -> int:
    """The truth table's column: bit i is the value in row i, in which the first variable is the highest bit of i.

    Raises TooMuch for more than MOST_VARIABLES variables.
    """
    count = len(variables)
    if count > MOST_VARIABLES:
        raise TooMuch(f"{count} variables are too many for a truth table")
    full = (1 << (1 << count)) - 1
    # The lowest variable alternates row by row: 0101…; the next in pairs: 0011…
    columns = {
        atom: full // ((1 << (1 << (count - 1 - i))) + 1) << (1 << (count - 1 - i)) for i, atom in enumerate(variables)
    }
    return _column(formula, columns, full)


def _column(formula: Formula, columns: Mapping[Atom, int], full: int) -> int:
    match formula:
        case Constant(value):
            return full if value else 0
        case Atom():
            return columns[formula]
        case Not(part):
            return full ^ _column(part, columns, full)
        case Binary(connective, left, right):
            return _joined(connective, _column(left, columns, full), _column(right, columns, full), full)
    raise TooMuch("a truth table has no quantifiers")


def _joined(connective: str, left: int, right: int, full: int) -> int:
    match connective:
        case "and":
            return left & right
        case "or":
            return left | right
        case "xor":
            return left ^ right
        case "implies":
            return (full ^ left) | right
    return full ^ left ^ right


def rows(formula: Formula, variables: Sequence[Atom]) -> list[tuple[int, ...]]:
    """The assignments of 0 and 1 that make it true, in the order of counting."""
    found, count = column(formula, variables), len(variables)
    return [tuple(i >> (count - 1 - j) & 1 for j in range(count)) for i in range(1 << count) if found >> i & 1]


def holds(formula: Formula, values: Mapping[Atom, bool]) -> bool:
    """The value of a propositional formula; every atom needs a value."""
    return _column(formula, {atom: int(value) for atom, value in values.items()}, 1) == 1


def names_of(formula: Formula) -> set[str]:
    """The names of its atoms and of their terms."""
    return {name for atom in atoms(formula) for name in (atom.name, *atom.terms)}


def with_names_of(true: Formula, formula: Formula) -> Formula:
    """The formula with the names of another where it writes them in other cases or with an underscore more: `P_1` for
    `p1`. As it is where that would make one name of two."""
    theirs, ours = {atom.name for atom in atoms(true)}, {atom.name for atom in atoms(formula)}
    by_letters = {name.lower().replace("_", ""): name for name in sorted(theirs)}
    new = {name: by_letters.get(name.lower().replace("_", ""), name) for name in ours - theirs}
    if len(by_letters) < len(theirs) or len(set(new.values()) | (ours & theirs)) < len(ours):
        return formula
    return _named(formula, new)


def _named(formula: Formula, new: Mapping[str, str]) -> Formula:
    match formula:
        case Atom(name, terms):
            return Atom(new.get(name, name), terms)
        case Not(part):
            return Not(_named(part, new))
        case Binary(connective, left, right):
            return Binary(connective, _named(left, new), _named(right, new))
        case Quantified(quantifier, variable, part):
            return Quantified(quantifier, variable, _named(part, new))
    return formula


def satisfiable(formula: Formula) -> bool | None:
    """Whether it has a model; None where that takes a solver. Pure and bounded: at most about a second."""
    if is_propositional(formula):
        variables = atoms(formula)
        return None if len(variables) > MOST_VARIABLES else column(formula, variables) != 0
    signature = _signature(formula)
    if signature is None or _depth(formula) > MOST_QUANTIFIERS:
        return None
    complete = all(arity <= 1 for arity in signature.values()) and sum(signature.values()) <= MOST_UNARY
    models = _monadic_models(formula, signature) if complete else _small_models(formula, signature)
    budget = MOST_MODELS
    for individuals, facts, names in models:
        budget -= len(individuals) ** _depth(formula)
        if budget < 0:
            return None
        if _true_in(formula, individuals, facts, names):
            return True
    return False if complete else None


Facts = frozenset[tuple[str, tuple[int, ...]]]
Model = tuple[range, Facts, Mapping[str, int]]
"""Individuals, the true atoms, and whom each constant means."""


def _signature(formula: Formula) -> dict[str, int] | None:
    """Predicates with their number of places; None where one is used with two numbers."""
    found: dict[str, int] = {}
    for part in parts(formula):
        if isinstance(part, Atom) and found.setdefault(part.name, len(part.terms)) != len(part.terms):
            return None
    return found


def _depth(formula: Formula) -> int:
    match formula:
        case Not(part):
            return _depth(part)
        case Binary(_, left, right):
            return max(_depth(left), _depth(right))
        case Quantified(_, _, part):
            return 1 + _depth(part)
    return 0


def _monadic_models(formula: Formula, signature: Mapping[str, int]) -> Iterator[Model]:
    """With predicates of one place and no equality, individuals that agree in everything count as one: the
    models are the non-empty sets of kinds of individuals. All of them, so nothing found means nothing there is."""
    unary = [name for name, arity in signature.items() if arity == 1]
    nullary = [name for name, arity in signature.items() if arity == 0]
    constants = sorted(free_terms(formula))
    kinds = list(product((0, 1), repeat=len(unary)))
    sets = chain.from_iterable(combinations(kinds, size) for size in range(1, len(kinds) + 1))
    for chosen in sets:
        unary_facts = {
            (name, (i,)) for i, kind in enumerate(chosen) for name, bit in zip(unary, kind, strict=True) if bit
        }
        for named in product(range(len(chosen)), repeat=len(constants)):
            for bits in product((0, 1), repeat=len(nullary)):
                facts = unary_facts | {(name, ()) for name, bit in zip(nullary, bits, strict=True) if bit}
                yield range(len(chosen)), frozenset(facts), dict(zip(constants, named, strict=True))


def _small_models(formula: Formula, signature: Mapping[str, int]) -> Iterator[Model]:
    """Models of one to LARGEST_DOMAIN individuals."""
    constants = sorted(free_terms(formula))
    for size in range(1, LARGEST_DOMAIN + 1):
        if sum(size**arity for arity in signature.values()) > MOST_VARIABLES:
            return
        ground = [(name, places) for name, arity in signature.items() for places in product(range(size), repeat=arity)]
        for named in product(range(size), repeat=len(constants)):
            for bits in product((0, 1), repeat=len(ground)):
                facts = frozenset(fact for fact, bit in zip(ground, bits, strict=True) if bit)
                yield range(size), facts, dict(zip(constants, named, strict=True))


def _true_in(formula: Formula, individuals: range, facts: Facts, names: Mapping[str, int]) -> bool:
    match formula:
        case Constant(value):
            return value
        case Atom(name, terms):
            return (name, tuple(names[term] for term in terms)) in facts
        case Not(part):
            return not _true_in(part, individuals, facts, names)
        case Binary(connective, left, right):
            first, second = (int(_true_in(side, individuals, facts, names)) for side in (left, right))
            return _joined(connective, first, second, 1) == 1
        case Quantified(quantifier, variable, part):
            each = (_true_in(part, individuals, facts, {**names, variable: one}) for one in individuals)
            return all(each) if quantifier == "forall" else any(each)


def smt(formula: Formula) -> str | None:
    """The question whether it has a model, in SMT-LIB; None where a predicate has two numbers of places.

    No name of the formula is in it: everything is numbered.
    """
    signature = _signature(formula)
    if signature is None:
        return None
    predicates = {name: f"p{i}" for i, name in enumerate(signature)}
    constants = {name: f"c{i}" for i, name in enumerate(sorted(free_terms(formula)))}
    lines = ["(declare-sort U 0)"]
    lines += [f"(declare-fun {predicates[name]} ({' '.join(['U'] * arity)}) Bool)" for name, arity in signature.items()]
    lines += [f"(declare-const {name} U)" for name in constants.values()]
    return "\n".join([*lines, f"(assert {_smt(formula, predicates, constants)})"])


SMT: dict[str, Literal["and", "or", "xor", "=>", "="]] = {
    "and": "and",
    "or": "or",
    "xor": "xor",
    "implies": "=>",
    "iff": "=",
}


def _smt(formula: Formula, predicates: Mapping[str, str], names: Mapping[str, str]) -> str:
    match formula:
        case Constant(value):
            return "true" if value else "false"
        case Atom(name, terms):
            inside = " ".join([predicates[name], *(names[term] for term in terms)])
            return f"({inside})" if terms else inside
        case Not(part):
            return f"(not {_smt(part, predicates, names)})"
        case Binary(connective, left, right):
            return f"({SMT[connective]} {_smt(left, predicates, names)} {_smt(right, predicates, names)})"
        case Quantified(quantifier, variable, part):
            bound = f"x{len(names)}"
            return f"({quantifier} (({bound} U)) {_smt(part, predicates, {**names, variable: bound})})"

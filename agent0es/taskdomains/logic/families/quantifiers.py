"""First-order statements about a few individuals, relations and syllogisms."""

import random
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from itertools import pairwise

from agent0es.taskdomains.base import Int
from agent0es.taskdomains.logic.families.common import TRIES, make
from agent0es.taskdomains.logic.formula import Atom, Binary, Formula, Not, Quantified
from agent0es.taskdomains.logic.semantics import against, column, satisfiable

practised = partial(make, split="practised", group="quantifiers")
held_out = partial(make, split="held_out", group="quantifiers")
validation = partial(make, split="validation", group="quantifiers")

NUMBERS = {"last": Int((9, 15), (30, 60)), "conditions": Int((1, 1), (2, 3))}
NOUNS = "actors bakers cooks dancers farmers judges nurses pilots singers tailors".split()
PAIRS = {"individuals": Int((3, 3), (4, 5)), "pairs": Int((3, 4), (6, 9))}

Condition = tuple[str, Callable[[int], bool]]
"""Python text, and what it means."""


def _remainder(rng: random.Random) -> Condition:
    divisor = rng.randint(2, 6)
    rest = rng.randrange(divisor)
    return f"x % {divisor} == {rest}", lambda x: x - x // divisor * divisor == rest


def _size(rng: random.Random, last: int) -> Condition:
    limit = rng.randint(2, last - 1)
    if rng.random() < 0.5:
        return f"x > {limit}", lambda x: limit + 1 <= x
    return f"x < {limit}", lambda x: x + 1 <= limit


def _pick(
    rng: random.Random, last: int, conditions: int, wanted: bool, quantifier: str
) -> tuple[dict[str, str], list[int], list[int]]:
    """Texts of so many conditions and of one more; the numbers up to `last` that meet the first ones, and all."""
    for _ in range(TRIES):
        drawn = [_remainder(rng), *(_size(rng, last) for _ in range(conditions - 1))]
        then = _size(rng, last) if rng.random() < 0.5 and conditions == 1 else _remainder(rng)
        some = [x for x in range(1, last + 1) if all(condition[1](x) for condition in drawn)]
        both = [x for x in some if then[1](x)]
        true = len(both) == len(some) if quantifier == "all" else bool(both)
        if drawn[0][0].split()[2] != then[0].split()[2] and some and true is wanted:
            break
    texts = {
        "given": " and ".join(condition[0] for condition in drawn),
        "then": then[0],
        "last": str(last),
        "end": str(last + 1),
    }
    return texts, some, both


def _every(rng: random.Random, last: int, conditions: int) -> Mapping[str, str]:
    texts, some, both = _pick(rng, last, conditions, rng.random() < 0.5, "all")
    return {**texts, "answer": str(len(both) == len(some))}


def _some(rng: random.Random, last: int, conditions: int) -> Mapping[str, str]:
    texts, _, both = _pick(rng, last, conditions, rng.random() < 0.5, "some")
    return {**texts, "answer": str(bool(both))}


def _counterexample(rng: random.Random, last: int, conditions: int) -> Mapping[str, str]:
    texts, some, both = _pick(rng, last, conditions, False, "all")
    return {**texts, "answer": str(min(set(some) - set(both)))}


def _witness(rng: random.Random, last: int, conditions: int) -> Mapping[str, str]:
    texts, _, both = _pick(rng, last, conditions, True, "some")
    return {**texts, "answer": str(min(both))}


def _sums(every_first: bool) -> Callable[..., Mapping[str, str]]:
    """`every x has a y` or `some x goes with every y`, for a condition on both."""

    def true(xs: Sequence[int], ys: Sequence[int], limit: int) -> bool:
        if every_first:
            return max(ys) > limit - min(xs)
        return min(ys) > limit - max(xs)

    def build(rng: random.Random, items: int) -> Mapping[str, str]:
        wanted = rng.random() < 0.5
        for _ in range(TRIES):
            xs, ys = (rng.sample(range(1, 10 + 3 * items), items) for _ in range(2))
            limit = rng.randint(min(xs) + min(ys), max(xs) + max(ys) - 1)
            if true(xs, ys, limit) is wanted:
                break
        answer = str(true(xs, ys, limit))
        return {"xs": str(xs), "ys": str(ys), "limit": str(limit), "condition": f"x + y > {limit}", "answer": answer}

    return build


def _pairs(
    rng: random.Random,
    individuals: int,
    pairs: int,
    closed: Callable[[set[tuple[int, int]], Sequence[int]], set[tuple[int, int]]],
) -> Mapping[str, str]:
    """A relation, as pairs, that lacks nothing of what `closed` adds, or one pair of it."""
    numbers, wanted = sorted(rng.sample(range(1, 21), individuals)), rng.random() < 0.5
    relation: set[tuple[int, int]] = set()
    for _ in range(TRIES):
        everything = [(a, b) for a in numbers for b in numbers]
        relation = closed(set(rng.sample(everything, max(2, (pairs + 1) // 2))), numbers)
        if not wanted:
            relation.discard(rng.choice(sorted(relation)))
        enough = abs(len(relation) - pairs) <= 2 and len(relation) >= 2
        if enough and (closed(set(relation), numbers) == relation) is wanted:
            break
    shown = sorted(relation)
    rng.shuffle(shown)
    return {
        "pairs": str(shown),
        "domain": str(numbers),
        "answer": str(closed(set(relation), numbers) == relation),
    }


def _symmetric(relation: set[tuple[int, int]], _: Sequence[int]) -> set[tuple[int, int]]:
    return relation | {(b, a) for a, b in relation}


def _reflexive(relation: set[tuple[int, int]], individuals: Sequence[int]) -> set[tuple[int, int]]:
    return relation | {(a, a) for a in individuals}


def _transitive(relation: set[tuple[int, int]], individuals: Sequence[int]) -> set[tuple[int, int]]:
    """Warshall's algorithm."""
    found = set(relation)
    for middle in individuals:
        found |= {(a, b) for a, m in found for n, b in found if m == n == middle}
    return found


def _categorical(rng: random.Random, members: int) -> Mapping[str, str]:
    """`All A are B` and its like about two sets."""
    kind, wanted = rng.choice(("All", "No", "Some")), rng.random() < 0.5
    for _ in range(TRIES):
        first, second = (rng.sample(range(1, 3 * members), k) for k in (members, members + rng.randint(0, 2)))
        if rng.random() < 0.5:
            second = list(dict.fromkeys(first + second))[: len(second) + 1]
        common = [one for one in first if second.count(one)]
        true = {"All": len(common) == members, "No": not common, "Some": bool(common)}[kind]
        if true is wanted:
            break
    a, b = (("{" + ", ".join(map(str, one)) + "}") for one in (first, second))
    code = {"All": f"{a} <= {b}", "No": f"not ({a} & {b})", "Some": f"bool({a} & {b})"}[kind]
    return {"a": a, "b": b, "kind": kind, "code": code, "answer": str(true)}


Statement = tuple[str, int, int]
"""`all`, `no`, `some` or `some not`; subject and predicate by number."""
SHOWN = {"all": "All {} are {}.", "no": "No {} are {}.", "some": "Some {} are {}.", "some not": "Some {} are not {}."}
EXISTS = {
    "all": "all({} <= {} for {} in s)",
    "no": "not any({} and {} for {} in s)",
    "some": "any({} and {} for {} in s)",
    "some not": "any({} > {} for {} in s)",
}


def _first_order(statement: Statement) -> Formula:
    kind, subject, predicate = statement
    has: tuple[Formula, Formula] = (Atom(f"P{subject}", ("x",)), Atom(f"P{predicate}", ("x",)))
    second = has[1] if kind in ("all", "some") else Not(has[1])
    if kind in ("all", "no"):
        return Quantified("forall", "x", Binary("implies", has[0], second))
    return Quantified("exists", "x", Binary("and", has[0], second))


@cache
def _follows(premises: tuple[Statement, ...], conclusion: Statement) -> bool:
    return satisfiable(against([_first_order(one) for one in premises], _first_order(conclusion))) is False


def _chain_follows(premises: Sequence[Statement], conclusion: Statement, terms: int) -> bool:
    """Where nothing is about some, a counterexample is one individual, so a truth table decides."""
    atoms = tuple(Atom(f"P{i}") for i in range(terms))

    def said(statement: Statement) -> Formula:
        kind, subject, predicate = statement
        return Binary("implies", atoms[subject], atoms[predicate] if kind == "all" else Not(atoms[predicate]))

    return column(against([said(one) for one in premises], said(conclusion)), atoms) == 0


def _shown(statement: Statement, nouns: Sequence[str]) -> str:
    kind, subject, predicate = statement
    return SHOWN[kind].format(nouns[subject], nouns[predicate])


def _universal(rng: random.Random, terms: int) -> Mapping[str, str]:
    """A chain of `all` and `no`, and a conclusion about its ends or two links of it."""
    nouns, wanted = rng.sample(NOUNS, terms), rng.random() < 0.5
    premises: list[Statement] = []
    conclusion: Statement = ("all", 0, 1)
    for _ in range(TRIES):
        order = rng.sample(range(terms), terms)
        links = pairwise(order)
        premises = [
            (rng.choice(("all", "all", "no")), *(_swapped(rng, a, b) if rng.random() < 0.3 else (a, b)))
            for a, b in links
        ]
        conclusion = (rng.choice(("all", "no")), *_swapped(rng, order[0], order[-1]))
        if _chain_follows(premises, conclusion, terms) is wanted:
            break
    code = [_propositional(one, nouns) for one in premises]
    return {
        "premises": " ".join(_shown(one, nouns) for one in premises),
        "conclusion": _shown(conclusion, nouns)[:-1].lower(),
        "names": ", ".join(nouns),
        "count": str(terms),
        "goal": _propositional(conclusion, nouns),
        "given": " and ".join(code),
        "answer": str(_chain_follows(premises, conclusion, terms)),
    }


def _propositional(statement: Statement, nouns: Sequence[str]) -> str:
    kind, subject, predicate = statement
    a, b = nouns[subject], nouns[predicate]
    return f"({a} <= {b})" if kind == "all" else f"(not ({a} and {b}))"


def _swapped(rng: random.Random, a: int, b: int) -> tuple[int, int]:
    """Both, in either order."""
    return (a, b) if rng.random() < 0.5 else (b, a)


def _figure(rng: random.Random, kinds: int) -> Mapping[str, str]:
    """A syllogism of one of the four figures, of the first so many kinds of statements, and about some."""
    nouns, wanted = rng.sample(NOUNS, 3), rng.random() < 0.5
    premises: tuple[Statement, ...] = ()
    conclusion: Statement = ("some", 0, 2)
    for _ in range(TRIES):
        drawn = rng.choices(("all", "some", "no", "some not")[:kinds], k=3)
        premises = ((drawn[0], *_swapped(rng, 1, 2)), (drawn[1], *_swapped(rng, 0, 1)))
        conclusion = (drawn[2], 0, 2)
        if any(kind.startswith("some") for kind in drawn) and _follows(premises, conclusion) is wanted:
            break
    names = ", ".join(nouns)
    code = [EXISTS[kind].format(nouns[a], nouns[b], names) for kind, a, b in [*premises, conclusion]]
    return {
        "premises": " ".join(_shown(one, nouns) for one in premises),
        "conclusion": _shown(conclusion, nouns)[:-1].lower(),
        "first": code[0],
        "second": code[1],
        "goal": code[2],
        "answer": str(_follows(premises, conclusion)),
    }


FAMILIES = (
    practised(
        name="every_number",
        build=_every,
        action="all({then} for x in range(1, {end}) if {given})",
        wordings=(
            "Is it true for all x from 1 to {last} with {given} that {then}?",
            "Every x from 1 to {last} with {given} has {then}. True or False?",
        ),
        sizes=NUMBERS,
    ),
    practised(
        name="some_number",
        build=_some,
        action="any({given} and {then} for x in range(1, {end}))",
        wordings=(
            "Is there an x from 1 to {last} with {given} and {then}?",
            "Some x from 1 to {last} has {given} and {then}. True or False?",
        ),
        sizes=NUMBERS,
    ),
    practised(
        name="smallest_counterexample",
        build=_counterexample,
        action="next(x for x in range(1, {end}) if {given} and not {then})",
        wordings=(
            "Claim: every x from 1 to {last} with {given} has {then}. What is the smallest counterexample?",
            "Find the least x from 1 to {last} with {given} but not {then}.",
        ),
        sizes=NUMBERS,
    ),
    practised(
        name="every_has_some",
        build=_sums(every_first=True),
        action="all(any({condition} for y in {ys}) for x in {xs})",
        wordings=(
            "Is there for every x in {xs} a y in {ys} with {condition}?",
            "For all x in {xs} there is some y in {ys} such that {condition}. True or False?",
        ),
        sizes={"items": Int((2, 3), (5, 8))},
    ),
    practised(
        name="symmetric_relation",
        build=partial(_pairs, closed=_symmetric),
        action="R = {pairs}; all((y, x) in R for x, y in R)",
        wordings=("R = {pairs}. Is R symmetric?", "Is the relation R = {pairs} symmetric? True or False?"),
        sizes=PAIRS,
    ),
    practised(
        name="categorical_statement",
        build=_categorical,
        action="{code}",
        wordings=(
            "A = {a}, B = {b}. {kind} A are B. True or False?",
            "Let A = {a} and B = {b}. Is it true that: {kind} A are B?",
        ),
        sizes={"members": Int((2, 2), (4, 7))},
    ),
    practised(
        name="universal_syllogism",
        build=_universal,
        action="all({goal} for {names} in product((0, 1), repeat={count}) if {given})",
        wordings=("{premises} Does it follow that {conclusion}?", "{premises} Must it be true that {conclusion}?"),
        sizes={"terms": Int((3, 3), (4, 6))},
    ),
    held_out(
        name="one_for_all",
        build=_sums(every_first=False),
        action="any(all({condition} for y in {ys}) for x in {xs})",
        wordings=(
            "Is there one x in {xs} with {condition} for every y in {ys}?",
            "Some x in {xs} has {condition} for all y in {ys}. True or False?",
        ),
        sizes={"items": Int((2, 3), (5, 8))},
    ),
    held_out(
        name="transitive_relation",
        build=partial(_pairs, closed=_transitive),
        action="R = {pairs}; all((x, z) in R for x, y in R for w, z in R if y == w)",
        wordings=("R = {pairs}. Is R transitive?", "Is the relation R = {pairs} transitive? True or False?"),
        sizes=PAIRS,
    ),
    held_out(
        name="particular_syllogism",
        build=_figure,
        action="all({goal} for n in range(1, 9) for s in combinations(product((0, 1), repeat=3), n) "
        "if {first} and {second})",
        wordings=("{premises} Does it follow that {conclusion}?", "{premises} Must it be true that {conclusion}?"),
        sizes={"kinds": Int((2, 2), (3, 4))},
    ),
    validation(
        name="reflexive_relation",
        build=partial(_pairs, closed=_reflexive),
        action="R = {pairs}; all((x, x) in R for x in {domain})",
        wordings=(
            "R = {pairs} is a relation on {domain}. Is R reflexive?",
            "Is the relation R = {pairs} reflexive on {domain}? True or False?",
        ),
        sizes=PAIRS,
    ),
    validation(
        name="smallest_witness",
        build=_witness,
        action="min(x for x in range(1, {end}) if {given} and {then})",
        wordings=(
            "What is the smallest x from 1 to {last} with {given} and {then}?",
            "Name the least x from 1 to {last} that has {given} and {then}.",
        ),
        sizes=NUMBERS,
    ),
)

"""Knights and knaves, culprits, orders, seats, colours, rules that fire."""

import random
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import permutations

from agent0es.taskdomains.base import Int
from agent0es.taskdomains.logic.families.common import TRIES, make, names_of, random_formula
from agent0es.taskdomains.logic.formula import Atom, Binary, Formula, write
from agent0es.taskdomains.logic.semantics import conjunction, rows

practised = partial(make, split="practised", group="puzzles")
held_out = partial(make, split="held_out", group="puzzles")

PEOPLE = "ABCDEF"
ISLANDERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"


def _islanders(rng: random.Random, people: int) -> tuple[tuple[Atom, ...], list[Formula], list[tuple[int, ...]]]:
    """People, what each says, and who may be a knight: exactly one way, wherever a few tries find it."""
    atoms = tuple(map(Atom, sorted(rng.sample(ISLANDERS, people))))
    said: list[Formula] = []
    found: list[tuple[int, ...]] = []
    for _ in range(TRIES):
        said = []
        for speaker in atoms:
            about = tuple(rng.sample(atoms, rng.randint(1, 2)))
            if about == (speaker,):  # `I am a knave` no one can say, `I am a knight` everyone
                about = atoms[:2]
            said.append(random_formula(rng, about, 0))
        found = rows(conjunction([Binary("iff", atom, one) for atom, one in zip(atoms, said, strict=True)]), atoms)
        if len(found) == 1:
            break
    return atoms, said, found


def _knights(answer: Callable[[tuple[int, ...]], object] | None) -> Callable[..., Mapping[str, str]]:
    def build(rng: random.Random, people: int) -> Mapping[str, str]:
        atoms, said, found = _islanders(rng, people)
        spoken = [f"{atom.name} says: {write(one, 'python')}." for atom, one in zip(atoms, said, strict=True)]
        pairs = list(zip(atoms, said, strict=True))
        story = write(conjunction([Binary("iff", atom, one) for atom, one in pairs]))
        return {
            "names": names_of(atoms),
            "count": str(people),
            "said": " ".join(spoken),
            "given": " and ".join(f"{atom.name} == ({write(one, 'python')})" for atom, one in pairs),
            "total": " + ".join(atom.name for atom in atoms),
            "answer": f"model ({names_of(atoms)}) of: {story}" if answer is None else str(answer(found[0])),
            "printed": str(found[0] if answer is None else answer(found[0])),
        }

    return build


def _culprit(rng: random.Random, people: int) -> Mapping[str, str]:
    """One did it; each says that one did it or did not; so many of them speak the truth."""
    names = PEOPLE[:people]
    for _ in range(TRIES):
        claims = [(rng.choice(names), rng.random() < 0.6) for _ in names]
        truths = {name: [(name == accused) is blamed for accused, blamed in claims].count(True) for name in names}
        number = rng.choice(sorted(truths.values()))
        if list(truths.values()).count(number) == 1 and len(set(claims)) > 1:
            break
    signs = [("==" if blamed else "!=", accused) for accused, blamed in claims]
    said = [
        f"{name} says: {accused} {'did it' if blamed else 'did not do it'}."
        for name, (accused, blamed) in zip(names, claims, strict=True)
    ]
    return {
        "names": names,
        "people": ", ".join(names),
        "said": " ".join(said),
        "sum": " + ".join(f'(x {sign} "{accused}")' for sign, accused in signs),
        "number": str(number),
        "answer": next(name for name in names if truths[name] == number),
    }


Rule = tuple[str, str, Callable[[Sequence[int]], bool]]
"""English, Python on an order `o`, and the rule on the places of A, B, C…"""


def _rule(rng: random.Random, count: int) -> Rule:
    i, j = rng.sample(range(count), 2)
    a, b, at = PEOPLE[i], PEOPLE[j], rng.choice((0, count - 1))
    where = "first" if at == 0 else "last"
    kind = rng.randrange(4)
    if kind == 0:
        return f"{a} is not {where}", f'o[{at - count if at else 0}] != "{a}"', lambda places: places[i] != at
    if kind == 1:
        near = f'abs(o.index("{a}") - o.index("{b}")) == 1'
        return f"{a} is next to {b}", near, lambda places: 1 in (places[i] - places[j], places[j] - places[i])
    return f"{a} is before {b}", f'o.index("{a}") < o.index("{b}")', lambda places: places[i] < places[j]


def _solutions(rules: Sequence[Rule], count: int) -> list[tuple[int, ...]]:
    """The places of A, B, C… that keep the rules."""
    return [places for places in permutations(range(count)) if all(rule[2](places) for rule in rules)]


def _ordered(places: Sequence[int]) -> str:
    return "".join(sorted(PEOPLE[: len(places)], key=lambda name: places[PEOPLE.index(name)]))


def _order(rng: random.Random, things: int) -> Mapping[str, str]:
    """Rules are added until one order is left."""
    while True:
        rules: list[Rule] = []
        found = _solutions(rules, things)
        while len(found) > 1 and len(rules) < 2 * things:
            rule = _rule(rng, things)
            left = [places for places in found if rule[2](places)]
            if 0 < len(left) < len(found):
                rules, found = [*rules, rule], left
            elif rng.random() < 0.05:
                break
        if len(found) == 1:
            return _puzzle(rules, things, _ordered(found[0]))


def _puzzle(rules: Sequence[Rule], things: int, answer: object) -> Mapping[str, str]:
    return {
        "names": PEOPLE[:things],
        "things": ", ".join(PEOPLE[:things]),
        "rules": "; ".join(rule[0] for rule in rules),
        "given": " and ".join(rule[1] for rule in rules),
        "answer": str(answer),
    }


def _order_count(rng: random.Random, things: int, rules: int) -> Mapping[str, str]:
    for _ in range(TRIES):
        drawn = [_rule(rng, things) for _ in range(rules)]
        found = _solutions(drawn, things)
        if found and len({rule[0] for rule in drawn}) == rules:
            break
    return _puzzle(drawn, things, len(found))


def _possible(rng: random.Random, things: int, rules: int) -> Mapping[str, str]:
    """Whether an order keeps the rules: the rules and one more about two of the things."""
    wanted = rng.random() < 0.5
    for _ in range(TRIES):
        drawn = [_rule(rng, things) for _ in range(rules)]
        i, j = rng.sample(range(things), 2)
        kept = _solutions(drawn, things)
        before = [places for places in kept if places[i] < places[j]]
        if len({rule[0] for rule in drawn}) == rules and before and (len(before) == len(kept)) is wanted:
            break
    facts = dict(_puzzle(drawn, things, len(before) == len(kept)))
    return {**facts, "a": PEOPLE[i], "b": PEOPLE[j], "goal": f'o.index("{PEOPLE[i]}") < o.index("{PEOPLE[j]}")'}


def _round_table(rng: random.Random, people: int, rules: int) -> Mapping[str, str]:
    """Seatings with A in seat 0, so that turning the table counts once."""
    names = PEOPLE[:people]
    for _ in range(TRIES):
        drawn = [(*rng.sample(range(people), 2), rng.random() < 0.5) for _ in range(rules)]
        count = sum(
            all((frozenset((i, j)) in neighbours) is beside for i, j, beside in drawn)
            for places in permutations(range(1, people))
            if (neighbours := _neighbours((0, *places)))
        )
        if count and len({frozenset((i, j)) for i, j, _ in drawn}) == rules:
            break
    said = [f"{names[i]} sits {'next to' if beside else 'not next to'} {names[j]}" for i, j, beside in drawn]
    code = [
        f'(o.index("{names[i]}") - o.index("{names[j]}")) % {people} {"in" if beside else "not in"} (1, {people - 1})'
        for i, j, beside in drawn
    ]
    return {
        "people": ", ".join(names),
        "names": names,
        "rules": "; ".join(said),
        "given": " and ".join(code),
        "answer": str(count),
    }


def _neighbours(places: Sequence[int]) -> set[frozenset[int]]:
    """Pairs of people in seats side by side; `places` holds each one's seat."""
    at = {seat: person for person, seat in enumerate(places)}
    return {frozenset((at[seat], at[(seat + 1) % len(places)])) for seat in range(len(places))}


def _colours(rng: random.Random, nodes: int, edges: int) -> Mapping[str, str]:
    """Colourings with three colours, counted by deletion and contraction."""
    every = [(a, b) for a in range(nodes) for b in range(a + 1, nodes)]
    chosen = sorted(rng.sample(every, min(edges, len(every))))
    return {
        "nodes": str(nodes),
        "last": str(nodes - 1),
        "edges": str(chosen),
        "answer": str(_chromatic(frozenset(range(nodes)), frozenset(map(frozenset, chosen)), 3)),
    }


def _chromatic(nodes: frozenset[int], edges: frozenset[frozenset[int]], colours: int) -> int:
    if not edges:
        return int(colours ** len(nodes))
    edge = min(edges, key=sorted)
    a, b = sorted(edge)
    rest = edges - {edge}
    merged = frozenset(frozenset(a if node == b else node for node in one) for one in rest)
    return _chromatic(nodes, rest, colours) - _chromatic(nodes - {b}, merged, colours)


def _derivable(rng: random.Random, rules: int) -> Mapping[str, str]:
    """Rules `if a then b` in any order, one fact, and whether another follows."""
    wanted = rng.random() < 0.5
    names = sorted(rng.sample("abcdefghjkmnpqrstuwz", max(4, rules)))
    for _ in range(TRIES):
        drawn: list[tuple[str, str]] = [(a, b) for a, b in (rng.sample(names, 2) for _ in range(rules))]
        start, goal = rng.sample(names, 2)
        reached: set[str] = set()
        todo = [start]
        while todo:
            one = todo.pop()
            reached.add(one)
            todo += [b for a, b in drawn if a == one and b not in reached]
        if len(set(drawn)) == rules and (goal in reached) is wanted and any(b == goal for _, b in drawn):
            break
    return {
        "rules": ", ".join(f"{a} -> {b}" for a, b in drawn),
        "pairs": "[" + ", ".join(f'"{a}{b}"' for a, b in drawn) + "]",
        "start": start,
        "goal": goal,
        "begun": f'{{"{start}"}}',
        "ended": f'"{goal}" in s',
        "answer": str(goal in reached),
    }


ISLAND = "Knights (1) tell the truth, knaves (0) lie. {said} "
LOOP = "for {names} in product((0, 1), repeat={count}) if {given}"

FAMILIES = (
    practised(
        name="knights_and_knaves",
        build=_knights(None),
        action="next(({names}) " + LOOP + ")",
        wordings=(ISLAND + "Give ({names}).", ISLAND + "Who is what? Answer ({names}) with 1 and 0."),
        sizes={"people": Int((2, 2), (3, 4))},
    ),
    practised(
        name="knight_count",
        build=_knights(sum),
        action="next({total} " + LOOP + ")",
        wordings=(ISLAND + "How many of {names} are knights?", ISLAND + "Find {total}."),
        sizes={"people": Int((2, 2), (3, 4))},
    ),
    practised(
        name="culprit",
        build=_culprit,
        action='next(x for x in "{names}" if {sum} == {number})',
        wordings=(
            "One of {people} did it. {said} Statements that are true: {number}. Who did it?",
            "{said} One of {people} did it and exactly {number} of the statements hold. Name the one who did it.",
        ),
        sizes={"people": Int((3, 3), (4, 6))},
    ),
    practised(
        name="finishing_order",
        build=_order,
        action='next("".join(o) for o in permutations("{names}") if {given})',
        wordings=(
            "{things} stand in a row: {rules}. What is the order, as one word?",
            "Put {things} in order so that: {rules}. Write the letters as one word.",
        ),
        sizes={"things": Int((3, 3), (4, 5))},
    ),
    practised(
        name="order_count",
        build=_order_count,
        action='sum(1 for o in permutations("{names}") if {given})',
        wordings=(
            "In how many orders can {things} stand in a row if: {rules}?",
            "Count the ways to line up {things} so that: {rules}.",
        ),
        sizes={"things": Int((3, 3), (4, 5)), "rules": Int((1, 1), (2, 3))},
    ),
    practised(
        name="order_entailment",
        build=_possible,
        action='all({goal} for o in permutations("{names}") if {given})',
        wordings=(
            "{things} stand in a row: {rules}. Must {a} be before {b}?",
            "Known of a row of {things}: {rules}. Does it follow that {a} is before {b}?",
        ),
        sizes={"things": Int((3, 3), (4, 5)), "rules": Int((2, 2), (3, 4))},
    ),
    practised(
        name="derivable_fact",
        build=_derivable,
        action="s = {begun}; [s.add(y) for _ in range(9) for x, y in {pairs} if x in s]; {ended}",
        wordings=(
            "Rules: {rules}. Fact: {start}. Can {goal} be derived?",
            "Given {start} and the rules {rules}, does {goal} follow?",
        ),
        sizes={"rules": Int((3, 4), (6, 8))},
    ),
    held_out(
        name="round_table",
        build=_round_table,
        action='sum(1 for o in permutations("{names}") if o[0] == "A" and {given})',
        wordings=(
            "{people} sit at a round table, A in the first seat: {rules}. How many ways are there?",
            "Count the seatings of {people} at a round table with A in the first seat where: {rules}.",
        ),
        sizes={"people": Int((4, 4), (5, 6)), "rules": Int((1, 1), (2, 3))},
    ),
    held_out(
        name="colouring_count",
        build=_colours,
        action="sum(all(c[a] != c[b] for a, b in {edges}) for c in product(range(3), repeat={nodes}))",
        wordings=(
            "How many ways are there to give nodes 0 to {last} 3 colours, no edge of {edges} joining equal ones?",
            "A graph has nodes 0 to {last} and edges {edges}. Count its proper colourings with 3 colours.",
        ),
        sizes={"nodes": Int((4, 4), (5, 6)), "edges": Int((2, 3), (5, 8))},
    ),
)

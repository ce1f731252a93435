"""Proofs in natural deduction, checked line by line: `1. p premise; 2. p -> q premise; 3. q MP 2, 1`.

Each line carries the assumptions that it rests on (Lemmon's way of writing Fitch's boxes), so indentation has no
meaning and need not be kept. A proof is right when every line follows by its rule and the last one is the goal,
resting on premises alone. A subproof is cited as `2-5` or `2, 5`: the lines of its assumption and its conclusion.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agent0es.taskdomains.logic.formula import (
    Atom,
    Binary,
    Constant,
    Formula,
    Not,
    Quantified,
    TooMuch,
    UnknownSign,
    Unreadable,
    free_terms,
    parts,
    read_formula,
    substitute,
    write,
)
from agent0es.taskdomains.logic.semantics import against, satisfiable

MOST_LINES = 60
LONGEST_LINE = 300
FALSE = Constant(False)

RULES: dict[str, str] = {
    "premise": "premise, prem, pr, given",
    "assumption": "assumption, assume, ass, hypothesis, hyp, supposition, suppose",
    "modus ponens": "mp, modus ponens, ->e, =>e, →e, ⇒e, ⊃e, implies elimination, implies e",
    "modus tollens": "mt, modus tollens",
    "conditional proof": "->i, =>i, →i, ⇒i, ⊃i, cp, conditional proof, implies introduction, implies i",
    "hypothetical syllogism": "hs, hypothetical syllogism, chain rule",
    "disjunctive syllogism": "ds, disjunctive syllogism",
    "and introduction": "&i, ∧i, /\\i, andi, and i, conj, conjunction, and introduction",
    "and elimination": "&e, ∧e, /\\e, ande, and e, simp, simplification, and elimination",
    "or introduction": "|i, ∨i, \\/i, ori, or i, add, addition, or introduction",
    "or elimination": "|e, ∨e, \\/e, ore, or e, cases, proof by cases, or elimination",
    "not introduction": "~i, ¬i, !i, noti, not i, not introduction",
    "not elimination": "~e, ¬e, !e, note, not e, ⊥i, not elimination",
    "explosion": "⊥e, efq, explosion, ex falso",
    "indirect proof": "ip, raa, pbc, indirect proof, reductio, proof by contradiction",
    "double negation": "dn, dne, dni, ¬¬e, ¬¬i, ~~e, ~~i, double negation",
    "iff introduction": "<->i, ↔i, <=>i, ⇔i, iffi, iff i, iff introduction",
    "iff elimination": "<->e, ↔e, <=>e, ⇔e, iffe, iff e, iff elimination",
    "reiteration": "reit, reiteration, copy, repeat",
    "excluded middle": "lem, excluded middle",
    "forall elimination": "∀e, forall e, ui, universal instantiation, forall elimination",
    "forall introduction": "∀i, forall i, ug, universal generalization, forall introduction",
    "exists introduction": "∃i, exists i, eg, existential generalization, exists introduction",
    "exists elimination": "∃e, exists e, exists elimination",
}
"""Rule to the ways in which it may be written, in lower case."""
RULE_OF = {way: rule for rule, ways in RULES.items() for way in ways.split(", ")}
WAYS = "|".join(map(re.escape, sorted(RULE_OF, key=len, reverse=True)))
NUMBER = re.compile(r"\s*([0-9]{1,3})\s*[.):]?\s+")
REFERENCES = r"[0-9][0-9 ,\-–&]*"
JUSTIFIED = re.compile(
    rf"(?P<formula>.+?)(?:\s*[\[(:,—]\s*|\s+-\s+|\s+)(?:(?:by|from)\s+)?"
    rf"(?P<before>{REFERENCES})?(?P<rule>{WAYS})(?:[\s:,(]|on|of|from|lines?)*(?P<after>{REFERENCES})?[\])]*",
    re.IGNORECASE,
)
CONCLUDING = re.compile(r"(?:therefore|hence|thus|so)\b", re.IGNORECASE)
NAMED = re.compile(
    rf"(?P<formula>.+)[\s\[(:]+(?:by|from) (?P<rule>[A-Za-z][A-Za-z ]*)[\s:,(]+(?P<after>{REFERENCES})[\])]*"
    rf"|(?P<formula_>.+)[\s\[(:]+(?P<rule_>[A-Za-z]{{2,}})[\s:,(]+(?P<after_>{REFERENCES})[\])]*"
)
"""A line by a rule that is not known here."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a proof that was read."""

    number: int
    formula: Formula
    rule: str
    """A key of RULES, or what was written in its place."""
    cited: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Checked:
    """The result of checking a proof."""

    correct: bool | None
    explanation: str
    lines: Mapping[str, float]
    """`line 3` to 1 or 0; up to the first line that can't be read."""


@dataclass(frozen=True, slots=True)
class _Known:
    """A line that stands: what it says, and the numbers of the assumptions on which it rests."""

    formula: Formula
    rests_on: frozenset[int]
    assumed: bool = False


class _Fault(Exception):
    """Why a line does not follow."""


def check_proof(text: str, premises: Sequence[Formula], goal: Formula) -> Checked:
    """Whether the text proves the goal from the premises. Pure, and raises nothing."""
    pieces = [piece.strip() for piece in re.split(r"[;\n]", text) if piece.strip()]
    if len(pieces) > MOST_LINES:
        return Checked(None, f"{len(pieces)} lines are too many to check", {})
    known: dict[int, _Known] = {}
    scores: dict[str, float] = {}
    verdicts: list[tuple[bool | None, str]] = []
    for position, piece in enumerate(pieces, 1):
        try:
            line = read_line(piece, position)
            if line.number in known or (known and line.number < max(known)):
                raise Unreadable(f"line {line.number}: lines must be numbered upwards")
        except (Unreadable, TooMuch) as error:
            verdicts.append((False if isinstance(error, Unreadable) else None, str(error)))
            break
        name = f"line {line.number}"
        try:
            known[line.number] = _stands(line, known, premises)
            scores[name] = 1.0
        except _Fault as fault:
            scores[name] = 0.0
            known[line.number] = _Known(line.formula, frozenset())  # later lines are checked on its word
            verdicts.append((_unknown_rule(line, known), f"{name}, {line.rule}: {fault}"))
    else:
        verdicts.append(_ending(known, goal))
    # The first line that is wrong says why; a line that can't be judged counts where no line is wrong.
    for correct in (False, None, True):
        for verdict, explanation in verdicts:
            if verdict is correct:
                return Checked(correct, explanation, scores)
    raise AssertionError("every way through the loop appends a verdict")


def _ending(known: Mapping[int, _Known], goal: Formula) -> tuple[bool | None, str]:
    if not known:
        return False, "there is no line in the proof"
    number = max(known)
    last = known[number]
    if last.formula != goal:
        return False, f"line {number} is {write(last.formula)}, not the goal {write(goal)}"
    if last.rests_on:
        return False, f"line {number} rests on the assumption in line {min(last.rests_on)}, never discharged"
    return True, f"all {len(known)} lines follow, and the last is the goal"


def read_line(text: str, position: int) -> Line:
    """One line, `3. q MP 2, 1`; its number is its position where it has none. Raises Unreadable or TooMuch."""
    if len(text) > LONGEST_LINE:
        raise TooMuch(f"line {position} has {len(text)} characters: too long to check")
    numbered = NUMBER.match(text)
    number = int(numbered[1]) if numbered else position
    rest = text[numbered.end() :] if numbered else text
    match = JUSTIFIED.fullmatch(rest) or NAMED.fullmatch(rest)
    if match is None and numbered is None and (len(rest.split()) > 3 or CONCLUDING.match(rest)):
        raise TooMuch(f"line {number}: a sentence is not understood")
    if match is None:
        raise Unreadable(f"line {number}: no rule is given")
    found = {name.rstrip("_"): text for name, text in match.groupdict().items() if text is not None}
    written = " ".join(found["rule"].lower().split())
    references = f"{found.get('before', '')} {found.get('after', '')}"
    cited = tuple(int(one) for one in re.findall(r"[0-9]{1,4}", references))
    try:
        formula = read_formula(found["formula"].rstrip(" .,"))
    except UnknownSign as error:
        raise TooMuch(f"line {number}: {error}") from None
    except Unreadable as error:
        raise Unreadable(f"line {number}: {error}") from None
    except TooMuch as error:
        raise TooMuch(f"line {number}: {error}") from None
    return Line(number, formula, RULE_OF.get(written, written[:40]), cited)


def _unknown_rule(line: Line, known: Mapping[int, _Known]) -> bool | None:
    """A line by a rule that is not known here is wrong where it does not follow, and undecided where it does."""
    if line.rule in RULES or any(number not in known for number in line.cited):
        return False
    cited = [known[number].formula for number in line.cited]
    return False if satisfiable(against(cited, line.formula)) is True else None


def _stands(line: Line, known: Mapping[int, _Known], premises: Sequence[Formula]) -> _Known:
    """The line as something to build on. Raises _Fault where it does not follow."""
    if line.rule == "premise":
        if line.formula not in premises:
            raise _Fault(f"{write(line.formula)} is not a premise")
        return _Known(line.formula, frozenset())
    if line.rule == "assumption":
        return _Known(line.formula, frozenset({line.number}), assumed=True)
    if line.rule not in RULES:
        raise _Fault("no rule of this name is known")
    for number in line.cited:
        if number not in known:
            raise _Fault(f"there is no line {number} before it")
    cited = [known[number] for number in line.cited]
    rests_on = frozenset[int]().union(*(one.rests_on for one in cited))
    discharged = _discharged(line, cited, premises, known)
    if discharged is not None:
        return _Known(line.formula, rests_on - discharged)
    if not _follows(line.rule, line.formula, [one.formula for one in cited]):
        on = ", ".join(write(one.formula) for one in cited) or "nothing"
        raise _Fault(f"{write(line.formula)} does not follow from {on}")
    if line.rule == "forall introduction":
        _require_arbitrary(line.formula, cited[0], premises, known)
    return _Known(line.formula, rests_on)


def _discharged(
    line: Line, cited: Sequence[_Known], premises: Sequence[Formula], known: Mapping[int, _Known]
) -> frozenset[int] | None:
    """The assumptions that the rule lets go of; None for a rule that has no subproof."""
    formula, numbers, says = line.formula, line.cited, [one.formula for one in cited]
    match line.rule, formula, says:
        case "conditional proof", Binary("implies", left, right), [first, second]:
            fits = first == left and second == right
            subproofs = [0]
        case "not introduction", Not(part), [first, second]:
            fits = first == part and second == FALSE
            subproofs = [0]
        case "not introduction", Not(part), [first, *pair] if len(pair) == 2:
            fits = first == part and _contradictory(pair)
            subproofs = [0]
        case "indirect proof", _, [Not(part), second]:
            fits = part == formula and second == FALSE
            subproofs = [0]
        case "indirect proof", _, [Not(part), *pair] if len(pair) == 2:
            fits = part == formula and _contradictory(pair)
            subproofs = [0]
        case "or elimination", _, [Binary("or", left, right), a, c, b, d]:
            fits = (a, b) == (left, right) and c == d == formula
            subproofs = [1, 3]
        case "iff introduction", Binary("iff", left, right), [a, b, c, d]:
            fits = (a, b) == (left, right) and (c, d) == (right, left)
            subproofs = [0, 2]
        case "exists elimination", _, [Quantified("exists"), _, _]:
            return _exists_elimination(line, cited, premises, known)
        case (("conditional proof" | "exists elimination"), _, _):
            raise _Fault("it takes a subproof, from the line of its assumption to the line of its conclusion")
        case _:
            return None
    if not fits:
        raise _Fault(f"{write(formula)} does not follow from {', '.join(map(write, says))}")
    return _assumptions(numbers, cited, subproofs)


def _assumptions(numbers: Sequence[int], cited: Sequence[_Known], positions: Sequence[int]) -> frozenset[int]:
    for position in positions:
        if not cited[position].assumed:
            raise _Fault(f"line {numbers[position]} is no assumption")
    return frozenset(numbers[position] for position in positions)


def _exists_elimination(
    line: Line, cited: Sequence[_Known], premises: Sequence[Formula], known: Mapping[int, _Known]
) -> frozenset[int]:
    some, instance, conclusion = cited
    discharged = _assumptions(line.cited, cited, [1])
    term = _instance_term(some.formula, instance.formula)
    if term is None or conclusion.formula != line.formula:
        raise _Fault(f"{write(line.formula)} does not follow from {', '.join(write(one.formula) for one in cited)}")
    others = [known[number].formula for number in conclusion.rests_on - discharged]
    for formula in [some.formula, line.formula, *others, *premises]:
        if term in free_terms(formula):
            raise _Fault(f"{term} is not arbitrary: it occurs in {write(formula)}")
    return discharged


def _require_arbitrary(
    formula: Formula, instance: _Known, premises: Sequence[Formula], known: Mapping[int, _Known]
) -> None:
    term = _instance_term(formula, instance.formula)
    for other in [formula, *(known[number].formula for number in instance.rests_on), *premises]:
        if term in free_terms(other):
            raise _Fault(f"{term} is not arbitrary: it occurs in {write(other)}")


def _instance_term(quantified: Formula, instance: Formula) -> str | None:
    """The term that makes the instance of the quantified formula; None where there is none."""
    if not isinstance(quantified, Quantified):
        return None
    names = {term for part in parts(instance) if isinstance(part, Atom) for term in part.terms}
    for term in sorted(names | {quantified.variable}):
        try:
            if substitute(quantified.part, quantified.variable, term) == instance:
                return term
        except ValueError:
            continue
    return None


def _contradictory(pair: Sequence[Formula]) -> bool:
    return pair[0] == Not(pair[1]) or pair[1] == Not(pair[0])


def _follows(rule: str, formula: Formula, cited: Sequence[Formula]) -> bool:
    """Whether the formula comes from the cited ones by a rule that lets go of nothing; their order does not matter."""
    match rule, formula, list(cited):
        case "modus ponens", _, [a, b]:
            return a == Binary("implies", b, formula) or b == Binary("implies", a, formula)
        case "modus tollens", Not(part), [a, b]:
            return any(
                isinstance(arrow, Binary)
                and arrow == Binary("implies", part, arrow.right)
                and other == Not(arrow.right)
                for arrow, other in ((a, b), (b, a))
            )
        case "hypothetical syllogism", Binary("implies", left, right), [Binary() as a, Binary() as b]:
            return any(
                x == Binary("implies", left, x.right) and y == Binary("implies", x.right, right)
                for x, y in ((a, b), (b, a))
            )
        case "disjunctive syllogism", _, [a, b]:
            return any(
                either in (Binary("or", x, formula), Binary("or", formula, x))
                for either, no in ((a, b), (b, a))
                for x in _negated(no)
            )
        case "and introduction", Binary("and", left, right), [a, b]:
            return (a, b) in ((left, right), (right, left))
        case "and elimination", _, [Binary("and", left, right)]:
            return formula in (left, right)
        case "or introduction", Binary("or", left, right), [a]:
            return a in (left, right)
        case "or elimination", _, [a, Binary("implies", x, c), Binary("implies", y, d)]:
            return a in (Binary("or", x, y), Binary("or", y, x)) and c == d == formula
        case "not elimination", Constant(False), [a, b]:
            return _contradictory((a, b))
        case "explosion", _, [a]:
            return a == FALSE
        case "explosion", _, [a, b]:
            return _contradictory((a, b))
        case "double negation", _, [a]:
            return formula == Not(Not(a)) or a == Not(Not(formula))
        case "iff introduction", Binary("iff", left, right), [a, b]:
            both = (Binary("implies", left, right), Binary("implies", right, left))
            return (a, b) in (both, both[::-1])
        case "iff elimination", Binary("implies", left, right), [a]:
            return a in (Binary("iff", left, right), Binary("iff", right, left))
        case "iff elimination", _, [a, b]:
            pairs = ((a, b), (b, a))
            return any(x in (Binary("iff", y, formula), Binary("iff", formula, y)) for x, y in pairs)
        case "reiteration", _, [a]:
            return a == formula
        case "excluded middle", Binary("or", left, right), []:
            return _contradictory((left, right))
        case "forall elimination", _, [Quantified("forall") as a]:
            return _instance_term(a, formula) is not None
        case "forall introduction", Quantified("forall"), [a]:
            return _instance_term(formula, a) is not None
        case "exists introduction", Quantified("exists"), [a]:
            return _instance_term(formula, a) is not None
    return False


def _negated(formula: Formula) -> tuple[Formula, ...]:
    """What this formula denies: x for `not x`, and `not x` for x."""
    return (formula.part, Not(formula)) if isinstance(formula, Not) else (Not(formula),)

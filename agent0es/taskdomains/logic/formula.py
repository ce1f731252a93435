"""Propositional and first-order formulas: their values, a bounded reader of several notations, and how they are shown.

Reading is ours from the first character to the last: no text goes to Python's parser. Read are `not ¬ ~ !`,
`and ∧ & && /\\`, `or ∨ | || \\/`, `xor ⊕`, `-> → => ⇒ ⊃ implies`, `<-> ↔ <=> ⇔ ≡ iff`, and what Python writes for
0 and 1: `<=` for an implication, `==` and `!=`, which bind as tightly as they do in Python. Terms are variables and
constants: no functions, no equality. `∀x. A → B` reaches as far as it can, `∀x A → B` does not.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

LONGEST = 2000
"""Characters."""
DEEPEST = 60
MOST_TOKENS = 800

Connective = Literal["and", "or", "xor", "implies", "iff"]


class Unreadable(Exception):
    """The text is not a formula. The message says where and why."""


class UnknownSign(Unreadable):
    """A letter or sign of no notation known here, so that its meaning is unknown."""


class TooMuch(Exception):
    """The text may be a formula: it is too large, or its notation can be read in two ways or is not known here."""


@dataclass(frozen=True, slots=True)
class Constant:
    """True or false."""

    value: bool


@dataclass(frozen=True, slots=True)
class Atom:
    """A propositional variable, or a predicate of terms."""

    name: str
    terms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Not:
    """A negation."""

    part: "Formula"


@dataclass(frozen=True, slots=True)
class Binary:
    """Two formulas and what joins them."""

    connective: Connective
    left: "Formula"
    right: "Formula"


@dataclass(frozen=True, slots=True)
class Quantified:
    """`forall` or `exists`."""

    quantifier: Literal["forall", "exists"]
    variable: str
    part: "Formula"


Formula = Constant | Atom | Not | Binary | Quantified

SYMBOLS: dict[str, str] = {
    **dict.fromkeys(("not", "¬", "~", "!", "Not", "NOT"), "not"),
    **dict.fromkeys(("and", "∧", "&", "&&", "/\\", "And", "AND"), "and"),
    **dict.fromkeys(("or", "∨", "|", "||", "\\/", "Or", "OR"), "or"),
    **dict.fromkeys(("xor", "⊕", "XOR"), "xor"),
    **dict.fromkeys(("->", "→", "=>", "⇒", "⊃", "-->", "⟶", "⟹", "implies"), "implies"),
    **dict.fromkeys(("<->", "↔", "<=>", "⇔", "≡", "⟷", "⟺", "iff"), "iff"),
    **dict.fromkeys(("<=", "==", "!=", "≠"), "comparison"),
    **dict.fromkeys(("forall", "∀"), "forall"),
    **dict.fromkeys(("exists", "∃"), "exists"),
    **dict.fromkeys(("true", "True", "⊤", "1"), "true"),
    **dict.fromkeys(("false", "False", "⊥", "0"), "false"),
    **dict.fromkeys(("^", "=", "<", ">", ">="), "ambiguous"),
}
COMPARED: dict[str, Connective] = {"<=": "implies", "==": "iff", "!=": "xor", "≠": "xor"}
TOKEN = re.compile(
    r"\s*(?:(<->|<=>|-->|->|=>|<=|>=|==|!=|&&|\|\||/\\|\\/|[¬~!∧&∨|⊕→⇒⟶⟹⊃↔⇔⟷⟺≡≠∀∃⊤⊥^=<>()\[\].,:]|[01](?![0-9A-Za-z_]))"
    r"|([A-Za-z][A-Za-z0-9_]*))"
)
LATEX = {
    **dict.fromkeys(("lnot", "neg", "sim"), "¬"),
    **dict.fromkeys(("land", "wedge"), "∧"),
    **dict.fromkeys(("lor", "vee"), "∨"),
    **dict.fromkeys(("oplus", "veebar"), "⊕"),
    **dict.fromkeys(("to", "rightarrow", "Rightarrow", "implies", "supset", "longrightarrow", "Longrightarrow"), "→"),
    **dict.fromkeys(
        ("leftrightarrow", "Leftrightarrow", "iff", "equiv", "longleftrightarrow", "Longleftrightarrow"), "↔"
    ),
    **dict(zip(("forall", "exists", "top", "bot"), "∀∃⊤⊥", strict=True)),
    **dict.fromkeys(("left", "right", "big", "Big", "bigl", "bigr", "quad", "qquad", "displaystyle"), ""),
}
COMMAND = re.compile(r"\\([A-Za-z]+)")
LATEX_WORD = re.compile(r"\\(?:text|textbf|textit|mathrm|mathit|mathbf|mathsf|operatorname)\{ ?(\w{1,30}) ?\}")
LATEX_SPACE = re.compile(r"(?<!/)\\[,;:!> ]")
SUBSCRIPT = re.compile(r"_\{(\w{1,20})\}")
CLOSING = {"(": ")", "[": "]"}


def read_formula(text: str) -> Formula:
    """The formula that a text says. Raises Unreadable or TooMuch; nothing else, whatever the text."""
    if len(text) > LONGEST:
        raise TooMuch(f"{len(text)} characters are too long for a formula")
    reader = _Reader(_tokens(_without_latex(text)))
    formula = reader.formula(0)
    if reader.next is not None:
        raise Unreadable(f"{reader.next!r} was not expected")
    return formula


def _without_latex(text: str) -> str:
    """The text with signs for LaTeX commands. Raises TooMuch for commands that are not known here."""
    if "\\" not in text and "{" not in text:
        return text
    text = SUBSCRIPT.sub(r"_\1", LATEX_SPACE.sub(" ", LATEX_WORD.sub(r" \1 ", text)))
    unknown = next((name for name in COMMAND.findall(text) if name not in LATEX), None)
    if unknown is not None:
        raise TooMuch(f"\\{unknown[:20]} is not known here")
    return COMMAND.sub(lambda found: f" {LATEX[found[1]]} ", text)


def _tokens(text: str) -> list[str]:
    tokens: list[str] = []
    position, end = 0, len(text.rstrip())
    while position < end:
        match = TOKEN.match(text, position)
        if match is None:
            raise UnknownSign(f"{text[position : position + 12].strip()!r} is no part of a formula")
        tokens.append(match[1] or match[2])
        position = match.end()
    if len(tokens) > MOST_TOKENS:
        raise TooMuch(f"{len(tokens)} symbols are too many for a formula")
    return tokens


class _Reader:
    """Recursive descent, one method a level of binding."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._at = 0

    @property
    def next(self) -> str | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    @property
    def kind(self) -> str | None:
        return None if self.next is None else SYMBOLS.get(self.next, self.next)

    def _take(self) -> str:
        if self.next is None:
            raise Unreadable("the formula ends too early")
        self._at += 1
        return self._tokens[self._at - 1]

    def _expect(self, wanted: str) -> None:
        if self._take() != wanted:
            raise Unreadable(f"{wanted!r} is missing")

    def formula(self, depth: int) -> Formula:
        """`iff`, the loosest; it may be nested on either side, which is all the same."""
        if depth > DEEPEST:
            raise TooMuch(f"brackets and arrows are nested deeper than {DEEPEST}")
        found = self._implication(depth)
        length = 0
        while self.kind == "iff":
            self._take()
            found = Binary("iff", found, self._implication(depth))
            length = self._longer(length)
        return found

    def _longer(self, length: int) -> int:
        if length >= DEEPEST:
            raise TooMuch(f"more than {DEEPEST} parts")
        return length + 1

    def _implication(self, depth: int) -> Formula:
        parts = [self._disjunction(depth)]
        while self.kind == "implies":
            self._take()
            parts.append(self._disjunction(depth))
        if len(parts) > DEEPEST:
            raise TooMuch(f"more than {DEEPEST} arrows in a row")
        found = parts.pop()
        while parts:
            found = Binary("implies", parts.pop(), found)
        return found

    def _disjunction(self, depth: int) -> Formula:
        found = self._conjunction(depth)
        first = self.kind
        length = 0
        while self.kind in ("or", "xor"):
            if self.kind != first:
                raise TooMuch("`or` and `xor` side by side can be read in two ways")
            self._take()
            found = Binary("or" if first == "or" else "xor", found, self._conjunction(depth))
            length = self._longer(length)
        return found

    def _conjunction(self, depth: int) -> Formula:
        found = self._negation(depth)
        length = 0
        while self.kind == "and":
            self._take()
            found = Binary("and", found, self._negation(depth))
            length = self._longer(length)
        return found

    def _negation(self, depth: int) -> Formula:
        if depth > DEEPEST:
            raise TooMuch(f"nested deeper than {DEEPEST}")
        if self.kind == "not" and str(self.next).isalpha():
            self._take()
            return Not(self._negation(depth + 1))  # in Python `not` reaches over a comparison; the signs for it do not
        left = self._unit(depth)
        if self.kind == "ambiguous":
            raise TooMuch(f"{self.next!r} has no one meaning in a formula")
        if self.kind != "comparison":
            return left
        connective = COMPARED[self._take()]
        right = self._unit(depth)
        if self.kind == "comparison":
            raise TooMuch("comparisons in a row can be read in two ways")
        return Binary(connective, left, right)

    def _unit(self, depth: int) -> Formula:
        if depth > DEEPEST:
            raise TooMuch(f"nested deeper than {DEEPEST}")
        kind = self.kind
        if kind == "not":
            self._take()
            return Not(self._unit(depth + 1))
        if kind in ("forall", "exists"):
            return self._quantified(depth)
        token = self._take()
        if kind in ("true", "false"):
            return Constant(kind == "true")
        if token in CLOSING:
            found = self.formula(depth + 1)
            self._expect(CLOSING[token])
            return found
        if not token[0].isalpha() or token in SYMBOLS:
            raise Unreadable(f"{token!r} was not expected")
        return Atom(token, self._terms() if self.next == "(" else ())

    def _terms(self) -> tuple[str, ...]:
        self._expect("(")
        terms = [self._term()]
        while self.next == ",":
            self._take()
            terms.append(self._term())
        self._expect(")")
        return tuple(terms)

    def _term(self) -> str:
        token = self._name()
        if self.next == "(":
            raise TooMuch("functions are not known here")
        return token

    def _name(self) -> str:
        token = self._take()
        if not token[0].isalpha() or token in SYMBOLS:
            raise Unreadable(f"{token!r} is no term")
        return token

    def _quantified(self, depth: int) -> Formula:
        quantifier: Literal["forall", "exists"] = "forall" if SYMBOLS[self._take()] == "forall" else "exists"
        variables = [self._name()]
        while self.next == ",":
            self._take()
            variables.append(self._name())
        dotted = self.next in (".", ":")
        if dotted:
            self._take()
        part = self.formula(depth + 1) if dotted else self._unit(depth + 1)
        if len(variables) + depth > DEEPEST:
            raise TooMuch("too many variables")
        for variable in reversed(variables):
            part = Quantified(quantifier, variable, part)
        return part


def parts(formula: Formula) -> Iterator[Formula]:
    """The formula and all its parts."""
    todo = [formula]
    while todo:
        found = todo.pop()
        yield found
        match found:
            case Not(part) | Quantified(_, _, part):
                todo.append(part)
            case Binary(_, left, right):
                todo += [right, left]


def atoms(formula: Formula) -> tuple[Atom, ...]:
    """Its atoms in the order in which they first occur."""
    return tuple(dict.fromkeys(part for part in parts(formula) if isinstance(part, Atom)))


def is_propositional(formula: Formula) -> bool:
    """True when it has no quantifier and no predicate of terms."""
    return not any(isinstance(part, Quantified) or (isinstance(part, Atom) and part.terms) for part in parts(formula))


def free_terms(formula: Formula) -> frozenset[str]:
    """Constants and variables that no quantifier binds."""
    match formula:
        case Atom(_, terms):
            return frozenset(terms)
        case Not(part):
            return free_terms(part)
        case Binary(_, left, right):
            return free_terms(left) | free_terms(right)
        case Quantified(_, variable, part):
            return free_terms(part) - {variable}
    return frozenset()


def substitute(formula: Formula, variable: str, term: str) -> Formula:
    """The formula with a term for a free variable. Raises ValueError where a quantifier would catch the term."""
    match formula:
        case Atom(name, terms):
            return Atom(name, tuple(term if one == variable else one for one in terms))
        case Not(part):
            return Not(substitute(part, variable, term))
        case Binary(connective, left, right):
            return Binary(connective, substitute(left, variable, term), substitute(right, variable, term))
        case Quantified(quantifier, bound, part):
            if bound == variable or variable not in free_terms(part):
                return formula
            if bound == term:
                raise ValueError(f"{term} would be caught by a quantifier")
            return Quantified(quantifier, bound, substitute(part, variable, term))
    return formula


NOTATIONS: dict[str, dict[str, str]] = {
    "python": {"not": "not ", "and": "and", "or": "or", "xor": "!=", "implies": "<=", "iff": "=="},
    "arrows": {"not": "not ", "and": "and", "or": "or", "xor": "xor", "implies": "->", "iff": "<->"},
    "symbols": {"not": "¬", "and": "∧", "or": "∨", "xor": "⊕", "implies": "→", "iff": "↔"},
}


def write(formula: Formula, notation: str = "arrows", inside: str = "") -> str:
    """The formula as text, with brackets wherever two connectives meet; `read_formula` reads it back."""
    signs = NOTATIONS[notation]
    match formula:
        case Constant(value):
            return str(value)
        case Atom(name, terms):
            return f"{name}({', '.join(terms)})" if terms else name
        case Not(part):
            text = signs["not"] + write(part, notation, "not")
            # `p <= not q` is no Python, and `not p <= q` is another formula.
            return f"({text})" if notation == "python" and inside in ("implies", "iff", "xor") else text
        case Quantified(quantifier, variable, part):
            sign = {"forall": "∀", "exists": "∃"}[quantifier] if notation == "symbols" else f"{quantifier} "
            text = f"{sign}{variable}. {write(part, notation)}"
            return f"({text})" if inside else text
        case Binary(connective, left, right):
            # `and` and `or` are read from the left: only there may the brackets go.
            chain = connective if connective in ("and", "or") and inside == connective + " left" else ""
            text = f"{write(left, notation, connective + ' left' if connective in ('and', 'or') else connective)}"
            text = f"{text} {signs[connective]} {write(right, notation, connective)}"
            return text if not inside or chain else f"({text})"

"""What an answer is made of: lists, sets, intervals, matrices, assignments. Splits texts and evaluates nothing.

Used with the same rules in-process and inside the sandbox.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

MOST_ITEMS = 60
INFINITE = re.compile(r"[+-]?\s*(?:oo|inf|infinity)", re.IGNORECASE)
NAME = re.compile(r"[A-Za-z](?:_?[0-9A-Za-z])?|[a-z]\([a-z]\)|[a-z]'+(?:\([a-z]\))?")
NOTHING = re.compile(
    r"\{ *\}|EmptySet|(?:the )?empty set|(?:there (?:is|are) |(?:the |this )?(?:equation|system|it) has )?"
    r"no (?:real )?(?:solutions?|roots?)(?: exists?)?|none",
    re.IGNORECASE,
)
BLANKS_BETWEEN = re.compile(r"-?[0-9.]+(?: +-?[0-9.]+)+")
"""`[1 2 3]`, as NumPy prints it."""
LAST_OF_SEVERAL = re.compile(r",? and (?=[^,]*$)")
LEFT_OUT = re.compile(r"\.\.|…|\\[lcd]?dots|[.,;]{2}$")
BUILDER = re.compile(r"\{ ?([A-Za-z])(?: in R)? ?[|:](.*[<>=].*)\}")
"""`{x | x > 1}`."""
RELATION = re.compile(r"(<=|>=|<|>)")
MATRIX = re.compile(r"(?:Immutable)?(?:Dense)?Matrix\((.*)\)", re.DOTALL)
SYMPY_INTERVAL = re.compile(r"Interval(\.open|\.Lopen|\.Ropen)?\(([^()]*(?:\([^()]*\))?[^()]*)\)")
OPEN = {None: "[]", ".open": "()", ".Lopen": "(]", ".Ropen": "[)"}
CLOSING = {"(": ")", "[": "]", "{": "}"}


@dataclass(frozen=True)
class Shape:
    """One answer, split."""

    kind: str
    """value, bare (a, b without brackets), list, set, union, both (what lies in all), interval, named (assignments),
    equation, relation, open (it says that something is left out)."""
    items: "tuple[Shape, ...]" = ()
    text: str = ""
    """value, equation, relation: the text. list, interval: the brackets, `[]`, `(]`."""
    names: tuple[str, ...] = ()
    """named: what stands on the left, one for each item. interval: the unknown of the inequality that it was."""


REALS = Shape("interval", (Shape("value", text="-oo"), Shape("value", text="oo")), "()")


def split(text: str, separator: str) -> list[str]:
    """The parts between separators that stand outside all brackets. One part where the brackets don't match up."""
    parts, depth, start, at = [], [], 0, 0
    while at < len(text):
        letter = text[at]
        if letter in CLOSING:
            depth.append(letter)
        elif letter in ")]}":
            if not depth:
                return [text]
            depth.pop()  # of any kind: [1, 2) is an interval
        elif not depth and text.startswith(separator, at):
            parts.append(text[start:at].strip())
            at += len(separator)
            start = at
            continue
        at += 1
    return [*parts, text[start:].strip()] if not depth else [text]


def shape(text: str, depth: int = 0) -> Shape:
    """Split a text in plain notation."""
    text = text.strip()
    if depth > 4 or not text:
        return Shape("value", text=text)
    if ";" in text and "," not in text:
        text = text.replace(";", ",")
    if LEFT_OUT.search(text):
        return Shape("open", text=text)
    built = BUILDER.fullmatch(text)
    if built:
        return shape(built[2], depth + 1)
    if text.lower() in ("reals", "all real numbers", "all reals"):
        return REALS
    if NOTHING.fullmatch(text):
        return Shape("set")
    matrix = MATRIX.fullmatch(text)
    if matrix:
        return shape(matrix[1], depth + 1)
    text = _from_sympy(text)
    if len(split(text, ",")) > 1 and not re.search("[=<>]", text):
        text = LAST_OF_SEVERAL.sub(", ", text)  # 1, 2 and 3
    for separator in (" U ", " or ", " and "):
        parts = split(text, separator)
        if 1 < len(parts) <= MOST_ITEMS:
            return _alternatives(parts, separator, depth)
    parts = split(text, ",")
    if 1 < len(parts) <= MOST_ITEMS:
        return _bare(parts if parts[-1] else parts[:-1], depth) if all(parts[:-1]) else Shape("open", text=text)
    if text[0] in CLOSING and text[-1] in ")]}" and len(split(text[1:-1], "\x00")) == 1 and _closes_last(text):
        return _bracketed(text, depth)
    if "+-" in text:
        before, _, after = text.partition("+-")
        name, sign, value = before.rpartition("=")
        both = [shape(f"{name}{sign}{value}{plus}{after}", depth + 1) for plus in ("+" if value.strip() else "", "-")]
        return _gather(both)
    if RELATION.search(text):
        return _relation(text)
    return _equation(text, depth)


def other_unknown(given: Shape, true: Shape) -> bool:
    """Whether both are about a named unknown, and not about the same: `y < 5` for `x < 5`."""
    ours, theirs = _unknowns(given), _unknowns(true)
    return bool(ours and theirs) and ours != theirs


def _unknowns(one: Shape) -> set[str]:
    inner: set[str] = set().union(*map(_unknowns, one.items)) if one.kind in ("union", "both") else set()
    return inner | set(one.names if one.kind == "interval" else ())


def as_interval(given: Shape) -> Shape:
    """A list of two as an interval between them; any other as it is."""
    if given.kind == "list" and len(given.items) == 2:
        return Shape("interval", given.items, given.text)
    return given


def _alternatives(parts: list[str], separator: str, depth: int) -> Shape:
    shapes = [shape(part, depth + 1) for part in parts]
    if separator == " U " and all(one.kind == "set" for one in shapes):
        return Shape("set", tuple(item for one in shapes for item in one.items))
    if separator == " U " or any(one.kind in ("interval", "union") for one in shapes):
        return Shape("union" if separator != " and " else "both", tuple(map(as_interval, shapes)))
    if separator == " and " and all(one.kind == "named" for one in shapes):
        return _gather(shapes, alternatives=False)
    inner = [item for one in shapes for item in (one.items if one.kind in ("bare", "set") else (one,))]
    return _gather(inner)


def _gather(shapes: Sequence[Shape], alternatives: bool = True) -> Shape:
    """Several answers as one: a set; assignments to different names at once where they aren't alternatives."""
    if all(one.kind == "named" and len(one.items) == 1 for one in shapes):
        names = {one.names[0] for one in shapes}
        if len(names) == len(shapes) and not alternatives:
            return Shape("named", tuple(one.items[0] for one in shapes), names=tuple(one.names[0] for one in shapes))
        if len(names) == 1:
            return Shape("set", tuple(one.items[0] for one in shapes))
    return Shape("set", tuple(shapes))


def _bare(parts: list[str], depth: int) -> Shape:
    parts = [part.removeprefix("and ").removeprefix("or ") for part in parts]
    shapes = tuple(shape(part, depth + 1) for part in parts)
    if shapes and all(one.kind == "named" for one in shapes):
        return _gather(shapes, alternatives=False)
    if len(shapes) > 1 and shapes[0].kind == "named" and all(one.kind == "value" for one in shapes[1:]):
        return Shape("set", (shapes[0].items[0], *shapes[1:]))  # x = 2, 3
    return Shape("bare", shapes)


def _bracketed(text: str, depth: int) -> Shape:
    opening, closing, inner = text[0], text[-1], text[1:-1].strip()
    if opening + closing == "[]" and BLANKS_BETWEEN.fullmatch(inner):
        inner = ", ".join(inner.split())
    parts = split(inner, ",")
    parts = parts if parts[-1] else parts[:-1]
    if not all(parts):
        return Shape("open", text=text)
    if len(parts) > MOST_ITEMS:
        return Shape("value", text=text)
    if opening == "{" and closing == "}":
        if parts and all(len(split(part, ":")) == 2 for part in parts):
            pairs = [split(part, ":") for part in parts]
            return Shape(
                "named", tuple(shape(value, depth + 1) for _, value in pairs), names=tuple(k for k, _ in pairs)
            )
        return Shape("set", tuple(shape(part, depth + 1) for part in parts))
    if "{" in (opening, closing) or "}" in (opening, closing):
        return Shape("value", text=text)
    items = tuple(shape(part, depth + 1) for part in parts)
    if len(parts) == 2 and (opening + closing in ("[)", "(]") or any(INFINITE.fullmatch(part) for part in parts)):
        return Shape("interval", items, opening + closing)
    if opening == "(" and len(parts) == 1 and inner[0] in CLOSING and _closes_last(inner):
        return shape(inner, depth + 1)
    if opening == "(" and len(parts) == 1:
        return _equation(text, depth) if "=" not in inner else shape(inner, depth + 1)
    if opening + closing not in ("[]", "()"):
        return Shape("value", text=text)
    return Shape("list", items, opening + closing)


def _closes_last(text: str) -> bool:
    """Whether the bracket at the start is closed by the one at the end."""
    depth = 0
    for index, letter in enumerate(text):
        depth += (letter in "([{") - (letter in ")]}")
        if depth == 0:
            return index == len(text) - 1
    return False


def _relation(text: str) -> Shape:
    """`x > 1`, `1 < x <= 2`: an interval where one single name stands between or beside."""
    parts = [part.strip() for part in RELATION.split(text)]
    flipped = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
    if len(parts) == 3:
        left, sign, right = parts
        if NAME.fullmatch(right) and not NAME.fullmatch(left):
            left, sign, right = right, flipped[sign], left
        if NAME.fullmatch(left) and right and not letters(right):
            bound = Shape("value", text=right)
            if sign[0] == "<":
                ends, brackets = (Shape("value", text="-oo"), bound), "(" + ("]" if "=" in sign else ")")
            else:
                ends, brackets = (bound, Shape("value", text="oo")), ("[" if "=" in sign else "(") + ")"
            return Shape("interval", ends, brackets, (left,))
    if len(parts) == 5 and NAME.fullmatch(parts[2]) and not letters(parts[0]) and not letters(parts[4]):
        low, first, _, second, high = parts
        if first[0] == second[0] == ">":
            low, first, second, high = high, flipped[second], flipped[first], low
        if first[0] == second[0] == "<":
            ends = (Shape("value", text=low), Shape("value", text=high))
            brackets = ("[" if "=" in first else "(") + ("]" if "=" in second else ")")
            return Shape("interval", ends, brackets, (parts[2],))
    return Shape("relation", text=text)


def _equation(text: str, depth: int) -> Shape:
    parts = [part.strip() for part in re.split(r"(?<![<>!=])==?(?!=)", text)]
    if len(parts) == 2 and all(parts):
        left, right = parts
        if NAME.fullmatch(left):
            return Shape("named", (shape(right, depth + 1),), names=(left,))
        if NAME.fullmatch(right) and not letters(left):
            return Shape("named", (shape(left, depth + 1),), names=(right,))
        return Shape("equation", text=text)
    within = re.fullmatch(r"([A-Za-z]) in (.*)", text)
    if within:
        return REALS if within[2] in ("R", "Reals") else shape(within[2], depth + 1)
    return Shape("equation" if len(parts) > 1 else "value", text=text)


def letters(text: str) -> bool:
    """Whether a text has more letters than those of constants and functions of numbers."""
    return bool(re.search(r"[A-Za-z]", re.sub(r"sqrt|pi|oo|log|ln", "", text)))


def _from_sympy(text: str) -> str:
    """SymPy's ways to print intervals, unions and inequalities."""
    if "Interval" in text:
        text = SYMPY_INTERVAL.sub(lambda found: OPEN[found[1]][0] + found[2] + OPEN[found[1]][1], text)
    union = re.fullmatch(r"Union\((.*)\)", text)
    if union:
        text = " U ".join(split(union[1], ","))
    return text

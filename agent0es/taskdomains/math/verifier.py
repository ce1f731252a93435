"""Whether an answer is right, by text, by number or, in the sandbox, by algebra.

The answer was written by a model. It is split and compared as text and as numbers here, and never evaluated: where a
number doesn't settle it, a program for the sandbox gets it as data. That program builds expressions from the characters
and runs nothing of them either.

A mathematically equal answer in another form is right, except where a family asks for a form.
"""

import json
import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from agent0es.domain.task import Task, Verification
from agent0es.taskdomains.base import NeedsCall, needs_program
from agent0es.taskdomains.judging import LONGEST, compared, judged, key, short, unread
from agent0es.taskdomains.math.comparison import compare
from agent0es.taskdomains.math.intervals import same_reals
from agent0es.taskdomains.math.notation import clean, plain, safe_latex
from agent0es.taskdomains.math.shapes import INFINITE, LEFT_OUT, REALS, Shape, shape
from agent0es.taskdomains.math.texts import BASED, same_text, tight
from agent0es.taskdomains.math.units import UNITS, Quantity, read_quantity, same_quantity
from agent0es.taskdomains.numbers import read_number, value_of

LONGEST_SYMBOLIC = 600
MOST_LINES = 30

BRACKETED = re.compile(r"\[([^\[\]()]*)\]|\(([^\[\]()]*,[^\[\]()]*)\)")
NO_ARITHMETIC = re.compile(r"[-+0-9.,/ ]+")
"""Of what isn't read as a number: several of them, or a division by zero."""
UNIT_MEANT = re.compile(
    r"[0-9.,]+(?:[kKMBGhsgtdl]| [A-Za-z]| ?(?!(?:[abcxyz]+|pi|oo)$)[A-Za-z]{2,3})|.*[A-Za-z]\.[A-Za-z]?"
)
"""`5k`, `5 A`, `5 pm`, `5 a.m.`: five times an unknown, five thousand, five of something."""
UNIT_BEHIND = re.compile(r".*(?:[0-9)] ?| )([a-z]{2,})(?:\^\(?[0-9]\)?)?")
CALL_OR_BASE = re.compile(r"[A-Za-z](?<!binomial)\(.*,|0[xbo][0-9a-f]")
"""`C(12, 1)`, `0xc`: no products."""
SHORT_WORD = re.compile(r"(?<![A-Za-z])[A-Za-z]{2,3}(?![A-Za-z])")
VOWELS, FACTORS = frozenset("aeiouy"), frozenset("abcxyzei")
"""`xy` and `2mn` are products of letters; `72 red`, `not 72` and `12/day` have words."""
NO_NUMBER = re.compile(r"nan|null|undefined|dne", re.IGNORECASE)
LONE_CONSTANT = re.compile(r"[-+]?(?:pi|oo)")
LETTER_OR_CONSTANT = frozenset("eiEI")
DECIMAL_COMMA = re.compile(r"([+-]?[0-9]+),([0-9]+)")
PARTED = re.compile(r"[+-]?[0-9]+(?:[.,][0-9]+){2,}")
"""`1.234,5`, `1,23,456`: numbers as some countries write them, or lists."""
LETTERS = re.compile(r"[A-Za-z]+")
WORDS = frozenset(
    "sqrt sin cos tan cot sec csc asin acos atan sinh cosh tanh exp log ln pi oo abs Abs cbrt arcsin arccos arctan "
    "binomial factorial floor ceiling Rational or and in U C1 Interval Union open Lopen Ropen EmptySet Matrix".split()
)
"""The words of mathematics; any other word of more than three letters makes a text no mathematics."""
OPERATOR = re.compile(r"[-+*/^=<>!|]|[0-9]|[({\[]")
NO_MATHEMATICS = re.compile(
    r".*[0-9]{4}-[0-9]{2}-[0-9]{2}.*|[a-z]([-/+*])[a-z](?:\1[a-z])+|(?:[a-z]+[-/+*])*[a-z]{2,}(?:[-/+*][a-z]+)+"
    r"|(?:[a-z]+[-/+*])+[a-z]{2,}(?:[-/+*][a-z]+)*|[^{]*:.*|.*[^0-9.]0[0-9].*"
)
"""Dates, words spelled or joined (`c-a-t`, `red/cap`), times: to be compared as texts."""
PERCENT = re.compile(
    r"\b(?:what|which) percent(?:age)?\b|\bas a percent|\bpercentage\b|\bhow many percent\b", re.IGNORECASE
)
STEPS = re.compile(r"\s*(?:\n|\\\\(?![a-z]*\{)|=>|⟹|⇒|\\implies|\\Rightarrow)\s*")
EXPRESSION = re.compile(r"(?:[0-9]|(?<![a-z])[xyznkt](?![a-z])|[-+*/^() ])+")
BEYOND = re.compile(r"[0-9a-z)] ?[a-z(]|[a-z)] ?[0-9]|(?:\^|\*\*) ?[^0-9 ]")
"""What `compare_expressions.py` can't read: products without a sign, exponents that are no numbers."""
FORMS = {"expansion": "expanded", "square_expansion": "expanded", "factorization": "factored"}
"""Families whose task is a form: an equal answer in another form has not done it."""
POLYNOMIALS, ALGEBRA = "agent0es.taskdomains.math.compare_expressions", "agent0es.taskdomains.math.derivation"
"""The programs for the sandbox: a short one, and one that knows more."""
LOWEST_TERMS = frozenset({"fraction_simplification"})


def judge(answer: str | None, task: Task) -> Verification | NeedsCall:
    """The judgement of an answer, or the program that makes it. Pure, and never raises."""
    if (found := unread(answer, LONGEST)) is not None:
        return found
    assert answer is not None, "unread judges that"
    given, true = clean(answer), clean(task.reference)
    if given == true or answer.strip() == task.reference:
        return judged(True, "exact", f"the answer is {task.reference}")
    goal = plain(task.reference)
    if _is_text(given, true, goal):
        return _told(same_text(given, true), "exact", given, task)
    lines = [] if "\\begin" in answer else [_line(line) for line in STEPS.split(given) if line.strip()]
    if len(lines) > 1:
        return _judge_lines(lines, goal, answer, task)
    return _judge_line(plain(answer), goal, given, task)


def conclude(status: str, output: str, answer: str | None, task: Task) -> Verification:
    """The judgement, from the sandboxed program's output; undecided for anything but a verdict."""
    given = short(clean(answer or ""))
    unclear = f"{given} could not be compared with {short(task.reference)}"
    if status != "ok":
        return judged(None, "symbolic", f"{unclear}: the comparison ended with {status}")
    simple: dict[str, bool | None] = {"true": True, "false": False, "undecided": None}
    if output.strip() in simple:
        verdict = simple[output.strip()]
        return judged(verdict, "symbolic", unclear if verdict is None else compared(given, task.reference, verdict))
    try:
        found = json.loads(output)
        correct, why, steps = found["correct"], str(found["why"]), found.get("steps", [])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return judged(None, "symbolic", unclear)
    if not isinstance(correct, bool | None) or not isinstance(steps, list):
        return judged(None, "symbolic", unclear)
    if correct is None:
        explanation = f"{unclear}: {short(why, 120)}" if why else unclear
    else:
        explanation = why if steps and why else compared(clean(answer or ""), task.reference, correct)
    breakdown = {f"step {i}": float(step is True) for i, step in enumerate(steps, 1)}
    return judged(correct, "symbolic", short(explanation, 300), breakdown)


def normal_form(answer: str | None) -> str | None:
    """One text for answers that say the same: numbers in lowest terms, lists without spaces. None for no answer."""
    if answer is None or not answer.strip():
        return None
    given = clean(answer[:LONGEST])
    listed = BRACKETED.fullmatch(given)
    if listed:
        return f"[{','.join(key(item) for item in _items(given))}]"
    return key(given)


def is_mathematics(text: str) -> bool:
    """Whether a reference in plain notation is mathematics or a number with a unit, rather than words."""
    if text in LETTER_OR_CONSTANT or LONE_CONSTANT.fullmatch(text):
        return True
    quantity = read_quantity(text)
    if quantity is not None and quantity.written:
        return True
    return not NO_MATHEMATICS.fullmatch(text) and _readable(text)


def _is_text(given: str, true: str, goal: str) -> bool:
    """Whether the true answer is to be compared as a text: a word, a truth, a date, or a letter beside a letter."""
    if len(true) > LONGEST or BASED.fullmatch(true) or not (is_mathematics(goal) or shape(goal) is REALS):
        return True
    return goal in LETTER_OR_CONSTANT and given.isalpha() and given.lower() != goal.lower()


def _readable(text: str) -> bool:
    """Whether a text may be mathematics: the letters are unknowns, constants or the names of functions."""
    return bool(OPERATOR.search(text)) and _known_words(text)


def _known_words(text: str) -> bool:
    if not text.isascii() or '"' in text or "'" in text:
        return False
    return all(len(word) == 1 or word in WORDS or _product_of_letters(word, text) for word in LETTERS.findall(text))


def _product_of_letters(word: str, text: str) -> bool:
    """`xy`, `abc`: where there is more than words with hyphens between them."""
    return (len(word) == 2 or (len(word) == 3 and word.islower())) and bool(re.search(r"[+*/^=<>0-9(]", text))


def _judge_line(given: str, goal: str, shown: str, task: Task) -> Verification | NeedsCall:
    if tight(given) == tight(goal) and not _unreduced(given, task):
        return judged(True, "exact", f"the answer is {task.reference}")
    settings = _settings(task)
    method = "exact" if read_quantity(goal) is None else "numeric"
    if LEFT_OUT.search(given):
        return judged(None, method, f"{short(shown)} leaves something out")
    leaf = _Leaf(bool(PERCENT.search(task.description)), settings["worked_out"])
    same, open_ = leaf.whole(given, goal), False
    if same is None and not leaf.open and "\\" not in given:  # what LaTeX is left is for math_verify
        given_shape, true_shape = shape(given), shape(goal)
        open_ = not all(_understood(text, goal) for text in _leaves(given_shape)) or _measures(goal)
        same = None if open_ else same_reals(given_shape, true_shape, value_of)
        if same is None and not open_:
            same = compare(
                given_shape,
                true_shape,
                leaf.part,
                unordered=settings["unordered"],
                python_list=settings["python_list"],
            )
        if all(map(read_quantity, (*_leaves(given_shape), *_leaves(true_shape)))):
            open_ = True  # algebra knows no more of numbers
    if same is True and _unreduced(given, task):
        return judged(False, method, f"{short(shown)} is not in lowest terms")
    if same is not None:
        return _told(same, method, shown, task)
    if open_ or leaf.open:
        return _told(None, method, shown, task, leaf.open or "it says more than is understood")
    raw = safe_latex(shown)
    if "\\" in given and not raw:
        return _told(None, "symbolic", shown, task, "it has LaTeX that can't be read")
    if len(given) > LONGEST_SYMBOLIC or len(goal) > LONGEST_SYMBOLIC:
        return judged(None, "symbolic", f"{short(shown)} is too long to compare with {short(task.reference)}")
    return _program(given, goal, raw, settings)


def _line(text: str) -> str:
    """A line of a derivation; the sign at its beginning says that it continues."""
    return f"= {plain(text)}" if text.lstrip().startswith("=") else plain(text)


def _judge_lines(lines: list[str], goal: str, answer: str, task: Task) -> Verification | NeedsCall:
    """An answer of several lines is a derivation. Lines that are all bare numbers are several answers."""
    if len({read_number(line) for line in lines} - {None}) == len(set(lines)) > 1:
        if shape(goal).kind in ("bare", "list", "set"):
            return _judge_line(", ".join(lines), goal, answer, task)
        return judged(False, "numeric", f"{len(lines)} numbers are not the answer {task.reference}")
    if not all(re.search(r"[0-9a-z]", line) for line in lines) or len(lines) > MOST_LINES:
        return judged(None, "symbolic", f"{short(answer)} has lines that can't be checked")
    if sum(map(len, lines)) > LONGEST_SYMBOLIC * 2:
        return judged(None, "symbolic", f"{short(answer)} is too long to check")
    if not all(map(_readable, lines)):
        return _told(None, "symbolic", answer, task, "not every line is mathematics")
    return _program("\n".join(lines), goal, "", _settings(task))


def _settings(task: Task) -> dict[str, Any]:
    """What the task says about its answer beyond its value."""
    action = task.reference_action
    integral = action.startswith("math[integrate(") and ", (" not in action
    return {
        "unordered": action.startswith("math[solve"),
        "python_list": bool(action),
        "form": FORMS.get(task.family, ""),
        "worked_out": bool(action),
        "antiderivative": integral or bool(re.search(r"\+ ?C\b", task.reference)),
    }


class _Leaf:
    """The leaf of a comparison in-process: decided where the true part is a quantity and the given one is one, or can't
    be; None for algebra."""

    def __init__(self, asks_percent: bool, worked_out: bool) -> None:
        self.asks_percent = asks_percent
        self.worked_out = worked_out
        self.open = ""
        """Why it can't be decided at all, where algebra can't either."""

    def whole(self, given: str, true: str) -> bool | None:
        """The judgement of a whole answer that is one quantity, or a line of equal ones: `17*25 = 425`."""
        goal = read_quantity(true)
        if goal is None:
            return None
        comma = DECIMAL_COMMA.fullmatch(given)
        if comma and read_quantity(given) is None and read_number(f"{comma[1]}.{comma[2]}") == goal.value:
            self.open = "a comma may part decimals or a list"
            return None
        if PARTED.fullmatch(given) and read_quantity(given) is None:
            if re.sub("[.,]", "", given) == re.sub("[.,]", "", goal.number):
                self.open = "its commas and points can be read in two ways"
            return None
        values = [read_quantity(part.strip()) for part in given.split("=")]
        known = [value for value in values if value is not None]
        if len(known) < len(values):
            return None
        for before, after in pairwise(known):
            if same_quantity(before, after) is False and same_quantity(after, before) is False:
                return False
        return self._same(known[-1], goal)

    def part(self, given: str, true: str) -> bool | None:
        """The judgement of one part of an answer."""
        goal, value = read_quantity(true), read_quantity(given)
        if INFINITE.fullmatch(true) and INFINITE.fullmatch(given):
            return given.startswith("-") == true.startswith("-")
        if goal is None:
            return True if tight(given) == tight(true) else None
        if value is not None:
            return self._same(value, goal)
        if goal.dimension is not None or goal.unit == "%":
            self.open = "a unit is missing or unknown"
            return None
        words = LETTERS.findall(given)
        if re.search("//|[<>]| in ", given):
            self.open = "it is no number"
            return None
        if NO_ARITHMETIC.fullmatch(given) or INFINITE.fullmatch(given) or NO_NUMBER.fullmatch(given):
            return False
        if "=" in given or "!" in given:
            return None
        return False if words and all(len(word) == 1 and word not in LETTER_OR_CONSTANT for word in words) else None

    def _same(self, given: Quantity, true: Quantity) -> bool | None:
        same = same_quantity(given, true, self.asks_percent)
        if same is None:
            self.open = "a unit is missing or unknown"
        return same and (given.written or not self.worked_out)


def _leaves(one: Shape) -> list[str]:
    """The texts that a shape is made of."""
    return [one.text] if not one.items and one.kind != "set" else [text for item in one.items for text in _leaves(item)]


def _measures(text: str) -> bool:
    """Whether a unit stands behind what is no number: `16pi cm^2`."""
    behind = UNIT_BEHIND.fullmatch(text)
    return behind is not None and behind[1] in UNITS and read_quantity(text) is None


def _understood(text: str, goal: str) -> bool:
    """Whether a part of an answer is mathematics or a quantity, so that it may be called wrong."""
    if not text.strip("[]() ") or INFINITE.fullmatch(text) or NO_NUMBER.fullmatch(text):
        return True
    if read_quantity(text) is not None:
        return True
    unknown = re.fullmatch(r"[0-9.,]+ ([A-Za-z])", text)
    if unknown and unknown[1] in LETTERS.findall(re.sub("([A-Za-z])", r" \1 ", goal)):
        return True  # 2 x, where x is asked about
    if _measures(text) or ("," in text and not re.search(r"[A-Za-z]{2,}\(", text)):
        return False
    if re.search(r"[:\[{]", text) or UNIT_MEANT.fullmatch(text) or CALL_OR_BASE.search(text) or not _known_words(text):
        return False
    return all(
        word in WORDS or VOWELS.isdisjoint(word) or FACTORS.issuperset(word) for word in SHORT_WORD.findall(text)
    )


def _unreduced(given: str, task: Task) -> bool:
    """Whether a fraction that was to be simplified is not."""
    if task.family not in LOWEST_TERMS:
        return False
    value = read_number(given)
    parts = re.fullmatch(r"[+-]?([0-9]+) ?/ ?([0-9]+)", given)
    return value is not None and parts is not None and int(parts[2]) != value.denominator


def _items(text: str) -> list[str]:
    """The items of a list, with or without its brackets."""
    bracketed = BRACKETED.fullmatch(text)
    inner = (bracketed[1] or bracketed[2] or "") if bracketed else text
    return [clean(item) for item in inner.split(",")] if inner.strip() else []


def _program(given: str, true: str, raw: str, settings: Mapping[str, Any]) -> NeedsCall:
    """The comparing program with the texts as its data: the short one where it suffices."""
    simple = all(EXPRESSION.fullmatch(text) and not BEYOND.search(text) for text in (given, true))
    if simple and not settings["antiderivative"]:
        return needs_program(POLYNOMIALS, given=given, true=true, form=settings["form"])
    return needs_program(ALGEBRA, given=given, true=true, raw=raw, settings=dict(settings))


def _told(
    same: bool | None, method: str, given: str, task: Task, why: str = "it says more than is understood"
) -> Verification:
    """A judgement in the usual words."""
    if same is None:
        return judged(None, method, f"{short(given)} could not be compared with {short(task.reference)}: {why}")
    return judged(same, method, compared(given, task.reference, same))

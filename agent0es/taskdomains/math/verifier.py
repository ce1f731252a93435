"""Whether an answer is right, by text, by number or, in the sandbox, by algebra.

The answer was written by a model. It is split and compared as text and as numbers here, and never evaluated: where a
number doesn't settle it, a program for the sandbox (`LIBRARY`) gets it as a string literal. That program builds
expressions from the characters and runs nothing of them either.

A mathematically equal answer in another form is right, except where a family asks for a form.
"""

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from agent0es.domain.task import Task, Verification
from agent0es.taskdomains.base import NeedsCall
from agent0es.taskdomains.math.notation import clean, plain
from agent0es.taskdomains.math.shapes import Shape, compare, shape
from agent0es.taskdomains.math.units import read_number, same_quantity, split_unit

LONGEST = 2000
"""Characters; no answer of this domain is nearly as long."""
LONGEST_SYMBOLIC = 600
MOST_LINES = 30

BRACKETED = re.compile(r"\[([^\[\]()]*)\]|\(([^\[\]()]*,[^\[\]()]*)\)")
BASED = re.compile(r"0[bxo][0-9a-f]+")
UNKNOWN = re.compile(r"[a-z] ?= ?", re.IGNORECASE)
BARE_ARITHMETIC = re.compile(r"[-+*/^0-9.,() e]*", re.IGNORECASE)
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
TRUTHS = {"true": True, "yes": True, "false": False, "no": False}
PERCENT = re.compile(
    r"\b(?:what|which) percent(?:age)?\b|\bas a percent|\bpercentage\b|\bhow many percent\b", re.IGNORECASE
)
STEPS = re.compile(r"\s*(?:\n|\\\\(?![a-z]*\{)|=>|⟹|⇒|\\implies|\\Rightarrow)\s*")
EXPRESSION = re.compile(r"(?:[0-9]|(?<![a-z])[xyznkt](?![a-z])|[-+*/^() ])+")
BEYOND = re.compile(r"[0-9a-z)] ?[a-z(]|[a-z)] ?[0-9]|(?:\^|\*\*) ?[^0-9 ]")
"""What `compare_expressions.py` can't read: products without a sign, exponents that are no numbers."""
FORMS = {"expansion": "expanded", "square_expansion": "expanded", "factorization": "factored"}
"""Families whose task is a form: an equal answer in another form has not done it."""
LIBRARY = ("shapes", "reader", "algebra", "derivation")
"""Modules of the program for the sandbox, each after those that it needs."""
LOWEST_TERMS = frozenset({"fraction_simplification"})


def judge(answer: str | None, task: Task) -> Verification | NeedsCall:
    """The judgement of an answer, or the program that makes it. Pure, and never raises."""
    if answer is None or not answer.strip():
        return _judged(False, "none", "no answer was given")
    if len(answer) > LONGEST:
        return _judged(None, "exact", f"the answer has {len(answer)} characters: too long to judge")
    given, true = clean(answer), task.reference
    if given == true:
        return _judged(True, "exact", f"the answer is {true}")
    if BASED.fullmatch(true):
        same = given.lower() in (true, true[2:])
        return _judged(same, "exact", _compared(given, true, same))
    if true.lower() in ("true", "false"):
        same = TRUTHS.get(given.lower()) is TRUTHS[true.lower()]
        return _judged(same, "exact", _compared(given, true, same))
    goal = plain(true)
    if len(true) > LONGEST or not is_mathematics(goal):
        same = " ".join(given.split()) == true
        return _judged(same, "exact", _compared(given, true, same))
    matrix = "\\begin" in answer
    lines = [] if matrix else [plain(line) for line in STEPS.split(answer.strip()) if line.strip()]
    if len(lines) > 1:
        return _judge_lines(lines, goal, answer, task)
    return _judge_line(plain(answer), goal, given, task)


def conclude(status: str, output: str, answer: str | None, task: Task) -> Verification:
    """The judgement that the sandboxed program's output comes to; undecided for anything but a verdict."""
    given = _short(clean(answer or ""))
    unclear = f"{given} could not be compared with {_short(task.reference)}"
    if status != "ok":
        return _judged(None, "symbolic", f"{unclear}: the comparison ended with {status}")
    simple: dict[str, bool | None] = {"true": True, "false": False, "undecided": None}
    if output.strip() in simple:
        verdict = simple[output.strip()]
        return _judged(verdict, "symbolic", unclear if verdict is None else _compared(given, task.reference, verdict))
    try:
        found = json.loads(output)
        correct, why, steps = found["correct"], str(found["why"]), found.get("steps", [])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return _judged(None, "symbolic", unclear)
    if not isinstance(correct, bool | None) or not isinstance(steps, list):
        return _judged(None, "symbolic", unclear)
    if correct is None:
        explanation = f"{unclear}: {_short(why)}" if why else unclear
    else:
        explanation = why if steps and why else _compared(clean(answer or ""), task.reference, correct)
    breakdown = {f"step {i}": float(step is True) for i, step in enumerate(steps, 1)}
    return _judged(correct, "symbolic", _short(explanation, 300), breakdown)


def normal_form(answer: str | None) -> str | None:
    """One text for answers that say the same: numbers in lowest terms, lists without spaces. None for no answer."""
    if answer is None or not answer.strip():
        return None
    given = clean(answer[:LONGEST])
    listed = BRACKETED.fullmatch(given)
    if listed:
        return f"[{','.join(_canonical(item) for item in _items(given))}]"
    return _canonical(given)


def is_mathematics(text: str) -> bool:
    """Whether a reference in plain notation is mathematics or a number with a unit, rather than words."""
    number, unit = split_unit(text)
    if unit is not None and read_number(number) is not None:
        return True
    return not NO_MATHEMATICS.fullmatch(text) and _readable(text)


def _readable(text: str) -> bool:
    """Whether a text may be mathematics: the letters are unknowns, constants or the names of functions."""
    if not text.isascii() or not OPERATOR.search(text) or '"' in text or "'" in text:
        return False
    return all(len(word) == 1 or word in WORDS or _product_of_letters(word, text) for word in LETTERS.findall(text))


def _product_of_letters(word: str, text: str) -> bool:
    """`xy`, `abc`: where there is more than words with hyphens between them."""
    return len(word) <= 3 and word.islower() and bool(re.search(r"[+*/^=<>0-9(]", text))


def _judge_line(given: str, goal: str, shown: str, task: Task) -> Verification | NeedsCall:
    true = task.reference
    if _tight(given) == _tight(goal) and not _unreduced(given, task):
        return _judged(True, "exact", f"the answer is {true}")
    settings = _settings(task)
    given_shape, true_shape = shape(given), shape(goal)
    numeric = read_number(split_unit(goal)[0]) is not None
    if true_shape.kind == "value" and read_number(split_unit(given)[0]) is not None:
        given_shape = Shape("value", text=given)  # the commas of 1,234,567 part no list
    asks_percent = bool(PERCENT.search(task.description))
    same = None
    if "\\" not in given:  # what LaTeX is left is for math_verify
        same = compare(
            given_shape,
            true_shape,
            lambda one, other: _same_number(one, other, asks_percent),
            unordered=settings["unordered"],
            python_list=settings["python_list"],
        )
    method = "numeric" if numeric else "exact"
    if same is True and _unreduced(given, task):
        return _judged(False, method, f"{_short(shown)} is not in lowest terms")
    if same is not None:
        return _judged(same, method, _compared(shown, true, same))
    if split_unit(goal)[1] is not None or (numeric and split_unit(given)[1] not in (None, "thing")):
        return _judged(
            None, "numeric", f"{_short(shown)} could not be compared with {true}: a unit is missing or unknown"
        )
    if not _readable(given) and "\\" not in given and not LETTERS.fullmatch(given):
        return _judged(False, "symbolic", f"{_short(shown)} is not an expression like {true}")
    if len(given) > LONGEST_SYMBOLIC or len(goal) > LONGEST_SYMBOLIC:
        return _judged(None, "symbolic", f"{_short(shown)} is too long to compare with {_short(true)}")
    return NeedsCall("python", _program(given, goal, shown, settings))


def _judge_lines(lines: list[str], goal: str, answer: str, task: Task) -> Verification | NeedsCall:
    """An answer of several lines is a derivation. Lines that are all bare numbers are several answers."""
    if all(read_number(line) is not None for line in lines):
        return _judged(False, "numeric", f"{len(lines)} numbers are not the answer {task.reference}")
    if not all(re.search(r"[0-9a-z]", line) for line in lines) or len(lines) > MOST_LINES:
        return _judged(None, "symbolic", f"{_short(answer)} has lines that can't be checked")
    if sum(map(len, lines)) > LONGEST_SYMBOLIC * 2:
        return _judged(None, "symbolic", f"{_short(answer)} is too long to check")
    if not all(map(_readable, lines)):
        return _judged(False, "symbolic", f"{_short(answer)} is not mathematics line by line")
    return NeedsCall("python", _program("\n".join(lines), goal, "", _settings(task)))


def _settings(task: Task) -> dict[str, Any]:
    """What the task says about its answer beyond its value."""
    action = task.reference_action
    integral = action.startswith("math[integrate(") and ", (" not in action
    return {
        "unordered": action.startswith("math[solve"),
        "python_list": bool(action),
        "form": FORMS.get(task.family, ""),
        "antiderivative": integral or bool(re.search(r"\+ ?C\b", task.reference)),
    }


def _same_number(given: str, true: str, asks_percent: bool) -> bool | None:
    """The leaf of a comparison in-process: decided where the true part is a number and the given one is one, or can't
    be; None for algebra."""
    quantity = same_quantity(given, true, asks_percent)
    if quantity is not None:
        return quantity
    wanted, unit = split_unit(true)
    goal = read_number(wanted)
    if goal is None:
        return True if _tight(given) == _tight(true) else None
    if read_number(split_unit(given)[0]) is not None:
        return None
    if BARE_ARITHMETIC.fullmatch(given):
        return False  # a sum is not its result; and no number was read
    words = LETTERS.findall(given)
    known = all(len(word) == 1 or word in WORDS for word in words) and any(word in {*WORDS, "e", "i"} for word in words)
    return None if known and given.isascii() and unit is None else False


def _unreduced(given: str, task: Task) -> bool:
    """Whether a fraction that was to be simplified is not."""
    if task.family not in LOWEST_TERMS:
        return False
    value = read_number(given)
    parts = re.fullmatch(r"[+-]?([0-9]+) ?/ ?([0-9]+)", given)
    return value is not None and parts is not None and int(parts[2]) != value.denominator


def _tight(text: str) -> str:
    """The text without spaces beside signs; `1 2` is not `12`."""
    return re.sub(r" ?([^\w ]) ?", r"\1", " ".join(text.split()))


def _items(text: str) -> list[str]:
    """The items of a list, with or without its brackets."""
    bracketed = BRACKETED.fullmatch(text)
    inner = (bracketed[1] or bracketed[2] or "") if bracketed else text
    return [clean(item) for item in inner.split(",")] if inner.strip() else []


def _canonical(text: str) -> str:
    number = read_number(text)
    return " ".join(text.split()) if number is None else str(number)


def _program(given: str, true: str, raw: str, settings: Mapping[str, Any]) -> str:
    """The comparing program with all texts in it as string literals: the short one where it suffices."""
    simple = all(EXPRESSION.fullmatch(text) and not BEYOND.search(text) for text in (given, true))
    if simple and not settings["antiderivative"]:
        body = Path(__file__).with_name("compare_expressions.py").read_text(encoding="utf-8")
        return f"{body}\nprint(compare({given!a}, {true!a}, {settings['form']!a}))\n"
    call = f"judge({given!a}, {true!a}, {raw!a}, {dict(settings)!r})"
    return f"{_library()}\nimport json\nprint(json.dumps({call}))\n"


@cache
def _library() -> str:
    """The modules of `LIBRARY` in one, without docstrings and with one space for four: the log keeps what was run.

    By text, not by syntax tree, so that every version of Python makes the same program.
    """
    texts = [Path(__file__).with_name(f"{name}.py").read_text(encoding="utf-8") for name in LIBRARY]
    text = re.sub(r"^from agent0es\S+ import (?:\([^)]*\)|.*)\n", "", "\n".join(texts), flags=re.MULTILINE)
    text = re.sub(r'"""(?:.|\n)*?"""', '""', text)
    text = re.sub(r"^(?: {4})+", lambda indent: " " * (len(indent[0]) // 4), text, flags=re.MULTILINE)
    return re.sub(r"\n\n+", "\n", text)


def _judged(
    correct: bool | None, method: str, explanation: str, breakdown: Mapping[str, float] | None = None
) -> Verification:
    return Verification.model_validate(
        {
            "correct": correct,
            "score": float(correct is True),
            "confidence": 0.0 if correct is None else 1.0,
            "method": method,
            "explanation": explanation,
            "breakdown": dict(breakdown or {}),
        }
    )


def _compared(given: str, true: str, same: bool) -> str:
    return f"{_short(given)} equals {_short(true)}" if same else f"{_short(given)} is not {_short(true)}"


def _short(text: str, length: int = 60) -> str:
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return line if len(line) <= length else line[:length] + "…"

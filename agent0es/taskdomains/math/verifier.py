"""Whether an answer is right, by text, by number or, in the sandbox, by algebra.

The answer was written by a model. It is compared as text and as a number here, and never evaluated: reading it as
algebra is left to a program for the sandbox, which builds the expression from the nodes of its syntax tree and runs
nothing of it either. A mathematically equal answer in another form (`(x + 3)*(x + 4)` where an expansion was asked
for) is undecided, because this module does not know which forms a task allows.
"""

import re
from fractions import Fraction
from pathlib import Path

from agent0es.domain.task import Task, Verification
from agent0es.taskdomains.base import NeedsCall

LONGEST = 2000
"""Characters; no answer of this domain is nearly as long."""
LONGEST_SYMBOLIC = 200
TOLERANCE = Fraction(1, 10**6)
"""Relative, and only where the true answer is a decimal that is not whole."""

NUMBER = re.compile(r"[+-]?(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]*)?(?:e[+-]?[0-9]{1,2})?", re.IGNORECASE)
RATIO = re.compile(r"([+-]?[0-9]+) ?/ ?([0-9]+)")
UNIT = re.compile(
    r"(.*[0-9]) ?(?:dollars?|pens?|balls?|books?|letters?|characters?|vowels?|words?|digits?|numbers?|times|days?"
    r"|weeks?|hours?|minutes?|seconds?|degrees?|°C|°F|C|F|cm|km|m)"
)
BRACKETED = re.compile(r"\[([^\[\]()]*)\]|\(([^\[\]()]*,[^\[\]()]*)\)")
BASED = re.compile(r"0[bxo][0-9a-f]+")
UNKNOWN = re.compile(r"[a-z] ?= ?", re.IGNORECASE)
EXPRESSION = re.compile(r"(?:[0-9]|(?<![a-z])[xyznkt](?![a-z])|[-+*/^() ])+")
SYMBOL = re.compile(r"[xyznkt]")
OPERATOR = re.compile(r"[-+*/^]")


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
    if BRACKETED.fullmatch(true):
        return _judge_list(given, true)
    number = read_number(true)
    if number is not None:
        same = _same_number(given, true, number)
        return _judged(same, "numeric", _compared(given, true, same))
    if _is_expression(true):
        if "".join(given.split()) == "".join(true.split()):
            return _judged(True, "exact", f"the answer is {true}")
        if len(given) <= LONGEST_SYMBOLIC and EXPRESSION.fullmatch(given):
            return NeedsCall("python", _program(given, true))
        return _judged(False, "symbolic", f"{_short(given)} is not an expression like {true}")
    same = " ".join(given.split()) == true
    return _judged(same, "exact", _compared(given, true, same))


def judge_symbolic(output: str, answer: str | None, task: Task) -> Verification:
    """The judgement that the sandboxed program's output comes to; undecided for anything but `true` or `false`."""
    given = clean(answer or "")
    verdict = {"true": True, "false": False}.get(output.strip())
    if verdict is None:
        return _judged(None, "symbolic", f"{_short(given)} could not be compared with {task.reference}")
    return _judged(verdict, "symbolic", _compared(given, task.reference, verdict))


def normal_form(answer: str | None) -> str | None:
    """One text for answers that say the same: numbers in lowest terms, lists without spaces. None for no answer."""
    if answer is None or not answer.strip():
        return None
    given = clean(answer[:LONGEST])
    listed = BRACKETED.fullmatch(given)
    if listed:
        return f"[{','.join(_canonical(item) for item in _items(given))}]"
    return _canonical(given)


def clean(text: str) -> str:
    """The answer without what says nothing: spaces around, quotes, `$`, a full stop at the end, exotic minus signs."""
    text = re.sub(r"[\u2010-\u2015\u2212]", "-", text).strip()
    text = text.removesuffix(".").strip().strip("$`").strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        text = text[1:-1]
    return text


def read_number(text: str) -> Fraction | None:
    """The exact value of an integer, decimal or ratio, `1,234`, `0.75`, `3/4`; None for anything else."""
    ratio = RATIO.fullmatch(text)
    if ratio:
        return Fraction(int(ratio[1]), int(ratio[2])) if int(ratio[2]) else None
    return Fraction(text.replace(",", "")) if NUMBER.fullmatch(text) else None


def _same_number(given: str, true: str, number: Fraction) -> bool:
    """Equal; or near enough, where the true answer is printed as a decimal and is not whole."""
    unknown = UNKNOWN.match(given)
    unit = UNIT.fullmatch(given)
    value = read_number(unit[1].strip() if unit else given[unknown.end() :] if unknown else given)
    if value is None:
        return False
    if "/" in true or number.denominator == 1:
        return value == number
    return abs(value - number) <= TOLERANCE * abs(number)


def _judge_list(given: str, true: str) -> Verification:
    wanted, items = _items(true), _items(given)
    same = len(items) == len(wanted) and all(map(_same_item, items, wanted))
    return _judged(same, "exact", _compared(given, true, same))


def _same_item(given: str, true: str) -> bool:
    number = read_number(true)
    return given == true if number is None else _same_number(given, true, number)


def _items(text: str) -> list[str]:
    """The items of a list, with or without its brackets."""
    bracketed = BRACKETED.fullmatch(text)
    inner = (bracketed[1] or bracketed[2] or "") if bracketed else text
    return [clean(item) for item in inner.split(",")] if inner.strip() else []


def _canonical(text: str) -> str:
    number = read_number(text)
    return " ".join(text.split()) if number is None else str(number)


def _is_expression(text: str) -> bool:
    return bool(EXPRESSION.fullmatch(text) and SYMBOL.search(text) and OPERATOR.search(text))


def _program(given: str, true: str) -> str:
    """The comparing program with both texts in it as string literals."""
    body = Path(__file__).with_name("compare_expressions.py").read_text(encoding="utf-8")
    return f"{body}\nprint(compare({given!a}, {true!a}))\n"


def _judged(correct: bool | None, method: str, explanation: str) -> Verification:
    return Verification.model_validate(
        {
            "correct": correct,
            "score": float(correct is True),
            "confidence": 0.0 if correct is None else 1.0,
            "method": method,
            "explanation": explanation,
        }
    )


def _compared(given: str, true: str, same: bool) -> str:
    return f"{_short(given)} equals {true}" if same else f"{_short(given)} is not {true}"


def _short(text: str) -> str:
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return line if len(line) <= 60 else line[:60] + "…"

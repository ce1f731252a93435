"""Whether an answer is right: the same number, text or list as the reference. In-process; nothing is evaluated.

The library's scorers are not used: some evaluate the answer, and most give credit for what merely looks like it.
"""

import re
from collections.abc import Callable
from fractions import Fraction

from agent0es.domain.task import Verification
from agent0es.taskdomains.judging import LONGEST, compared, judged, short, unread
from agent0es.taskdomains.math.notation import clean, plain
from agent0es.taskdomains.math.units import Quantity, read_quantity, same_quantity
from agent0es.taskdomains.numbers import read_number
from agent0es.taskdomains.reasoning_gym.families.common import Compare

HEXADECIMAL = re.compile(r"([+-]?)(?:0x)?([0-9a-f]+)", re.IGNORECASE)
PLAIN_NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?")
FACTORS = re.compile(r"[×·*x]")
WORDS = frozenset("true false monday tuesday wednesday thursday friday saturday sunday".split())
"""Answers where case does not count."""


def judge(answer: str | None, reference: str, compare: Compare) -> Verification:
    """The judgement of an answer. Pure, and never raises."""
    method = "numeric" if compare in ("number", "hexadecimal") else "exact"
    if (found := unread(answer, LONGEST, method)) is not None:
        return found
    assert answer is not None, "unread judges that"
    given = clean(answer)
    if reference in (given, answer.strip()) or SAME[compare](given, reference):
        return judged(True, method, compared(given, reference, True))
    if _says_more(given, reference):
        return judged(None, method, f"{short(given)} says more than {short(reference)}, and is not understood")
    return judged(False, method, compared(given, reference, False))


def compare_of(reference: str) -> Compare:
    """How to compare with a reference when nothing else is known of it."""
    if read_number(reference) is not None:
        return "number"
    return "factors" if "×" in reference else "hexadecimal" if "0x" in reference else "items"


def normal_form(answer: str | None) -> str | None:
    """One text for answers that say the same: numbers by value, white space and brackets apart. None for no answer."""
    if answer is None or not answer.strip():
        return None
    given = clean(answer[:LONGEST])
    if given.lower() in WORDS:
        return given.lower()
    return ",".join(map(_canonical, _items(given))) if "," in given else _canonical(given)


def _says_more(given: str, reference: str) -> bool:
    """Whether a sentence has the true answer in it: it may say that it is so, or that it isn't."""
    words, wanted = given.lower().split(), reference.lower().split()
    runs = (words[i : i + len(wanted)] for i in range(len(words) - len(wanted) + 1))
    spoken = any(re.fullmatch(r"[a-z]{2,}", word) and word not in wanted for word in words)
    return len(words) > len(wanted) and spoken and wanted in [[word.strip(".,:;!") for word in run] for run in runs]


def _same_number(given: str, reference: str) -> bool:
    value, goal = read_quantity(plain(given)), read_number(reference)
    if value is None or goal is None or not value.written:
        return False
    return same_quantity(value, Quantity(goal, reference)) is True and value.value == goal


def _same_digits(given: str, reference: str) -> bool:
    digits = HEXADECIMAL.fullmatch(given), HEXADECIMAL.fullmatch(reference)
    one, other = (None if found is None else int(found[1] + found[2], 16) for found in digits)
    return one is not None and one == other


def _same_text(given: str, reference: str) -> bool:
    one, other = " ".join(given.split()), " ".join(reference.split())
    return one == other or (other.lower() in WORDS and one.lower() == other.lower())


def _same_items(given: str, reference: str) -> bool:
    return _same_text(given, reference) or [*map(_canonical, _items(given))] == [*map(_canonical, _items(reference))]


def _same_factors(given: str, reference: str) -> bool:
    one, other = (sorted(_canonical(clean(factor)) for factor in FACTORS.split(text)) for text in (given, reference))
    return one == other


SAME: dict[Compare, Callable[[str, str], bool]] = {
    "number": _same_number,
    "hexadecimal": _same_digits,
    "text": _same_text,
    "items": _same_items,
    "factors": _same_factors,
}


def _items(text: str) -> list[str]:
    """The items of a list, with or without brackets and quotes: `['1', '2']` as `1, 2`."""
    inner = text[1:-1] if text[:1] == "[" and text[-1:] == "]" else text
    return [clean(item) for item in inner.split(",")] if inner.strip() else []


def _canonical(text: str) -> str:
    return str(Fraction(text)) if PLAIN_NUMBER.fullmatch(text) else " ".join(text.split())

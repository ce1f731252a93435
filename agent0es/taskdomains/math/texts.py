"""Answers that are not numbers: words, truths, dates, digits in another base, lists of texts. Nothing is evaluated.

A judgement is True, False, or None where the answer says more than is understood: a sentence is not a wrong word.
"""

import re

from agent0es.taskdomains.math.notation import plain
from agent0es.taskdomains.math.shapes import NOTHING
from agent0es.taskdomains.math.wrapping import unwrapped

TRUTHS = {
    **dict.fromkeys(("true", "yes", "correct", "t"), True),
    **dict.fromkeys(("false", "no", "incorrect", "f"), False),
}
NEITHER = frozenset("maybe perhaps unknown neither both none".split())
BASES = {"b": 2, "o": 8, "x": 16}
BASED = re.compile(r"(-?)0([bxo])([0-9a-f]+)")
IN_BASE = re.compile(r"\(?(-?)(?:0([bxo]))?([0-9a-f_ ]+?)\)?(?:_\{?\(?([0-9]{1,2})\)?\}?|([₀-₉]{1,2}))?", re.IGNORECASE)
QUOTED = re.compile(r"\s*(?:\"([^\"]*)\"|'([^']*)'|([^\"',\[\]()]+?))\s*(,|$)")
DATE = re.compile(r"[0-9]{1,4}-[0-9]{1,2}-[0-9]{1,2}")
ALTERNATIVES = re.compile(r" or | and |, ?", re.IGNORECASE)


def same_text(given: str, true: str) -> bool | None:
    """Whether an answer that `unwrapped` made is the true text."""
    given, true = " ".join(given.split()), " ".join(true.split())
    if given == true:
        return True
    if NOTHING.fullmatch(true):
        return True if NOTHING.fullmatch(plain(given)) else False if re.fullmatch(r"[-+0-9./]+", given) else None
    truth = BASED.fullmatch(true)
    if truth:
        return _same_digits(given, truth)
    if true.lower() in ("true", "false"):
        if given.lower() in TRUTHS:
            return TRUTHS[given.lower()] is TRUTHS[true.lower()]
        return False if given.lower() in NEITHER else None
    return _same_words(given, true)


def _same_digits(given: str, true: re.Match[str]) -> bool | None:
    """Digits in the base of the true ones, with or without the mark of it: `0b101`, `101`, `101_2`."""
    found = IN_BASE.fullmatch(given)
    if found is None:
        return None if re.search(r"[g-z ]", given, re.IGNORECASE) else False
    sign, mark, digits, written, lowered = found.groups()
    base = BASES[true[2]]
    named = written or (
        str(int(lowered.translate({0x2080 + digit: str(digit) for digit in range(10)}))) if lowered else ""
    )
    if (mark and BASES[mark.lower()] != base) or (named and int(named) != base):
        return None if not mark else False
    digits = re.sub("[_ ]", "", digits).lower()
    return sign == true[1] and digits.lstrip("0") == true[3].lstrip("0")


def _same_words(given: str, true: str) -> bool | None:
    if tight(given) == tight(true):
        return True
    wanted = texts_of(true)
    if wanted is not None:
        items = texts_of(given) if given[:1] in ("[", "(") else texts_of(f"[{given}]")
        if items is None or (len(items) != len(wanted) and " " in given and "," not in given):
            return None
        return items == wanted
    alternatives = [unwrapped(part) for part in ALTERNATIVES.split(given)]
    if len(alternatives) > 1 and all(len(part.split()) == 1 for part in alternatives):
        return False
    marked = set(given) & set('\\$*_{}()[]!?"') - set(true)
    understood = len(given.split()) <= max(1, len(true.split())) and not marked
    dated = DATE.fullmatch(true) and not re.fullmatch(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}|[-0-9]{1,5}", given)
    return False if understood and not dated else None


def tight(text: str) -> str:
    """The text without spaces beside signs; `1 2` is not `12`."""
    return re.sub(r" ?([^\w ]) ?", r"\1", " ".join(text.split()))


def texts_of(text: str) -> list[str] | None:
    """The items of a list in brackets, each without its quotes; None for anything else.

    `['a', 'b']`, `["a", "b"]` and `[a, b]` are the same.
    """
    if len(text) < 2 or text[0] + text[-1] not in ("[]", "()"):
        return None
    inner, items, end = text[1:-1], [], 0
    if not inner.strip():
        return []
    while end < len(inner):
        found = QUOTED.match(inner, end)
        if found is None:
            return None
        items.append(next(part for part in found.groups() if part is not None))
        end = found.end()
    return items

"""Answers that are not numbers: words, truths, dates, digits in another base, lists of texts. Nothing is evaluated.

A judgement is True, False, or None where the answer says more than is understood: a sentence is not a wrong word.
"""

import re

from agent0es.taskdomains.math.notation import plain
from agent0es.taskdomains.math.shapes import NOTHING
from agent0es.taskdomains.wrapping import unwrapped

TRUTHS = {
    **dict.fromkeys(("true", "yes", "correct", "t"), True),
    **dict.fromkeys(("false", "no", "incorrect", "f"), False),
}
NO_VALUE = frozenset({"null", "nil", "none"})
MISSING = {
    **dict.fromkeys(("dne", "does not exist", "the limit does not exist", "limit does not exist"), "no limit"),
    **dict.fromkeys(("undefined", "not defined", "is undefined", "is not defined"), "no value"),
}
"""Ways to say that there is nothing to name. What has no limit may have no value either: which was meant is open."""
NEITHER = frozenset("maybe perhaps unknown neither both none".split())
BASES = {"b": 2, "o": 8, "x": 16}
BASED = re.compile(r"(-?)0([bxo])([0-9a-f]+)")
IN_BASE = re.compile(r"\(?(-?)(?:0([bxo]))?([0-9a-f_ ]+?)\)?(?:_\{?\(?([0-9]{1,2})\)?\}?|([₀-₉]{1,2}))?", re.IGNORECASE)
QUOTED = re.compile(r"\s*(?:\"([^\"]*)\"|'([^']*)'|([^\"',\[\](){}]+?))\s*(,|$)")
NUMERIC = re.compile(r"[-+0-9./]+")
DATE = re.compile(r"[0-9]{1,4}-[0-9]{1,2}-[0-9]{1,2}")
WITH_COLONS = re.compile(r"[0-9]{1,9}(?: ?: ?[0-9]{1,9}){1,4}")
"""`3:4`, `09:30`: a ratio or a time."""
CURLY = str.maketrans("\u201c\u201d\u2018\u2019`", "\"\"'''")
ALTERNATIVES = re.compile(r" or | and |, ?", re.IGNORECASE)


def same_text(given: str, true: str) -> bool | None:
    """Whether an answer that `unwrapped` made is the true text."""
    given, true = " ".join(given.split()), " ".join(true.split())
    if given == true:
        return True
    if NOTHING.fullmatch(true):
        return True if NOTHING.fullmatch(plain(given)) else False if NUMERIC.fullmatch(given) else None
    if true.lower() in MISSING:
        same = MISSING.get(given.lower()) == MISSING[true.lower()]
        return True if same else False if NUMERIC.fullmatch(given) else None
    truth = BASED.fullmatch(true)
    if truth:
        return _same_digits(given, truth)
    if true.lower() in ("true", "false", "yes", "no"):
        if given.lower() in TRUTHS:
            return TRUTHS[given.lower()] is TRUTHS[true.lower()]
        return False if given.lower() in NEITHER else None
    if WITH_COLONS.fullmatch(true):
        return _same_with_colons(given, true)
    if all(DATE.fullmatch(text) and text[:4].isdigit() for text in (given, true)):
        return None if numbers_in(given) == numbers_in(true) else False  # the form may have been asked for
    return _same_words(given, true)


def _same_with_colons(given: str, true: str) -> bool | None:
    """Ratios and times as they are written; undecided where it could be the same in another form."""
    if not WITH_COLONS.fullmatch(given):
        return None
    ours, theirs = numbers_in(given), numbers_in(true)
    if ours == theirs and ":0" not in true:
        return True if given.count(":0") == 0 else None
    proportional = len(ours) == len(theirs) and all(
        a * d == b * c for a, b, c, d in zip(ours, ours[1:], theirs, theirs[1:], strict=False)
    )
    return None if ours == theirs or proportional else False


def numbers_in(text: str) -> list[int]:
    return [int(digits) for digits in re.findall("[0-9]+", text)]


def _same_digits(given: str, true: re.Match[str]) -> bool | None:
    """Digits in the base of the true ones, with or without the mark of it: `0b101`, `101`, `101_2`."""
    found = IN_BASE.fullmatch(given)
    if found is None:
        return None if re.search(r"[g-z ,;]", given, re.IGNORECASE) else False
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
        return _same_items(items, wanted)
    if given.casefold() == true.casefold() and not true.islower():
        return None  # where all of it is in lower case, that was asked for
    if true[:1] in ("[", "{"):  # a set of words, a list in a list
        return None if given[:1] == true[:1] else False
    alternatives = [unwrapped(part) for part in ALTERNATIVES.split(given)]
    if len(alternatives) > 1 and all(len(part.split()) == 1 for part in alternatives):
        return False
    marked = set(given) & set('\\$*_{}()[]!?",;') - set(true)
    understood = len(given.split()) <= max(1, len(true.split())) and not marked
    dated = DATE.fullmatch(true) and not re.fullmatch(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}|[-0-9]{1,5}", given)
    return False if understood and not dated else None


def _same_items(given: list[str], true: list[str]) -> bool | None:
    """Whether two lists hold the same texts; undecided where truths are written as numbers."""
    if len(given) != len(true):
        return False
    if given == true:
        return True
    if set(true) <= {"True", "False"}:
        said = [TRUTHS.get(one.lower()) for one in given]
        return None if None in said and set(given) <= {"0", "1"} else said == [TRUTHS[one.lower()] for one in true]
    return None if ["None" if one.lower() in NO_VALUE else one for one in given] == true else False


def tight(text: str) -> str:
    """The text without spaces beside signs; `1 2` is not `12`."""
    return re.sub(r" ?([^\w ]) ?", r"\1", " ".join(text.split()))


def texts_of(text: str) -> list[str] | None:
    """The items of a list in brackets, each without its quotes; None for anything else.

    `['a', 'b']`, `["a", "b"]` and `[a, b]` are the same.
    """
    if len(text) < 2 or text[0] + text[-1] not in ("[]", "()"):
        return None
    inner, items, end = text[1:-1].translate(CURLY), [], 0
    if not inner.strip():
        return []
    while end < len(inner):
        found = QUOTED.match(inner, end)
        if found is None:
            return None
        bare = found[3]
        items.append(next(part for part in found.groups() if part is not None) if bare is None else unwrapped(bare))
        end = found.end()
    return items

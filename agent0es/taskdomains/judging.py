"""What verifiers share: judgements, the words for them, and how an answer that is one value is judged.

What is not understood is undecided, never wrong; an answer is right only where it says what is true and no more.
"""

import re
from collections.abc import Mapping

from agent0es.domain.task import Verification
from agent0es.taskdomains.numbers import read_number, same_number
from agent0es.taskdomains.wrapping import unwrapped

LONGEST = 2000
"""Characters of an answer that is one value; none is nearly as long."""
WORD = re.compile(r"\w+")
TRUTHS = frozenset({"true", "false", "yes", "no"})
"""Words whose case says nothing."""


def judged(
    correct: bool | None, method: str, explanation: str, breakdown: Mapping[str, float] | None = None
) -> Verification:
    """A judgement without doubt; `correct` is None for one that could not be made, and then nothing is sure."""
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


def unread(answer: str | None, longest: int, method: str = "exact") -> Verification | None:
    """The judgement of an answer that need not be read: there is none, or it is too long; None for any other."""
    if answer is None or not answer.strip():
        return judged(False, "none", "no answer was given")
    if len(answer) > longest:
        return judged(None, method, f"the answer has {len(answer)} characters: too long to judge")
    return None


def compared(given: str, true: str, same: bool) -> str:
    """A comparison in words."""
    return f"{short(given)} equals {short(true)}" if same else f"{short(given)} is not {short(true)}"


def short(text: str, length: int = 60) -> str:
    """Hostile text as one printable line of so many characters, for an explanation."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return line if len(line) <= length else line[:length] + "…"


def judge_value(answer: str | None, reference: str) -> Verification:
    """The judgement of an answer that is one number, one word or a short text. Pure; never raises.

    Numbers count by value, `0.5` for `1/2`, and near enough to a reference that is a rounded decimal.
    """
    if (found := unread(answer, LONGEST)) is not None:
        return found
    assert answer is not None, "unread judges that"
    given, true = unwrapped(answer), unwrapped(reference)
    value, goal = read_number(given), read_number(true)
    if given == true or answer.strip() == reference:
        return judged(True, "exact", compared(given, true, True))
    if value is not None and goal is not None:
        same = same_number(value, true, goal)
        return judged(same, "numeric", compared(given, true, same))
    if true.lower() in TRUTHS and given.lower() in TRUTHS:
        same = given.lower() == true.lower()
        return judged(same, "exact", compared(given, true, same))
    if WORD.fullmatch(given) and given.lower() != true.lower():
        return judged(False, "exact", compared(given, true, False))
    return judged(None, "exact", f"{short(given)} could not be compared with {short(true)}")


def value_key(answer: str | None) -> str | None:
    """One text for answers that say the same value, for counting majorities; None for no answer."""
    if answer is None or not answer.strip():
        return None
    return key(unwrapped(answer[:LONGEST]))


def key(text: str) -> str:
    """One text for all ways to write a number, `$5` among them; any other text with single spaces."""
    number = read_number(text.strip("$"))
    return " ".join(text.split()) if number is None else str(number)

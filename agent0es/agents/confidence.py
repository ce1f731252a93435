"""What a student says of its own answer: how sure it is in words, and whether it holds on a second look.

Both are one more turn after the answer. What comes back is read tolerantly, never raises, and is None where unreadable.
Whether such words mean anything is for `agent0es.domain.calibration` to find out: small models say 90 to everything.
"""

import re
from collections.abc import Mapping

from agent0es.agents.student import Transcript
from agent0es.domain.prompt import Part, Prompt
from agent0es.domain.task import Question
from agent0es.domain.uncertainty import critique_confidence

QUESTIONS: Mapping[Question, str] = {
    "confidence": "How likely is it that your answer is correct? Reply with one number from 0 (surely wrong) to 100 "
    "(surely correct).",
    "critique": "Look at your answer once more. Does each step follow, and does the answer fit the question? "
    "Reply with one word: Yes when the answer is correct, or No when it is not.",
}
LEADS: Mapping[Question, str] = {"confidence": "Confidence:", "critique": "My answer is correct, Yes or No:"}
"""Words put into the student's mouth: without them a small model continues with a call, or talks about the number."""
MAX_TOKENS: Mapping[Question, int] = {"confidence": 16, "critique": 1}
"""Of a reply that begins with such a lead: Yes and No are one token each. In a chat nothing leads to the word, and a
model may think or write a mark first, so that its reply is as long as any turn of its may be."""
MAX_CHARACTERS = 2000
"""Of a reply, what is read."""

NUMBER = r"(?<![\w.])[0-9]{1,3}(?:[.,][0-9]{1,6})?(?![0-9])"
PERCENT = re.compile(rf"({NUMBER})[ \t]{{0,2}}(?:%|per ?cent)", re.IGNORECASE)
FRACTION = re.compile(rf"({NUMBER})[ \t]{{0,2}}(?:/|out of)[ \t]{{0,2}}({NUMBER})", re.IGNORECASE)
PLAIN = re.compile(NUMBER)
NEGATIVE = re.compile(r"-[ \t]{0,2}[0-9]")
WORDS = (
    ("not at all", 0.05),
    ("no idea", 0.1),
    ("very unlikely", 0.05),
    ("very unsure", 0.1),
    ("not sure", 0.3),
    ("not confident", 0.2),
    ("not certain", 0.4),
    ("unsure", 0.3),
    ("uncertain", 0.4),
    ("unlikely", 0.2),
    ("impossible", 0.02),
    ("very low", 0.05),
    ("low", 0.2),
    ("medium", 0.5),
    ("moderate", 0.5),
    ("fairly", 0.7),
    ("very likely", 0.9),
    ("very high", 0.95),
    ("very confident", 0.95),
    ("very sure", 0.95),
    ("completely", 0.98),
    ("absolutely", 0.98),
    ("certain", 0.95),
    ("high", 0.85),
    ("confident", 0.85),
    ("likely", 0.75),
    ("sure", 0.9),
)
"""The first that occurs counts, in this order: `not sure` before `sure`."""
VERDICT = re.compile(
    r"(?P<no>\b(?:no|nope|false|incorrect|wrong|does not fit|doesn['’]t fit)"
    r"|(?:\bnot|n['’]t) (?:quite |entirely )?(?:correct|right|true))\b|\b(?P<yes>yes|yep|true|correct|right)\b",
    re.IGNORECASE,
)


def reflection(system: str, description: str, transcript: Transcript, question: Question) -> Prompt:
    """The prompt that asks a student about what it said to a task; its questions share all turns but the last."""
    task = (Part(role="system", text=system), Part(role="user", text=description))
    asked = Part(role="user", text=QUESTIONS[question])
    if transcript.in_turns:
        return Prompt(opening=(*task, *transcript.turns), turns=(asked,))
    said = Part(text="".join(step.text for step in transcript.steps), author="model")
    return Prompt(opening=(*task, said), turns=(asked,), prefill=(Part(text=LEADS[question]),))


def stated(question: Question, text: str, logprob: float | None) -> float | None:
    """How likely the student's answer is right, in [0, 1], by its reply to a question; None where that is unreadable.

    `logprob` is that of the word which the reply begins with, yes or no. Where nobody knows it, yes is 1 and no 0.
    """
    if question == "confidence":
        return parse_confidence(text)
    return critique_confidence(parse_critique(text), logprob or 0.0)


def begins_with_verdict(text: str) -> bool:
    """Whether a reply's first word, and so its first token, is its verdict."""
    return VERDICT.match(text.removeprefix(" ")) is not None


def parse_confidence(text: str) -> float | None:
    """The confidence in [0, 1] that a reply to the question for it states; None when it states none.

    `85`, `85%`, `0.85`, `8.5/10` and `very likely` are all read. A whole number is a percentage, as asked for; one with
    a point up to 1 is a share.
    """
    text = text[:MAX_CHARACTERS]
    if NEGATIVE.search(text):
        return None
    if (found := PERCENT.search(text)) is not None:
        return _share(_number(found[1]), 100.0)
    if (found := FRACTION.search(text)) is not None:
        return _share(_number(found[1]), _number(found[2]))
    if (found := PLAIN.search(text)) is not None:
        value = _number(found[0])
        return _share(value, 1.0 if value <= 1.0 and not found[0].isdigit() else 100.0)
    lower = " ".join(text.lower().split())
    return next((share for words, share in WORDS if re.search(rf"\b{words}\b", lower)), None)


def parse_critique(text: str) -> bool | None:
    """Whether a reply to the question for critique stands by the answer: its first clear word; None without one."""
    found = VERDICT.search(" ".join(text[:MAX_CHARACTERS].split()))
    return None if found is None else found["yes"] is not None


def _number(text: str) -> float:
    return float(text.replace(",", "."))


def _share(value: float, whole: float) -> float | None:
    return value / whole if 0.0 <= value <= whole and whole > 0.0 else None

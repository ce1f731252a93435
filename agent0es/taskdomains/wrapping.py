"""Answers without what is around them: markup, labels, quotes, invisible characters. Nothing is evaluated.

What stands inside is not looked at, so that a number, a word, a truth, a date and a list lose the same wrappers. One
counts only where it is around the whole and is closed: `\\boxed{12` stays as it is.
"""

import re

ROUNDS = 8
"""Wrappers inside wrappers that are taken off; each makes the text shorter."""

DASHES = re.compile(r"[\u2010-\u2015\u2212\ufe63\uff0d]")
UNSEEN = re.compile(r"(?<![^\W_])[\u00ad\u200b-\u200f\u2060\ufeff]+|[\u00ad\u200b-\u200f\u2060\ufeff]+(?![^\W_])")
"""Zero-width characters; between two letters or digits they may part them, and stay."""
BLANKS = re.compile(r"[^\S\n]+")
ENDING = re.compile(r"(?<=[^.,;\\])[.,;]")
"""What a sentence or a list leaves behind the answer. Two of them stay: they leave something out, or are a slip."""

LABEL = (
    r"(?:(?:so|thus|therefore|hence|then),? )?(?:the |my |our )?(?:final |correct |exact )?"
    r"(?:answer|ans|result|solution|solution set|value)"
)
IN_BRACES = "boxed fbox text textbf textit textrm textsf texttt mathrm mathbf mathit mathsf mathtt emph mbox ensuremath"
WRAPPERS = tuple(
    re.compile(pattern, re.IGNORECASE | re.DOTALL)
    for pattern in (
        r"```[a-z]*\n(?P<inside>[^`]*)```",
        r"(?P<ticks>`{1,3})(?P<inside>[^`]+)(?P=ticks)",
        r"\$\$(?P<inside>(?:[^$\\]|\\.)+)\$\$",
        r"\$(?P<inside>(?:[^$\\]|\\.)+)\$",
        r"\\\((?P<inside>(?:(?!\\[()]).)+)\\\)",
        r"\\\[(?P<inside>(?:(?!\\[\[\]]).)+)\\\]",
        rf"\\(?:{'|'.join(IN_BRACES.split())})\s*\{{(?P<inside>.*)\}}",
        r"\\displaystyle\s+(?P<inside>.+)",
        r"\*\*\*(?P<inside>[^*]+)\*\*\*",
        r"\*\*(?P<inside>(?:(?!\*\*).)+)\*\*",
        r"\*(?P<inside>[^*]+)\*",
        r"__(?P<inside>(?:(?!__).)+)__",
        r"_(?P<inside>[^_]+)_",
        r"<(?P<tag>b|i|u|p|em|strong|code|span|answer)>(?P<inside>[^<]+)</(?P=tag)>",
        r"\"(?P<inside>[^\"]*)\"",
        r"'(?P<inside>[^']*)'",
        r"\u201c(?P<inside>[^\u201c\u201d]*)\u201d",
        r"\u2018(?P<inside>[^\u2018\u2019]*)\u2019",
        r"#{1,6} (?P<inside>.+)",
        rf"(?P<mark>\*\*|__|\*|_)?{LABEL}(?(mark)(?:(?P=mark))?)(?: (?:is|are|equals)(?: equal to)?:?| ?[:=])"
        r"(?(mark)(?:(?P=mark))?)\s*(?P<inside>.+)",
        r"(?:(?:it|this|that) is|it's) (?P<inside>.+)",
        r"(?:option|choice) (?P<inside>\(?[a-z]\)?)",
        r"\(?(?P<inside>[a-z])\)",
        r"={1,2}(?!=)\s*(?P<inside>.+)",
    )
)


def seen(text: str) -> str:
    """The text as a reader sees it: one space for each blank, plain dashes, no zero-width characters."""
    return BLANKS.sub(" ", DASHES.sub("-", UNSEEN.sub("", text))).strip()


def unwrapped(text: str) -> str:
    """The text without what is around the whole of it, nor what ends it: `**Answer:** $\\boxed{12}$.` is `12`."""
    text = seen(text)
    for _ in range(ROUNDS):
        before = text
        if ENDING.fullmatch(text, max(0, len(text) - 1)):
            text = text[:-1].rstrip()
        for wrapper in WRAPPERS:
            found = wrapper.fullmatch(text)
            if found and found["inside"].strip() and closed(found["inside"]):
                text = found["inside"].strip()
        if text == before:
            break
    return text


def closed(text: str) -> bool:
    """Whether no brace closes what was opened outside, and none is left open."""
    depth = 0
    for letter in text:
        depth += (letter == "{") - (letter == "}")
        if depth < 0:
            return False
    return depth == 0

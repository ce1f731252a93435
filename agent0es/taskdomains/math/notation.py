"""LaTeX, Unicode and everyday notation as plain text: `\\frac{3}{4}` is `3/4`, `x²` is `x^2`. Nothing is evaluated.

Every step is linear or stops after a bounded number of rounds, because what comes in is hostile.
"""

import re
import unicodedata

from agent0es.taskdomains.wrapping import closed, unwrapped

ROUNDS = 12
"""Braces inside braces that are resolved; deeper ones are left, and can't be read."""

UNICODE = str.maketrans(
    {
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-"),
        **dict.fromkeys("×·⋅∙", "*"),
        "÷": "/",
        "∕": "/",
        "⁄": "/",
        "π": "pi",
        "∞": "oo",
        "≤": "<=",
        "⩽": "<=",
        "≥": ">=",
        "⩾": ">=",
        "∪": " U ",
        "∅": "{}",
        "±": "+-",
        "°": " degrees",
        "′": "'",
        "∈": " in ",
    }
)
SUPERSCRIPTS, SUBSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "₀₁₂₃₄₅₆₇₈₉₊₋"
PLAIN_DIGITS = str.maketrans(SUPERSCRIPTS + SUBSCRIPTS, "0123456789+-" * 2)
RAISED_DIGITS = re.compile(f"[{SUPERSCRIPTS}]+")
LOWERED_DIGITS = re.compile(f"[{SUBSCRIPTS}]+")
VULGAR = re.compile(
    f"([0-9] ?)?(?:([½⅓⅔¼¾⅕⅖⅗⅘⅙⅚⅐⅛⅜⅝⅞⅑⅒])|(?<![A-Za-z)])([{SUPERSCRIPTS[:10]}]+)[⁄/]([{SUBSCRIPTS[:10]}]+))"
)
COMMANDS = {
    **dict.fromkeys("left right displaystyle limits big Big bigl bigr Bigl Bigr".split(), ""),
    **dict.fromkeys("quad qquad".split(), " "),
    **dict.fromkeys("cdot times ast".split(), "*"),
    **dict.fromkeys("le leq leqslant".split(), "<="),
    **dict.fromkeys("ge geq geqslant".split(), ">="),
    **dict.fromkeys("emptyset varnothing".split(), "{ }"),
    **{name: f" {name} " for name in "sin cos tan cot sec csc sinh cosh tanh ln log exp pi alpha beta theta".split()},
    "arcsin": " asin ",
    "arccos": " acos ",
    "arctan": " atan ",
    "div": "/",
    "infty": "oo",
    "cup": " U ",
    "pm": "+-",
    "lt": "<",
    "gt": ">",
    "degree": " degrees",
    "circ": " degrees",
    "lor": " or ",
    "land": " and ",
    "in": " in ",
    "implies": "=>",
    "Rightarrow": "=>",
    "to": "->",
    **dict.fromkeys("lvert rvert mid".split(), "|"),
    "lbrace": "\x01",
    "rbrace": "\x02",
}
COMMAND = re.compile(r"\\([A-Za-z]+) ?")
SAFE_COMMANDS = frozenset(
    "sum prod int lim to infty frac dfrac tfrac sqrt cdot times pi sin cos tan ln log exp left right binom limits "
    ", !".split()
)
SPACES = re.compile(r"\\[,;: ]|~")
NO_SPACE = re.compile(r"\\!|(?<=[0-9])(?:\{,\}|\\(?:text|mathrm|mbox)\{,\}|,\\[,;: ])(?=[0-9]{3})")
"""`1,\\!234`, `9{,}500`, `1\\text{,}234` and `9,\\,500` are numbers."""
INLINE = re.compile(r"(?<!\\)\$((?! )[^$]+(?<![ \\]))\$(?![0-9])")
"""A formula within a text: `$5$ cm`, where `$5 and $6` is money."""
ESCAPED = re.compile(r"\\([%$#&_])")
PERIOD = re.compile(r"(?<=[0-9.])\\(?:overline|bar)\s*\{([0-9]+)\}")
MIXED_FRACTION = re.compile(r"([0-9])\s*\\[dtc]?frac\s*\{\s*([0-9]+)\s*\}\s*\{\s*([0-9]+)\s*\}")
SHORT_PAIR = re.compile(r"\\([dtc]?frac|[dt]?binom)\s*([0-9])\s*([0-9])")
FRACTION = re.compile(r"\\[dtc]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}")
ROOT = re.compile(r"\\sqrt\s*\[([^\[\]{}]*)\]\s*\{([^{}]*)\}")
SQUARE_ROOT = re.compile(r"\\sqrt\s*\{([^{}]*)\}|\\sqrt\s*([0-9A-Za-z])")
BINOMIAL = re.compile(r"\\[dt]?binom\s*\{([^{}]*)\}\s*\{([^{}]*)\}")
RAISED = re.compile(r"(\^|_)\s*\{([^{}]*)\}")
BOX = re.compile(r"(?<![0-9])\\(?:boxed|fbox)\s*\{(\s*[^{}\s][^{}]*)\}(?!\s*[0-9])")
"""Around a part of the answer, as in `x = \\boxed{5}`; an empty one, or one beside digits, is a slip and stays."""
WORDS = re.compile(r"\\(?:text|textbf|textrm|mathrm|mathbf|operatorname|mbox|mathit|mathbb)\s*\{([^{}]*)\}")
MATRIX = re.compile(
    r"(?P<open>(?:\\left ?)?[\[(] ?)?\\begin ?\{(?P<kind>[pbB]?(?:small)?matrix|array)\}(?:\{[lcr|]*\})?(?P<rows>.*?)"
    r"\\end ?\{(?P=kind)\}(?(open) ?(?:\\right ?)?[\])])",
    re.DOTALL,
)
"""A matrix with the brackets around it, if any; `vmatrix` is a determinant and stays."""
DEGREES = re.compile(r"\^\s*(?:\{\s*)?\\circ\s*\}?")
UNICODE_ROOT = re.compile(r"√ ?(?:([0-9]+(?:\.[0-9]+)?|[A-Za-z])|(?=\())")
WHOLE = re.compile(r"-?[0-9]+")
GROUP = re.compile(r"(?<=.)\{([^{}]*)\}")


def clean(text: str) -> str:
    """The answer without what says nothing: spaces, quotes, markup and labels around it, a full stop at the end."""
    return unwrapped(text)


def plain(text: str) -> str:
    """The text in plain notation. What can't be translated is left as it is, with its backslashes."""
    text = INLINE.sub(r"\1", unwrapped(text))
    text = UNICODE_ROOT.sub(lambda found: f"sqrt({found[1]})" if found[1] else "sqrt", VULGAR.sub(_vulgar, text))
    text = LOWERED_DIGITS.sub(lambda found: f"_{found[0].translate(PLAIN_DIGITS)}", text)
    text = RAISED_DIGITS.sub(_raised, text).translate(UNICODE)
    if "\\" in text or "^{" in text or "{,}" in text:
        text = _from_latex(text)
    return " ".join(text.split()).replace(" ^", "^")


def safe_latex(text: str) -> str:
    """The text, where it is LaTeX for math_verify; else nothing.

    math_verify drops what it doesn't know and reads the rest. So here are only commands of mathematics, closed braces,
    single letters, and numbers without decimals, which it rounds.
    """
    commands = re.findall(r"\\([A-Za-z]+|.)", text)
    rest = re.sub(r"\\([A-Za-z]+|.)", " ", text)
    plain_letters = re.fullmatch(r"(?:[0-9 {}^_+\-*/=()|!,]|(?<![A-Za-z])d?[A-Za-z](?![A-Za-z]))*", rest)
    return text if "\\" in text and SAFE_COMMANDS.issuperset(commands) and plain_letters and closed(text) else ""


def _vulgar(found: re.Match[str]) -> str:
    """`2½` is `2 1/2`; where no digit is before it, the fraction stands in brackets."""
    top, bottom = (found[3], found[4]) if found[3] else unicodedata.normalize("NFKC", found[2]).split("⁄")
    fraction = f"{top}/{bottom}".translate(PLAIN_DIGITS)
    return f"{found[1].strip()} {fraction}" if found[1] else f"({fraction})"


def _raised(found: re.Match[str]) -> str:
    digits = found[0].translate(PLAIN_DIGITS)
    return f"^{digits}" if digits.isdecimal() else f"^({digits})"


def _from_latex(text: str) -> str:
    text = MATRIX.sub(_matrix, text)
    text = DEGREES.sub(" degrees", text)
    text = NO_SPACE.sub(lambda found: "" if found[0] == "\\!" else ",", text)
    text = ESCAPED.sub(r"\1", SPACES.sub(" ", text))
    text = text.replace("\\{", "\x01").replace("\\}", "\x02")
    text = PERIOD.sub(r"(\1)", text)
    text = SHORT_PAIR.sub(r"\\\1{\2}{\3}", text)
    text = MIXED_FRACTION.sub(r"\1 \2/\3", text)
    for _ in range(ROUNDS):
        before = text
        text = WORDS.sub(r" \1 ", BOX.sub(r" \1 ", text))
        text = FRACTION.sub(_fraction, text)
        text = BINOMIAL.sub(r"binomial(\1, \2)", text)
        text = ROOT.sub(r"((\2)^(1/(\1)))", text)
        text = SQUARE_ROOT.sub(lambda found: f"sqrt({found[1] or found[2]})", text)
        text = RAISED.sub(lambda found: f"^({found[2]})" if found[1] == "^" else f"_{found[2]}", text)
        if text == before or len(text) > 20_000:
            break
    text = COMMAND.sub(lambda found: COMMANDS.get(found[1], found[0]), text)
    for _ in range(ROUNDS if "," not in text else 0):  # what braces are left hold together, as in \sin{2x}
        text = GROUP.sub(r"(\1)", text)
    return text.replace("\x01", "{").replace("\x02", "}").strip()


def _fraction(found: re.Match[str]) -> str:
    if WHOLE.fullmatch(found[1].strip()) and WHOLE.fullmatch(found[2].strip()):
        return f"({found[1].strip()}/{found[2].strip()})"
    return f"(({found[1]})/({found[2]}))"


def _matrix(found: re.Match[str]) -> str:
    rows = [row.strip() for row in re.split(r"\\\\|\\cr", found["rows"]) if row.strip()]
    return "[" + ", ".join("[" + ", ".join(cell.strip() for cell in row.split("&")) + "]" for row in rows) + "]"

"""LaTeX, Unicode and everyday notation as plain text: `\\frac{3}{4}` is `3/4`, `x²` is `x^2`. Nothing is evaluated.

Every step is linear or stops after a bounded number of rounds, because what comes in is hostile.
"""

import re

ROUNDS = 12
"""Braces inside braces that are resolved; deeper ones are left, and nobody can read them."""

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
        "½": " 1/2",
        "¼": " 1/4",
        "¾": " 3/4",
        "⅓": " 1/3",
        "⅔": " 2/3",
        "°": " degrees",
        "′": "'",
        "\u00a0": " ",
        "\u2009": " ",
        "\u202f": " ",
        **{superscript: f"^{digit}" for digit, superscript in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")},
    }
)
WRAPPERS = (
    re.compile(r"\$\$?([^$]*)\$\$?"),
    re.compile(r"\\\((.*)\\\)", re.DOTALL),
    re.compile(r"\\\[(.*)\\\]", re.DOTALL),
    re.compile(r"\\(?:boxed|fbox)\s*\{(.*)\}", re.DOTALL),
    re.compile(r"\*\*([^*]*)\*\*"),
    re.compile(r"(?:therefore,? |so,? |hence,? )?(?:the )?(?:final )?answer(?: is)?:? (.*)", re.IGNORECASE | re.DOTALL),
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
    "lvert": "|",
    "rvert": "|",
}
COMMAND = re.compile(r"\\([A-Za-z]+) ?")
SPACES = re.compile(r"\\[,;:! ]|~")
ESCAPED = re.compile(r"\\([%$#&_])")
PERIOD = re.compile(r"(?<=[0-9.])\\(?:overline|bar)\s*\{([0-9]+)\}")
MIXED_FRACTION = re.compile(r"([0-9])\s*\\[dtc]?frac\s*\{\s*([0-9]+)\s*\}\s*\{\s*([0-9]+)\s*\}")
SHORT_FRACTION = re.compile(r"\\[dtc]?frac\s*([0-9])\s*([0-9])")
FRACTION = re.compile(r"\\[dtc]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}")
ROOT = re.compile(r"\\sqrt\s*\[([^\[\]{}]*)\]\s*\{([^{}]*)\}")
SQUARE_ROOT = re.compile(r"\\sqrt\s*\{([^{}]*)\}|\\sqrt\s*([0-9A-Za-z])")
BINOMIAL = re.compile(r"\\[dt]?binom\s*\{([^{}]*)\}\s*\{([^{}]*)\}")
RAISED = re.compile(r"(\^|_)\s*\{([^{}]*)\}")
WORDS = re.compile(r"\\(?:text|textbf|textrm|mathrm|mathbf|operatorname|mbox|mathit)\s*\{([^{}]*)\}")
MATRIX = re.compile(r"\\begin\{([pbvB]?matrix|array)\}(?:\{[lcr|]*\})?(.*?)\\end\{\1\}", re.DOTALL)
DEGREES = re.compile(r"\^\s*(?:\{\s*)?\\circ\s*\}?")
UNICODE_ROOT = re.compile(r"√ ?(?:([0-9]+(?:\.[0-9]+)?|[A-Za-z])|(?=\())")
WHOLE = re.compile(r"-?[0-9]+")
GROUP = re.compile(r"(?<=.)\{([^{}]*)\}")


def clean(text: str) -> str:
    """The answer without what says nothing: spaces around, quotes, `$`, a full stop at the end, exotic minus signs."""
    text = re.sub(r"[\u2010-\u2015\u2212]", "-", text).strip()
    text = text.removesuffix(".").strip().strip("$`").strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
        text = text[1:-1]
    return text


def plain(text: str) -> str:
    """The text in plain notation. What can't be translated is left as it is, with its backslashes."""
    text = unwrapped(text.strip())
    text = UNICODE_ROOT.sub(lambda found: f"sqrt({found[1]})" if found[1] else "sqrt", text)
    text = clean(text.translate(UNICODE))
    if "\\" in text or "^{" in text:
        text = _from_latex(text)
    return " ".join(text.split(" ")).strip()


def unwrapped(text: str) -> str:
    """The text without `$…$`, `\\boxed{…}` and the like around the whole of it."""
    for _ in range(4):
        before = text
        for wrapper in WRAPPERS:
            found = wrapper.fullmatch(text.removesuffix(".").strip())
            if found and _balanced(found[1]):
                text = found[1].strip()
        if text == before:
            break
    return text


def _balanced(text: str) -> bool:
    """Whether no brace closes what was opened outside."""
    depth = 0
    for letter in text:
        depth += (letter == "{") - (letter == "}")
        if depth < 0:
            return False
    return True


def _from_latex(text: str) -> str:
    text = MATRIX.sub(_matrix, text)
    text = DEGREES.sub(" degrees", text)
    text = ESCAPED.sub(r"\1", SPACES.sub(" ", text))
    text = text.replace("\\{", "\x01").replace("\\}", "\x02")
    text = PERIOD.sub(r"(\1)", text)
    text = SHORT_FRACTION.sub(r"\\frac{\1}{\2}", text)
    text = MIXED_FRACTION.sub(r"\1 \2/\3", text)
    for _ in range(ROUNDS):
        before = text
        text = WORDS.sub(r" \1 ", text)
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
    rows = [row.strip() for row in re.split(r"\\\\|\\cr", found[2]) if row.strip()]
    return "[" + ", ".join("[" + ", ".join(cell.strip() for cell in row.split("&")) + "]" for row in rows) + "]"

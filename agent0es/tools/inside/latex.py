"""LaTeX of formulas as the text that the `math` tool reads. Linear, bounded in depth, and never runs anything.

Raises ValueError for what it does not know: half-understood mathematics is worse than none.
"""

import re
from collections.abc import Sequence, Set

MAX_DEPTH = 40
TOKEN = re.compile(r"\\[A-Za-z]+\*?|\\.|[0-9]+(?:\.[0-9]+)?|[A-Za-z]{2,32}(?=\()|[A-Za-z]|\s+|.", re.DOTALL)
BLANK = set("\\, \\; \\: \\! \\  \\quad \\qquad \\left \\right \\big \\Big \\displaystyle \\( \\) \\[ \\] $".split(" "))
BLANK -= {"", "\\"}
BLANK.add("\\ ")
WORDS = {
    "\\cdot": "*", "\\times": "*", "\\div": "/", "\\le": "<=", "\\leq": "<=", "\\ge": ">=", "\\geq": ">=",
    "\\lt": "<", "\\gt": ">", "\\ne": "!=", "\\neq": "!=", "\\pi": "pi", "\\infty": "oo", "\\lambda": "lamda",
    "\\%": "/100", "\\bmod": "%", "\\mod": "%", "\\land": "and", "\\lor": "or",
}  # fmt: skip
GREEK = set("alpha beta gamma delta epsilon zeta eta theta kappa mu nu xi rho sigma tau phi chi psi omega".split())
SPELT_FUNCTIONS = {
    name: name
    for name in "sin cos tan cot sec csc sinh cosh tanh coth exp ln log det gcd max min arcsin arccos arctan".split()
} | {"arcsin": "asin", "arccos": "acos", "arctan": "atan", "max": "Max", "min": "Min"}
MATRICES = ("matrix", "pmatrix", "bmatrix", "vmatrix")
STOPS = {"+", "-", "=", "<", ">", ",", "&", "\\\\", "}", ")", "]", "\\le", "\\leq", "\\ge", "\\geq", "\\ne", "\\neq"}


def is_latex(text: str) -> bool:
    """Whether a text is meant as LaTeX."""
    return "\\" in text or "$" in text or re.search(r"[\^_]\s*\{", text) is not None


def from_latex(text: str) -> str:
    """The formula as text. Raises ValueError."""
    tokens = [token for token in TOKEN.findall(text) if not token.isspace() and token not in BLANK]
    reader = _Reader(tokens)
    found = reader.until(set())
    if reader.at < len(tokens):
        raise ValueError(f"LaTeX: {tokens[reader.at]} without its beginning")
    return found


def _product(parts: Sequence[str]) -> str:
    """Parts side by side: what is multiplied without a sign gets one."""
    text, before = "", ""
    for part in parts:
        value = part[0].isalnum() or part[0] == "("
        joined = (
            before and value and (before[-1].isalnum() or before[-1] in ")]!") and not {before, part} & {"and", "or"}
        )
        text += f"*{part}" if joined else f" {part}" if text else part
        before = part
    return text


class _Reader:
    def __init__(self, tokens: Sequence[str]) -> None:
        self.tokens = tokens
        self.at = 0
        self.depth = 0
        self.integrals = 0

    def peek(self, ahead: int = 0) -> str:
        return self.tokens[self.at + ahead] if self.at + ahead < len(self.tokens) else ""

    def take(self) -> str:
        token = self.peek()
        if not token:
            raise ValueError("LaTeX: it ends too early")
        self.at += 1
        return token

    def expect(self, wanted: str) -> None:
        token = self.take()
        if token != wanted:
            raise ValueError(f"LaTeX: {wanted} expected, not {token}")

    def until(self, stops: Set[str]) -> str:
        """Everything up to one of the tokens, which is left."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise ValueError("LaTeX: too deeply nested")
        parts = []
        while self.at < len(self.tokens) and self.peek() not in stops:
            if self.peek() in ("}", "\\end", "&", "\\\\") and self.peek() not in stops:
                break
            parts.append(self.item())
        self.depth -= 1
        return _product(parts)

    def group(self) -> str:
        """What is in braces, or one token."""
        if self.peek() == "{":
            self.take()
            inner = self.until({"}"})
            self.expect("}")
            return inner
        return self.item()

    def raw(self) -> str:
        """The letters in braces, as a word."""
        self.expect("{")
        word = ""
        while self.peek() != "}":
            word += self.take()
        self.take()
        if not re.fullmatch(r"[A-Za-z0-9]{1,32}", word):
            raise ValueError("LaTeX: a name of letters and digits expected")
        return word

    def script(self, mark: str) -> str | None:
        """What stands after `_` or `^`, where that is next; else None."""
        if self.peek() != mark:
            return None
        self.take()
        return self.group()

    def item(self) -> str:
        token = self.take()
        if token in WORDS:
            return WORDS[token]
        if token in ("{", "("):
            inner = self.until({"}"} if token == "{" else {")"})
            self.expect("}" if token == "{" else ")")
            return f"({inner})"
        if token == "[":
            inner = self.until({"]"})
            self.expect("]")
            return f"[{inner}]"
        if token == "^":
            return f"**({self.group()})"
        if token in ("\\frac", "\\dfrac", "\\tfrac"):
            return self.fraction()
        if token == "\\sqrt":
            return self.root()
        if token in ("\\int", "\\sum", "\\prod", "\\lim"):
            return self.big(token)
        if token == "\\begin":
            return self.matrix()
        if token in ("\\text", "\\mathrm", "\\operatorname"):
            return self.raw()
        name = token.removeprefix("\\")
        if token.startswith("\\") and name in SPELT_FUNCTIONS:
            return self.function(SPELT_FUNCTIONS[name])
        if re.fullmatch(r"[A-Za-z]{2,}", token):  # `simplify(…)`, not the product of its letters
            return token + self.item()
        if re.fullmatch(r"[A-Za-z]", token) or (token.startswith("\\") and name in GREEK):
            if self.peek() == "_":
                self.take()
                return f"{name}_{self.raw() if self.peek() == '{' else self.take()}"
            return name
        if token.startswith("\\"):
            raise ValueError(f"LaTeX: {token} is not known")
        return token

    def fraction(self) -> str:
        top, bottom = self.group(), self.group()
        found = re.fullmatch(r"d\*([A-Za-z])", bottom)
        if top == "d" and found:
            return f"diff({self.term()}, {found[1]})"
        return f"(({top})/({bottom}))"

    def root(self) -> str:
        if self.peek() == "[":
            self.take()
            degree = self.until({"]"})
            self.expect("]")
            return f"root({self.group()}, {degree})"
        return f"sqrt({self.group()})"

    def function(self, name: str) -> str:
        base = self.script("_")
        power = self.script("^")
        inner = self.item()[1:-1] if self.peek() == "(" else self.group() if self.peek() == "{" else self.factors()
        value = f"{name}({inner}, {base})" if base is not None else f"{name}({inner})"
        return f"{value}**({power})" if power is not None else value

    def factors(self) -> str:
        """Factors without brackets: what `\\sin 2 x` means."""
        parts: list[str] = []
        while self.at < len(self.tokens) and self.peek() not in STOPS and self.peek() not in ("(", "*", "/", "\\cdot"):
            if (parts and self.peek().removeprefix("\\") in SPELT_FUNCTIONS) or (
                self.integrals and self.differential()
            ):
                break
            parts.append(self.item())
        if not parts:
            raise ValueError("LaTeX: a function without its argument")
        return _product(parts)

    def term(self) -> str:
        """What follows up to the next sum or relation."""
        found = self.until(STOPS)
        if not found:
            raise ValueError("LaTeX: it ends too early")
        return found

    def big(self, token: str) -> str:
        low = high = None
        direction = ""
        if token == "\\lim":
            self.expect("_")
            self.expect("{")
            variable = self.item()
            if self.take() not in ("\\to", "\\rightarrow"):
                raise ValueError("LaTeX: \\to expected")
            low = self.until({"}", "^"})
            if self.peek() == "^":
                self.take()
                sign = self.take()
                sign = self.take() if sign == "{" else sign
                if sign not in ("+", "-"):
                    raise ValueError("LaTeX: a limit from + or - expected")
                direction = f", '{sign}'"
                if self.peek() == "}" and self.peek(1) == "}":
                    self.take()
            self.expect("}")
            return f"limit({self.term()}, {variable}, {low}{direction})"
        for _ in range(2):
            low = self.script("_") if self.peek() == "_" else low
            high = self.script("^") if self.peek() == "^" else high
        if token == "\\int":
            body = []
            self.integrals += 1
            while not self.differential():
                body.append(self.item())
            self.integrals -= 1
            self.take()
            variable = self.take()
            inner = _product(body) or "1"
            bounds = variable if low is None or high is None else f"({variable}, {low}, {high})"
            return f"integrate({inner}, {bounds})"
        found = re.fullmatch(r"([A-Za-z]\w*) = (.+)", low or "")
        if found is None or high is None:
            raise ValueError(f"LaTeX: {token} needs bounds such as _{{k=1}}^{{n}}")
        name = "summation" if token == "\\sum" else "product"
        return f"{name}({self.term()}, ({found[1]}, {found[2]}, {high}))"

    def differential(self) -> bool:
        """Whether `dx` comes next."""
        return self.peek() == "d" and re.fullmatch(r"[A-Za-z]", self.peek(1)) is not None

    def matrix(self) -> str:
        kind = self.raw()
        if kind not in MATRICES:
            raise ValueError(f"LaTeX: {kind} is not known")
        rows: list[list[str]] = []
        row: list[str] = []
        while True:
            row.append(self.until({"&", "\\\\", "\\end"}))
            mark = self.take()
            if mark == "&":
                continue
            if row != [""]:
                rows.append(row)
            row = []
            if mark != "\\\\":
                break
        if mark != "\\end" or self.raw() != kind:
            raise ValueError(f"LaTeX: \\end{{{kind}}} expected")
        inner = ", ".join(f"[{', '.join(cells)}]" for cells in rows)
        return f"det(Matrix([{inner}]))" if kind == "vmatrix" else f"Matrix([{inner}])"

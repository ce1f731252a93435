"""Inside the sandbox: expressions from characters. No text that is read can run, nor print a verdict."""

import re
from typing import Any

import sympy

LONGEST = 600
DEEPEST = 30
LARGEST_POWER = 60
LARGEST_DIGITS = 2000
TOKEN = re.compile(r"\s*([0-9]+(?:\.[0-9]*)?|\.[0-9]+|[A-Za-z]+[0-9]?|\*\*|[-+*/^()!|,_])")
CONSTANTS = {"pi": sympy.pi, "e": sympy.E, "E": sympy.E, "i": sympy.I, "I": sympy.I, "oo": sympy.oo}
FUNCTIONS: dict[str, Any] = {
    **{name: getattr(sympy, name) for name in "sqrt sin cos tan cot sec csc asin acos atan sinh cosh tanh exp".split()},
    "log": sympy.log,
    "ln": sympy.log,
    "abs": sympy.Abs,
    "Abs": sympy.Abs,
    "cbrt": sympy.cbrt,
    "arcsin": sympy.asin,
    "arccos": sympy.acos,
    "arctan": sympy.atan,
    "binomial": sympy.binomial,
    "factorial": sympy.factorial,
    "floor": sympy.floor,
    "ceiling": sympy.ceiling,
    "Rational": sympy.Rational,
}


class Undecided(Exception):
    """The text is not mathematics that this module reads, or it is too large."""


def symbol(name: str) -> Any:
    """An unknown. All are real, so that the square root of x^2 is |x|."""
    return sympy.Symbol(name, real=True)


class Reader:
    """An expression in everyday notation: `2x(x+1)`, `sin^2 x`, `3!`, `|x|`, `x**2`, `sqrt(2)/2`."""

    def __init__(self, text: str) -> None:
        if len(text) > LONGEST:
            raise Undecided(f"{len(text)} characters are too many")
        self.tokens: list[str] = []
        self.at = self.depth = 0
        end = 0
        while end < len(text.rstrip()):
            token = TOKEN.match(text, end)
            if token is None:
                raise Undecided(f"{text[end : end + 10]!r} is not mathematics")
            name = token[1]
            if name.isalpha() and 1 < len(name) <= 3 and name not in FUNCTIONS and name not in CONSTANTS:
                self.tokens += name  # xy is x times y
            else:
                self.tokens.append("^" if name == "**" else name)
            end = token.end()

    def read(self) -> Any:
        """The whole text as one SymPy expression."""
        value = self.sum()
        if self.at < len(self.tokens):
            raise Undecided(f"{self.peek()!r} is not expected")
        return value

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self, token: str = "") -> str:
        found = self.peek()
        if not found or (token and found != token):
            raise Undecided(f"{token or 'something'} is missing")
        self.at += 1
        return found

    def sum(self) -> Any:
        self.depth += 1
        if self.depth > DEEPEST:
            raise Undecided("too deep")
        value = self.product()
        while self.peek() in ("+", "-"):
            value = value + self.product() if self.take() == "+" else value - self.product()
        self.depth -= 1
        return value

    def product(self) -> Any:
        value = self.signed()
        while self.peek() in ("*", "/") or self.starts_factor():
            operator = self.take() if self.peek() in ("*", "/") else "*"
            other = self.signed()
            if operator == "/" and other == 0:
                raise Undecided("division by zero")
            value = value / other if operator == "/" else value * other
        return value

    def starts_factor(self) -> bool:
        token = self.peek()
        before = self.tokens[self.at - 1]
        if token and (token[0].isdigit() or token[0] == "."):
            return not before[-1].isdigit() or before[0].isalpha()  # "1 2" is no product
        return bool(token) and (token == "(" or token[0].isalpha())

    def signed(self) -> Any:
        negative = False
        while self.peek() in ("+", "-"):
            negative ^= self.take() == "-"
        value = self.power()
        return -value if negative else value

    def power(self) -> Any:
        base = self.postfix()
        if self.peek() != "^":
            return base
        self.take()
        return raised(base, self.exponent())

    def exponent(self) -> Any:
        """Right of `^`: a sign, and a power again."""
        self.depth += 1
        if self.depth > DEEPEST:
            raise Undecided("too deep")
        value = self.signed()
        self.depth -= 1
        return value

    def postfix(self) -> Any:
        value = self.atom()
        while self.peek() == "!":
            self.take()
            if value.is_number and not (value.is_Integer and 0 <= value <= 500):
                raise Undecided("too large a factorial")
            value = sympy.factorial(value)
        return value

    def atom(self) -> Any:
        token = self.take()
        if token[0].isdigit() or token[0] == ".":
            if len(token) > LARGEST_DIGITS:
                raise Undecided("too long a number")
            return sympy.Rational(token)
        if token == "(":
            value = self.sum()
            self.take(")")
            return value
        if token == "|":
            value = self.sum()
            self.take("|")
            return sympy.Abs(value)
        if token in FUNCTIONS:
            return self.call(token)
        if token in CONSTANTS:
            return CONSTANTS[token]
        if token[0].isalpha() and (len(token) == 1 or (token[-1].isdigit() and len(token) == 2)):
            return symbol(token)
        raise Undecided(f"{token!r} is not known")

    def call(self, name: str) -> Any:
        """A function's value: `sin(x)`, `sin x`, `sin 2x`, `sin^2(x)`, `log_2(8)`, `log(8, 2)`."""
        power = base = None
        if self.peek() == "_":
            self.take()
            base = self.atom()
        if self.peek() == "^":
            self.take()
            power = self.atom() if self.peek() != "-" else self.signed()
        arguments = []
        if self.peek() == "(":
            self.take()
            arguments.append(self.sum())
            while self.peek() == ",":
                self.take()
                arguments.append(self.sum())
            self.take(")")
        else:
            value = self.power()
            while self.starts_factor() and self.peek() != "(" and self.peek() not in FUNCTIONS:
                value = value * self.power()
            arguments.append(value)
        if base is not None:
            arguments.append(base)
        if name == "exp":
            result = raised(sympy.E, arguments[0])
        else:
            if any(a.is_number and abs(a) > 10**6 for a in arguments) and name in ("factorial", "binomial"):
                raise Undecided("too large")
            if name == "factorial" and arguments[0].is_number and arguments[0] > 500:
                raise Undecided("too large a factorial")
            try:
                result = FUNCTIONS[name](*arguments)
            except TypeError:
                raise Undecided(f"{name} takes other arguments") from None
        if power is None:
            return result
        if power == -1:
            raise Undecided("an inverse or a reciprocal")
        return raised(result, power)


def raised(base: Any, exponent: Any) -> Any:
    """base ** exponent, unless that is a tower."""
    if exponent.is_number and exponent.is_real:
        size = abs(exponent)
        if exponent.is_Rational and (size.p > LARGEST_DIGITS or size.q > LARGEST_POWER):
            raise Undecided("too large an exponent")
        if base.is_Rational and size * max(1, len(str(base.p)), len(str(base.q))) > LARGEST_DIGITS:
            raise Undecided("too large a power")
        if base.free_symbols and size > LARGEST_POWER and not base.is_Symbol:
            raise Undecided("too large an exponent")
    if base == 0 and exponent.is_negative:
        raise Undecided("division by zero")
    return base**exponent


def read(text: str) -> Any:
    """The expression of a text, or Undecided."""
    return finite(Reader(text).read())


def finite(value: Any) -> Any:
    if value.has(sympy.zoo, sympy.nan):
        raise Undecided("not a finite value")
    return value

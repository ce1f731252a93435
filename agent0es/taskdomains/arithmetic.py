"""Numbers that only have to be worked out: `3 + 4`, `10^6`, `2*(5 - 1)/3`. Exact, bounded, and nothing is run."""

import re
from fractions import Fraction

LONGEST = 200
DEEPEST = 20
LARGEST_BITS = 4000
"""Of a numerator or a denominator on the way."""
TOKEN = re.compile(r"\s*([0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?|[0-9]+(?:\.[0-9]*)?|\.[0-9]+|\*\*|[-+*/^()])")


class Unread(Exception):
    """The text is not arithmetic on numbers, or its numbers are too large."""


def worked_out(text: str) -> Fraction | None:
    """The value of sums, products, quotients and whole powers of numbers; None for anything else."""
    if len(text) > LONGEST:
        return None
    tokens, end = [], 0
    while end < len(text.rstrip()):
        token = TOKEN.match(text, end)
        if token is None:
            return None
        tokens.append("^" if token[1] == "**" else token[1])
        end = token.end()
    try:
        reader = _Arithmetic(tokens)
        value = reader.sum()
    except Unread:
        return None
    return value if reader.at == len(tokens) else None


class _Arithmetic:
    """A cursor over the tokens; signs bind as in Python: `-2^2` is -4."""

    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens
        self.at = self.depth = 0

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self) -> str:
        token = self.peek()
        self.at += 1
        return token

    def sum(self) -> Fraction:
        value = self.product()
        while self.peek() in ("+", "-"):
            value = bounded(value + self.product() if self.take() == "+" else value - self.product())
        return value

    def product(self) -> Fraction:
        value = self.signed()
        while self.peek() in ("*", "/"):
            operator, other = self.take(), self.signed()
            if operator == "/" and other == 0:
                raise Unread
            value = bounded(value * other if operator == "*" else value / other)
        return value

    def signed(self) -> Fraction:
        negative = False
        while self.peek() in ("+", "-"):
            negative ^= self.take() == "-"
        value = self.atom()
        if self.peek() == "^":
            self.take()
            self.deeper()
            value = power(value, self.signed())
            self.depth -= 1
        return -value if negative else value

    def atom(self) -> Fraction:
        token = self.take()
        if token == "(":
            self.deeper()
            value = self.sum()
            self.depth -= 1
            if self.take() != ")":
                raise Unread
            return value
        if token[:1].isdigit() or token[:1] == ".":
            return Fraction(token.replace(",", ""))
        raise Unread

    def deeper(self) -> None:
        self.depth += 1
        if self.depth > DEEPEST:
            raise Unread


def power(base: Fraction, exponent: Fraction) -> Fraction:
    """A whole power of bounded size."""
    if exponent.denominator != 1 or (base == 0 and exponent <= 0):
        raise Unread
    size = max(base.numerator.bit_length(), base.denominator.bit_length())
    if abs(exponent.numerator) * size > LARGEST_BITS:
        raise Unread
    return base**exponent.numerator


def bounded(value: Fraction) -> Fraction:
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > LARGEST_BITS:
        raise Unread
    return value

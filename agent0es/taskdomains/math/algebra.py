"""Inside the sandbox: whether two parts of an answer are the same by algebra. Neither is executed.

A reader of our own builds SymPy expressions from the characters, so that no text can run, nor print a verdict. What
can't be read, is too large or can't be proved is undecided. `math_verify`, where it can be imported, reads the LaTeX
that this module can't, and is a second prover; its own reader of plain text executes, and is never called.
"""

import re
from typing import Any

import sympy

from agent0es.taskdomains.math.shapes import Shape, compare, shape

LONGEST = 600
DEEPEST = 30
LARGEST_POWER = 60
LARGEST_DIGITS = 2000
TOLERANCE = sympy.Rational(1, 10**6)
TOKEN = re.compile(r"\s*([0-9]+(?:\.[0-9]*)?|\.[0-9]+|[A-Za-z]+[0-9]?|\*\*|[-+*/^()!|,_])")
POINTS = ("1.3719", "0.4831", "2.2347", "-0.7613", "-1.9273", "0.1257", "3.3391")
CONSTANTS = {"pi": sympy.pi, "e": sympy.E, "E": sympy.E, "i": sympy.I, "I": sympy.I, "oo": sympy.oo}
FUNCTIONS = {
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
FREE_CONSTANTS = frozenset({"C", "c", "K", "k", "C1"})
SAFE_LATEX = re.compile(r"[A-Za-z0-9 \\{}^+\-*/=()|.,!<>&\[\]_]+")


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


def same_value(given: Any, true: Any) -> "bool | None":
    """Whether two expressions have the same value everywhere."""
    if given == true:
        return True
    if given.has(sympy.oo, -sympy.oo) or true.has(sympy.oo, -sympy.oo):
        return False
    difference = given - true
    if difference == 0 or (difference.is_polynomial() and sympy.expand(difference) == 0):
        return True
    if differ(given, true):
        return False
    if difference.is_rational_function() and sympy.cancel(sympy.together(difference)) == 0:
        return True
    if sympy.simplify(difference) == 0 or (not difference.free_symbols and difference.equals(0)):
        return True
    return True if second_opinion(given, true) else None


def differ(given: Any, true: Any) -> bool:
    """Whether their values are clearly different somewhere where both are real, or, for numbers, at all."""
    symbols = sorted(given.free_symbols | true.free_symbols, key=str)
    for turn in range(len(POINTS) if symbols else 1):
        point = {s: sympy.Rational(POINTS[(turn + 2 * i) % len(POINTS)]) for i, s in enumerate(symbols)}
        first, second = (sympy.N(side.subs(point), 30) for side in (given, true))
        if not (first.is_number and second.is_number and first.is_finite and second.is_finite):
            continue
        if symbols and not (first.is_real and second.is_real) and not (given.has(sympy.I) or true.has(sympy.I)):
            continue
        if abs(first - second) > sympy.Float("1e-20", 30) * (1 + abs(second)):
            return True
    return False


def second_opinion(given: Any, true: Any) -> bool:
    """Whether math_verify proves them equal; False where it is not there."""
    try:
        from math_verify import verify
    except ImportError:
        return False
    return bool(verify(true, given, float_rounding=15, strict=True, timeout_seconds=None))


def same_text(given: str, true: str, settings: "dict[str, Any]") -> "bool | None":
    """The leaf of a comparison: a value, or an equation, and a value, or an equation, that is true."""
    if "=" in true or "<" in true or ">" in true:
        return same_equation(given, true)
    if "=" in given or "<" in given or ">" in given:
        return False
    goal, value = read(true), read(given)
    if settings.get("antiderivative"):
        return same_antiderivative(value, goal)
    if goal.is_Rational:
        if "." in true and not goal.is_Integer:
            return near(value, goal)
        if re.fullmatch(r"[-+0-9./ ()]+", given):
            return bool(value == goal)
        same = same_value(value, goal)
        return None if same else same  # equal, but not worked out
    if "." in true and not goal.free_symbols:
        return near(value, goal)
    if value.is_Rational and not goal.free_symbols:
        return "." in given and near(value, goal)
    same = same_value(value, goal)
    if same and settings.get("form"):
        return in_form(value, settings["form"])
    return same


def near(value: Any, goal: Any) -> bool:
    """Whether two numbers agree to one in a million."""
    if value.free_symbols or goal.free_symbols or not value.is_real:
        return False
    return bool(abs(sympy.N(value - goal, 30)) <= TOLERANCE * abs(sympy.N(goal, 30)))


def in_form(value: Any, form: str) -> bool:
    """Whether an expression is expanded, or factored, as its task asks."""
    return bool((sympy.expand if form == "expanded" else sympy.factor)(value) == value)


def same_antiderivative(value: Any, goal: Any) -> "bool | None":
    """Equal up to a constant of integration; undecided where the true one shows it and the given one lacks it."""
    value, goal = (
        side.replace(sympy.Abs, lambda inner: inner) if side.has(sympy.log) else side for side in (value, goal)
    )
    names = {str(symbol) for symbol in goal.free_symbols}
    shown = {symbol(name) for name in FREE_CONSTANTS & names if sympy.diff(goal, symbol(name)) == 1}
    variables = goal.free_symbols - shown
    free = {s for s in value.free_symbols - variables if str(s) in FREE_CONSTANTS}
    if len(free) > 1 or value.free_symbols - variables - free:
        return False
    for constant in free:
        slope = sympy.diff(value, constant)
        if slope.free_symbols or slope == 0:
            return False
    bare_value, bare_goal = value.subs(dict.fromkeys(free, 0)), goal.subs(dict.fromkeys(shown, 0))
    same = same_value(bare_value, bare_goal)
    if same:
        return True if free or not shown else None
    slopes = [same_value(sympy.diff(bare_value, s), sympy.diff(bare_goal, s)) for s in sorted(variables, key=str)]
    if False in slopes:
        return False
    return True if free and all(slopes) else None


def sides(text: str) -> "tuple[str, str]":
    """What stands left and right of the one `=`."""
    parts = [part.strip() for part in re.split(r"==?", text)]
    if len(parts) != 2 or not all(parts) or re.search("[<>]", text):
        raise Undecided("not one equation")
    return parts[0], parts[1]


def equation(text: str) -> Any:
    """Left minus right, without denominators."""
    left, right = sides(text)
    return sympy.numer(sympy.together(read(left) - read(right)))


def same_equation(given: str, true: str) -> "bool | None":
    """Whether two equations have the same solutions: up to a factor, by their solutions, or not at a common point."""
    if "=" not in given:
        return None
    first, second = equation(given), equation(true)
    if first == 0 or second == 0:
        return bool(first == second)
    quotient = sympy.cancel(first / second)
    if not quotient.free_symbols:
        return True
    symbols = first.free_symbols | second.free_symbols
    if len(symbols) == 1:
        return same_solutions(first, second, symbols.pop())
    return False if apart(first, second) or apart(second, first) else None


def apart(first: Any, second: Any) -> bool:
    """Whether there is a real point at which the second vanishes and the first clearly doesn't."""
    unknowns = sorted(first.free_symbols | second.free_symbols, key=str)
    for unknown in sorted(second.free_symbols, key=str):
        rest = [other for other in unknowns if other != unknown]
        for turn in range(2):
            point = {s: sympy.Rational(POINTS[(turn + i) % len(POINTS)]) for i, s in enumerate(rest)}
            narrowed = second.subs(point)
            if not narrowed.has(unknown) or not narrowed.is_polynomial(unknown):
                continue
            for root in sympy.Poly(narrowed, unknown).nroots(n=30, maxsteps=200):
                if root.is_real and abs(sympy.N(first.subs({**point, unknown: root}), 30)) > sympy.Float("1e-12"):
                    return True
    return False


def same_solutions(first: Any, second: Any, unknown: Any) -> "bool | None":
    """Whether two expressions vanish at the same real numbers."""
    found = []
    for side in (first, second):
        if not side.has(unknown):
            found.append(sympy.S.EmptySet if side != 0 else sympy.S.Reals)
        else:
            found.append(sympy.solveset(side, unknown, sympy.S.Reals))
    if not all(isinstance(one, (sympy.FiniteSet, type(sympy.S.EmptySet), type(sympy.S.Reals))) for one in found):
        return None
    if sympy.S.Reals in found:
        return bool(found[0] == found[1])
    if len(found[0]) != len(found[1]):
        return False
    matched = [[same_value(one, other) for other in found[1]] for one in found[0]]
    if all(True in row for row in matched):
        return True
    return None if any(None in row for row in matched) else False


def judge(given: str, true: str, raw: str, settings: "dict[str, Any]") -> "dict[str, Any]":
    """The verdict on an answer: {"correct": …, "why": …}, with "steps" where it has several lines."""
    lines = [line for line in given.split("\n") if line.strip()]
    if len(lines) > 1:
        return derivation(lines, true, settings)
    correct, why = None, "it has LaTeX that can't be read"
    if "\\" not in given:
        correct, why = attempted(lambda: compared(shape(given), shape(true), settings))
    if correct is None:
        correct, why = (True, "") if read_by_math_verify(raw, true) else (None, why)
    return {"correct": correct, "why": why}


def compared(given: Shape, true: Shape, settings: "dict[str, Any]") -> "bool | None":
    return compare(
        given,
        true,
        lambda one, other: same_text(one, other, settings),
        unordered=settings.get("unordered", False),
        python_list=settings.get("python_list", False),
    )


def attempted(judge: Any) -> "tuple[bool | None, str]":
    """A judgement, and why there is none."""
    try:
        return judge(), ""
    except Undecided as error:
        return None, str(error)
    except (ArithmeticError, ValueError, TypeError, AttributeError, NotImplementedError, RecursionError, MemoryError):
        return None, "SymPy can't tell"


def read_by_math_verify(raw: str, true: str) -> bool:
    """Whether LaTeX that the reader above can't read is, for math_verify, the true value. False where it isn't there."""
    if "\\" not in raw or "__" in raw or not SAFE_LATEX.fullmatch(raw):
        return False
    try:
        from math_verify import LatexExtractionConfig, parse
    except ImportError:
        return False
    found = parse(
        f"${raw}$",
        extraction_config=[LatexExtractionConfig()],
        fallback_mode="no_fallback",
        parsing_timeout=None,
        raise_on_error=False,
    )
    if len(found) != 1 or not isinstance(found[0], sympy.Expr):
        return False
    value = found[0].xreplace({s: symbol(str(s)) for s in found[0].free_symbols})
    correct, _ = attempted(lambda: same_text_of(value, true))
    return correct is True


def same_text_of(value: Any, true: str) -> "bool | None":
    """Whether a value is the true one; a sum or an integral is not its result."""
    goal = read(true)
    if goal.is_Rational and not value.is_Rational:
        return None
    return same_value(value.doit(), goal)


def derivation(lines: "list[str]", true: str, settings: "dict[str, Any]") -> "dict[str, Any]":
    """Each line follows from the one before it, and the last one is the true answer.

    `a = b` and then `= c` is a chain of equal values; equations in an unknown have the same solutions from line to line;
    `3 * 4 = 12` is true by itself.
    """
    steps = []
    for index, line in enumerate(lines):
        correct, why = attempted(lambda line=line, index=index: step(lines[index - 1] if index else None, line))
        steps.append((correct, why))
    last = lines[-1].lstrip("=").strip()
    ending = shape(last)
    if ending.kind == "equation" and last.count("=") >= 1:
        ending = shape(last.rsplit("=", 1)[1])
    correct, why = attempted(lambda: compared(ending, shape(true), settings))
    wrong = next((index for index, (verdict, _) in enumerate(steps) if verdict is False), None)
    open_ = next((index for index, (verdict, _) in enumerate(steps) if verdict is None), None)
    if wrong is not None:
        reason = f"step {wrong + 1} is wrong: {lines[wrong].strip()[:60]!r}"
        reason += " is not true" if wrong == 0 else f" does not follow from {lines[wrong - 1].strip()[:60]!r}"
    elif correct is False:
        reason = "every step that could be checked holds, but the last line is not the answer"
    elif open_ is not None:
        reason = f"step {open_ + 1} could not be checked: {steps[open_][1] or 'undecided'}"
    else:
        reason = why
    verdict = False if wrong is not None or correct is False else None if open_ is not None else correct
    return {"correct": verdict, "why": reason, "steps": [one for one, _ in steps]}


def step(before: "str | None", line: str) -> "bool | None":
    """Whether a line follows from the line before it."""
    parts = [part.strip() for part in re.split(r"(?<![<>])=(?!=)", line)]
    parts = parts[1:] if not parts[0] else parts
    values = [read(part) for part in parts] if not re.search(" or |,|<|>|\\+-", line) else []
    if before is None or (len(values) > 1 and not any(value.free_symbols for value in values)):
        if len(values) < 2 or any(value.free_symbols for value in values):
            chain = [same_value(one, other) for one, other in zip(values, values[1:])]
            # an equation to be solved, or a chain of equal values with one that is not
            return False if len(values) > 2 and False in chain else True
        return chain_holds(values)
    previous = [part.strip() for part in re.split(r"(?<![<>])=(?!=)", before)]
    if line.lstrip().startswith("=") or len(parts) == 1 == len(previous):
        return chain_holds([read(previous[-1]), *values])
    if len(parts) == 1 or len(previous) == 1:
        return same_answers(before, line)
    if not previous[0] or (chain_holds([read(part) for part in previous]) is True and len(values) > 1):
        # after an identity: another one
        return chain_holds(values)
    return same_answers(before, line)


def chain_holds(values: "list[Any]") -> "bool | None":
    judged = [same_value(one, other) for one, other in zip(values, values[1:])]
    return False if False in judged else None if None in judged else True


def same_answers(before: str, line: str) -> "bool | None":
    """Whether two lines, each an equation or several joined by `or`, have the same real solutions."""
    first, second = (product_of(text) for text in (before, line))
    symbols = first.free_symbols | second.free_symbols
    if len(symbols) == 1:
        return same_solutions(first, second, symbols.pop())
    return same_equation(f"{before}", f"{line}")


def product_of(text: str) -> Any:
    """An expression that vanishes where one of the equations holds; `x = 2, 3` and `x = 2 or x = 3` are two."""
    found = shape(text)
    if found.kind == "set" and found.items:
        name = re.match(r"\s*([A-Za-z])\s*=", text)
        if name is None:
            raise Undecided("no unknown is named")
        return sympy.Mul(*(symbol(name[1]) - read(item.text) for item in found.items), evaluate=True)
    return equation(text)

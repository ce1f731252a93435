"""Inside the sandbox: whether two parts of an answer are the same by algebra. Neither is executed.

A reader of our own builds SymPy expressions from the characters, so that no text can run, nor print a verdict. What
can't be read, is too large or can't be proved is undecided. `math_verify` reads the LaTeX that this module can't, where
`notation.safe_latex` let it pass; its own reader of plain text executes, and is never called.
"""

import re
from itertools import pairwise
from typing import Any

import sympy

from agent0es.taskdomains.math.comparison import compare
from agent0es.taskdomains.math.intervals import same_reals
from agent0es.taskdomains.math.reader import Undecided, read, symbol
from agent0es.taskdomains.math.shapes import Shape

TOLERANCE = sympy.Rational(1, 10**6)
MANY_DIGITS = 8
FLOAT_DIGITS, FLOAT_ERROR = range(15, 18), sympy.Rational(1, 10**15)
DECIMAL = re.compile(r"[-+]?[0-9]*\.[0-9]+")
POINTS = ("1.3719", "0.4831", "2.2347", "-0.7613", "-1.9273", "0.1257", "3.3391")
FREE_CONSTANTS = frozenset({"C", "c", "K", "k", "C1"})


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
    return None


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
        size = abs(first) + abs(second) + sympy.Float("1e-60", 30)  # values may be very small, zeros are noise
        if abs(first - second) > sympy.Float("1e-20", 30) * size:
            return True
    return False


def same_text(given: str, true: str, settings: "dict[str, Any]") -> "bool | None":
    """The leaf of a comparison: a value, or an equation, and a value, or an equation, that is true."""
    if "=" in true or "<" in true or ">" in true:
        return same_equation(given, true)
    if "<" in given or ">" in given:
        return None
    if "=" in given:
        return worked_line(given, true, settings)
    goal, value = read(true), read(given)
    if settings.get("antiderivative"):
        return same_antiderivative(value, goal)
    if not goal.free_symbols and DECIMAL.fullmatch(given.strip()) and value != goal:
        return rounded(given.strip(), goal) or (near(value, goal) if many_digits(true) else False)
    if "." in given and "." not in true and value != goal and near(value, goal):
        return None  # 2*3.14159265
    if goal.is_Rational:
        same = near(value, goal) if many_digits(true) and not goal.is_Integer else same_value(value, goal)
        to_do = settings.get("worked_out") and (not value.is_Rational or re.search(r"[A-Za-z!|]", given))
        return None if same and to_do and "." not in true else same
    if many_digits(true) and not goal.free_symbols:
        return near(value, goal)
    same = same_value(value, goal)
    if same and settings.get("form"):
        return in_form(value, settings["form"])
    return same


def worked_line(given: str, true: str, settings: "dict[str, Any]") -> "bool | None":
    """`sqrt(16) = 4`: equal values, the last one being the answer. Undecided for an equation with unknowns."""
    parts = [part.strip() for part in re.split(r"==?", given)]
    values = [read(part) for part in parts]
    chain = [same_value(one, other) for one, other in pairwise(values)]
    if False in chain and not any(value.free_symbols for value in values):
        return None if "." in given else False  # 2*pi = 6.28 may be meant as about
    return same_text(parts[-1], true, settings) if all(chain) else None


def many_digits(text: str) -> bool:
    """Whether a true answer was printed as a decimal of many digits, and so is rounded itself."""
    decimal = re.search(r"([0-9]*)\.([0-9]+)", text)
    return decimal is not None and len((decimal[1] + decimal[2]).lstrip("0")) >= MANY_DIGITS


def rounded(given: str, goal: Any) -> bool:
    """Whether a decimal of many digits is an exact number, rounded or cut off after them; see `numbers.py`."""
    if not many_digits(given) or not goal.is_real:
        return False
    step = sympy.Rational(1, 10 ** len(given.partition(".")[2]))
    value = sympy.Rational(given)
    error = abs(sympy.N(value - goal, 60))
    if (
        not goal.is_Integer
        and len(re.sub(r"^[-+0.]+|\.", "", given)) in FLOAT_DIGITS
        and error <= FLOAT_ERROR * abs(sympy.N(goal, 60))
    ):
        return True
    return bool(error <= step / 2 or (error < step and abs(value) < abs(sympy.N(goal, 60))))


def near(value: Any, goal: Any) -> bool:
    """Whether two numbers agree to one in a million, or by so little where the true one is above one."""
    if value.free_symbols or goal.free_symbols or not value.is_real:
        return False
    return bool(abs(sympy.N(value - goal, 30)) <= TOLERANCE * min(1, abs(sympy.N(goal, 30))))


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


def real_number(text: str) -> Any:
    """An end of an interval; None where it is no number."""
    value = read(text)
    return value if value.is_number and value.is_real else None


def compared(given: Shape, true: Shape, settings: "dict[str, Any]") -> "bool | None":
    found = same_reals(given, true, real_number)
    if found is not None:
        return found
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


def read_by_math_verify(raw: str, true: str, settings: "dict[str, Any]") -> "tuple[bool | None, str]":
    """Whether LaTeX that `reader.py` can't read is, for math_verify, the true value: True or undecided, and why."""
    if not raw:
        return None, "it has LaTeX that can't be read"
    try:
        from math_verify import LatexExtractionConfig, parse

        found = parse(
            f"${raw}$",
            extraction_config=[LatexExtractionConfig()],
            fallback_mode="no_fallback",
            parsing_timeout=None,
            raise_on_error=False,
        )
    except ImportError as error:
        return None, f"math_verify can't be imported: {error}"
    if len(found) != 1 or not isinstance(found[0], sympy.Expr) or found[0].has(sympy.Float):
        return None, "math_verify can't read it"
    value = found[0].xreplace({s: symbol(str(s)) for s in found[0].free_symbols})
    correct, why = attempted(lambda: same_text_of(value, true, settings))
    return correct or None, why


def same_text_of(value: Any, true: str, settings: "dict[str, Any]") -> "bool | None":
    """Whether a value is the true one; where working it out is the task, a sum or an integral is not its result."""
    goal = read(true)
    if settings.get("worked_out") and goal.is_Rational and not value.is_Rational:
        return None
    same = same_value(value.doit(), goal)
    return None if same and settings.get("form") else same

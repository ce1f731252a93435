"""Inside the sandbox: evaluate the student's mathematics with SymPy: `{"text": …, "allowed": [function, …] or null}`.

SymPy's parser makes Python of what it reads, and that is executed. Here its syntax tree is looked at first: calls of
known functions, operators, numbers and symbols, and nothing else. The sandbox remains the boundary.
"""

import ast
import json
import re
import sys
from collections.abc import Callable
from typing import Any, NoReturn

import sympy
import sympy.abc
from sympy.parsing import sympy_parser as parser

from agent0es.tools.inside.latex import from_latex, is_latex

STRICT = (*parser.standard_transformations, parser.convert_xor)
LOOSE = (*STRICT, parser.implicit_multiplication_application)
FUNCTIONS = """Abs sqrt root cbrt exp log ln sin cos tan cot sec csc asin acos atan atan2 acot asec acsc sinh cosh
tanh coth asinh acosh atanh factorial binomial gamma zeta erf floor ceiling sign Max Min Mod gcd lcm
isprime nextprime prevprime primefactors factorint divisors totient fibonacci bernoulli harmonic
simplify expand factor cancel apart together collect trigsimp expand_trig expand_log radsimp nsimplify
powsimp logcombine ratsimp diff Derivative integrate Integral limit Limit series summation Sum product
Product solveset linsolve nonlinsolve nsolve dsolve reduce_inequalities Eq Ne Lt Le Gt Ge And Or Not
Matrix eye zeros ones diag Rational Integer Float Symbol Function N re im arg conjugate degree Poly
roots real_roots nroots resultant discriminant div rem quo Interval Union Intersection FiniteSet
Piecewise primerange continued_fraction npartitions symbols""".split()
CONSTANTS = "E I pi oo zoo nan EulerGamma GoldenRatio Reals Integers Naturals Complexes Rationals true false".split()
METHODS = """doit evalf n subs simplify expand factor diff integrate limit series removeO det inv T transpose
eigenvals eigenvects rank rref trace nullspace columnspace charpoly adjugate norm dot cross rows cols
shape diagonalize as_numer_denom as_coefficients_dict coeff all_coeffs degree rewrite together apart
cancel args lhs rhs free_symbols is_prime is_integer is_real is_positive""".split()
KEYWORDS = "domain dir n x0 dict real positive integer n1 chop set minimal extension".split()
NODES = (
    ast.Expression, ast.BinOp, ast.UnaryOp, ast.Call, ast.Name, ast.Load, ast.Constant, ast.Tuple, ast.List, ast.Set,
    ast.Dict, ast.keyword, ast.Attribute, ast.Subscript, ast.Slice, ast.Compare, ast.BoolOp, ast.operator, ast.unaryop,
    ast.cmpop, ast.boolop,
)  # fmt: skip
QUOTED = re.compile(r"[A-Za-z0-9_.+\- ,:]*")
SIGNS = str.maketrans({
    "×": "*", "·": "*", "÷": "/", "−": "-", "π": " pi ", "∞": " oo ", "≤": "<=", "≥": ">=", "≠": "!=",
    "²": "**2", "³": "**3",
})  # fmt: skip
UNIT_ALIASES = {"mph": "mile/hour", "kmh": "kilometer/hour", "kph": "kilometer/hour", "litre": "liter", "sec": "second",
                "hr": "hour", "lb": "pound", "lbs": "pound", "min": "minute", "oz": "pound/16"}  # fmt: skip


NUMBER = r"(?<![\w.])([0-9]+(?:\.[0-9]+)?)"
PERCENT = re.compile(rf"{NUMBER} ?(?:\\?%|percent\b|per cent\b)(?: of\b|(?= *(?:$|[)\],=<>*/^])))|{NUMBER}%(?= [-+] )")
"""`15% of 80`, `5%`, `5% + 1`; `17 % 5` and `17%5` are remainders."""
SHORT_WORDS = frozenset("of is as at by if in it on so the for per are how was has its all".split())


class NotAllowed(Exception):
    """Something that this tool does not do."""


def refuse(what: str) -> NoReturn:
    raise NotAllowed(what) from PermissionError(1, what)


def solve(first: Any, *rest: Any, **options: Any) -> Any:
    """Equations, systems and inequalities: what is no symbol is one more of them."""
    listed = list(first) if isinstance(first, (list, tuple, set, sympy.Tuple)) else [first]
    wanted: list[Any] = []
    for one in rest:
        (listed if isinstance(one, sympy.core.relational.Relational) else wanted).append(one)
    relations = [one for one in listed if isinstance(one, sympy.core.relational.Relational)]
    if any(not isinstance(one, (sympy.Eq, sympy.Ne)) for one in relations):
        return sympy.reduce_inequalities(listed, *wanted)
    return sympy.solve(listed if len(listed) > 1 else listed[0], *wanted, **options)


def substitute(value: Any, *pairs: Any) -> Any:
    """`subs(x^2, x, 3)` or `subs(x^2 + y, x = 3, y = 1)`."""
    if all(isinstance(pair, sympy.Eq) for pair in pairs):
        return value.subs([(pair.lhs, pair.rhs) for pair in pairs])
    return value.subs(*pairs)


def convert(quantity: Any, unit: Any) -> Any:
    """`convert(5 km, m)`. The sandbox has SymPy's units."""
    from sympy.physics.units import convert_to

    return convert_to(quantity, list(unit) if isinstance(unit, (tuple, list)) else unit)


def unit(name: str) -> Any:
    """A unit by its name or abbreviation, or None."""
    from sympy.physics import units

    if name in UNIT_ALIASES:
        return eval(UNIT_ALIASES[name], {"__builtins__": {}}, vars(units))  # noqa: S307  our own words
    found = getattr(units, name, None)
    return found if isinstance(found, units.Quantity) else None


def of(method: str) -> Callable[..., Any]:
    return lambda value, *rest: getattr(sympy.Matrix(value), method)(*rest)


NAMES = {name: getattr(sympy, name) for name in FUNCTIONS + CONSTANTS if hasattr(sympy, name)}
NAMES.update(
    {name: getattr(sympy.S, name) for name in CONSTANTS if not hasattr(sympy, name) and hasattr(sympy.S, name)}
)
NAMES.update(
    e=sympy.E, abs=sympy.Abs, max=sympy.Max, min=sympy.Min, sum=sympy.summation, solve=solve, subs=substitute,
    substitute=substitute, convert=convert, differentiate=sympy.diff, derivative=sympy.diff, integral=sympy.integrate,
    evaluate=lambda value: value.doit(), decimal=sympy.N, round=lambda value, n=0: sympy.Float(value).round(n),
    prime=sympy.prime, det=of("det"), inverse=of("inv"), inv=of("inv"), transpose=of("transpose"), rank=of("rank"),
    eigenvalues=of("eigenvals"), eigenvectors=of("eigenvects"), rref=of("rref"), trace=of("trace"),
    nullspace=of("nullspace"), arcsin=sympy.asin, arccos=sympy.acos, arctan=sympy.atan, comb=sympy.binomial,
)  # fmt: skip
PARSER = {"Symbol": sympy.Symbol, "Integer": sympy.Integer, "Float": sympy.Float, "Function": sympy.Function}


def equations(text: str, depth: int = 0) -> str:
    """`a = b` as `Eq(a, b)`, in every bracket and between commas; `name=` of a known keyword stays."""
    if depth > 60:
        raise ValueError("too deeply nested")
    pieces, start, at = [], 0, 0
    while at < len(text):
        if text[at] in "([{":
            level, end = 1, at + 1
            while end < len(text) and level:
                level += (text[end] in "([{") - (text[end] in ")]}")
                end += 1
            if level:
                return text  # the parser says what is missing
            inner = equations(text[at + 1 : end - 1], depth + 1)
            text = text[: at + 1] + inner + text[end - 1 :]
            at += len(inner) + 2
        elif text[at] == ",":
            pieces.append(text[start:at])
            start = at = at + 1
        else:
            at += 1
    pieces.append(text[start:])
    return ",".join(map(equation, pieces))


def equation(piece: str) -> str:
    at, depth = -1, 0
    for index, character in enumerate(piece):
        depth += (character in "([{") - (character in ")]}")
        alone = character == "=" and depth == 0 and piece[index + 1 : index + 2] != "="
        if alone and piece[index - 1 : index] not in ("=", "<", ">", "!"):
            if at >= 0:
                raise ValueError("one = too many")
            at = index
    if at < 0 or piece[:at].strip() in KEYWORDS:
        return piece
    return f"Eq({piece[:at]}, {piece[at + 1 :]})"


class Checked(ast.NodeTransformer):
    """The tree with relations as SymPy has them. Refuses what is not mathematics."""

    units = 0

    def __init__(self, allowed: list[str] | None) -> None:
        self.allowed = allowed

    def generic_visit(self, node: ast.AST) -> Any:
        if not isinstance(node, NODES):
            refuse(f"{type(node).__name__} is no mathematics")
        return super().generic_visit(node)

    def visit_Name(self, node: ast.Name) -> Any:
        if "__" in node.id or (node.id not in NAMES and node.id not in PARSER):
            refuse(f"name {node.id}")
        return node

    def visit_Attribute(self, node: ast.Attribute) -> Any:
        if node.attr not in METHODS:
            refuse(f"method {node.attr}")
        return self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> Any:
        if (isinstance(node.value, str) and not QUOTED.fullmatch(node.value)) or isinstance(node.value, bytes):
            refuse("text in quotes")
        return node

    def visit_Call(self, node: ast.Call) -> Any:
        called = node.func
        name = called.id if isinstance(called, ast.Name) else ""
        made = isinstance(called, ast.Call) and isinstance(called.func, ast.Name) and called.func.id == "Function"
        if not (name or made or isinstance(called, ast.Attribute)):
            refuse("a call of something that is no function")
        if self.allowed is not None and name and name not in self.allowed and name not in PARSER:
            refuse(f"function {name}")
        quoted = [part for part in node.args if isinstance(part, ast.Constant) and isinstance(part.value, str)]
        if name not in PARSER and name != "symbols" and any(part.value not in ("+", "-", "+-") for part in quoted):
            refuse("text in quotes")  # SymPy would parse it, and run it
        if name == "Symbol" and self.units and quoted and unit(str(quoted[0].value)) is not None:
            return ast.copy_location(ast.Call(ast.Name("unit_", ast.Load()), [*quoted], []), node)
        self.units += name == "convert"
        node = self.generic_visit(node)
        self.units -= name == "convert"
        return node

    def visit_Compare(self, node: ast.Compare) -> Any:
        node = self.generic_visit(node)
        sides = [node.left, *node.comparators]
        pairs: list[ast.expr] = []
        for left, sign, right in zip(sides, node.ops, sides[1:], strict=False):
            kinds = {ast.Eq: "Eq", ast.NotEq: "Ne", ast.Lt: "Lt", ast.LtE: "Le", ast.Gt: "Gt", ast.GtE: "Ge"}
            if type(sign) not in kinds:
                refuse("a relation that is no mathematics")
            pairs.append(ast.Call(ast.Name(kinds[type(sign)], ast.Load()), [left, right], []))
        return pairs[0] if len(pairs) == 1 else ast.Call(ast.Name("And", ast.Load()), pairs, [])

    def visit_BoolOp(self, node: ast.BoolOp) -> Any:
        node = self.generic_visit(node)
        kind = "And" if isinstance(node.op, ast.And) else "Or"
        return ast.Call(ast.Name(kind, ast.Load()), node.values, [])


def spaced_units(text: str) -> str:
    """`convert(5 km/h to m/s)` and `5 km to m`: a number and a unit are a product, `to` is a comma."""
    if re.fullmatch(r"[^()]{1,200}\bto\b[^()]{1,200}", text):
        text = f"convert({text})"
    if "convert(" not in text:
        return text
    head, _, tail = text.partition("convert(")
    inner, close, rest = tail.partition(")")
    inner = re.sub(r"\b(?:to|in)\b", ",", inner, count=1)
    inner = re.sub(r"(\d)\s*(?=[A-Za-z])", r"\1*", inner)
    return f"{head}convert({inner}{close}{rest}"


def percentages(text: str) -> str:
    """`15% of 80` as `(15/100)*80`."""
    return PERCENT.sub(lambda found: f"({found[1] or found[2]}/100){'*' if found[0].endswith('of') else ''}", text)


def words(text: str) -> None:
    """Refuses what would be read as a product of its letters: `half of 80`."""
    for word in re.findall(r"(?<![^\s(])[A-Za-z]{2,}(?![^\s),?])", text):
        known = word in NAMES or word in PARSER or word in KEYWORDS or word in sympy.abc.__dict__
        if not known and (len(word) > 3 or word.lower() in SHORT_WORDS):
            raise ValueError(f"{word!r} is no mathematics: write it with numbers and signs")


def evaluate(text: str, allowed: list[str] | None) -> Any:
    """The value of the text. As Python with `^` first, then with `2x` and `sin x`."""
    text = percentages(text)
    if is_latex(text):
        text = from_latex(text)
    text = text.translate(SIGNS).replace(" mod ", " % ").strip().rstrip(";")
    if len(text) > 20000:
        raise ValueError("longer than 20000 characters")
    text = equations(spaced_units(text))
    first: Exception | None = None
    for transformations in (STRICT, LOOSE):
        if transformations is LOOSE and "convert(" not in text:
            words(text)
        try:
            code = parser.stringify_expr(text, {}, {**NAMES, **PARSER}, transformations)
            tree = ast.parse(code, mode="eval")
        except (SyntaxError, TypeError) as error:
            first = first or error
            continue
        tree = ast.fix_missing_locations(Checked(allowed).visit(tree))
        known = {**PARSER, **NAMES, "unit_": unit, "__builtins__": {}}
        try:
            return eval(compile(tree, "<input>", "eval"), known)  # noqa: S307  looked at above
        except TypeError as error:
            if transformations is LOOSE or "callable" not in str(error):
                raise
            first = first or error
    assert first is not None
    raise first


def main() -> None:
    """Print the value."""
    sys.set_int_max_str_digits(20000)
    asked = json.loads(sys.stdin.buffer.read())
    value = evaluate(asked["text"], asked["allowed"])
    if value is not None:
        print(value)

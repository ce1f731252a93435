# mypy: ignore-errors
"""Inside the sandbox: evaluate the student's mathematics from standard input with SymPy.

SymPy's parser executes what it reads. That is allowed here and nowhere else.
"""

import sys

import sympy
from sympy.parsing import sympy_parser as parser

NAMES = {"e": sympy.E}  # single letters that SymPy does not define become symbols by themselves
STRICT = (*parser.standard_transformations, parser.convert_xor)
LOOSE = (*STRICT, parser.implicit_multiplication_application)
EQUATION = (*LOOSE, parser.convert_equals_signs)


def evaluate(text):
    """The value of the text. As Python with `^` first; then with `2x` and `sin x`; then with `=` as an equation."""
    first = None
    for transformations in (STRICT, LOOSE, EQUATION):
        try:
            return parser.parse_expr(text, dict(NAMES), transformations)
        except (SyntaxError, TypeError) as error:
            first = first or error
    raise first


value = evaluate(sys.stdin.buffer.read().decode("utf-8", "replace").replace(" mod ", " % "))
if value is not None:
    print(value)

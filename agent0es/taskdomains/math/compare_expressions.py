"""Inside the sandbox: whether two polynomials or quotients of them are the same. Neither is executed.

The short program for the frequent case: it starts at once. `derivation.py` does the rest.
"""

import ast
import json
import sys
from typing import Any

import sympy

LARGEST_EXPONENT = 40
LARGEST_NUMBER = 10**30


class Undecided(Exception):
    """The text is not arithmetic on numbers and single letters, or it is too large."""


def build(node: ast.AST) -> Any:
    """The SymPy expression of a syntax tree."""
    match node:
        case ast.Expression(body=body):
            return build(body)
        case ast.Constant(value=int(value)) if not isinstance(value, bool) and abs(value) <= LARGEST_NUMBER:
            return sympy.Integer(value)
        case ast.Name(id=name) if len(name) == 1:
            return sympy.Symbol(name)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -build(operand)
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return build(operand)
        case ast.BinOp(left=left, op=ast.Pow(), right=ast.Constant(value=int(power))) if 0 <= power <= LARGEST_EXPONENT:
            return build(left) ** power
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return build(left) + build(right)
        case ast.BinOp(left=left, op=ast.Sub(), right=right):
            return build(left) - build(right)
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            return build(left) * build(right)
        case ast.BinOp(left=left, op=ast.Div(), right=right):
            return build(left) / build(right)
    raise Undecided


def compare(given: str, true: str, form: str) -> str:
    """true: the same value, or, where a form is asked for, the same expression up to order; false; undecided."""
    try:
        first, second = (build(ast.parse(text.replace("^", "**").strip(), mode="eval")) for text in (given, true))
        if first == second:
            return "true"
        return "true" if not form and sympy.cancel(first - second) == 0 else "false"
    except (Undecided, SyntaxError, ArithmeticError, ValueError, RecursionError, MemoryError):
        return "undecided"


def main() -> None:
    """Print the verdict on `{"given": …, "true": …, "form": …}`."""
    print(compare(**json.loads(sys.stdin.buffer.read())))

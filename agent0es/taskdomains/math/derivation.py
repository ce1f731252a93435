"""Inside the sandbox: the verdict on a whole answer, and on the steps of a derivation. See `algebra.py`."""

import json
import re
import sys
from itertools import pairwise
from typing import Any

import sympy

from agent0es.taskdomains.math.algebra import (
    attempted,
    compared,
    equation,
    read_by_math_verify,
    same_equation,
    same_solutions,
    same_value,
)
from agent0es.taskdomains.math.reader import Undecided, read, symbol
from agent0es.taskdomains.math.shapes import shape


def judge(given: str, true: str, raw: str, settings: "dict[str, Any]") -> "dict[str, Any]":
    """The verdict on an answer: {"correct": …, "why": …}, with "steps" where it has several lines."""
    lines = [line for line in given.split("\n") if line.strip()]
    if len(lines) > 1:
        return derivation(lines, true, settings)
    if "\\" not in given:
        correct, why = attempted(lambda: compared(shape(given), shape(true), settings))
    else:
        correct, why = read_by_math_verify(raw, true, settings)
    return {"correct": correct, "why": why}


def derivation(lines: "list[str]", true: str, settings: "dict[str, Any]") -> "dict[str, Any]":
    """Each line follows from the one before it, and the last one is the true answer.

    `a = b` and then `= c` is a chain of equal values; equations in an unknown keep their solutions from line to line;
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
            chain = [same_value(one, other) for one, other in pairwise(values)]
            # an equation to be solved, or a chain of equal values with one that is not
            return not (len(values) > 2 and False in chain)
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
    judged = [same_value(one, other) for one, other in pairwise(values)]
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


def main() -> None:
    """Print the verdict on `{"given": …, "true": …, "raw": …, "settings": {…}}` as JSON."""
    print(json.dumps(judge(**json.loads(sys.stdin.buffer.read()))))

"""The families of the code domain: writing functions, reading programs, fixing mistakes, refactoring.

Answers are functions in one line, `def f(xs): return …`, or what a program prints.
"""

from agent0es.taskdomains.base import Family
from agent0es.taskdomains.code.families import bugs, output, refactoring, writing

FAMILIES: tuple[Family, ...] = (*writing.FAMILIES, *output.FAMILIES, *bugs.FAMILIES, *refactoring.FAMILIES)

"""The families of the math domain, one module a group. Each module's FAMILIES is found by being listed here.

Numbers and words stand in a description mostly in the order of the expression, and as they stand there: a small model
copies well and reorders badly.
"""

from agent0es.taskdomains.base import Family
from agent0es.taskdomains.math.families import (
    algebra,
    arithmetic,
    dates,
    fractions,
    lists,
    measures,
    number_theory,
    sequences,
    strings,
    word_problems,
)

FAMILIES: tuple[Family, ...] = (
    *arithmetic.FAMILIES,
    *number_theory.FAMILIES,
    *lists.FAMILIES,
    *strings.FAMILIES,
    *sequences.FAMILIES,
    *fractions.FAMILIES,
    *dates.FAMILIES,
    *measures.FAMILIES,
    *algebra.FAMILIES,
    *word_problems.FAMILIES,
)

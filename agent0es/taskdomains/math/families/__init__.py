"""The families of the math domain, one module a group. Each module's FAMILIES is found by being listed here.

Numbers and words stand in a description mostly in the order of the expression, and as they stand there: a small model
copies well and reorders badly.
"""

from agent0es.taskdomains.base import Family
from agent0es.taskdomains.math.families import (
    algebra,
    arithmetic,
    calculus,
    counting,
    dates,
    decimals,
    equations,
    fractions,
    geometry,
    lists,
    measures,
    number_theory,
    sequences,
    stories,
    strings,
    word_problems,
)

CORE: tuple[Family, ...] = (
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
"""What the default run practises and is measured on."""

EXTENDED: tuple[Family, ...] = (
    *calculus.FAMILIES,
    *equations.FAMILIES,
    *counting.FAMILIES,
    *geometry.FAMILIES,
    *decimals.FAMILIES,
    *stories.FAMILIES,
)
"""Families that a run doesn't practise by itself: they can be asked for by name."""

FAMILIES: tuple[Family, ...] = CORE
"""What `MathDomain.families` offers. `CORE + EXTENDED` has a run practise all, and changes what it is measured on."""

"""The families of the math domain, one module a group. Each module's FAMILIES is found by being listed here.

Numbers and words stand in a description mostly in the order of the expression, and as they stand there: a small model
copies well and reorders badly.
"""

from agent0es.taskdomains.base import Family
from agent0es.taskdomains.math.families import (
    algebra,
    arithmetic,
    calculus,
    chained_operations,
    composed_stories,
    counting,
    dates,
    decimals,
    equations,
    fractions,
    geometry,
    lists,
    measures,
    money_stories,
    number_theory,
    quantity_stories,
    sequences,
    stories,
    strings,
    unknown_quantities,
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
"""The domain `advanced_math`: calculus, equations, counting and probability, geometry, decimals, longer stories."""

STORIES: tuple[Family, ...] = (*money_stories.FAMILIES, *quantity_stories.FAMILIES)
"""The domain `word_problems`: stories of two to five steps, as in a schoolbook."""

COMPOSED: tuple[Family, ...] = composed_stories.FAMILIES
"""The domain `composed_stories`: stories of two to six steps that are put together at random."""

UNKNOWN: tuple[Family, ...] = unknown_quantities.FAMILIES
"""The domain `unknown_quantities`: composed stories that are an equation, or go backwards."""

CHAINED: tuple[Family, ...] = chained_operations.FAMILIES
"""The domain `chained_operations`: two to four operations in a row, put together at random."""

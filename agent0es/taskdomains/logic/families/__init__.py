"""The families of the logic domain, one module a group. Each module's FAMILIES is found by being listed here.

Formulas stand in a description as Python writes them wherever that is natural, because a small model copies well and
translates badly; where the notation is another one, the translation is the task.
"""

from agent0es.taskdomains.logic.families import proofs, puzzles, quantifiers, truth_tables
from agent0es.taskdomains.variants import VariantFamily

FAMILIES: tuple[VariantFamily, ...] = (
    *truth_tables.FAMILIES,
    *quantifiers.FAMILIES,
    *puzzles.FAMILIES,
    *proofs.FAMILIES,
)

"""The families of the domain, one module a group: datasets of reasoning-gym that fit.

Taken are those whose answer is one number, one text or one list, to be compared exactly here without the library's
scorer (several evaluate the answer); whose items are the same for the same seed in every process; and whose answer one
line of Python computes. Left out for one of these reasons, so that nobody tries again:

- `isomorphic_strings`, `ransom_note`: made from sets of letters, so PYTHONHASHSEED changes the items; `pool_matrix`:
  sets numpy's global seed;
- `countdown`, `puzzle24`, `cryptarithm`, `graph_color`, `propositional_logic`, `quantum_lock`, `sokoban`, `word_ladder`
  and most other games: many right answers, for which the scorer must run or parse what the model wrote;
- `power_function`, `advanced_geometry`: the answer that is kept is rounded otherwise than asked;
- `caesar_cipher`, `number_sequence`, `family_relationships`, `syllogism`: sound, but no line of Python follows from the
  text.
"""

from agent0es.taskdomains.reasoning_gym.families import arithmetic, dates, grids, numbers, texts
from agent0es.taskdomains.reasoning_gym.families.common import GymFamily

FAMILIES: tuple[GymFamily, ...] = (
    *arithmetic.FAMILIES,
    *numbers.FAMILIES,
    *dates.FAMILIES,
    *texts.FAMILIES,
    *grids.FAMILIES,
)

"""Read models, all disposable: whatever is here can be thrown away and folded from the log again.

`Projections` are DuckDB tables, one .sql file each; `NoveltyIndex` finds a task's nearest neighbour; `state_at` is a
run's state at any position; `trajectories` and `datasets` are what others and we train on.
"""

from agent0es.projections.novelty import NoveltyIndex
from agent0es.projections.queries import Answer
from agent0es.projections.tables import PROJECTIONS_FILE, Projections

__all__ = ["PROJECTIONS_FILE", "Answer", "NoveltyIndex", "Projections"]

"""Who runs rollouts."""

from dataclasses import dataclass
from typing import Protocol

from agent0es.models.base import ModelBackend
from agent0es.rollouts.rollout import Attempted, Recorder, Rollout, roll_out
from agent0es.rollouts.toolbox import Toolbox


class Executor(Protocol):
    """Runs rollouts, as many at once as it is given."""

    async def run(self, rollout: Rollout, record: Recorder) -> Attempted:
        """Make one attempt. Its events go to `record` in the order in which they happen.

        Raises TransientError where another try may succeed: the attempt is then made again under another name.
        """
        ...


@dataclass(frozen=True, slots=True)
class InProcess:
    """Runs them in this process: the engine batches what the attempts ask it at the same time."""

    student: ModelBackend
    toolbox: Toolbox

    async def run(self, rollout: Rollout, record: Recorder) -> Attempted:
        return await roll_out(rollout, self.student, self.toolbox, record)

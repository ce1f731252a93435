"""What hostile code tries. Data: `agent0es.sandbox.trial` runs it and says what came of it."""

from agent0es.sandbox.attacks.base import PRELUDE, Attack
from agent0es.sandbox.attacks.files import FILES
from agent0es.sandbox.attacks.kernel import KERNEL
from agent0es.sandbox.attacks.processes import PROCESSES
from agent0es.sandbox.attacks.resources import RESOURCES

ATTACKS: tuple[Attack, ...] = (*FILES, *PROCESSES, *RESOURCES, *KERNEL)

__all__ = ["ATTACKS", "PRELUDE", "Attack"]

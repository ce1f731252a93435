"""Contract tests that ship, for whoever writes a tool, a reward, a family or a task domain: what each of them keeps to.

A test class of yours inherits one, names the entry point, and gives examples; pytest does the rest. Our own parts are
tested with them too.
"""

from agent0es.testing.families import DomainContract, FamilyContract
from agent0es.testing.rewards import RewardContract
from agent0es.testing.tools import ToolContract

__all__ = ["DomainContract", "FamilyContract", "RewardContract", "ToolContract"]

"""Contract tests that ship, for whoever writes a tool, a reward, a family, a domain or a backend: what each keeps to.

A test class of yours inherits one, names the entry point, and gives examples; pytest does the rest. Our own parts are
tested with them too.
"""
# ruff: noqa: E402

import pytest

# Before they are imported, so that what fails shows its values.
pytest.register_assert_rewrite(*(f"{__name__}.{part}" for part in ("families", "models", "rewards", "tools")))

from agent0es.testing.families import DomainContract, FamilyContract
from agent0es.testing.models import BackendContract
from agent0es.testing.rewards import RewardContract
from agent0es.testing.tools import ToolContract

__all__ = ["BackendContract", "DomainContract", "FamilyContract", "RewardContract", "ToolContract"]

"""The contract tests that ship, on parts of our own: what strangers are asked for, we keep."""

import pytest

from agent0es.testing import DomainContract, RewardContract, ToolContract


class TestPython(ToolContract):
    name = "python"
    examples = {"2 + 3": "5", "print('a')\nprint('b')": "a\nb"}


class TestMath(ToolContract):
    name = "math"
    examples = {"expand((x + 1)^2)": "x**2 + 2*x + 1"}


class TestShell(ToolContract):
    name = "shell"
    examples = {"echo one two": "one two"}


class TestLogic(DomainContract):
    name = "logic"
    tasks_at_each_difficulty = 1  # tests/unit/taskdomains has more


@pytest.mark.parametrize("component", ["uncertainty", "tool_use", "novelty", "correctness"])
class TestRewards(RewardContract):
    @pytest.fixture(autouse=True)
    def _named(self, component: str) -> None:
        self.name = component

"""What every tool keeps to."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import get_args

import pytest

from agent0es.errors import SandboxUnavailable
from agent0es.sandbox import open_sandbox
from agent0es.testing.hostile import HOSTILE
from agent0es.tools import ToolLimits, ToolResult, ToolStatus, load_tools
from agent0es.tools.program import TRUNCATED
from agent0es.tools.registry import tool_classes

SHORT = 16
"""Bytes of output in the test of that bound."""


class ToolContract:
    """One test per promise. A subclass gives the name and examples. Skipped where there is no sandbox."""

    name: str
    """Its entry point in the group `agent0es.tools`."""
    examples: Mapping[str, str]
    """Input to what the student reads then."""
    limits: ToolLimits = ToolLimits(timeout_seconds=20)

    def test_it_says_what_it_is(self) -> None:
        tool = tool_classes([self.name])[self.name]
        assert tool.description.strip() and tool.description.isprintable(), "a prompt shows it, on one line"
        assert "type" in json.loads(json.dumps(dict(tool.schema))), "the input's JSON schema"
        assert all(isinstance(one, str) for one in tool.allowed)

    def test_the_examples_hold_alone_and_one_after_the_other(self) -> None:
        results = self.answers([*self.examples, *self.examples])
        expected = [("ok", shown) for shown in self.examples.values()] * 2
        assert [(result.status, result.output) for result in results] == expected

    def test_whatever_is_written_is_answered_in_words_that_can_be_shown(self) -> None:
        for text, result in zip(HOSTILE, self.answers(HOSTILE), strict=True):
            assert result.status in get_args(ToolStatus), text[:40]
            shown = result.output.replace("\n", "").replace("\t", "")
            assert shown and shown.isprintable(), text[:40]
            assert len(result.output.encode()) <= self.limits.output_limit_bytes + len(TRUNCATED.encode()), text[:40]

    def test_the_bound_on_output_holds(self) -> None:
        for result in self.answers(list(self.examples), ToolLimits(timeout_seconds=20, output_limit_bytes=SHORT)):
            assert len(result.output.removesuffix(TRUNCATED).encode()) <= SHORT

    def answers(self, texts: Sequence[str], limits: ToolLimits | None = None) -> list[ToolResult]:
        """What comes of one call after the other, in one sandbox."""

        async def ask() -> list[ToolResult]:
            async with open_sandbox() as sandbox:
                tool = load_tools([self.name], sandbox)[self.name]
                return [await tool.run(text, limits or self.limits) for text in texts]

        try:
            return asyncio.run(ask())
        except SandboxUnavailable as error:
            pytest.skip(str(error))

"""What every tool keeps to."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import get_args

import pytest

from agent0es.errors import SandboxUnavailable
from agent0es.sandbox import open_sandbox
from agent0es.testing.hostile import HOSTILE
from agent0es.tools import ToolLimits, ToolResult, ToolStatus, load_tools
from agent0es.tools.program import TRUNCATED
from agent0es.tools.registry import tool_classes


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
        texts = [*self.examples, *self.examples]
        for text, result in zip(texts, self.answers(texts), strict=True):
            said = f"{text!r} gives {result.status}: {result.output}"
            assert (result.status, result.output) == ("ok", self.examples[text]), said

    def test_whatever_is_written_is_answered_in_words_that_can_be_shown(self) -> None:
        for text, result in zip(HOSTILE, self.answers(HOSTILE), strict=True):
            assert result.status in get_args(ToolStatus), (text[:40], result.status)
            shown = result.output.replace("\n", "").replace("\t", "")
            assert shown and shown.isprintable(), (text[:40], shown[:400])
            assert len(result.output.encode()) <= self.limits.output_limit_bytes + len(TRUNCATED.encode()), text[:40]

    def test_the_bound_on_output_holds(self) -> None:
        bound = max(1, max(len(shown.encode()) for shown in self.examples.values()) // 2)
        limits = replace(self.limits, output_limit_bytes=bound)
        for text, result in zip(self.examples, self.answers(list(self.examples), limits), strict=True):
            length = len(result.output.removesuffix(TRUNCATED).encode())
            said = f"{text!r} gives {length} bytes where limits.output_limit_bytes is {bound}: {result.output}"
            assert length <= bound or result.status != "ok", said

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

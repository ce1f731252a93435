"""What a guide shows a student is true: its calls, made in the sandbox, give what its observations say."""

import asyncio
import json
from itertools import pairwise

import pytest

from agent0es.agents.react import parse
from agent0es.sandbox import open_sandbox
from agent0es.taskdomains import load_task_domains
from agent0es.taskdomains.base import TaskDomain
from agent0es.tools.base import ToolLimits
from agent0es.tools.registry import load_tools

FILES = {
    "code": {
        "tests.json": json.dumps(
            [{"call": "f(['owl', 'horse'])", "expect": "'horse'"}, {"call": "f([])", "expect": "''"}]
        )
    },
    "long_horizon": {"prices.txt": "12\n7\n30\n"},
}
"""What lies in the working directory of a domain's example."""
DOMAINS = load_task_domains(("math", "word_problems", "unknown_quantities", "logic", "code", "long_horizon"), ())


@pytest.mark.parametrize("domain", DOMAINS.values(), ids=DOMAINS)
def test_the_calls_of_a_guide_give_what_it_says(domain: TaskDomain) -> None:
    async def follow() -> None:
        files = FILES.get(domain.name, {})
        async with open_sandbox() as sandbox:
            tools = load_tools(domain.tools, sandbox)
            system, task, *_ = domain.guide
            assert (system.role, task.role, domain.guide[-1].role) == ("system", "user", "assistant")
            for said, next_turn in pairwise((*domain.guide, task)):
                if said.role != "assistant":
                    continue
                turn = parse(said.content, domain.tools)
                if not next_turn.content.startswith("Observation:"):
                    assert turn.answer and not turn.actions
                    continue
                [action] = turn.actions
                result = await tools[action.tool].run(action.input, ToolLimits(), files)
                assert next_turn.content == f"Observation: {result.output}".rstrip()
                files = files if result.files is None else result.files

    asyncio.run(follow())

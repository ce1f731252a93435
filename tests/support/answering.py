"""A scripted model that answers problems of two numbers in every format: a pure function of what it reads.

A problem says in itself how it is answered: `hard` wrongly, `vague` right but not in the format that was asked for.
"""

import re

from agent0es.models.base import GenerationRequest
from tests.support.scripted import action_lead


def respond(request: GenerationRequest, adapter: str | None) -> str:
    """What the model writes; one with an adapter finds nothing hard."""
    system, question = request.messages[0].content, request.messages[-1].content
    if "def twice" in question:
        return "```python\ndef twice(n):\n    return n + n\n```"
    if question.startswith("Observation:"):
        return f"Answer: {question.split(':')[1].strip()}"
    a, b = (int(number) for number in re.findall(r"\d+", question)[:2])
    off = int("hard" in question and adapter is None)
    if "vague" in question:
        return f"That makes {a * b + off} in all."
    if "Think step by step" in system:
        return f"{a} times {b} is {a * b + off}.\nAnswer: {a * b + off}"
    if "one Python program" in system:
        return f"```python\nprint({a} * {b} + {off})\n```"
    observed = re.findall(r"Observation: (.*)", request.prefill)
    if observed:
        return (" " if request.prefill.endswith("Answer:") else "Answer: ") + observed[-1]
    return f"{action_lead(request.prefill)}python[{a} * {b} + {off}]\n"

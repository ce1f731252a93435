"""A scripted model that knows the answers to its own proposals and, with an adapter, those to held-out problems too.

So its run has examples to train on, and an adapter that is promoted.
"""

import itertools
import json
import random
import re

from agent0es.domain.task import Task
from agent0es.models.base import GenerationRequest
from agent0es.taskdomains import load_task_domain

PROPOSED: dict[str, Task] = {}
"""What the teacher proposed, by its text."""
HOPELESS: set[str] = set()
"""Every fourth of its proposals, which it never solves."""
NUMBERS = itertools.count()
HELD_OUT: dict[str, Task] = {}
"""What a test lets the adapters know, by its text."""


def respond(request: GenerationRequest, adapter: str | None) -> str:
    """What the model writes. Three of four practice attempts are right where it is not hopeless."""
    question, said, seed = request.messages[-1].content, request.prefill, request.seed
    if question.startswith("Families:"):
        return _propose(question, seed)
    observations = re.findall(r"Observation: (.*)", said)
    if observations:
        return (" " if said.endswith("Answer:") else "Answer: ") + observations[-1]
    question = question.strip()
    if adapter is not None and question in HELD_OUT:
        return f"Answer: {HELD_OUT[question].reference}"
    task = PROPOSED.get(question)
    if task is None:
        return "Answer: nothing"
    right = question not in HOPELESS and random.Random(seed).random() < 0.75
    action = task.reference_action if right else "python[1 + 1]"
    return (" " if said.endswith("Action:") else "Action: ") + action + "\n"


def _propose(question: str, seed: int) -> str:
    """The first family on offer, with parameters that fit an easy task."""
    name = question.removeprefix("Families:").split(",")[0].strip()
    family = load_task_domain("math").family(name)
    parameters = family.sample(random.Random(seed), 0.0)
    hopeless = next(NUMBERS) % 4 == 3
    for wording in range(len(family.wordings)):
        task = family.task(parameters, wording, 0.0)
        PROPOSED[task.description.strip()] = task
        if hopeless:
            HOPELESS.add(task.description.strip())
    return json.dumps({"family": name, **parameters})


def respond_slowly(request: GenerationRequest, adapter: str | None) -> str:
    """The same teacher, and a student whose calls take seconds."""
    return re.sub(r"\w+\[.*\]\n$", "python[sum(range(10**9))]\n", respond(request, adapter))

"""A scripted teacher and student: pure functions of the prompt and the seed."""

import json
import random
import re
from functools import cache
from importlib.util import find_spec

from agent0es.models.base import GenerationRequest
from agent0es.taskdomains import load_task_domains
from agent0es.taskdomains.base import Family


def respond(request: GenerationRequest, adapter: str | None) -> str:
    """What the model writes: a proposal for the teacher's request, a ReAct step for the student's."""
    question, said, seed = request.messages[-1].content, request.prefill, request.seed
    if question.startswith("Families:"):
        return propose(question, seed)
    observations = re.findall(r"Observation: (.*)", said)
    if observations:
        return (" " if said.endswith("Answer:") else "Answer: ") + observations[-1]
    numbers = re.findall(r"\d+", question)
    operator = random.Random(seed).choice("+-*")
    return f"{action_lead(said)}python[{f' {operator} '.join(numbers[:2]) or '1 + 1'}]\n"


@cache
def families() -> dict[str, Family]:
    """Those that are practised, of all domains that are installed, by name."""
    names = ["math", "logic", "code", "long_horizon", *(["reasoning_gym"] if find_spec("reasoning_gym") else [])]
    domains = load_task_domains(names).values()
    return {family.name: family for domain in domains for family in domain.families("practised")}


def action_lead(said: str) -> str:
    """How a call begins, unless these words were put into the student's mouth."""
    return " " if said.endswith("Action:") else "Action: "


def propose(question: str, seed: int) -> str:
    """The first family on offer, with parameters that fit an easy task."""
    name = question.removeprefix("Families:").split(",")[0].strip()
    family = families()[name]
    return json.dumps({"family": name, **family.sample(random.Random(seed), 0.0)})

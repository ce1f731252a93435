"""The teacher: reads which families are wanted, writes one task as JSON: the family and its parameters."""

import json
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from agent0es.domain.prompt import IN_WORDS, Part, Prompt
from agent0es.domain.task import Scalar
from agent0es.domain.text import storable
from agent0es.taskdomains.base import FEWEST_PRACTISED, Family, TaskDomain

EXAMPLES = 5
"""Worked proposals in the teacher's prompt."""
BEST_OF = 3
"""Families of which the one with the longest text is shown: a teacher that is shown trivial tasks writes trivial ones.
"""
MOST_BEGINS = 20
"""Places in a text at which an object may begin."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """What the teacher proposed, read but not checked."""

    family: str
    parameters: dict[str, Scalar]


def request_text(families: Mapping[str, float]) -> str:
    """The user's turn: the families to choose between."""
    return f"Families: {', '.join(families)}"


def schema(domain: TaskDomain, families: Mapping[str, float]) -> dict[str, Any]:
    """JSON schema of a proposal: one of the families with its parameters in range at the wanted difficulty."""
    options = []
    for name, difficulty in families.items():
        parameters = domain.family(name).schema(difficulty)
        properties = {"family": {"const": name}, **parameters["properties"]}
        options.append(
            {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
        )
    return {"anyOf": options} if len(options) > 1 else options[0]


def asking(before: Sequence[Part], request: str) -> Prompt:
    """The prompt that makes a request after turns which all requests share."""
    return Prompt(opening=tuple(before), turns=(Part(role="user", text=request),))


def zero_shot(domain: TaskDomain) -> list[Part]:
    """What comes before the request for a teacher that was trained: no worked proposals."""
    return [Part(role="system", text=domain.teacher_system)]


def few_shot(domain: TaskDomain, seed: int) -> list[Part]:
    """What comes before the request for the base model: worked proposals, the same for every request of a run."""
    rng = random.Random(seed)
    families = domain.families("practised")
    turns = zero_shot(domain)
    for _ in range(EXAMPLES):
        offered = rng.sample(families, FEWEST_PRACTISED)
        chosen, difficulty = rng.choice(offered), rng.random()
        text = json.dumps({"family": chosen.name, **chosen.sample(rng, difficulty)})
        request = request_text({family.name: difficulty for family in offered})
        turns += [Part(role="user", text=request), Part(text=text)]
    return turns


def freeform_request(topic: str, difficulty: float) -> str:
    """The user's turn where the teacher writes the task itself."""
    level = "easy" if difficulty < 1 / 3 else "middling" if difficulty < 2 / 3 else "hard"
    return f"Topic: {topic}. Difficulty: {level}."


def topic_of(domain: TaskDomain, seed: int) -> str:
    """What a freeform task is to be about, drawn from what the families are about that can be written as one."""
    return random.Random(seed).choice(sorted({family.group for family, _, _ in _as_freeform(domain, 0)}))


def freeform_few_shot(domain: TaskDomain, seed: int) -> list[Part]:
    """What comes before a freeform request: families' tasks as the teacher would have written them."""
    freeform = domain.freeform
    assert freeform is not None, "the schedule asks only for what the domain has"
    turns = [Part(role="system", text=freeform.system)]
    shown = list(islice(_as_freeform(domain, seed), EXAMPLES * BEST_OF))
    for at in range(0, len(shown), BEST_OF):
        family, difficulty, example = max(shown[at : at + BEST_OF], key=lambda one: len(one[2]["task"]))
        words = json.dumps(example, ensure_ascii=False)
        turns += [Part(role="user", text=freeform_request(family.group, difficulty)), Part(text=words)]
    return turns


def _as_freeform(domain: TaskDomain, seed: int) -> Iterator[tuple[Family, float, Mapping[str, str]]]:
    """A task of each family that can be written as a proposal of the teacher's own, with its difficulty."""
    freeform, rng = domain.freeform, random.Random(seed)
    assert freeform is not None, "the schedule asks only for what the domain has"
    families = list(domain.families("practised"))
    rng.shuffle(families)
    for family in families:
        difficulty = rng.random()
        task = family.task(family.sample(rng, difficulty), rng.randrange(len(family.wordings)), difficulty)
        example = freeform.example(task)
        if example is not None:
            yield family, difficulty, example


def in_full(request: str, schema: Mapping[str, Any], kept_to_it: bool) -> str:
    """A request as a model reads it: one that the engine doesn't keep to the schema reads that as well."""
    return request if kept_to_it else request + in_words(schema)


def in_words(schema: Mapping[str, Any]) -> str:
    """What a request ends with for a model that can't be kept to a schema: that schema, to be read."""
    return IN_WORDS + json.dumps(schema)


def object_in(text: str) -> str:
    """The JSON object that the text is or holds, in a fenced block or among words; the text itself where there is none.

    What begins as an object is one, or was cut off: nothing inside it is taken for the whole.
    """
    begins = [match.start() for match in re.finditer(r"\{", text)][:MOST_BEGINS]
    if text.lstrip().startswith("{"):
        begins = begins[:1]
    for begin in begins:
        try:
            _, end = json.JSONDecoder().raw_decode(text, begin)
        except (ValueError, RecursionError):
            continue
        return text[begin:end]
    return text


def read_proposal(text: str) -> Proposal | str:
    """The proposal in the teacher's words, or why there is none."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return "not JSON"
    if not isinstance(data, dict) or not isinstance(data.get("family"), str):
        return "no family named"
    parameters = {
        storable(key): storable(value) if isinstance(value, str) else value
        for key, value in data.items()
        if key != "family"
    }
    if any(not isinstance(value, int | float | str | bool) for value in parameters.values()):
        return "a parameter is not a number or a text"
    return Proposal(storable(data["family"]), parameters)

"""The longest prompt that each role of a run begins with, as far as that is known beforehand."""

import random
from collections.abc import Iterator, Mapping, Sequence

from agent0es.agents import student_prompt, teacher
from agent0es.configuration import Configuration
from agent0es.decisions.evaluate import OWN_DEMONSTRATIONS
from agent0es.domain.prompt import Prompt
from agent0es.domain.values import Role
from agent0es.taskdomains.base import FEWEST_PRACTISED, Demonstration, Family, TaskDomain

HARDEST = 1.0
"""Difficult tasks have the longest texts."""


def longest_prompts(
    configuration: Configuration, domains: Mapping[str, TaskDomain], structured_output: bool
) -> dict[Role, Prompt]:
    """The first prompts of the two roles. What calls and their results add to them is not in it.

    Without `structured_output` the teacher reads the schema of a proposal in its request.
    """
    return {
        "teacher": max(_of_teacher(configuration, domains, structured_output), key=_length),
        "student": max(_of_student(configuration, domains), key=_length),
    }


def _length(prompt: Prompt) -> int:
    return sum(len(message.content) for message in prompt.messages)


def _of_teacher(
    configuration: Configuration, domains: Mapping[str, TaskDomain], structured_output: bool
) -> Iterator[Prompt]:
    """An examined teacher is asked for some families at once, also where it writes all tasks itself."""
    share, seed = configuration.curriculum.freeform_share, configuration.seed
    practised = configuration.curriculum.candidates if share < 1 else 0
    count = max(practised, FEWEST_PRACTISED if "teacher" in configuration.training.roles else 0)

    def request(domain: TaskDomain, names: Sequence[str]) -> str:
        asked = dict.fromkeys(names, HARDEST)
        return teacher.in_full(teacher.request_text(asked), teacher.schema(domain, asked), structured_output)

    for domain in domains.values():
        if count:
            names = [family.name for family in domain.families("practised")]
            longest = sorted(names, key=lambda name: len(request(domain, [name])))[-count:]
            yield teacher.asking(teacher.few_shot(domain, seed), request(domain, longest))
        if share and domain.freeform is not None:
            own = teacher.freeform_request(teacher.topic_of(domain, seed), HARDEST)
            own = teacher.in_full(own, domain.freeform.schema(), structured_output)
            yield teacher.asking(teacher.freeform_few_shot(domain, seed), own)


def _of_student(configuration: Configuration, domains: Mapping[str, TaskDomain]) -> Iterator[Prompt]:
    """With worked examples of the task's own family, in practice and in an evaluation; and there with many of other
    families before the tasks of those that are never practised."""
    trained, shown = "student" in configuration.training.roles, configuration.curriculum.demonstrations
    in_turns = configuration.models.student.observations == "turns"

    def prompt(domain: TaskDomain, shown: Sequence[Demonstration], description: str) -> Prompt:
        return student_prompt.opening(domain.system, shown, description, guide=domain.shown, in_turns=in_turns)

    for domain in domains.values():
        for family in domain.families("practised"):
            rng = random.Random(configuration.seed)
            description = _hardest(family, rng)
            count = max(shown, OWN_DEMONSTRATIONS) if trained else shown
            yield prompt(domain, domain.demonstrations(family.name, count, rng), description)
        unknown = [_hardest(family, random.Random(configuration.seed)) for family in domain.families("held_out")]
        if trained and unknown:
            mixed = domain.mixed_demonstrations(configuration.evaluation.demonstrations)
            yield prompt(domain, mixed, max(unknown, key=len))


def _hardest(family: Family, rng: random.Random) -> str:
    """A difficult task of a family, in its words."""
    return family.task(family.sample(rng, HARDEST), 0, HARDEST).description

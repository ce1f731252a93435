"""The longest prompt that each role of a run begins with, as far as that is known beforehand."""

import random
from collections.abc import Iterator, Mapping

from agent0es.agents import student_prompt, teacher
from agent0es.configuration import Configuration
from agent0es.decisions.evaluate import BASE_ARMS, demonstrations
from agent0es.domain.prompt import Prompt
from agent0es.domain.values import Role
from agent0es.taskdomains.base import TaskDomain

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
    share, seed = configuration.curriculum.freeform_share, configuration.seed
    for domain in domains.values():
        if share < 1:
            names = sorted((family.name for family in domain.families("practised")), key=len)
            asked = dict.fromkeys(names[-configuration.curriculum.candidates :], HARDEST)
            request = teacher.in_full(teacher.request_text(asked), teacher.schema(domain, asked), structured_output)
            yield teacher.asking(teacher.few_shot(domain, seed), request)
        if share and domain.freeform is not None:
            request = teacher.freeform_request(teacher.topic_of(domain, seed), HARDEST)
            request = teacher.in_full(request, domain.freeform.schema(), structured_output)
            yield teacher.asking(teacher.freeform_few_shot(domain, seed), request)


def _of_student(configuration: Configuration, domains: Mapping[str, TaskDomain]) -> Iterator[Prompt]:
    """In practice with worked examples of the task's own family, in an evaluation with those of each arm."""
    seed, in_turns = configuration.seed, configuration.models.student.observations == "turns"
    for domain in domains.values():
        for family in domain.families("practised"):
            rng = random.Random(seed)
            task = family.task(family.sample(rng, HARDEST), 0, HARDEST)
            shown = [domain.demonstrations(family.name, configuration.curriculum.demonstrations, rng)]
            if "student" in configuration.training.roles:
                mixed = configuration.evaluation.demonstrations
                shown += [demonstrations(arm, family.name, domain, mixed, seed) for arm in BASE_ARMS]
            for some in shown:
                yield student_prompt.opening(
                    domain.system, some, task.description, guide=domain.shown, in_turns=in_turns
                )

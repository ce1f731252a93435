"""What an adapter learns from: its dataset is a function of the log."""

from collections.abc import Iterable

from agent0es.agents import student, teacher
from agent0es.agents.prompt import two_parts
from agent0es.domain import events as ev
from agent0es.log import Recorded
from agent0es.models.base import ChatTemplate
from agent0es.projections.datasets import Dataset, Example, build, choose, student_examples, teacher_examples
from agent0es.taskdomains import Domains


def built(role: ev.Role, iteration: int, adapter: str, dataset: Dataset) -> ev.DatasetBuilt:
    """The event of a dataset."""
    return ev.DatasetBuilt(
        adapter=adapter,
        role=role,
        iteration=iteration,
        examples=len(dataset.examples),
        sha256=dataset.sha256,
        per_family=dataset.per_family,
        sources=tuple(example.source for example in dataset.examples),
    )


def dataset_of(
    role: ev.Role,
    recorded: Iterable[Recorded],
    template: ChatTemplate,
    domains: Domains,
    per_family: int,
    seed: int,
) -> Dataset:
    """What a role learns from the events of a dataset (`events_of_dataset`)."""

    def prompt(example: Example) -> str:
        domain = domains[example.domain]
        if role == "student":
            return "".join(student.opening(template, domain.system, (), example.request))
        return "".join(two_parts(template, teacher.zero_shot(domain), example.request))

    examples = student_examples(recorded) if role == "student" else teacher_examples(recorded)
    return build(choose(examples, per_family, seed), prompt, template.end_of_turn)

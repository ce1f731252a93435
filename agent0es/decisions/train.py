"""What an adapter learns from: its dataset is a function of the log."""

from collections.abc import Iterable

from agent0es.agents import student_prompt, teacher
from agent0es.configuration import Configuration
from agent0es.domain import events as ev
from agent0es.domain.prompt import Prompt
from agent0es.log import Recorded
from agent0es.projections.datasets import Dataset, Example, Rows, build, choose, student_examples, teacher_examples
from agent0es.taskdomains import Domains


def built(role: ev.Role, iteration: int, adapter: str, dataset: Dataset, rows: Rows = "messages") -> ev.DatasetBuilt:
    """The event of a dataset."""
    return ev.DatasetBuilt(
        rows=rows,
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
    domains: Domains,
    configuration: Configuration,
    rows: Rows = "messages",
) -> Dataset:
    """What a role learns from the events of a dataset (`events_of_dataset`)."""
    training, in_turns = configuration.training, configuration.models.student.observations == "turns"

    def prompt(example: Example) -> Prompt:
        domain = domains[example.domain]
        if role == "student":
            return student_prompt.opening(domain.system, (), example.request, guide=domain.shown, in_turns=in_turns)
        return teacher.asking(teacher.zero_shot(domain), example.request)

    examples = student_examples(recorded, training.learn_from) if role == "student" else teacher_examples(recorded)
    return build(choose(examples, training.examples_per_family, configuration.seed), prompt, rows)

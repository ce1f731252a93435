"""What an adapter learns from: its dataset is a function of the log."""

from collections.abc import Callable, Iterable
from functools import cache

from agent0es.agents import student_prompt, teacher
from agent0es.configuration import Configuration
from agent0es.domain import events as ev
from agent0es.domain.prompt import Part, Prompt
from agent0es.log import Recorded
from agent0es.projections.datasets import Dataset, build, select
from agent0es.projections.examples import Example, Rows, student_examples, teacher_examples
from agent0es.projections.practice import Practice, practice
from agent0es.taskdomains import Domains


def built(role: ev.Role, iteration: int, adapter: str, dataset: Dataset, rows: Rows = "filtered") -> ev.DatasetBuilt:
    """The event of a dataset."""
    return ev.DatasetBuilt(
        rows=rows,
        adapter=adapter,
        role=role,
        iteration=iteration,
        examples=len(dataset.examples),
        sha256=dataset.sha256,
        thought=dataset.selection.thought,
        left_out=dataset.selection.left_out,
        per_family=dataset.per_family,
        sources=tuple(example.source for example in dataset.examples),
    )


def dataset_of(
    role: ev.Role,
    recorded: Iterable[Recorded],
    domains: Domains,
    configuration: Configuration,
    rows: Rows = "filtered",
) -> Dataset:
    """What a role learns from the events of a dataset (`events_of_dataset`)."""
    practised = practice(recorded)
    examples = examples_of(role, practised, configuration, rows)
    selection = select(examples, practised.doubtful, role, configuration, rows)
    return build(selection, prompts_of(role, domains, configuration), rows)


def examples_of(role: ev.Role, practised: Practice, configuration: Configuration, rows: Rows) -> list[Example]:
    """What a role could learn of its practice."""
    if role == "student":
        return student_examples(practised, configuration.training.learn_from)
    return teacher_examples(practised, rows)


def prompts_of(
    role: ev.Role, domains: Domains, configuration: Configuration, *, in_turns: bool | None = None
) -> Callable[[Example], Prompt]:
    """What the agent that is trained will read before its first word. `in_turns`: whether a worked example in it has
    what tools gave in turns of its own; None for as the student is asked."""
    chat = configuration.models.student.observations == "turns" if in_turns is None else in_turns

    def prompt(example: Example) -> Prompt:
        domain = domains[example.domain]
        if role == "student":
            said = student_prompt.told(domain, trained=True)
            return student_prompt.opening(said.system, (), example.request, guide=said.guide, in_turns=chat)
        turns = freeform_turns(example.domain) if example.freeform else teacher.zero_shot(domain)
        return teacher.asking(turns, example.request)

    @cache
    def freeform_turns(domain: str) -> list[Part]:
        return teacher.freeform_few_shot(domains[domain], configuration.seed)

    return prompt

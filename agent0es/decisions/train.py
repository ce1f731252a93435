"""What an adapter learns from: its dataset is a function of the log."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache

from agent0es.agents import student_prompt, teacher
from agent0es.configuration import Configuration, TrainingSettings
from agent0es.domain import events as ev
from agent0es.domain.prompt import Part, Prompt
from agent0es.log import Recorded
from agent0es.projections.datasets import Dataset, Example, Rows, build, choose, student_examples, teacher_examples
from agent0es.projections.groups import choose_groups, group_rows, student_trials, teacher_trials
from agent0es.projections.pairs import choose_pairs
from agent0es.taskdomains import Domains
from agent0es.training.methods import load_method
from agent0es.training.methods.base import Learns

ROWS: Mapping[Learns, Rows] = {"right": "asked", "pairs": "pairs", "groups": "groups"}
"""What a method learns from to what its rows are."""


def rows_of(training: TrainingSettings) -> Rows:
    """What the rows of a dataset that is built today are. Raises ConfigurationError for a method that is not there."""
    return ROWS[load_method(training.method).learns]


def built(
    role: ev.Role, iteration: int, adapter: str, dataset: Dataset, rows: Rows = "asked", method: str = "rft"
) -> ev.DatasetBuilt:
    """The event of a dataset."""
    return ev.DatasetBuilt(
        rows=rows,
        method=method,
        start=dataset.start,
        left_out=dict(dataset.left_out),
        adapter=adapter,
        role=role,
        iteration=iteration,
        examples=len(dataset.examples),
        sha256=dataset.sha256,
        thought=dataset.thought,
        per_family=dataset.per_family,
        sources=tuple(source for example in dataset.examples for source in example.sources),
    )


def dataset_of(
    role: ev.Role,
    recorded: Iterable[Recorded],
    domains: Domains,
    configuration: Configuration,
    rows: Rows = "asked",
) -> Dataset:
    """What a role learns from the events of a dataset (`events_of_dataset`)."""
    training, in_turns = configuration.training, configuration.models.student.observations == "turns"
    if rows == "groups":
        return groups_of(role, [one.event for one in recorded], configuration)

    def prompt(example: Example) -> Prompt:
        domain = domains[example.domain]
        if role == "student":
            said = student_prompt.told(domain, trained=True)
            return student_prompt.opening(said.system, (), example.request, guide=said.guide, in_turns=in_turns)
        turns = freeform_turns(example.domain) if example.freeform else teacher.zero_shot(domain)
        return teacher.asking(turns, example.request)

    @cache
    def freeform_turns(domain: str) -> list[Part]:
        return teacher.freeform_few_shot(domains[domain], configuration.seed)

    if rows == "pairs":
        events = [one.event for one in recorded]
        trials = student_trials(events, "correct") if role == "student" else []  # nobody makes a task twice
        return choose_pairs(events, trials, prompt, training.examples_per_family, configuration.seed)
    found = student_examples(recorded, training.learn_from) if role == "student" else teacher_examples(recorded, rows)
    examples = [example for example in found if not example.thought] if rows == "asked" else found
    chosen = choose(examples, training.examples_per_family, configuration.seed)
    return build(chosen, prompt, rows, len(found) - len(examples))


def groups_of(role: ev.Role, events: Sequence[ev.Event], configuration: Configuration) -> Dataset:
    """What a role learns by policy gradient: whole groups of what its latest adapter sampled."""
    training = configuration.training
    trials = student_trials(events, training.reward) if role == "student" else teacher_trials(events)
    groups = choose_groups(role, events, trials, training.examples_per_family, configuration.seed)
    return Dataset(groups.trials, 0, group_rows(groups), groups.left_out, groups.start)

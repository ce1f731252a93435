"""What an adapter learns from: its dataset is a function of the log. And how its training goes, as events."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from agent0es.agents import student_prompt, teacher
from agent0es.configuration import Configuration, TrainingSettings
from agent0es.domain import events as ev
from agent0es.domain.adapter import Adapter
from agent0es.domain.prompt import Part, Prompt
from agent0es.log import Recorded
from agent0es.projections.datasets import Dataset, build, select
from agent0es.projections.examples import Example, Rows, student_examples, teacher_examples
from agent0es.projections.groups import Trial, choose_groups, goes_on_from, group_rows, student_trials, teacher_trials
from agent0es.projections.mending import mended_examples
from agent0es.projections.pairs import choose_pairs
from agent0es.projections.practice import Practice, practice
from agent0es.taskdomains import Domains
from agent0es.training.methods import load_method
from agent0es.training.methods.base import Learns

ROWS: Mapping[Learns, Rows] = {"right": "filtered", "pairs": "pairs", "groups": "groups"}
"""What a method learns from to what its rows are."""
SHAPE = ("rank", "alpha", "target_modules", "frozen_share")
"""Settings on which depends which matrices an adapter has, and what they mean."""


def rows_of(training: TrainingSettings) -> Rows:
    """What the rows of a dataset that is built today are. Raises ConfigurationError for a method that is not there."""
    return ROWS[load_method(training.method).learns]


def too_early(configuration: Configuration, events: Iterable[ev.Event]) -> str | None:
    """Why a run in which none of a student's adapters was promoted yet learns little from what the base model writes,
    if so.

    What learns from whole attempts learns in the prompts that were read (`training/methods/grpo.py`, departure 8).
    Pure."""
    training, student = configuration.training, configuration.models.student
    if "student" not in training.roles or load_method(training.method).learns != "groups":
        return None
    reads_the_same = not configuration.curriculum.demonstrations and student.trained_prompt in (None, student.prompt)
    adapted = any(isinstance(event, ev.AdapterPromoted) and event.role == "student" for event in events)
    if reads_the_same or adapted:
        return None
    return (
        f"the base model practises with worked examples, which its adapter will answer without, so {training.method} "
        "teaches it little; begin with training.method=rft, and fork that run where its adapter is in use"
    )


def as_requested(configuration: Configuration, requested: ev.TrainingRequested | None) -> Configuration:
    """A run's configuration with the settings of a training that was asked for by itself, if it was."""
    if requested is None:
        return configuration
    return configuration.model_copy(update={"training": TrainingSettings.model_validate(requested.settings)})


def built(
    role: ev.Role, iteration: int, adapter: str, dataset: Dataset, rows: Rows = "filtered", method: str = "rft"
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
    rows: Rows = "filtered",
) -> Dataset:
    """What a role learns from the events of a dataset (`events_of_dataset`)."""
    prompts = prompts_of(role, domains, configuration)
    if rows in ("pairs", "groups"):
        return _of_trials(role, list(recorded), configuration, rows, prompts)
    practised = practice(recorded)
    examples = examples_of(role, practised, configuration, rows)
    selection = select(examples, practised.doubtful, role, configuration, rows)
    return build(selection, prompts, rows)


def examples_of(role: ev.Role, practised: Practice, configuration: Configuration, rows: Rows) -> list[Example]:
    """What a role could learn of its practice."""
    if role == "student":
        right = student_examples(practised, configuration.training.learn_from)
        if configuration.training.learn_from != "mended":
            return right
        return [*right, *mended_examples(practised, configuration.tools.calls_per_attempt or 0)]
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


def start_of(role: ev.Role, recorded: Iterable[Recorded], rows: Rows) -> str | None:
    """The adapter that a training on these events of a dataset goes on from; None where it begins at the base model."""
    if rows not in ("pairs", "groups"):
        return None
    events = [one.event for one in recorded]
    trials = student_trials(events, "correct") if role == "student" else teacher_trials(events)
    return goes_on_from(events, trials)


def why_other_shape(training: TrainingSettings, adapter: Adapter | None, name: str) -> str | None:
    """Why a training with these settings can't go on from an adapter, and what to do; None where it can. Pure."""
    begun = adapter.training if adapter else None
    if begun is None or ROWS[load_method(training.method).learns] not in ("pairs", "groups"):
        return None
    wanted = training.model_dump(mode="json")
    other = [key for key in SHAPE if _unordered(begun.settings.get(key, wanted[key])) != _unordered(wanted[key])]
    if not other:
        return None
    differences = ", ".join(f"training.{key} {_written(begun.settings[key])}" for key in other)
    so = "them" if len(other) > 1 else "it"
    return (
        f"{name}, from which {training.method} goes on, has {differences}: set {so} so, or training.method to rft, "
        "which begins at the base"
    )


def _unordered(value: object) -> object:
    return set(value) if isinstance(value, list) else value


def _written(value: object) -> str:
    """As it is written after --set."""
    return f"[{', '.join(value)}]" if isinstance(value, list) else str(value)


def trials_of(role: ev.Role, recorded: Sequence[Recorded], configuration: Configuration, rows: Rows) -> list[Trial]:
    """What pairs and groups are made of, from the events of a dataset."""
    events = [one.event for one in recorded]
    if role == "student":
        reward = configuration.training.reward if rows == "groups" else "correct"
        return student_trials(events, reward, practice(recorded).doubtful)
    return teacher_trials(events) if rows == "groups" else []  # nobody proposes a task twice


def _of_trials(
    role: ev.Role,
    recorded: Sequence[Recorded],
    configuration: Configuration,
    rows: Rows,
    prompts: Callable[[Example], Prompt],
) -> Dataset:
    """What a role learns from what was wrong too: pairs of attempts, or whole groups of what its latest adapter
    sampled."""
    events, trials = [one.event for one in recorded], trials_of(role, recorded, configuration, rows)
    cap, seed = configuration.training.examples_per_family, configuration.seed
    if rows == "pairs":
        return choose_pairs(events, trials, prompts, cap, seed)
    groups = choose_groups(role, events, trials, cap, seed)
    return Dataset(groups.trials, group_rows(groups), left_out=groups.left_out, start=groups.start)


def progressed(
    started: ev.DatasetBuilt, said: Mapping[str, Any], known: Iterable[ev.Event]
) -> ev.TrainingProgressed | None:
    """The event of what the trainer said after a step (`training/course.py: said`), if it ends a part of the training
    that is not in the log. A trainer that was started again may say what one before it said."""
    told = {event.step for event in known if isinstance(event, ev.TrainingProgressed)}
    if "part" not in said or said["step"] in told:
        return None
    return ev.TrainingProgressed(
        adapter=started.adapter,
        role=started.role,
        iteration=started.iteration,
        step=said["step"],
        steps=said["steps"],
        **said["part"],
    )


def micro_batch(batch_size: int, known: Iterable[ev.Event]) -> int:
    """How many examples of a training are computed at once, after all that is known of it."""
    return min([batch_size, *(event.micro_batch for event in known if isinstance(event, ev.MicroBatchHalved))])


def halved(started: ev.DatasetBuilt, at_once: int, reason: str) -> ev.MicroBatchHalved | str:
    """What follows when memory ran out with so many examples at once: half of them, or why nothing helps, and what to
    do."""
    if at_once == 1:
        return (
            f"{reason}; even one example at a time is too much for this machine's memory: lower training.max_tokens or "
            "training.rank, or raise training.frozen_share"
        )
    return ev.MicroBatchHalved(
        adapter=started.adapter,
        role=started.role,
        iteration=started.iteration,
        micro_batch=at_once // 2,
        reason=reason,
    )

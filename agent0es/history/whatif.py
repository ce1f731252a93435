"""What other settings would have changed: rewards, filters, datasets and gates. Asks no model."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from agent0es.configuration import Configuration, changed_configuration
from agent0es.decisions import promote, reward, train
from agent0es.domain import events as ev
from agent0es.domain.names import adapter_name
from agent0es.domain.prompt import Part, Prompt
from agent0es.domain.rewards import RewardComponent
from agent0es.domain.run import RunState, TaskState, evolve
from agent0es.errors import ConfigurationError
from agent0es.history.comparison import flat
from agent0es.log import History, Recorded
from agent0es.projections.datasets import events_of_dataset, select
from agent0es.projections.examples import Example, Rows
from agent0es.projections.groups import Trial, choose_groups
from agent0es.projections.pairs import choose_pairs
from agent0es.projections.practice import Practice, practice

ANSWERABLE = (
    "rewards.weights",
    "curriculum.novelty_bar",
    "training.band",
    "training.examples_per_family",
    "training.examples_per_task",
    "training.learn_from",
    "training.minimum_examples",
    "training.roles",
    "evaluation.margin",
    "evaluation.significance",
)
"""Settings whose effect follows from the log. With any other one the models would have been asked something else."""


@dataclass(slots=True)
class _Task:
    """A task with its rewards before and after: attempt, or None for the teacher, to total."""

    family: str
    novelty: float
    before: dict[str | None, float] = field(default_factory=dict)
    after: dict[str | None, float] = field(default_factory=dict)


def other_settings(configuration: Configuration, overrides: Iterable[str]) -> Configuration:
    """The configuration with single keys set. Raises ConfigurationError for one that only a new run can answer."""
    after = changed_configuration(configuration, overrides)
    one, two = flat(configuration.model_dump(mode="json")), flat(after.model_dump(mode="json"))
    for key in sorted(one.keys() | two.keys(), reverse=True):  # training.method before the rate that it brings along
        if one.get(key) != two.get(key) and not key.startswith(ANSWERABLE):
            raise ConfigurationError(
                f"--set {key}: whatif can't compute this setting; it answers for {', '.join(ANSWERABLE)}. Try it "
                "out with agent0es fork"
            )
    return after


def whatif(
    history: History, before: Configuration, after: Configuration, components: Mapping[str, RewardComponent]
) -> dict[str, Any]:
    """What changes; values are those of JSON. `components` are those that `after` weighs."""
    tasks: dict[int, _Task] = {}
    datasets, gates = [], []
    built, leaks = _built(history), _leaks(history)
    state = RunState()
    for recorded in history.read():
        event = recorded.event
        state = evolve(state, event)
        match event:
            case ev.TaskProposed():
                tasks[event.task] = _Task(event.proposal.family, event.novelty)
            case ev.Verified(task=int() as number) if number in state.in_flight and state.in_flight[number].verified:
                tasks[number].after = _rewards(state.in_flight[number], components, after.rewards.weights)
            case ev.RewardAssigned():
                tasks[event.task].before[event.attempt] = event.total
            case ev.IterationCompleted():
                datasets += _datasets(history, event.iteration, built, tasks, before, after)
            case ev.AdapterEvaluated():
                gates.append(_gate(event, state, leaks.get(event.adapter, ()), before, after))
            case _:
                pass
    rewarded = {number: task for number, task in tasks.items() if task.before}
    return {
        "rewards": {role: _totals(rewarded.values(), role) for role in ("student", "teacher")},
        "refused": [number for number, task in tasks.items() if task.novelty < after.curriculum.novelty_bar],
        "tasks": [
            {
                "task": number,
                "family": task.family,
                "student": [_mean(task.before, "student"), _mean(task.after, "student")],
                "teacher": [_mean(task.before, "teacher"), _mean(task.after, "teacher")],
            }
            for number, task in rewarded.items()
        ],
        "datasets": datasets,
        "gates": gates,
    }


def _built(history: History) -> dict[str, tuple[int, Rows]]:
    """Adapter to the position at which its dataset was built, and its rows; where a fork rebuilt it, the later one."""
    found = history.read(types=["DatasetBuilt"])
    return {r.event.adapter: (r.position, r.event.rows) for r in found if isinstance(r.event, ev.DatasetBuilt)}


def _leaks(history: History) -> dict[str, tuple[ev.Leak, ...]]:
    """Adapter to the held-out problems that it was found to have learnt."""
    found = history.read(types=["AdapterRejected"])
    return {r.event.adapter: r.event.leaks for r in found if isinstance(r.event, ev.AdapterRejected)}


def _rewards(
    task: TaskState, components: Mapping[str, RewardComponent], weights: Mapping[str, float]
) -> dict[str | None, float]:
    decided = reward.decide(task, components, weights)
    return {event.attempt: event.total for event in decided if isinstance(event, ev.RewardAssigned)}


def _datasets(
    history: History,
    iteration: int,
    built: Mapping[str, tuple[int, Rows]],
    tasks: Mapping[int, _Task],
    before: Configuration,
    after: Configuration,
) -> list[dict[str, Any]]:
    """The datasets of one iteration under both settings, each without what was retracted before it was built, by the
    rules of then.

    Of one that was not built, all that is retracted by now is left out.
    """
    found = []
    unbuilt: tuple[None, Rows] = None, train.rows_of(after.training)
    for role in sorted({*before.training.roles, *after.training.roles}):
        position, rows = built.get(adapter_name(role, iteration), unbuilt)
        recorded = list(events_of_dataset(history, iteration, position))
        if rows in ("pairs", "groups"):
            trials = train.trials_of(role, recorded, before, rows)
            one = _met(trials, recorded, role, before, rows)
            two = _met(_judged_by(after, trials, tasks, role, rows), recorded, role, after, rows)
        else:
            practised = practice(recorded)
            others = train.examples_of(role, practised, after, rows)
            kept = [example for example in others if example.novelty >= after.curriculum.novelty_bar]
            if role == "teacher":
                kept = [replace(example, reward=tasks[example.task].after[None]) for example in kept]
            old = _chosen(train.examples_of(role, practised, before, rows), practised, role, before, rows)
            new = _chosen(kept, practised, role, after, rows)
            one, two = ([example.name for example in chosen] for chosen in (old, new))
        found.append(
            {
                "iteration": iteration,
                "role": role,
                "examples": [len(one), len(two)],
                "comes_in": [source for source in two if source not in set(one)],
                "drops_out": [source for source in one if source not in set(two)],
                "reordered": sorted(one) == sorted(two) and one != two,
                "trains": [len(one) >= before.training.minimum_examples, len(two) >= after.training.minimum_examples],
            }
        )
    return found


def _chosen(
    examples: Sequence[Example], practised: Practice, role: ev.Role, configuration: Configuration, rows: Rows
) -> Sequence[Example]:
    """What a role is trained on; nothing when it isn't."""
    if role not in configuration.training.roles:
        return []
    return select(examples, practised.doubtful, role, configuration, rows).chosen


def _judged_by(
    after: Configuration, trials: Iterable[Trial], tasks: Mapping[int, _Task], role: ev.Role, rows: Rows
) -> list[Trial]:
    """Attempts and proposals with the rewards of other settings: at a task that these refuse there are no attempts, and
    its proposal is worth nothing."""
    found = []
    for trial in trials:
        number = int(trial.source.partition("/")[0])
        refused = number in tasks and tasks[number].novelty < after.curriculum.novelty_bar
        if role == "student":
            totals = rows == "groups" and after.training.reward == "total" and trial.reward is not None
            if not refused:
                found.append(replace(trial, reward=tasks[number].after[trial.source]) if totals else trial)
        elif trial.source != str(number) or trial.reward is None:  # refused as it is, or nobody attempted it
            found.append(trial)
        else:
            found.append(replace(trial, reward=0.0 if refused else tasks[number].after[None]))
    return found


def _met(
    trials: Sequence[Trial], recorded: Iterable[Recorded], role: ev.Role, configuration: Configuration, rows: Rows
) -> list[str]:
    """The pairs, or the members of groups, that a role is trained on; nothing when it isn't."""
    if role not in configuration.training.roles:
        return []
    events, cap, seed = [one.event for one in recorded], configuration.training.examples_per_family, configuration.seed
    if rows == "groups":
        return [trial.source for trial in choose_groups(role, events, trials, cap, seed).trials]
    met = choose_pairs(events, trials, lambda one: Prompt(turns=(Part(role="user", text=one.request),)), cap, seed)
    return [" over ".join(pair.sources) for pair in met.examples]


def _gate(
    event: ev.AdapterEvaluated, state: RunState, leaks: Sequence[ev.Leak], before: Configuration, after: Configuration
) -> dict[str, Any]:
    decisions = [promote.decide(event, state, settings.evaluation, leaks) for settings in (before, after)]
    return {"adapter": event.adapter, "promoted": [isinstance(d, ev.AdapterPromoted) for d in decisions]}


def _totals(tasks: Iterable[_Task], role: str) -> dict[str, Any]:
    """Sums over all rewards of a role, before and after, and how many of them moved."""
    pairs = [
        (total, task.after[who])
        for task in tasks
        for who, total in task.before.items()
        if (who is None) == (role == "teacher")
    ]
    return {
        "count": len(pairs),
        "moved": sum(1 for old, new in pairs if old != new),
        "total": [round(sum(old for old, _ in pairs), 6), round(sum(new for _, new in pairs), 6)],
    }


def _mean(rewards: Mapping[str | None, float], role: str) -> float | None:
    """Mean over a task's attempts, or the teacher's."""
    found = [total for who, total in rewards.items() if (who is None) == (role == "teacher")]
    return round(sum(found) / len(found), 6) if found else None

"""Two runs side by side: settings, practice, rewards, adapters, scores, cost, and where they part."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

from agent0es.domain import events as ev
from agent0es.domain.adapter import Adapter, Adapters, follow, in_use
from agent0es.errors import RunNotFound
from agent0es.history.positions import bounds
from agent0es.log import EventLog, History, Recorded
from agent0es.models.artifacts import WEIGHTS


def compare(log: EventLog, a: str, b: str) -> dict[str, Any]:
    """Everything that `diff` tells; values are those of JSON, pairs are [a, b]."""
    left, right = summary(log, a), summary(log, b)
    return {"runs": [a, b], "parting": parting(log, a, b), "configuration": changed(left, right), "a": left, "b": right}


def parent_of(log: EventLog, run: str) -> str:
    """The run that this one was forked from. Raises RunNotFound when it is no fork."""
    started = History.of(log, run).started
    if not isinstance(started, ev.RunForked):
        raise RunNotFound(f"run {run} was not forked from another one; name the run to compare it with")
    return started.parent


def changed(left: Mapping[str, Any], right: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Dotted key to both values, of the settings that are not the same."""
    one, two = flat(left["configuration"]), flat(right["configuration"])
    keys = sorted(one.keys() | two.keys())
    return {key: [one.get(key), two.get(key)] for key in keys if one.get(key) != two.get(key)}


def flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings under dotted keys."""
    found: dict[str, Any] = {}
    for key, value in settings.items():
        found |= flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return found


def parting(log: EventLog, a: str, b: str) -> dict[str, Any]:
    """The last position that both share as forks of one past (None without one), and the first events that differ.

    Of runs with no past in common the events are compared one by one by content hash, so two that decided the same
    part nowhere: their first differing positions are None.
    """
    shared = 0
    for one, two in zip(History.of(log, a).segments, History.of(log, b).segments, strict=False):
        if one.run != two.run:
            break
        shared = min(until or bounds(log, one.run)[1] for until in (one.until, two.until))
    first: tuple[Recorded | None, Recorded | None] = (None, None)
    if a != b:
        histories = (History.of(log, run).read(after=shared) for run in (a, b))
        for one_event, two_event in zip_longest(*histories):
            if one_event is None or two_event is None or one_event.content_hash != two_event.content_hash:
                first = one_event, two_event
                break
    return {
        "shared_until": shared or None,
        "positions": [None if r is None else r.position for r in first],
        "types": [None if r is None else r.event.type for r in first],
    }


@dataclass(slots=True)
class _Practice:
    """An iteration's practice. Rewards are sums."""

    families: dict[tuple[str, str], list[int]] = field(default_factory=dict)
    """(domain, family) to [tasks, attempts, solved]."""
    rewards: dict[tuple[str, int, str | None], float] = field(default_factory=dict)
    """(role, task, attempt) to its reward; of a task in which a run was forked the fork's own."""
    given_up: int = 0


def summary(log: EventLog, run: str) -> dict[str, Any]:
    """A run's results, its past as a fork included."""
    history = History.of(log, run)
    iterations: dict[int, _Practice] = {}
    adapters: Adapters = {}
    tokens = {"prompt": 0, "completion": 0}
    seconds = {"model": 0.0, "tool": 0.0, "training": 0.0}
    domains: dict[int, str] = {}
    number, began, ended, count = 0, None, 0.0, 0
    for recorded in history.read():
        event, measured = recorded.event, recorded.meta.measured
        adapters = follow(adapters, event)
        began, ended, count = began or recorded.meta.time, recorded.meta.time, count + 1
        match event:
            case ev.IterationStarted():
                number = event.iteration
                iterations[number] = _Practice()
            case ev.TaskRequested():
                domains[event.task] = event.domain
            case ev.TaskCompleted():
                key = domains[event.task], event.family
                family = iterations[number].families.setdefault(key, [0, 0, 0])
                for place, more in enumerate((1, event.attempts, event.solved)):
                    family[place] += more
            case ev.ProposalRejected(tries_left=0):
                iterations[number].given_up += 1
            case ev.RewardAssigned():
                iterations[number].rewards[event.role, event.task, event.attempt] = event.total
            case ev.ModelCalled():
                tokens["prompt"] += event.prompt_tokens
                tokens["completion"] += event.completion_tokens
                seconds["model"] += float(measured.get("seconds", 0.0))
            case ev.ToolCalled():
                seconds["tool"] += float(measured.get("wall_seconds", 0.0))
            case ev.AdapterTrained():
                seconds["training"] += float(measured.get("seconds", 0.0))
            case _:
                pass
    return {
        "run": run,
        "events": count,
        "configuration": dict(history.started.configuration),
        "iterations": [_iteration(at, practice) for at, practice in iterations.items()],
        "adapters": [_adapter(name, adapter) for name, adapter in adapters.items()],
        "serving": {role: in_use(adapters, role) for role in ("teacher", "student")},
        "cost": {
            "tokens": tokens,
            "seconds": {name: round(value, 3) for name, value in seconds.items()},
            "elapsed_seconds": round(ended - (began or ended), 3),
        },
    }


def _adapter(name: str, adapter: Adapter) -> dict[str, Any]:
    """What is known of it so far."""
    found: dict[str, Any] = {"adapter": name, "role": adapter.role, "outcome": adapter.outcome}
    if adapter.dataset is not None:
        found["examples"] = adapter.dataset.examples
    if adapter.trained is not None:
        found["sha256"] = adapter.trained.files.get(WEIGHTS)
    if adapter.evaluated is not None:
        found["scores"] = [score.model_dump(mode="json", exclude={"by_family"}) for score in adapter.scores]
    return found


def _iteration(number: int, practice: _Practice) -> dict[str, Any]:
    tasks, attempts, solved = (sum(family[place] for family in practice.families.values()) for place in range(3))
    return {
        "iteration": number,
        "tasks": tasks,
        "given_up": practice.given_up,
        "attempts": attempts,
        "solved": solved,
        "solve_rate": rate(solved, attempts),
        "student_reward": _mean(practice, "student"),
        "teacher_reward": _mean(practice, "teacher"),
        "families": {
            name: {"domain": domain, "tasks": t, "attempts": a, "solved": s, "solve_rate": rate(s, a)}
            for (domain, name), (t, a, s) in sorted(practice.families.items())
        },
    }


def rate(part: int, whole: int) -> float | None:
    """The share, None of nothing."""
    return round(part / whole, 6) if whole else None


def _mean(practice: _Practice, role: str) -> float | None:
    totals = [total for (who, _, _), total in practice.rewards.items() if who == role]
    return round(sum(totals) / len(totals), 6) if totals else None

"""Two runs side by side: settings, practice, rewards, adapters, scores, cost, and where they part."""

from collections.abc import Mapping, Sequence
from typing import Any

from agent0es.domain import events as ev
from agent0es.domain.adapter import TYPES, Adapter, Adapters, follow, in_use
from agent0es.errors import RunNotFound
from agent0es.log import EventLog, History
from agent0es.models.artifacts import WEIGHTS
from agent0es.projections import Projections, moment
from agent0es.projections.moment import Past


def compare(log: EventLog, tables: Projections, a: str, b: str) -> dict[str, Any]:
    """Everything that `diff` tells; values are those of JSON, pairs are [a, b]."""
    left, right = summary(log, tables, a), summary(log, tables, b)
    parted = parting(log, tables, a, b)
    return {"runs": [a, b], "parting": parted, "configuration": changed(left, right), "a": left, "b": right}


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


def parting(log: EventLog, tables: Projections, a: str, b: str) -> dict[str, Any]:
    """The last position that both share as forks of one past (None without one), and the first events that differ.

    Of runs with no past in common the events are compared one by one by content hash, so two that decided the same
    part nowhere: their first differing positions are None.
    """
    shared = 0
    for one, two in zip(*(History.of(log, run).segments for run in (a, b)), strict=False):
        if one.run != two.run:
            break
        shared = min(until or _last(tables, one.run) for until in (one.until, two.until))
    row = None if a == b else moment.parting(tables, Past.of(tables, a), Past.of(tables, b), shared)
    first = row or dict.fromkeys(("position", "type", "other_position", "other_type"))
    return {
        "shared_until": shared or None,
        "positions": [first["position"], first["other_position"]],
        "types": [first["type"], first["other_type"]],
    }


def _last(tables: Projections, run: str) -> int:
    """The position of a run's last event."""
    found: int = moment.span(tables, Past.of(tables, run), 0)["last"]
    return found


def summary(log: EventLog, tables: Projections, run: str) -> dict[str, Any]:
    """A run's results, its past as a fork included."""
    past = Past.of(tables, run)
    adapters: Adapters = {}
    for recorded in past.events(log, tables, TYPES):
        adapters = follow(adapters, recorded.event)
    families: dict[int, list[Mapping[str, Any]]] = {}
    for row in past.rows(tables, "practice"):
        families.setdefault(row["iteration"], []).append(row)
    [cost] = past.rows(tables, "cost")
    return {
        "run": run,
        "events": cost["events"],
        "configuration": dict(History.of(log, run).started.configuration),
        "iterations": [_iteration(row, families.get(row["iteration"], [])) for row in past.rows(tables, "iterations")],
        "adapters": [_adapter(name, adapter) for name, adapter in adapters.items()],
        "serving": {role: in_use(adapters, role) for role in ("teacher", "student")},
        "cost": {
            "tokens": {kind: cost[f"{kind}_tokens"] for kind in ("prompt", "completion")},
            "seconds": {kind: round(cost[f"{kind}_seconds"], 3) for kind in ("model", "tool", "training")},
            "elapsed_seconds": round(cost["elapsed_seconds"], 3),
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


def _iteration(row: Mapping[str, Any], families: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    tasks, attempts, solved = (sum(family[name] for family in families) for name in ("tasks", "attempts", "solved"))
    return {
        "iteration": row["iteration"],
        "tasks": tasks,
        "given_up": row["given_up"],
        "attempts": attempts,
        "solved": solved,
        "solve_rate": rate(solved, attempts),
        "student_reward": _rounded(row["student_reward"]),
        "teacher_reward": _rounded(row["teacher_reward"]),
        "families": {
            family["family"]: {
                **{name: family[name] for name in ("domain", "tasks", "attempts", "solved")},
                "solve_rate": rate(family["solved"], family["attempts"]),
            }
            for family in families
        },
    }


def rate(part: int, whole: int) -> float | None:
    """The share, None of nothing."""
    return round(part / whole, 6) if whole else None


def _rounded(mean: float | None) -> float | None:
    return None if mean is None else round(mean, 6)

"""Lineage: from an adapter back to all that it was made of, from a task forward to all that it went into."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from agent0es.domain.adapter import Adapter
from agent0es.domain.names import stream
from agent0es.domain.retraction import any_covered
from agent0es.errors import UnknownName, nearest
from agent0es.log import EventLog, History
from agent0es.projections import Projections
from agent0es.provenance import adapters, trajectories
from agent0es.provenance.adapters import Story
from agent0es.provenance.files import FileCheck, check_files
from agent0es.provenance.trajectories import Trajectories


def lineage_of_adapter(log: EventLog, tables: Projections, store: Path, run: str, name: str) -> dict[str, Any]:
    """Dataset, trajectories, sandbox calls, configuration, weights, code version, and whether the files are the same.

    Raises UnknownName.
    """
    story = adapters.told(log, tables, run)
    adapter = story.adapters.get(name)
    if adapter is None:
        _must_not_be_inherited(log, run, "DatasetBuilt", ("adapter", name), f"adapter {name!r}", name)
        raise UnknownName(f"run {run} has no adapter {name!r}; {nearest(name, list(story.adapters))}")
    practice = trajectories.collect(tables, run, adapter.sources)
    return backward(run, story, name, practice, check_files(store, run, adapter))


def lineage_of_task(log: EventLog, tables: Projections, run: str, task: str) -> dict[str, Any]:
    """Attempts at a task, named by its number; the datasets that hold one of them, their adapters, and their scores.

    Raises UnknownName.
    """
    practice = trajectories.collect(tables, run, {task})
    if task not in practice.tasks:
        _must_not_be_inherited(log, run, "TaskProposed", ("task", task), f"task {task}", task)
        raise UnknownName(f"run {run} has no task {task}; list its tasks with", see=("sql", "FROM tasks"))
    return forward(run, adapters.told(log, tables, run), task, practice)


def _must_not_be_inherited(log: EventLog, run: str, kind: str, place: tuple[str, str], what: str, name: str) -> None:
    """Raise UnknownName for what a fork inherited: its lineage is in the run that made it."""
    for segment in History.of(log, run).segments[:-1]:
        if any(log.read(stream=stream(place[0], segment.run, place[1]), types=[kind], until=segment.until, limit=1)):
            see = ("lineage", name, "--run", segment.run)
            raise UnknownName(f"run {run} has no {what} of its own; for what it inherited use", see=see)


def backward(run: str, story: Story, name: str, practice: Trajectories, files: list[FileCheck]) -> dict[str, Any]:
    """An adapter's record, from what is known of it. Pure.

    `row`: the line of the dataset that an attempt, or for a teacher a task, became; None where another of its task did.
    """
    adapter, started = story.adapters[name], story.started
    rows = adapter.rows
    return {
        "run": run,
        **_summary(name, adapter),
        "dataset": _dataset(story, name),
        "training": _training(adapter),
        "base_weights": adapter.training.base_sha256 if adapter.training else None,
        "weights": started.weights if started else None,
        "code_version": started.code_version if started else None,
        "seed": started.seed if started else None,
        "configuration": started.configuration if started else None,
        "tasks": [{**task, "row": rows.get(number)} for number, task in practice.tasks.items()],
        "attempts": [{**attempt, "row": rows.get(source)} for source, attempt in practice.attempts.items()],
        "evaluation": _evaluation(name, adapter),
        "files": [asdict(check) for check in files],
    }


def forward(run: str, story: Story, task: str, practice: Trajectories) -> dict[str, Any]:
    """A task's record. Pure."""
    reached: dict[str, Adapter] = {}
    for name, adapter in story.adapters.items():
        if adapter.start in reached or any_covered(task, adapter.sources):
            reached[name] = adapter
    return {
        "run": run,
        **practice.tasks[task],
        "attempts": list(practice.attempts.values()),
        "adapters": [
            {
                **_summary(name, adapter),
                "holds": [s for s in adapter.sources if any_covered(task, [s])],
                "rows": sorted({row for source, row in adapter.rows.items() if any_covered(task, [source])}),
                "dataset": _dataset(story, name),
                "evaluation": _evaluation(name, adapter),
            }
            for name, adapter in reached.items()
        ],
    }


def tainted(story: Story, what: str) -> list[dict[str, Any]]:
    """The datasets that hold `what` (a task's number or an attempt's name), and the adapters trained on them. Pure."""
    return [
        {
            **_summary(name, adapter),
            "holds": [source for source in adapter.sources if any_covered(what, [source])],
            "dataset": _dataset(story, name),
        }
        for name, adapter in story.adapters.items()
        if what in adapter.tainted_by
    ]


def _summary(name: str, adapter: Adapter) -> dict[str, Any]:
    return {
        "adapter": name,
        "role": adapter.role,
        "iteration": adapter.iteration,
        "status": adapter.outcome,
        "reason": adapter.reason,
        "serving": adapter.serving,
        "trained": adapter.trained is not None,
        "tainted_by": list(adapter.tainted_by),
    }


def _dataset(story: Story, name: str) -> dict[str, Any]:
    built = story.adapters[name].dataset
    assert built is not None, "a story has adapters with datasets only"
    return {
        "sha256": built.sha256,
        "method": built.method,
        "start": built.start,
        "examples": built.examples,
        "per_family": built.per_family,
        "thought": built.thought,
        "left_out": built.left_out,
        "position": story.positions[name],
    }


def _training(adapter: Adapter) -> dict[str, Any] | None:
    """How it was trained; None before it was."""
    begun, ended = adapter.training, adapter.trained
    if begun is None:
        return None
    return {
        "settings": begun.settings,
        "dataset_sha256": begun.dataset_sha256,
        "steps": ended.steps if ended else None,
        "final_loss": ended.loss[-1] if ended and ended.loss else None,
    }


def _evaluation(name: str, adapter: Adapter) -> list[dict[str, Any]]:
    """The adapter's own scores on the held-out problems."""
    return [
        score.model_dump(mode="json", include={"split", "correct", "problems", "low", "high"})
        for score in adapter.scores
        if score.arm == name
    ]

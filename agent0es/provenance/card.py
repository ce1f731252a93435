"""The card of an adapter: where it comes from, what it learnt, what it solves, in Markdown beside its files."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from agent0es.domain import events as ev
from agent0es.domain.adapter import Adapter
from agent0es.domain.text import counted, left_out, one_line
from agent0es.log import EventLog, History
from agent0es.provenance import adapters, trajectories
from agent0es.provenance.again import measured_again, run_again, training_again
from agent0es.provenance.lineage import backward
from agent0es.provenance.scores import label

SPLITS = {"practised": "practised families", "held_out": "families never practised"}


def card_of(log: EventLog, run: str, name: str) -> str:
    """The card of an adapter in a run's history, from the log."""
    builders = {
        getattr(built.event, "adapter", ""): built.run for built in History.of(log, run).read(types=["DatasetBuilt"])
    }
    chain: list[Mapping[str, Any]] = []
    commands: list[str] = []
    following: str | None = name
    while following is not None:
        place = builders[following]
        story = adapters.tell(log.read(run=place, types=adapters.TYPES))
        adapter, started = story.adapters[following], story.started
        assert started is not None, "a run that trained has begun"
        chain.append(backward(place, story, following, trajectories.Trajectories(), []))
        if following == name:
            scores, configuration = _scores(adapter), started.configuration
        if adapter.requested is not None:
            commands.insert(0, training_again(adapter.requested, started.configuration))
        following = adapter.start
        if following is None or builders[following] != place:
            parent = History.of(log, started.parent).started if isinstance(started, ev.RunForked) else started
            commands.insert(0, run_again(place, started, parent.configuration))
    return "\n".join(card(chain, scores, _measured(log, {run, builders[name]}, name, configuration), commands)) + "\n"


Measured = tuple[ev.EvaluationStarted, ev.EvaluationCompleted, str]
"""An evaluation by itself, its scores, and the command that repeats it."""


def card(
    chain: Sequence[Mapping[str, Any]],
    scores: Sequence[Mapping[str, Any]],
    measured: Sequence[Measured],
    commands: Sequence[str],
) -> Iterator[str]:
    """The lines of a card. `chain`: the record of the adapter (`lineage.backward`), and of those that its training goes
    on from, one behind the other. `commands`: those that make it again. Pure."""
    first = chain[0]
    base = ", ".join(name for name, sha256 in (first["weights"] or {}).items() if sha256 == first["base_weights"])
    yield from ("---", *([f"base_model: {json.dumps(base)}"] if base else []), "library_name: peft")
    yield from ("tags: [lora, agent0es]", "---", "")
    yield from (f"# {first['adapter']} of run {first['run']}", "")
    yield f"A LoRA adapter for {base or 'the model'} (sha256 `{first['base_weights']}`): the {first['role']} of a"
    yield f"run of agent0es {first['code_version']}, trained on what it had practised. {_standing(first)}"
    yield from ("", "## Solved", "")
    yield from ("| who answers | held-out problems of | solved | of | 95% interval |", "|---|---|---|---|---|")
    for score in scores:
        interval = f"{score['low']:.3f} to {score['high']:.3f}"
        split = SPLITS.get(score["split"], score["split"])
        yield f"| {score['arm']} | {split} | {score['correct']} | {score['problems']} | {interval} |"
    for started, found, _ in measured:
        solved, interval = f"{found.pass_at['1'] * found.problems:g}", f"{found.low:.3f} to {found.high:.3f}"
        suite = one_line(started.suite).replace("|", "\\|")
        yield f"| {label(started)} | {suite}, by itself | {solved} | {found.problems} | {interval} |"
    yield from ("", "## Learnt from", "")
    for at, one in enumerate(chain):
        data, training = one["dataset"], one["training"]
        families = ", ".join(f"{family} {rows}" for family, rows in data["per_family"].items())
        begun = f"goes on from {data['start']}" if data["start"] else "begins at the base model"
        yield f"- **{one['adapter']}**, by {data['method']}, {begun}; after iteration {one['iteration']}"
        yield f"  - {counted(data['examples'], 'example')}, sha256 `{data['sha256']}`: {families or 'none'}"
        if without := left_out(data["left_out"]):
            yield f"  - left out: {without}"
        if training is not None:
            yield f"  - settings: `{json.dumps(training['settings'])}`"
        if at == 0 and one["tainted_by"]:
            yield f"  - TAINTED: {', '.join(one['tainted_by'])} was retracted since"
    place = f"{first['run']}/{first['adapter']}"
    yield from ("", "## Look closer", "", "```sh")
    yield f"agent0es lineage {place}    # every attempt that it learnt from, down to the sandbox calls"
    yield f"agent0es replay {first['run']} --verify    # computes dataset and scores again, from the answers in the log"
    yield from ("```", "", "## Train it again", "", "```sh", *commands, "```", "")
    yield "A run with `execution.deterministic: true` comes to the same adapter, another one to a like one."
    if first["role"] == "student":
        anew = [command for *_, command in measured] or [f"agent0es eval --adapter {place} --suite held-out"]
        yield from ("", "## Measure it again", "", "```sh", *anew, "```")


def _standing(one: Mapping[str, Any]) -> str:
    reason = f": {one_line(one['reason'], 400)}" if one["reason"] else ""
    return f"It was {one['status'].replace('_', ' ')}{reason}."


def _measured(log: EventLog, runs: set[str], name: str, configuration: Mapping[str, Any]) -> list[Measured]:
    """Of each evaluation of the adapter by itself the last scores, the oldest evaluation first. It is known under the
    run that trained it, and under a fork."""
    found: list[Measured] = []
    for evaluation in log.evaluations():
        started = History.of(log, evaluation).started
        if not isinstance(started, ev.EvaluationStarted) or started.way.adapter != name:
            continue
        if (run := started.way.adapter_run) in runs:
            completed = [one.event for one in log.read(run=evaluation, types=["EvaluationCompleted"])]
            if completed and isinstance(last := completed[-1], ev.EvaluationCompleted):
                again = measured_again(f"{run}/{name}", started, last.problems, configuration)
                found.append((started, last, again))
    return found


def _scores(adapter: Adapter) -> list[dict[str, Any]]:
    """Of all who answered the held-out problems with it."""
    return [score.model_dump(mode="json") for score in adapter.scores]

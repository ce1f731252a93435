"""The card of an adapter: where it comes from, what it learnt, what it solves, in Markdown beside its files."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from agent0es.domain.adapter import Adapter
from agent0es.domain.text import counted, left_out, one_line
from agent0es.log import EventLog, History
from agent0es.provenance import adapters, trajectories
from agent0es.provenance.lineage import backward

SPLITS = {"practised": "practised families", "held_out": "families never practised"}


def card_of(log: EventLog, run: str, name: str) -> str:
    """The card of an adapter in a run's history, from the log."""
    builders = {
        getattr(built.event, "adapter", ""): built.run for built in History.of(log, run).read(types=["DatasetBuilt"])
    }
    chain: list[Mapping[str, Any]] = []
    following: str | None = name
    while following is not None:
        story = adapters.tell(log.read(run=builders[following], types=adapters.TYPES))
        adapter = story.adapters[following]
        chain.append(backward(builders[following], story, following, trajectories.Trajectories(), []))
        if following == name:
            scores = _scores(adapter)
        following = adapter.start
    return "\n".join(card(chain, scores)) + "\n"


def card(chain: Sequence[Mapping[str, Any]], scores: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The lines of a card. `chain`: the record of the adapter (`lineage.backward`), and of those that its training goes
    on from, one behind the other. Pure."""
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
    yield from ("", "## Look closer, and again", "", "```sh")
    yield f"agent0es lineage {place}    # every attempt that it learnt from, down to the sandbox calls"
    yield f"agent0es config show {first['run']} > run.yaml && agent0es run --config run.yaml    # seed {first['seed']}"
    yield "```"
    yield from ("", "A run with `execution.deterministic: true` comes to the same adapter, another one to a like one.")


def _standing(one: Mapping[str, Any]) -> str:
    reason = f": {one_line(one['reason'], 400)}" if one["reason"] else ""
    return f"It was {one['status'].replace('_', ' ')}{reason}."


def _scores(adapter: Adapter) -> list[dict[str, Any]]:
    """Of all who answered the held-out problems with it."""
    return [score.model_dump(mode="json") for score in adapter.scores]

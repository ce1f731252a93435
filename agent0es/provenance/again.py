"""The commands that make an adapter again, and measure it again. Pure."""

import json
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from agent0es.domain import events as ev
from agent0es.domain.text import one_line

ASKED = ("models", "tools", "rewards", "evaluation")
"""Sections by which an adapter's answers may be others; the rest of an evaluation's configuration follows from it."""


def run_again(run: str, started: ev.RunStarted | ev.RunForked, parent: Mapping[str, Any]) -> str:
    """The command by which a run began; `parent` is the configuration of the run that it was forked from."""
    if isinstance(started, ev.RunForked):
        words = ("fork", started.parent, "--at", str(started.position), *_set(parent, started.configuration))
        return f"{_command(*words)}    # run {run}, where run {started.parent} is in the store"
    return f"{_command('config', 'show', run)} > run.yaml && agent0es run --config run.yaml    # seed {started.seed}"


def training_again(requested: ev.TrainingRequested, configuration: Mapping[str, Any]) -> str:
    """The command by which an adapter was asked for after a run with this configuration."""
    own = {**configuration.get("training", {}), "roles": requested.settings.get("roles")}
    changed = _set(own, requested.settings, "training.")
    if requested.replaces is not None:
        words = ["--without-retracted", *changed, "--name", requested.adapter]
        return (
            f"{_command('train', 'latest', *words)}    # in place of {requested.replaces}, without what was retracted"
        )
    return _command("train", "latest", "--role", requested.role, *changed, "--name", requested.adapter)


def measured_again(place: str, started: ev.EvaluationStarted, limit: int, configuration: Mapping[str, Any]) -> str:
    """The command that measures an adapter once more as in an evaluation of it, of the first `limit` problems.
    `configuration` is that of the adapter's run."""
    way, suite = started.way, one_line(started.suite)  # a file has a dot in its name, and nothing else has
    words = ["eval", "--adapter", place, "--file" if "." in suite else "--suite", suite, "--format", way.format]
    words += ["--shots", str(way.shots), "--k", str(way.samples), "--limit", str(limit)]
    before, after = ({key: one.get(key) for key in ASKED} for one in (configuration, started.configuration))
    seed = [] if started.seed == configuration.get("seed") else ["--set", f"seed={started.seed}"]
    return _command(*words, *seed, *_set(before, after))


def _command(*words: str) -> str:
    return shlex.join(("agent0es", *words))


def _set(before: Mapping[str, Any], after: Mapping[str, Any], within: str = "") -> list[str]:
    """`--set KEY=VALUE` for each key that is another after than before."""
    return [word for key, value in _changed(before, after, within) for word in ("--set", f"{key}={json.dumps(value)}")]


def _changed(before: Mapping[str, Any], after: Mapping[str, Any], within: str) -> Iterator[tuple[str, Any]]:
    """A mapping with other keys is set whole: single ones can't be left out."""
    for key, value in after.items():
        known = before.get(key)
        if isinstance(value, Mapping) and isinstance(known, Mapping) and value.keys() == known.keys():
            yield from _changed(known, value, f"{within}{key}.")
        elif value != known:
            yield f"{within}{key}", value

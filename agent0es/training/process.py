"""The trainer: what happens in the process that `trainer.ProcessTrainer` starts.

Writes one JSON object a line to standard output: where it begins, progress per step, and in the end `{"done": {...}}`,
or `{"refused": "why"}` where a repetition would come to the same. What it leaves: an adapter in PEFT's format, and what
its engine makes of it, as `models/artifacts.py` names them; in the job's folder the last checkpoint.
"""

import json
import math
import os
import random
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from agent0es.configuration import TrainingSettings
from agent0es.crash_points import reach
from agent0es.errors import UserError
from agent0es.models.artifacts import CONFIG, PEFT, WEIGHTS, Artifacts
from agent0es.training.base import TrainingError
from agent0es.training.beginning import begin
from agent0es.training.checkpoint import Checkpoint, Checkpoints
from agent0es.training.course import Course, said
from agent0es.training.engine import Policy
from agent0es.training.engines import ENGINES
from agent0es.training.methods import learning_rate, load_method
from agent0es.training.methods.base import Method, U
from agent0es.training.optimizers import optimizer_of

MAX_GRADIENT_NORM = 1.0


class Refused(Exception):
    """What is wrong with the job itself: it would end in the same way again."""


class Phases:
    """Seconds of each phase, for the final report."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._since = time.perf_counter()

    def end(self, phase: str) -> None:
        now = time.perf_counter()
        self.seconds[phase] = round(now - self._since, 2)
        self._since = now


def main(file: Path) -> None:
    """Train, save, derive, report: the job of a JSON file, as `trainer.described` makes it."""
    try:
        _run(json.loads(file.read_text()), file.parent)
    except Refused as error:
        _say({"refused": str(error)})
        raise SystemExit(1) from None


def _run(job: Mapping[str, Any], folder: Path) -> None:
    settings = TrainingSettings.model_validate(job["settings"])
    phases = Phases()
    torch.manual_seed(job["seed"])
    if job["threads"]:
        torch.set_num_threads(job["threads"])
    base, output, dataset = Path(job["base"]), Path(job["output"]), Path(job["dataset"])
    checkpoints = Checkpoints(folder, job)
    last = checkpoints.last()
    if last is not None:
        settings = settings.model_copy(update={"precision": last.precision})
    try:
        engine, method = ENGINES[settings.engine](), load_method(settings.method)
        opened = engine.open(base, Path(job["cache"]), settings)
        units = fit(method.read(dataset, opened.template, opened.tokenizer, settings), settings, dataset)
        if method.needs_reference(settings):
            _say({"compares": len(units)})
        units = begin(opened.policy, method, units, settings, job["start"], job["micro_batch"])
    except (ValueError, UserError, TrainingError) as error:
        raise Refused(str(error)) from None
    phases.end("load")
    course = train(opened.policy, method, units, settings, job["seed"], job["micro_batch"], checkpoints, last)
    phases.end("train")
    if output.exists():
        shutil.rmtree(output)  # what a trainer that was killed left, half-written files too
    output.mkdir(parents=True)
    _save_adapter(opened.policy, output, base)
    reach("adapter.written", with_parent=True)
    engine.derive(base, Artifacts(output, {}))
    files = dict(Artifacts.measure(output).files)
    phases.end("merge")
    done = {
        "steps": course.step,
        "loss": course.loss,
        "examples": len(units),
        "tokens": course.tokens,
        "files": files,
        "phases": phases.seconds,
        "precision": opened.policy.precision,
    }
    _say({"done": done})


def fit(units: Sequence[U], settings: TrainingSettings, dataset: Path) -> list[U]:
    """Those of which no text is too long, and something is to be learnt. Raises Refused where that leaves none, or, of
    more, fewer than `training.minimum_examples`."""
    kept = [
        unit
        for unit in units
        if all(len(e.ids) <= settings.max_tokens for e in unit.examples) and any(e.labels for e in unit.examples)
    ]
    if not kept:
        raise Refused(f"{dataset}: none of {len(units)} examples can be used: too long, or nothing to learn in them")
    if len(kept) < min(len(units), settings.minimum_examples):
        raise Refused(
            f"{dataset}: {len(kept)} of {len(units)} examples can be used, the others are longer than "
            f"training.max_tokens ({settings.max_tokens}) or have nothing to learn in them; training.minimum_examples "
            f"is {settings.minimum_examples}"
        )
    return kept


def train(
    policy: Policy,
    method: Method[U],
    units: Sequence[U],
    settings: TrainingSettings,
    seed: int,
    micro_batch: int,
    checkpoints: Checkpoints,
    last: Checkpoint | None,
) -> Course:
    """The optimizer on the adapters, from the last checkpoint on where there is one. At most `micro_batch` units are
    computed at once; how many a step takes say the settings."""
    optimizer, highest = optimizer_of(policy.parameters, settings), learning_rate(settings)
    per_step = settings.batch_size * settings.gradient_accumulation
    steps = math.ceil(len(units) / per_step) * settings.epochs
    course = Course()
    if last is not None:
        last.restore(policy, optimizer)
        course = last.course
    begun_at, read_before = course.step, course.tokens
    _say({"begun_at": begun_at, "steps": steps})
    for message in course.told:
        _say(message)
    begin = time.perf_counter()
    for chosen in islice(_steps(units, per_step, settings.epochs, seed), begun_at, None):
        reach("training.step", with_parent=True)
        weight = sum(unit.weight for unit in chosen)
        total = 0.0
        metrics: dict[str, float] = {}
        for batch in (chosen[at : at + micro_batch] for at in range(0, len(chosen), micro_batch)):
            examples = [example for unit in batch for example in unit.examples]
            loss, more = method.loss(policy.log_probabilities(examples), batch, settings)
            # The mean over the whole step, however it falls into batches.
            loss = loss / weight
            loss.backward()
            total += loss.item()
            metrics |= {name: metrics.get(name, 0.0) + value / weight for name, value in more.items()}
            course.tokens += sum(len(example.ids) for example in examples)
        rate = highest * share_of_rate(course.step, steps, settings.warmup_steps)
        for group in optimizer.param_groups:
            group["lr"] = rate
        norm = torch.nn.utils.clip_grad_norm_(policy.parameters, MAX_GRADIENT_NORM)
        if not (math.isfinite(total) and torch.isfinite(norm)):
            raise Refused(
                f"at step {course.step + 1} of {steps} the loss or its gradient was not a finite number: the training "
                "diverged; lower training.learning_rate"
            )
        optimizer.step()
        optimizer.zero_grad()
        course.loss.append(total)
        course.gradient_norm.append(norm.item())
        course.metrics.append(metrics)
        seconds = time.perf_counter() - begin
        message = said(course, steps, rate, seconds, begun_at, course.tokens - read_before)
        if "part" in message:
            course.told.append(message)
        _say(message)
        checkpoints.keep(policy, optimizer, course, at_once=course.step == steps)
    return course


def share_of_rate(step: int, steps: int, warmup: int) -> float:
    """Share of the learning rate at a step: straight up over the warm-up, then straight down to zero."""
    return (step + 1) / (warmup + 1) if step < warmup else 1 - (step - warmup) / max(1, steps - warmup)


def _steps(units: Sequence[U], size: int, epochs: int, seed: int) -> Iterator[list[U]]:
    order = random.Random(seed)
    for _ in range(epochs):
        shuffled = order.sample(units, len(units))
        yield from (shuffled[at : at + size] for at in range(0, len(shuffled), size))


def _save_adapter(policy: Policy, output: Path, base: Path) -> None:
    """Write PEFT's files, in full or not at all."""
    tensors, config = policy.adapter()
    beside = Path(tempfile.mkdtemp(dir=output, prefix=".adapter-"))
    unfinished = beside / PEFT
    try:
        unfinished.mkdir()
        save_file(dict(tensors), beside / WEIGHTS, metadata={"format": "pt"})
        (beside / CONFIG).write_text(json.dumps({**config, "base_model_name_or_path": base.name}, indent=1))
        for file in unfinished.iterdir():
            with file.open("rb") as written:
                os.fsync(written.fileno())
        unfinished.rename(output / PEFT)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _say(message: Mapping[str, Any]) -> None:
    print(json.dumps(message), flush=True)

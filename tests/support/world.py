"""Whole runs in this process, in a second or so: a small math domain, scripted models, tools that work in memory.

The log, the dispatcher, the handlers and all decisions are real. Made up are the models' words, the sandbox (the
tools look the answer up), the embeddings (a hash of the text), and the training (a file of a few bytes).
"""

import asyncio
import hashlib
import json
import math
import random
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from agent0es.bootstrap import load_rewards
from agent0es.configuration import Configuration, TrainingSettings, load_configuration
from agent0es.domain.program import Program
from agent0es.domain.rewards import RewardComponent
from agent0es.domain.run import RunState
from agent0es.handlers.base import Ports
from agent0es.history.forking import fork_configuration
from agent0es.history.novelties import Novelties
from agent0es.history.verification import Rules
from agent0es.log import EventLog, History
from agent0es.models.artifacts import MERGED, WEIGHTS, Artifacts
from agent0es.models.base import GenerationRequest, ModelBackend, Weights
from agent0es.models.scripted import ScriptedBackend
from agent0es.projections.snapshots import Snapshots
from agent0es.rollouts.toolbox import Toolbox
from agent0es.runs.driving import drive
from agent0es.runs.forking import fork_run
from agent0es.runs.settings import configuration_of
from agent0es.runs.starting import NO_PARTS, start_run
from agent0es.taskdomains.base import Family, Split
from agent0es.taskdomains.math import MathDomain
from agent0es.tools.base import NO_FILES, ToolLimits, ToolResult
from agent0es.training.base import Trained, Trainer, TrainingJob
from agent0es.training.packed import Packed
from agent0es.training.trainer import ProcessTrainer
from tests.support.questions import reply

FAMILIES = {"practised": ("product", "gcd", "expansion"), "held_out": ("quotient",), "validation": ()}
SETTINGS = (
    "models.teacher.backend=scripted",
    "models.student.backend=scripted",
    "execution.iterations=1",
    "execution.tasks_per_iteration=3",
    "execution.tasks_in_flight=2",
    "execution.attempts=2",
    "training.minimum_examples=1",
    "evaluation.practised_problems=1",
    "evaluation.held_out_problems=1",
    "evaluation.demonstrations=2",
    "evaluation.significance=1.0",
)


class SmallDomain(MathDomain):
    """A few families of the math domain, so that an evaluation is short."""

    def families(self, split: Split) -> Sequence[Family]:
        return [self.family(name) for name in FAMILIES[split]]


def respond(request: GenerationRequest, adapter: str | None) -> str:
    """A teacher that proposes, now and then badly; a student that is right more often once it was trained."""
    if (opinion := reply(request)) is not None:
        return opinion
    question, said, seed = request.messages[-1].content, request.prefill, request.seed
    rng = random.Random(f"{seed}/{question}/{adapter}")
    if question.startswith("Families:"):
        name = question.removeprefix("Families:").split(",")[0].strip()
        if seed % 3 == 0:
            return "I would rather not."
        return json.dumps({"family": name, **MathDomain().family(name).sample(rng, 0.0)})
    if question.startswith("Topic:"):
        a, b = rng.randrange(100, 999), rng.randrange(100, 999)
        wrong = " nonsense" if rng.random() < 0.4 else ""
        return json.dumps({"task": f"What do you get for {a} times {b}?", "expression": f"{a} * {b}{wrong}"})
    observations = re.findall(r"Observation: (.*)", said)
    if observations:
        return (" " if said.endswith("Answer:") else "Answer: ") + observations[-1]
    knows = adapter or ("ivide" not in question and rng.random() < 0.6)
    call = reference(question) if knows else f"python[{rng.randrange(99)}]"
    return f" {call}\n" if said.endswith("Action:") else f"Action: {call}\n"


def reference(question: str) -> str:
    """The call that computes the answer."""
    numbers = re.findall(r"\d+", question)
    if "xpand" in question:
        return f"math[expand({question[question.index('(') : question.rindex(')') + 1]})]"
    if "gcd" in question:
        return f"python[math.gcd({', '.join(numbers)})]"
    return f"python[{(' / ' if 'ivide' in question else ' * ').join(numbers)}]"


class MemoryTool:
    """Computes what the tests' student writes."""

    description = ""
    schema: Mapping[str, Any] = {}
    allowed = ()

    def __init__(self, name: str) -> None:
        self.name = name

    async def run(self, text: str, limits: ToolLimits, files: Mapping[str, str] = NO_FILES) -> ToolResult:
        status: Any = "ok"
        if text.startswith("expand("):
            output = text.removeprefix("expand(").removesuffix(")")  # in a form that takes algebra to judge
        elif re.fullmatch(r"[\d\s*+()./,-]+|math\.gcd\([\d, ]+\)", text):
            output = str(eval(text, {"math": math}))
        else:
            status, output = "error", "NameError: no"
        return ToolResult(status, output, 0 if status == "ok" else 1, len(output), 0, 0.01, 0.01, 1.0, "memory")


class HashEmbedder:
    """A direction for each text."""

    loading = ""

    async def embed(self, texts: Sequence[str]) -> Any:
        rows = [
            np.frombuffer(hashlib.sha512(text.encode()).digest(), np.uint8).astype(np.float32) - 127.5 for text in texts
        ]
        return np.stack(rows) if rows else np.empty((0, 64), np.float32)


@cache
def configured(*overrides: str) -> Configuration:
    return load_configuration(overrides=[*SETTINGS, *overrides], environment={})


def ports(
    store: Path,
    log: EventLog,
    run: str,
    configuration: Configuration,
    model: ModelBackend | None = None,
    trainer: Trainer | None = None,
) -> Ports:
    """Everything that the handlers call; both agents have the same model."""
    model = model or ScriptedBackend(respond, weights=Weights("scripted", store / "base.gguf", "b" * 64))
    trainer = trainer or NoTrainer(Packed(), store / "base")
    return Ports(
        run=run,
        store=store,
        log=log,
        history=History.of(log, run),
        configuration=configuration,
        domains={"math": SmallDomain()},
        models={"teacher": model, "student": model},
        toolbox=Toolbox({name: MemoryTool(name) for name in ("python", "math")}, agree),
        rewards=_rewards(tuple(configuration.rewards.weights.items())),
        embedder=HashEmbedder(),  # type: ignore[arg-type]
        trainer=trainer,
        on_training_progress=lambda progress: None,
    )


@cache
def _rewards(weights: tuple[tuple[str, float], ...]) -> dict[str, RewardComponent]:
    """Looked up once: the packages that are installed stay the same."""
    return load_rewards(dict(weights))


async def agree(program: Program, data: str, limits: ToolLimits) -> ToolResult:
    """What every program of the verifier says here."""
    return ToolResult("ok", "true", 0, 4, 0, 0.01, 0.01, 1.0, "memory")


def rules(log: EventLog, run: str, novelties: Novelties | None = None) -> Rules:
    """What the decisions of a run are checked with."""
    weights = configuration_of(log, run).rewards.weights
    return Rules({"math": SmallDomain()}, load_rewards(weights), novelties)


class NoTrainer(ProcessTrainer):
    """Takes no time: an adapter is the hash of its dataset."""

    def why_not(self, base: Weights, settings: TrainingSettings) -> str | None:
        return None

    async def train(self, job: TrainingJob, on_progress: Any) -> Trained:
        content = job.dataset.read_bytes()
        sha256, rows = hashlib.sha256(content).hexdigest(), content.count(b"\n")
        return Trained(Artifacts(job.output, {WEIGHTS: sha256, MERGED: sha256}), 1, (0.5,), rows, 1, 0.1, {}, "fp32")


def begin(log: EventLog, run: str, *overrides: str) -> None:
    start_run(log, run, configured(*overrides), NO_PARTS)


def fork(log: EventLog, child: str, parent: str, position: int, *overrides: str) -> None:
    configuration = fork_configuration(log, Snapshots(log), parent, position, overrides)
    fork_run(log, child, parent, position, configuration, NO_PARTS)


def complete(log: EventLog, run: str, store: Path) -> RunState:
    """Drive the run to its end."""
    return asyncio.run(drive(ports(store, log, run, configuration_of(log, run)), []))


def contents(log: EventLog, run: str) -> Mapping[str, int]:
    """Type of event to how many the run's history has."""
    counted: dict[str, int] = {}
    for recorded in History.of(log, run).read():
        counted[recorded.event.type] = counted.get(recorded.event.type, 0) + 1
    return counted

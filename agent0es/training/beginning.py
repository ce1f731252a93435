"""Where a training begins: at a new adapter or at one that there is, and what the policy says of its examples then."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from agent0es.configuration import TrainingSettings
from agent0es.models.artifacts import CONFIG, WEIGHTS
from agent0es.training.engine import Policy
from agent0es.training.methods.base import Method, U


def begin(
    policy: Policy,
    method: Method[U],
    units: Sequence[U],
    settings: TrainingSettings,
    start: str | None,
    micro_batch: int,
) -> list[U]:
    """Give the policy the values of the adapter in the folder `start`, if there is one. The units, with what the
    policy then gives for them, `micro_batch` of them at once, where the method compares with it.

    Raises ValueError for an adapter that is not of the settings' shape.
    """
    if start is not None:
        go_on(policy, Path(start))
    return with_reference(policy, units, micro_batch) if method.needs_reference(settings) else list(units)


def go_on(policy: Policy, folder: Path) -> None:
    """Give the policy the values of the adapter in a folder. Raises ValueError for one of another shape."""
    tensors, config = policy.adapter()
    before = load_file(folder / WEIGHTS)
    known: Mapping[str, Any] = json.loads((folder / CONFIG).read_text())
    who = f"{folder.name}, from which it is to go on,"
    for key, setting in (("r", "rank"), ("lora_alpha", "alpha")):
        if known.get(key) != config[key]:
            raise ValueError(
                f"{who} has {setting} {known.get(key)}, and training.{setting} is {config[key]}: leave it as it was"
            )
    if {name: tensor.shape for name, tensor in before.items()} != {n: tensor.shape for n, tensor in tensors.items()}:
        raise ValueError(
            f"{who} is of other layers: leave training.target_modules and training.frozen_share as they were"
        )
    policy.load(before)


def with_reference(policy: Policy, units: Sequence[U], at_once: int) -> list[U]:
    """The units with what the policy gives for them now."""
    found: list[U] = []
    for at in range(0, len(units), at_once):
        batch = units[at : at + at_once]
        with torch.no_grad():
            given = policy.log_probabilities([example for unit in batch for example in unit.examples])
        known = given.split([unit.labels for unit in batch])
        found += [replace(unit, reference=tensor) for unit, tensor in zip(batch, known, strict=True)]
    return found

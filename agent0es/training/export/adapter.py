"""A LoRA adapter in PEFT's format, read as what it adds to each matrix.

What PEFT can put into an adapter beyond that is refused by name, never left out: an export that leaves something out
answers with other words than the adapter that was evaluated.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

_UNIMPORTANT = frozenset(
    "auto_mapping base_model_name_or_path eva_config exclude_modules inference_mode layers_pattern layers_to_transform "
    "lora_dropout megatron_core peft_version qalora_group_size revision runtime_config target_modules task_type".split()
)
"""Fields that say where the matrices are, how they were trained or who asked: the tensors say what counts."""
_READ = frozenset("alpha_pattern bias init_lora_weights lora_alpha peft_type r rank_pattern use_rslora".split())
"""Fields that are understood here."""
_BASE_UNCHANGED = (None, True, False, "gaussian", "orthogonal", "eva")
"""Ways to begin a training that leave the base as it is. Others, PiSSA for one, take something out of it first."""
_MATRIX = re.compile(r"base_model\.model\.(?P<module>.+)\.lora_(?P<part>[AB])\.weight")


@dataclass(frozen=True, slots=True)
class Addition:
    """What an adapter adds to a matrix (out, in): scale · B A."""

    a: Tensor
    """fp32, (rank, in)."""
    b: Tensor
    """fp32, (out, rank)."""
    scale: float


def read_adapter(folder: Path) -> dict[str, Addition]:
    """A module's path, e.g. `model.layers.0.self_attn.q_proj`, to what is added to it.

    Raises ValueError when `folder` holds no LoRA adapter of PEFT's, or one that does more than to add these.
    """
    config, tensors = _read(folder)
    try:
        if why := why_not_added(config):
            raise ValueError(why)
        pairs: dict[str, dict[str, Tensor]] = {}
        for name, tensor in tensors.items():
            if (found := _MATRIX.fullmatch(name)) is None:
                raise ValueError(f"it holds {name}, which is more than LoRA's A and B and can't be exported")
            pairs.setdefault(found["module"], {})[found["part"]] = tensor.float()
        return {module: _addition(config, module, pair) for module, pair in pairs.items()}
    except ValueError as error:
        raise ValueError(f"{folder}: {error}") from None
    except (KeyError, TypeError, AttributeError, ZeroDivisionError) as error:
        raise ValueError(f"{folder}: not a readable adapter: {error!r}") from None


def _read(folder: Path) -> tuple[Mapping[str, Any], dict[str, Tensor]]:
    """The two files of an adapter."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
        return config, load_file(folder / "adapter_model.safetensors")
    except (OSError, ValueError, SafetensorError) as error:
        raise ValueError(f"{folder}: not a readable adapter: {error!r}") from None


def why_not_added(config: Mapping[str, Any]) -> str | None:
    """What in an adapter's configuration makes it more than matrices to add; None where nothing does. Pure."""
    if (kind := config["peft_type"]) != "LORA":
        return f"only LoRA adapters can be exported, this is {kind}"
    if (bias := config.get("bias", "none")) != "none":
        return f"biases were trained too (bias: {bias}), which can't be exported"
    if (begun := config.get("init_lora_weights")) not in _BASE_UNCHANGED:
        return f"training changed the base (init_lora_weights: {begun}); convert it with PEFT's save_pretrained first"
    more = [name for name, value in config.items() if value and name not in _READ | _UNIMPORTANT]
    return f"its {more[0]} ({json.dumps(config[more[0]])[:80]}) can't be exported" if more else None


def _addition(config: Mapping[str, Any], module: str, pair: Mapping[str, Tensor]) -> Addition:
    if pair.keys() != {"A", "B"}:
        raise ValueError(f"{module} has no {'B' if 'A' in pair else 'A'}")
    a, b = pair["A"], pair["B"]
    rank = int(_for_module(config.get("rank_pattern"), module, config["r"]))
    if a.ndim != 2 or b.ndim != 2 or not len(a) == b.shape[1] == rank:
        raise ValueError(f"{module} should have rank {rank}, but its matrices are {list(a.shape)}, {list(b.shape)}")
    alpha = float(_for_module(config.get("alpha_pattern"), module, config["lora_alpha"]))
    return Addition(a, b, alpha / (math.sqrt(rank) if config.get("use_rslora") else rank))


def _for_module(pattern: Mapping[str, float] | None, module: str, otherwise: float) -> float:
    """A module's own value of a setting, by PEFT's rule for which pattern it matches."""
    if not pattern:
        return otherwise
    from peft.utils.other import get_pattern_key

    return pattern.get(get_pattern_key(list(pattern), module), otherwise)

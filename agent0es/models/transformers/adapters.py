"""Adapters beside a base model in memory, by PEFT: rows of one batch may each have another one, or none."""

import json
from typing import Any

import torch

from agent0es.errors import ModelNotFound
from agent0es.models.artifacts import CONFIG, PEFT, WEIGHTS, Artifacts
from agent0es.models.engine_child import check_hash, last_line

BASE = "__base__"
"""PEFT's name for a row without an adapter."""
_KEPT = frozenset(
    "r lora_alpha target_modules layers_to_transform layers_pattern rank_pattern alpha_pattern use_rslora "
    "fan_in_fan_out exclude_modules".split()
)
"""Of PEFT's configuration, what says how a LoRA adapter is computed."""
_WITHOUT_EFFECT = frozenset(
    "peft_type peft_version task_type base_model_name_or_path revision inference_mode lora_dropout init_lora_weights "
    "auto_mapping loftq_config eva_config corda_config lora_ga_config runtime_config ensure_weight_tying "
    "megatron_core qalora_group_size".split()
)
"""What says how it was trained."""


class Adapters:
    """What is deployed. `model` is what answers: the base, wrapped by PEFT while there is an adapter."""

    def __init__(self, base: Any) -> None:
        self.model = base
        self._keys: dict[str, str] = {}
        """Name to PEFT's, which may hold no dot."""
        self._failed: dict[str, ModelNotFound] = {}
        self._made = 0

    def why_not(self, name: str | None) -> ModelNotFound | None:
        """Why this adapter can't answer; None where it can."""
        if name is None or name in self._keys:
            return None
        return self._failed.get(name, ModelNotFound(f"adapter {name} is not deployed"))

    def keywords(self, names: list[str | None]) -> dict[str, list[str]]:
        """For the model's call: the adapter of each row."""
        if not self._keys:
            return {}
        return {"adapter_names": [BASE if name is None else self._keys[name] for name in names]}

    def deploy(self, name: str, artifacts: Artifacts) -> None:
        """Raises WrongWeights for a changed file, ModelNotFound for an adapter that does not fit the base."""
        if name in self._keys:
            return
        try:
            self._deploy(name, artifacts)
        except ModelNotFound as error:
            self._failed[name] = error
            raise
        self._failed.pop(name, None)

    def retire(self, name: str) -> None:
        """Unload an adapter."""
        self._failed.pop(name, None)
        key = self._keys.pop(name, None)
        if key is not None:
            self._remove(key)

    def _deploy(self, name: str, artifacts: Artifacts) -> None:
        from peft import LoraConfig, get_peft_model, set_peft_model_state_dict
        from safetensors.torch import load_file

        for file in (CONFIG, WEIGHTS):
            _check(name, artifacts, file)
        self._made += 1
        key = f"adapter{self._made}"
        try:
            config = LoraConfig(**_settings(json.loads((artifacts.folder / CONFIG).read_text())), lora_dropout=0.0)
            tensors = load_file(artifacts.folder / WEIGHTS)
            if self._keys:
                self.model.add_adapter(key, config)
            else:
                self.model = get_peft_model(self.model, config, adapter_name=key)
            result: Any = set_peft_model_state_dict(self.model, tensors, adapter_name=key)
            if result.unexpected_keys:
                raise ValueError(f"the base has no place for {result.unexpected_keys[0]}")
            if missing := [one for one in result.missing_keys if f".{key}." in one]:
                raise ValueError(f"it has nothing for {missing[0]}")
            self.model.requires_grad_(False)
            self.model.eval()
            with torch.inference_mode():  # what PEFT can't mix in a batch is known now
                ids = torch.zeros(1, 1, dtype=torch.int64, device=self.model.device)
                self.model(input_ids=ids, adapter_names=[key])
        except (ValueError, KeyError, TypeError, RuntimeError, OSError, AttributeError, ImportError) as error:
            if key in getattr(self.model, "peft_config", {}):
                self._remove(key)
            raise ModelNotFound(
                f"adapter {name}: {artifacts.folder / PEFT} can't be put on this base: {last_line(error)}"
            ) from error
        self._keys[name] = key

    def _remove(self, key: str) -> None:
        if self._keys:
            self.model.delete_adapter(key)
        else:
            self.model = self.model.unload()


def _check(name: str, artifacts: Artifacts, file: str) -> None:
    """Raises WrongWeights where a file is missing or has another hash than the deployment."""
    if file not in artifacts.files:
        raise ModelNotFound(f"adapter {name}: transformers needs {file} of PEFT's format, and there is none")
    check_hash(artifacts.folder / file, artifacts.files[file])


def _settings(config: object) -> dict[str, Any]:
    """What a stranger's configuration says of a plain LoRA adapter. Raises ValueError where it says more."""
    if not isinstance(config, dict) or config.get("peft_type") != "LORA":
        raise ValueError("adapter_config.json does not describe a LoRA adapter, and no other kind is served")
    more = {key: value for key, value in config.items() if key not in _KEPT | _WITHOUT_EFFECT}
    for key, value in more.items():
        if value and not (key == "bias" and value == "none"):
            raise ValueError(f"it uses {key}, and only plain LoRA is served")
    return {key: value for key, value in config.items() if key in _KEPT}

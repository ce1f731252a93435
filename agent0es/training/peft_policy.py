"""A model of transformers with an adapter of PEFT's, of any architecture, in full precision, bf16 or 4 bits.

Made so that a small GPU suffices:

- logits exist only where there is a label;
- texts of about the same length are computed together, so that little is computed for padding;
- the frozen weights may be in 4 bits (QLoRA: NF4, its scales quantized too), the adapters stay in fp32;
- gradient checkpointing, where it is set;
- flash attention, where it is installed; on several GPUs accelerate spreads the layers over them.
"""

import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as F  # noqa: N812 - its name everywhere
from torch import Tensor

from agent0es.configuration import TrainingSettings
from agent0es.errors import ModelNotFound
from agent0es.models.engine_child import last_line
from agent0es.models.transformers.loading import in_four_bits, said_in_a_line
from agent0es.training.examples import Example
from agent0es.training.network import PRECISIONS, Precision
from agent0es.training.packed import faster_precision

WASTE = 0.25
"""Most of what is computed for a text that may be padding."""
NO_ROOM = "set training.peft_method: qlora or training.gradient_checkpointing: true, or lower training.max_tokens"
"""What helps where a GPU's memory is too small."""
_KEPT = (
    *("peft_type", "task_type", "r", "lora_alpha", "lora_dropout", "target_modules", "layers_to_transform", "bias"),
    "fan_in_fan_out",
)
"""Of PEFT's configuration, what says what the matrices are."""


class PeftPolicy:
    """A frozen model of transformers and the adapter on it."""

    def __init__(self, folder: Path, settings: TrainingSettings) -> None:
        """Load a Hugging Face folder. Adapters start as PEFT's do: A uniform, B zero, from torch's current seed.

        The first `frozen_share` of the layers, rounded down, get none. Raises ModelNotFound where transformers or PEFT
        can't take the folder or the settings.
        """
        from peft import LoraConfig, get_peft_model

        seed = torch.initial_seed()
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.precision = _precision(settings, device)
        model = _load(folder, settings, PRECISIONS[self.precision])
        model.requires_grad_(False)
        model.train()
        layers = model.config.get_text_config().num_hidden_layers
        config = LoraConfig(
            task_type="CAUSAL_LM",
            r=settings.rank,
            lora_alpha=settings.alpha,  # type: ignore[arg-type]  # fractions, too, whatever PEFT's types say
            lora_dropout=settings.dropout,
            target_modules=list(settings.target_modules),
            layers_to_transform=list(range(int(settings.frozen_share * layers), layers)),
        )
        torch.manual_seed(seed)  # whatever loading drew
        try:
            if settings.gradient_checkpointing:
                model.activation_checkpointing_enable({"use_reentrant": False})
            self.model: Any = get_peft_model(model, config)
        except ValueError as error:
            raise ModelNotFound(f"{folder.name}: PEFT can't train it: {last_line(error)}") from error
        self._mixed = torch.autocast(device.type, torch.bfloat16, enabled=self.precision == "bf16")
        self.keeps: Literal["learnt", "last", "all"] = "all"
        """Of which tokens logits are made: of those before a label; of all from the first such on, where a mask would
        lie on another GPU; of all, where the architecture knows nothing else."""
        if "logits_to_keep" in inspect.signature(model.forward).parameters:
            self.keeps = "learnt" if torch.cuda.device_count() < 2 else "last"

    @property
    def parameters(self) -> list[Tensor]:
        """What is trained."""
        return [one for one in self.model.parameters() if one.requires_grad]

    def log_probabilities(self, examples: Sequence[Example]) -> Tensor:
        """As `Policy` says; on the CPU, wherever the model is."""
        self.model.train(torch.is_grad_enabled())  # dropout is the only difference
        found: dict[int, Tensor] = {}
        for places in alike([len(example.ids) for example in examples]):
            chosen = [examples[place] for place in places]
            found |= zip(places, self._of(chosen).split([example.labels for example in chosen]), strict=True)
        return torch.cat([found[place] for place in range(len(examples))])

    def adapter(self) -> tuple[Mapping[str, Tensor], Mapping[str, Any]]:
        """As `Policy` says."""
        from peft import get_peft_model_state_dict

        tensors = get_peft_model_state_dict(self.model, save_embedding_layers=False)
        config = self.model.peft_config["default"].to_dict()
        said = {key: sorted(value) if isinstance(value, set) else value for key, value in config.items()}
        return (
            {name: tensor.detach().float().cpu().contiguous() for name, tensor in tensors.items()},
            {**{key: said[key] for key in _KEPT}, "inference_mode": True},
        )

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """As `Policy` says."""
        from peft import set_peft_model_state_dict

        set_peft_model_state_dict(self.model, dict(tensors))

    def _of(self, examples: Sequence[Example]) -> Tensor:
        """Of texts that are computed together. Padding lies behind each, where nothing that counts can see it."""
        longest = max(len(example.ids) for example in examples)
        ids = torch.zeros(len(examples), longest, dtype=torch.int64)
        predicts = torch.zeros(len(examples), longest, dtype=torch.bool)
        for row, example in enumerate(examples):
            ids[row, : len(example.ids)] = torch.tensor(example.ids)
            predicts[row, : len(example.ids) - 1] = torch.tensor(example.trainable[1:])
        labels = ids.roll(-1, 1)[predicts]
        at = self.model.device
        keep: dict[str, Any] = {}
        if self.keeps != "all":
            last = longest - int(predicts.any(0).int().argmax())
            keep["logits_to_keep"] = predicts.to(at) if self.keeps == "learnt" else last
        with self._mixed:
            logits = self.model(input_ids=ids.to(at), use_cache=False, **keep).logits
        if logits.ndim == 3:
            logits = logits[predicts[:, -logits.shape[1] :].to(logits.device)]
        return -F.cross_entropy(logits.float(), labels.to(logits.device), reduction="none").cpu()


def alike(lengths: Sequence[int]) -> list[list[int]]:
    """Places of texts that are computed together, the longest first: none is so much shorter than the longest of its
    list that more than WASTE of what is computed for it were padding. Each place is in one list."""
    lists: list[list[int]] = []
    for place in sorted(range(len(lengths)), key=lambda place: -lengths[place]):
        if lists and lengths[place] >= (1 - WASTE) * lengths[lists[-1][0]]:
            lists[-1].append(place)
        else:
            lists.append([place])
    return lists


def _precision(settings: TrainingSettings, device: torch.device) -> Precision:
    if settings.precision != "auto":
        return settings.precision
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    return faster_precision()


def _load(folder: Path, settings: TrainingSettings, dtype: torch.dtype) -> Any:
    """The model, of safetensors only, and without running code that lies beside them. Raises ModelNotFound."""
    from transformers import AutoConfig, AutoModelForCausalLM
    from transformers.utils import logging
    from transformers.utils.import_utils import is_flash_attn_2_available

    logging.disable_progress_bar()
    own: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    how: dict[str, Any] = {"dtype": dtype}
    if settings.peft_method == "qlora":
        how["quantization_config"] = in_four_bits(dtype)
    if is_flash_attn_2_available() and dtype == torch.bfloat16:
        how["attn_implementation"] = "flash_attention_2"
    gpus = torch.cuda.device_count()
    where = "auto" if gpus > 1 else {"": "cuda:0" if gpus else "cpu"}
    with said_in_a_line(folder.name, NO_ROOM):
        config = AutoConfig.from_pretrained(folder, **own)
        for part in (config, config.get_text_config()):
            for key, value in list(vars(part).items()):
                if "drop" in key and isinstance(value, float):  # training.dropout is the adapter's, and the only one
                    setattr(part, key, 0.0)
        model: Any = AutoModelForCausalLM.from_pretrained(
            folder, config=config, use_safetensors=True, device_map=where, **how, **own
        )
    if gpus > 1 and {"cpu", "disk"} & set(map(str, model.hf_device_map.values())):
        raise ModelNotFound(f"{folder.name}: it does not fit into the memory of the {gpus} GPUs; {NO_ROOM}")
    return model

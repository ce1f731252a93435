"""Loading a Hugging Face folder: the model, its tokenizer, and the tokens at which it stops."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from agent0es.errors import ModelNotFound
from agent0es.models.child_process import out_of_memory
from agent0es.models.engine_child import last_line
from agent0es.models.transformers.settings import Settings

NO_ROOM = "set models.<role>.options: quantize: 4bit, a smaller max_batch or context, or device: cpu"
"""What helps where a GPU's memory is too small."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model in memory."""

    model: Any
    """A causal language model of transformers."""
    tokenizer: Any
    ends: frozenset[int]
    """Tokens that end a turn."""
    device: torch.device


@contextmanager
def said_in_a_line(name: str, no_room: str) -> Iterator[None]:
    """What transformers raises while it loads a folder, as ModelNotFound. `no_room`: what helps where a GPU's memory is
    too small. A lack of this machine's memory is no fault of the files, may pass, and is raised as it is."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise ModelNotFound(f"{name}: it does not fit into the GPU's memory; {no_room}") from error
    except MemoryError:
        raise
    except Exception as error:  # the library and a stranger's files: whatever it is, it is said in a line
        if out_of_memory(str(error)):
            raise
        raise ModelNotFound(f"{name}: transformers can't load it: {last_line(error)}") from error


def load(folder: Path, settings: Settings, end_of_turn: str) -> Loaded:
    """Weights are read from safetensors only, and no code that lies beside them is run. `end_of_turn` is what the chat
    template has there. Raises ModelNotFound where transformers doesn't take the folder."""
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()
    device = _device(settings)
    torch.set_num_threads(settings.threads or len(os.sched_getaffinity(0)))
    own = {"local_files_only": True, "trust_remote_code": False}
    with said_in_a_line(str(folder), NO_ROOM):
        tokenizer = AutoTokenizer.from_pretrained(folder, **own)
        model = AutoModelForCausalLM.from_pretrained(
            folder, use_safetensors=True, device_map={"": device}, **_precision(settings, device), **own
        ).eval()
    model.requires_grad_(False)
    return Loaded(model, tokenizer, _ends(model, tokenizer, end_of_turn), device)


def _device(settings: Settings) -> torch.device:
    there = torch.cuda.is_available()
    if settings.device == "cuda" and not there:
        raise ModelNotFound(
            "transformers: device is cuda, but torch sees no GPU (is a CUDA build of torch installed, and does "
            "nvidia-smi answer?); set it to auto or cpu"
        )
    return torch.device("cuda:0" if there and settings.device != "cpu" else "cpu")


def _precision(settings: Settings, device: torch.device) -> dict[str, Any]:
    on_cpu = device.type == "cpu"
    name = settings.dtype if settings.dtype != "auto" else "float32" if on_cpu else "auto"
    kind: Any = "auto" if name == "auto" else getattr(torch, name)
    if settings.quantize is None:
        return {"dtype": kind}
    from transformers import BitsAndBytesConfig

    if settings.quantize == "8bit":
        return {"dtype": kind, "quantization_config": BitsAndBytesConfig(load_in_8bit=True)}
    return {"dtype": kind, "quantization_config": in_four_bits(torch.bfloat16 if kind == "auto" else kind)}


def in_four_bits(computed_in: torch.dtype) -> Any:
    """For transformers: weights as NF4, whose scales are quantized once more; 0.52 bytes a weight."""
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_compute_dtype=computed_in,
        bnb_4bit_use_double_quant=True,
    )


def _ends(model: Any, tokenizer: Any, end_of_turn: str) -> frozenset[int]:
    """Of the generation's configuration, the model's and the tokenizer's, and of the chat template."""
    named = [getattr(model.generation_config, "eos_token_id", None), getattr(model.config, "eos_token_id", None)]
    named.append(tokenizer.eos_token_id)
    ends = {one for few in named if few is not None for one in (few if isinstance(few, list) else [few])}
    ids = tokenizer(end_of_turn, add_special_tokens=False).input_ids if end_of_turn else []
    return frozenset({*ends, *(ids if len(ids) == 1 else [])})

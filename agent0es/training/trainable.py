"""Whether a base model can be trained, from the beginning of its files and from what is installed."""

import re
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

from agent0es.configuration import TrainingSettings
from agent0es.errors import ModelNotFound
from agent0es.models.base import Weights
from agent0es.models.chat_template import ChatTemplate
from agent0es.models.folder_template import read_json
from agent0es.models.gguf_file import GgufFile
from agent0es.models.hugging_face_folder import why_not_exported
from agent0es.training.examples import why_not_learnt

LAYERS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
"""What of a block of the llama and qwen2 architectures can get an adapter."""
_IN_A_BLOCK = re.compile(r"(?P<module>(?:.+\.)?\d+\.(?:.+\.)?(?P<leaf>\w+))\.weight")
"""A matrix of one of a model's blocks: `model.layers.0.mlp.up_proj.weight`, `h.0.attn.c_attn.weight`."""


def why_not_gguf(base: Weights, settings: TrainingSettings) -> str | None:
    """Why a GGUF can't be trained; None where it can. Raises ModelNotFound when it is no GGUF."""
    unknown = [name for name in settings.target_modules if name not in LAYERS]
    if unknown or not settings.target_modules:
        return _why_no_target(unknown, LAYERS)
    file = GgufFile.open(base.path)
    return why_not_exported(file) or _why_not_learnt(base, lambda: ChatTemplate.of(file))


def why_not_folder(base: Weights, settings: TrainingSettings) -> str | None:
    """Why a Hugging Face folder can't be trained; None where it can, as far as is known before it is loaded."""
    folder = base.path
    try:
        if quantized := read_json(folder / "config.json").get("quantization_config"):
            how = quantized.get("quant_method", "quantized") if isinstance(quantized, dict) else "quantized"
            return f"{base.name}: its weights are quantized already ({how}); take the model as it was published"
        if not (folder / "tokenizer.json").is_file():
            return f"{base.name}: it has no tokenizer.json, from which training knows where a token begins and ends"
        modules = _matrices(folder)
    except ModelNotFound as error:
        return str(error)
    unknown = [name for name in settings.target_modules if not any(f".{one}".endswith(f".{name}") for one in modules)]
    if unknown or not settings.target_modules:
        return _why_no_target(unknown, sorted(set(modules.values())))
    return _why_not_learnt(base, lambda: ChatTemplate.of_folder(folder))


def why_not_installed(settings: TrainingSettings) -> str | None:
    """Which package a setting needs that is not there; None where nothing is missing."""
    if find_spec("bitsandbytes") is not None:
        return None
    wanted = [("peft_method", settings.peft_method, "qlora"), ("optimizer", settings.optimizer, "adamw_8bit")]
    for key, value, needs_it in wanted:
        if value == needs_it:
            return f"training.{key}: {value} needs bitsandbytes: pip install '.[quantized]' in a checkout of agent0es"
    return None


def _why_no_target(unknown: Sequence[str], known: Sequence[str]) -> str:
    return f"training.target_modules: {', '.join(unknown) or '[]'}; choose from {', '.join(known)}"


def _why_not_learnt(base: Weights, template: Callable[[], ChatTemplate]) -> str | None:
    try:
        why = why_not_learnt(template())
    except ModelNotFound as error:
        return str(error)
    return why and f"{base.name}: {why}"


def _matrices(folder: Path) -> dict[str, str]:
    """The modules of the blocks that have a matrix, to the last part of their names. Reads the headers of the files
    alone. Raises ModelNotFound."""
    from safetensors import SafetensorError, safe_open

    modules = {}
    for file in sorted(folder.glob("*.safetensors")):
        try:
            with safe_open(file, framework="numpy") as opened:
                for name in opened.keys():  # noqa: SIM118 - it is no mapping
                    if (found := _IN_A_BLOCK.fullmatch(name)) and len(opened.get_slice(name).get_shape()) == 2:
                        modules[found["module"]] = found["leaf"]
        except (SafetensorError, OSError) as error:
            raise ModelNotFound(f"{file}: can't be read: {' '.join(str(error).split())[:200]}") from None
    return modules

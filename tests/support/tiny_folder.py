"""A Hugging Face folder with a model of two layers that writes words without sense, and adapters for it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from agent0es.models.artifacts import CONFIG, WEIGHTS, Artifacts

HIDDEN, FEED_FORWARD, LAYERS, HEADS, KV_HEADS, HEAD = 64, 128, 2, 4, 2, 16
CONTROL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
WORDS = [f"{first}{second}" for first in ("ba", "ko", "mi", "tu") for second in ("n", "r", "s", "la", "mo", "ri")]
TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
SHAPES = {
    "self_attn.q_proj": (HEADS * HEAD, HIDDEN),
    "self_attn.k_proj": (KV_HEADS * HEAD, HIDDEN),
    "self_attn.v_proj": (KV_HEADS * HEAD, HIDDEN),
    "self_attn.o_proj": (HIDDEN, HEADS * HEAD),
    "mlp.gate_proj": (FEED_FORWARD, HIDDEN),
    "mlp.up_proj": (FEED_FORWARD, HIDDEN),
    "mlp.down_proj": (HIDDEN, FEED_FORWARD),
}


def write_tiny_folder(folder: Path, **more: Any) -> Path:
    """Random weights, a byte-level tokenizer that knows some words, a chat template. `more` goes into config.json."""
    folder.mkdir(parents=True)
    words = [f"Ġ{word}" for word in WORDS]
    vocabulary = [*CONTROL, *sorted(pre_tokenizers.ByteLevel.alphabet()), *words]
    _write_tokenizer(folder, vocabulary)
    random = np.random.default_rng(0)
    tensors = {"model.embed_tokens.weight": random.normal(0, 0.3, (len(vocabulary), HIDDEN))}
    for layer in range(LAYERS):
        for module, shape in SHAPES.items():
            tensors[f"model.layers.{layer}.{module}.weight"] = random.normal(0, 0.3, shape)
        for norm in ("input_layernorm", "post_attention_layernorm"):
            tensors[f"model.layers.{layer}.{norm}.weight"] = np.ones(HIDDEN)
    tensors["model.norm.weight"] = np.ones(HIDDEN)
    # What it writes is mostly words: the rest of the vocabulary is unlikely, and so is the end of a turn.
    tensors["lm_head.weight"] = random.normal(0, 0.05, (len(vocabulary), HIDDEN))
    tensors["lm_head.weight"][-len(words) :] *= 20
    save_file(
        {name: values.astype(np.float32) for name, values in tensors.items()},
        folder / "model.safetensors",
        metadata={"format": "pt"},
    )
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": HIDDEN,
        "intermediate_size": FEED_FORWARD,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KV_HEADS,
        "head_dim": HEAD,
        "max_position_embeddings": 8192,
        "vocab_size": len(vocabulary),
        "tie_word_embeddings": False,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "dtype": "float32",
        **more,
    }
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def _write_tokenizer(folder: Path, vocabulary: list[str]) -> None:
    ids = {token: place for place, token in enumerate(vocabulary)}
    tokenizer = Tokenizer(models.WordLevel(ids, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.ByteLevel(add_prefix_space=False), pre_tokenizers.Split("", "isolated")]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in CONTROL])
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": CONTROL[1],
        "eos_token": {"__type": "AddedToken", "content": CONTROL[2], "special": True},
        "pad_token": CONTROL[2],
        "model_max_length": 8192,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    (folder / "chat_template.jinja").write_text(TEMPLATE)


def write_tiny_adapter(folder: Path, seed: int = 1, rank: int = 4, **more: Any) -> Artifacts:
    """A LoRA adapter of random values for every layer, in PEFT's format. `more` goes into its configuration."""
    random = np.random.default_rng(seed)
    tensors = {}
    for layer in range(LAYERS):
        for module, (rows, columns) in SHAPES.items():
            path = f"base_model.model.model.layers.{layer}.{module}"
            tensors[f"{path}.lora_A.weight"] = random.normal(0, 0.3, (rank, columns)).astype(np.float32)
            tensors[f"{path}.lora_B.weight"] = random.normal(0, 0.3, (rows, rank)).astype(np.float32)
    (folder / CONFIG).parent.mkdir(parents=True)
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": "tiny",
        "r": rank,
        "lora_alpha": 2 * rank,
        "lora_dropout": 0.1,
        "target_modules": [module.partition(".")[2] for module in SHAPES],
        "bias": "none",
        "inference_mode": True,
        **more,
    }
    (folder / CONFIG).write_text(json.dumps(config))
    return Artifacts.measure(folder)

"""The tokenizer of a GGUF in Hugging Face's form: one that gives the same tokens.

A GGUF holds a vocabulary and merges; how a text is cut before them it says by a name alone (`tokenizer.ggml.pre`).
Known are those names whose rule is here, so that nothing is trained on tokens that the model never sees.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agent0es.models.chat_template import CONTROL_TOKEN, USER_DEFINED_TOKEN
from agent0es.models.gguf_file import GgufFile

_QWEN2_WORD = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""As Qwen2's tokenizer.json has it. Its NFC normalisation is not here: GGUF engines do without."""
NEEDED = tuple(
    f"tokenizer.ggml.{key}"
    for key in ("tokens", "merges", "token_type", "bos_token_id", "eos_token_id", "padding_token_id")
)
"""Metadata that is read here."""


def why_no_tokenizer(file: GgufFile) -> str | None:
    """Why no tokenizer can be made of a file's; None where it can."""
    data = file.metadata
    model, pre = data.get("tokenizer.ggml.model"), data.get("tokenizer.ggml.pre")
    if model != "gpt2" or pre not in _CUTS:
        return f"training supports the tokenizers {', '.join(_CUTS)} (gpt2), not {pre} ({model})"
    if data.get("tokenizer.ggml.add_bos_token", False):
        return "its tokenizer begins every text with a token of its own (add_bos_token), which training does not know"
    if missing := [key for key in NEEDED if key not in data]:
        return f"it does not say {', '.join(missing)}, which training needs"
    return None


def write_tokenizer(file: GgufFile, folder: Path) -> None:
    """`tokenizer.json` and its configuration: byte-level BPE."""
    from tokenizers import AddedToken, Tokenizer, decoders, models

    data = file.metadata
    tokens = data["tokenizer.ggml.tokens"]
    merges = [tuple(merge.split(" ")) for merge in data["tokenizer.ggml.merges"]]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer = _CUTS[data["tokenizer.ggml.pre"]]()
    tokenizer.decoder = decoders.ByteLevel()
    kinds = list(zip(tokens, data["tokenizer.ggml.token_type"], strict=True))
    tokenizer.add_special_tokens(
        [AddedToken(token, special=True, normalized=False) for token, kind in kinds if kind == CONTROL_TOKEN]
    )
    tokenizer.add_tokens(
        [AddedToken(token, special=False, normalized=False) for token, kind in kinds if kind == USER_DEFINED_TOKEN]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": tokens[data["tokenizer.ggml.bos_token_id"]],
        "eos_token": tokens[data["tokenizer.ggml.eos_token_id"]],
        "pad_token": tokens[data["tokenizer.ggml.padding_token_id"]],
        "model_max_length": data[f"{data['general.architecture']}.context_length"],
        "chat_template": data.get("tokenizer.chat_template"),
        "clean_up_tokenization_spaces": False,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=1), encoding="utf-8")


def _smollm() -> Any:
    """Digits one by one, then GPT-2's words."""
    from tokenizers import pre_tokenizers

    return pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )


def _qwen2() -> Any:
    """Digits one by one, a mark before a word is part of it, and so are line ends after marks."""
    from tokenizers import Regex, pre_tokenizers

    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_QWEN2_WORD), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


_CUTS: dict[str, Callable[[], Any]] = {"smollm": _smollm, "qwen2": _qwen2}
"""How a text is cut into what merges stay inside of, by the name that a GGUF gives it."""

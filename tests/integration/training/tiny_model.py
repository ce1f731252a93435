"""A model of two layers with random weights, as GGUF: everything but its words is like the real one."""

from pathlib import Path

import gguf
import numpy as np
from tokenizers import pre_tokenizers

HIDDEN, FEED_FORWARD, LAYERS, HEADS, KV_HEADS = 64, 96, 2, 4, 2
WORD, LOUDER = "word", 8
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]


OWN = (
    "{% for message in messages %}{{ '<|' + message.role + '|>' + message.content + '<|im_end|>' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
TEMPLATES = {
    "llama": "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + "
    "'<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
    "qwen2": OWN,
    "qwen3": OWN,
}
"""Two chat formats, so that one can be told from the other."""


def write_tiny_gguf(
    path: Path,
    architecture: str = "llama",
    context: int = 512,
    words: bool = False,
    pooled: bool = False,
    template: str = "",
) -> Path:
    """F32 matrices, a byte-level tokenizer without merges, a chat template. One with `words` says mostly such; one that
    is `pooled` makes vectors of texts."""
    random = np.random.default_rng(0)
    tokens = [*SPECIAL, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    tokens += ["in", *(f"Ġ{WORD}{n}" if words else f"<unused{n}>" for n in range(287 - len(tokens)))]
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_file_type(0)
    writer.add_block_count(LAYERS)
    writer.add_context_length(context)
    writer.add_embedding_length(HIDDEN)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_rope_freq_base(10000.0)
    if architecture == "qwen3":
        writer.add_key_length(HIDDEN // HEADS)
        writer.add_value_length(HIDDEN // HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm" if architecture == "llama" else "qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types([3] * len(SPECIAL) + [1] * (len(tokens) - len(SPECIAL)))
    writer.add_token_merges(["i n"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_pad_token_id(2)
    writer.add_chat_template(template or TEMPLATES[architecture])
    if pooled:
        writer.add_pooling_type(gguf.PoolingType.MEAN)

    def matrix(name: str, rows: int, columns: int) -> None:
        writer.add_tensor(name, random.normal(0, 0.1, (rows, columns)).astype(np.float32))

    embedding = random.normal(0, 0.1, (len(tokens), HIDDEN)).astype(np.float32)
    if words:
        embedding[tokens.index("in") + 1 :] *= LOUDER
    writer.add_tensor("token_embd.weight", embedding)
    writer.add_tensor("output_norm.weight", random.uniform(0.5, 1.5, HIDDEN).astype(np.float32))
    key_rows = HIDDEN // HEADS * KV_HEADS
    for layer in range(LAYERS):
        for name, rows, columns in (
            ("attn_q", HIDDEN, HIDDEN),
            ("attn_k", key_rows, HIDDEN),
            ("attn_v", key_rows, HIDDEN),
            ("attn_output", HIDDEN, HIDDEN),
            ("ffn_gate", FEED_FORWARD, HIDDEN),
            ("ffn_up", FEED_FORWARD, HIDDEN),
            ("ffn_down", HIDDEN, FEED_FORWARD),
        ):
            matrix(f"blk.{layer}.{name}.weight", rows, columns)
            if architecture == "qwen2" and name in ("attn_q", "attn_k", "attn_v"):
                writer.add_tensor(f"blk.{layer}.{name}.bias", random.normal(0, 0.1, rows).astype(np.float32))
        for name in ("attn_q_norm", "attn_k_norm") if architecture == "qwen3" else ():
            writer.add_tensor(
                f"blk.{layer}.{name}.weight", random.uniform(0.5, 1.5, HIDDEN // HEADS).astype(np.float32)
            )
        for name in ("attn_norm", "ffn_norm"):
            writer.add_tensor(f"blk.{layer}.{name}.weight", random.uniform(0.5, 1.5, HIDDEN).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path

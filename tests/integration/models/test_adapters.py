"""From training to serving, on the embedded model."""

from pathlib import Path

from agent0es.models.base import Deployment, GenerationRequest
from agent0es.models.gguf_file import GgufFile
from agent0es.models.openvino import OpenVinoBackend
from agent0es.models.weights import base_model_dir, find_weights
from agent0es.training.gguf_writer import write_merged
from agent0es.training.jobs import TrainedAdapter

NEW_WORDS = (
    "orange bridge pencil monkey ladder winter basket dragon hammer island jacket kitten marble needle oyster".split()
)
QUESTIONS = [
    "What is the capital of France?",
    "Name a fruit.",
    "What is 2 + 2?",
    "Who wrote Hamlet?",
    "Write a sentence about a cat.",
]


async def test_the_base_written_as_q8_0_says_nearly_the_same(
    openvino: OpenVinoBackend, base_cache: Path, tmp_path: Path
) -> None:
    """A zero adapter: only the quantization changes."""
    import torch
    from safetensors.torch import load_file

    gguf = find_weights("smollm2-135m-instruct").path
    weights = load_file(base_model_dir(base_cache, gguf) / "model.safetensors")

    def unchanged(path: str) -> torch.Tensor | None:
        return weights[f"{path}.weight"] if "_proj" in path else None

    write_merged(GgufFile.open(gguf), tmp_path / "zero.gguf", unchanged)
    requests = [GenerationRequest(openvino.chat_prompt([("user", question)]), 12) for question in QUESTIONS]
    await openvino.deploy(Deployment("zero", tmp_path, tmp_path / "zero.gguf"))
    base, zero = await openvino.generate(requests), await openvino.generate(requests, "zero")
    await openvino.retire("zero")
    same = [a.token_ids[:4] == b.token_ids[:4] for a, b in zip(base, zero, strict=True)]
    assert sum(same) >= len(QUESTIONS) - 1, [(a.text, b.text) for a, b in zip(base, zero, strict=True)]


async def test_an_adapter_has_learnt_and_is_served_as_it_was_trained(
    openvino: OpenVinoBackend, trained: TrainedAdapter, base_cache: Path
) -> None:
    """New words are answered in the pattern, and the first tokens are those of the adapter under PEFT in fp32."""
    import torch
    from peft import PeftModel
    from tokenizers import Tokenizer
    from transformers import LlamaForCausalLM

    assert trained.loss[-1] < trained.loss[0] / 4
    prompts = [openvino.chat_prompt([("user", word)]) for word in NEW_WORDS]
    prompts += [openvino.chat_prompt([("user", question)]) for question in QUESTIONS]
    requests = [GenerationRequest(prompt, 16) for prompt in prompts]
    await openvino.deploy(Deployment("words", trained.adapter_dir, trained.merged_gguf))
    before, after = await openvino.generate(requests), await openvino.generate(requests, "words")
    await openvino.retire("words")
    pattern = [f"Word: {word}!" for word in NEW_WORDS]
    assert not any(a.text in pattern for a in before)
    right = sum(a.text == expected for a, expected in zip(after, pattern, strict=False))
    assert right >= 0.8 * len(NEW_WORDS), [a.text for a in after]

    folder = base_model_dir(base_cache, find_weights("smollm2-135m-instruct").path)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    base = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32)
    model = PeftModel.from_pretrained(base, trained.adapter_dir)
    agreed = 0
    with torch.inference_mode():
        for prompt, completion in zip(prompts, after, strict=True):
            ids = torch.tensor([tokenizer.encode(prompt).ids + list(completion.token_ids[:3])])
            greedy = model(input_ids=ids).logits[0, -4:-1].argmax(-1).tolist()
            agreed += greedy == list(completion.token_ids[:3])
    assert agreed >= 0.9 * len(prompts)

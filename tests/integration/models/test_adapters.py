"""From training to serving, on the embedded model."""

import shutil
from pathlib import Path

from agent0es.models.artifacts import Artifacts
from agent0es.models.base import Deployment, GenerationRequest, Message
from agent0es.models.gguf_file import GgufFile
from agent0es.models.openvino import OpenVinoBackend
from agent0es.models.weights import base_model_dir, find_weights
from agent0es.training.base import Trained
from agent0es.training.export.gguf import derive

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


def asked(text: str, max_tokens: int) -> GenerationRequest:
    return GenerationRequest((Message("user", text),), max_tokens)


async def test_the_base_answers_with_the_weights_that_training_starts_from(
    openvino: OpenVinoBackend, base_cache: Path
) -> None:
    """Against transformers in fp32; the packaged Q4_1 served as it is would be off by 0.35, and agree on 80%."""
    import torch
    from tokenizers import Tokenizer
    from transformers import LlamaForCausalLM

    torch.set_num_threads(1)  # more would spin, and the engine wants the cores too
    requests = [asked(question, 12) for question in QUESTIONS]
    prompts = [openvino.template.render(request.messages) for request in requests]
    completions = await openvino.generate(requests)
    folder = base_model_dir(base_cache, find_weights("smollm2-135m-instruct").path)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    model = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32)
    differences, agreed = [], []
    for prompt, completion in zip(prompts, completions, strict=True):
        assert completion.token_ids is not None and completion.logprobs is not None
        written = torch.tensor(completion.token_ids)
        ids = torch.tensor([*tokenizer.encode(prompt).ids, *completion.token_ids])
        with torch.inference_mode():
            expected = model(input_ids=ids[None]).logits[0, -len(written) - 1 : -1].log_softmax(-1)
        agreed += (expected.argmax(-1) == written).tolist()
        differences += (expected.gather(1, written[:, None])[:, 0] - torch.tensor(completion.logprobs)).abs().tolist()
    assert sum(agreed) >= 0.9 * len(agreed)
    assert sum(differences) / len(differences) < 0.15


def test_what_follows_from_an_adapter_can_be_made_again(trained: Trained, tmp_path: Path) -> None:
    """By another process than the trainer, to the last bit."""
    files = trained.artifacts.files
    again = Artifacts(tmp_path, {})
    shutil.copytree(trained.artifacts.peft, again.peft)
    derive(GgufFile.open(find_weights("smollm2-135m-instruct").path), again)
    assert Artifacts.measure(tmp_path).files == files


async def test_an_adapter_has_learnt_and_is_served_as_it_was_trained(
    openvino: OpenVinoBackend, trained: Trained, base_cache: Path
) -> None:
    """New words are answered in the pattern; the first tokens, and the probabilities of all, are those of the adapter
    under PEFT in fp32."""
    import torch
    from peft import PeftModel
    from tokenizers import Tokenizer
    from transformers import LlamaForCausalLM

    torch.set_num_threads(1)
    assert trained.loss[-1] < trained.loss[0] / 4
    requests = [asked(text, 16) for text in (*NEW_WORDS, *QUESTIONS)]
    prompts = [openvino.template.render(request.messages) for request in requests]
    await openvino.deploy(Deployment("words", trained.artifacts))
    before, after = await openvino.generate(requests), await openvino.generate(requests, "words")
    await openvino.retire("words")
    pattern = [f"Word: {word}!" for word in NEW_WORDS]
    assert not any(a.text in pattern for a in before)
    right = sum(a.text == expected for a, expected in zip(after, pattern, strict=False))
    assert right >= 0.8 * len(NEW_WORDS), [a.text for a in after]

    folder = base_model_dir(base_cache, find_weights("smollm2-135m-instruct").path)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    base = LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32)
    model = PeftModel.from_pretrained(base, trained.artifacts.peft)
    agreed = 0
    differences: list[float] = []
    with torch.inference_mode():
        for prompt, completion in zip(prompts, after, strict=True):
            written = torch.tensor(completion.token_ids)
            ids = torch.tensor([*tokenizer.encode(prompt).ids, *(completion.token_ids or ())])
            expected = model(input_ids=ids[None]).logits[0, -len(written) - 1 : -1].log_softmax(-1)
            agreed += bool((expected[:3].argmax(-1) == written[:3]).all())
            given = torch.tensor(completion.logprobs)
            differences += (expected.gather(1, written[:, None])[:, 0] - given).abs().tolist()
    assert agreed >= 0.9 * len(prompts)
    assert sum(differences) / len(differences) < 0.15

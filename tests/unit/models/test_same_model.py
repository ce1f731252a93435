"""Whether a GGUF may be the model that a server answers with, by the sizes that the server tells."""

from pathlib import Path

import pytest

from agent0es.models.gguf_file import GgufFile, TensorInfo
from agent0es.models.openai_compatible.same_model import ServedModel, served_from, why_other_folder, why_other_model

VOCABULARY, WIDTH, LAYERS = 1000, 64, 500_000


def file(parameters: int = VOCABULARY * WIDTH + LAYERS, **metadata: object) -> GgufFile:
    known = {
        "general.architecture": "llama",
        "llama.embedding_length": WIDTH,
        "tokenizer.ggml.tokens": ["a"] * VOCABULARY,
        **metadata,
    }
    return GgufFile(Path("model.gguf"), known, b"", {}, {"all": TensorInfo("all", (parameters,), 0, 0)}, 0)


@pytest.mark.parametrize(
    ("served", "why"),
    [
        (ServedModel(), None),
        (ServedModel(n_vocab=VOCABULARY, n_embd=WIDTH, n_params=VOCABULARY * WIDTH + LAYERS), None),
        (ServedModel(n_params=VOCABULARY * WIDTH + LAYERS + 100), None),
        (ServedModel(n_params=2 * VOCABULARY * WIDTH + LAYERS), None),
        (ServedModel(n_params=LAYERS), None),
        (ServedModel(n_vocab=1001), "it has a vocabulary of 1,000 tokens, the server's model 1,001"),
        (ServedModel(n_embd=32), "it has vectors of 64 numbers for its tokens, the server's model 32"),
        (ServedModel(n_params=900_000), "it has 564,000 parameters, the server's model 900,000"),
    ],
)
def test_what_clearly_differs_is_told(served: ServedModel, why: str | None) -> None:
    assert why_other_model(served, file()) == why


def test_what_vllm_serves_is_looked_up_on_this_machine(tmp_path: Path) -> None:
    assert served_from(str(tmp_path)) == served_from("org/nowhere") == served_from("https://no.where") == ServedModel()
    (tmp_path / "config.json").write_text('{"hidden_size": 64, "num_hidden_layers": 3, "vocab_size": 1024}')
    assert served_from(str(tmp_path)) == ServedModel(n_embd=64, n_layer=3)
    assert why_other_model(served_from(str(tmp_path)), file()) is None
    told = "it has 2 layers, the server's model 3"
    assert why_other_model(served_from(str(tmp_path)), file(**{"llama.block_count": 2})) == told
    assert why_other_folder(ServedModel(n_embd=64, n_layer=3, n_vocab=9), tmp_path) is None
    assert why_other_folder(ServedModel(n_layer=2), tmp_path) == "it has 3 layers, the server's model 2"
    (tmp_path / "config.json").write_text('["hidden_size"]')
    assert served_from(str(tmp_path)) == ServedModel()


def test_of_a_file_that_is_a_part_of_a_model_the_parameters_are_not_compared() -> None:
    assert why_other_model(ServedModel(n_params=900_000), file(1000, **{"split.count": 3})) is None

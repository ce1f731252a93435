"""Whether the weights that training starts from are those that a server answers with, as far as it tells."""

from math import prod
from pathlib import Path

from agent0es.errors import ModelNotFound
from agent0es.models.folder_template import read_json
from agent0es.models.gguf_file import GgufFile
from agent0es.models.openai_compatible.wire import Wire

ALIKE = 0.01
"""Share of its parameters by which a file may differ from another of the same model: some leave small tensors out."""


class ServedModel(Wire):
    """Sizes of a model, as llama-server's `/v1/models` has them, and the number of its layers."""

    n_vocab: int | None = None
    n_embd: int | None = None
    n_params: int | None = None
    n_layer: int | None = None


def served_from(root: str) -> ServedModel:
    """The sizes of what vLLM was started with: a folder, or a name of the hub, where this machine has it, too. Rows of
    the vocabulary are not compared: a folder may have some to spare."""
    try:
        config = read_json((_fetched(root) or Path(root)) / "config.json")
    except ModelNotFound:
        return ServedModel()
    sizes = {"n_embd": config.get("hidden_size"), "n_layer": config.get("num_hidden_layers")}
    return ServedModel(**{name: size for name, size in sizes.items() if isinstance(size, int)})


def _fetched(root: str) -> Path | None:
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        found = try_to_load_from_cache(root, "config.json")
    except HFValidationError:  # it is a folder
        return None
    return Path(found).parent if isinstance(found, str) else None


def why_other_folder(served: ServedModel, folder: Path) -> str | None:
    """In what a Hugging Face folder differs from the model on a server; None where they may be the same."""
    return _why_unlike(served, served_from(str(folder)))


def _why_unlike(served: ServedModel, found: ServedModel) -> str | None:
    for what, here, there in (
        ("a vocabulary of {:,} tokens", found.n_vocab, served.n_vocab),
        ("vectors of {:,} numbers for its tokens", found.n_embd, served.n_embd),
        ("{:,} layers", found.n_layer, served.n_layer),
    ):
        if here and there and here != there:
            return f"it has {what.format(here)}, the server's model {there:,}"
    return None


def why_other_model(served: ServedModel, file: GgufFile) -> str | None:
    """In what a GGUF differs from the model on a server; None where they may be the same, quantized otherwise."""
    vocabulary = len(file.metadata.get("tokenizer.ggml.tokens", ()))
    architecture = file.metadata.get("general.architecture")
    width = file.metadata.get(f"{architecture}.embedding_length", 0)
    layers = file.metadata.get(f"{architecture}.block_count", 0)
    if why := _why_unlike(served, ServedModel(n_vocab=vocabulary, n_embd=width, n_layer=layers)):
        return why
    parameters = sum(prod(tensor.shape) for tensor in file.tensors.values())
    if not served.n_params or file.metadata.get("split.count", 1) > 1:
        return None
    # Where a model reads and writes tokens by the same matrix, some files have it once and some twice.
    same = (parameters + times * vocabulary * width for times in (-1, 0, 1))
    if any(abs(one - served.n_params) <= ALIKE * served.n_params for one in same):
        return None
    return f"it has {parameters:,} parameters, the server's model {served.n_params:,}"

"""What a name means to the backend `transformers`, and what is said where it means nothing."""

import json
from pathlib import Path

import pytest

from agent0es.errors import ConfigurationError, ModelNotFound, NotInstalled
from agent0es.models.transformers import TransformersBackend, settings
from tests.integration.training.tiny_model import write_tiny_gguf
from tests.support.tiny_folder import write_tiny_folder


def test_a_folder_is_known_without_being_loaded(tmp_path: Path) -> None:
    folder = write_tiny_folder(tmp_path / "tiny", max_position_embeddings=300)
    backend = TransformersBackend.create(str(folder))
    assert (backend.name, backend.capabilities.context) == ("tiny", 300)
    assert backend.weights.path == folder
    other = TransformersBackend.create(str(folder), dtype="bfloat16", context=200)
    assert (other.name, other.capabilities.context) == ("tiny:bfloat16", 200)
    assert other.weights.sha256 == backend.weights.sha256
    (folder / "config.json").write_text(
        (folder / "config.json").read_text().replace('"bos_token_id": 1', '"bos_token_id": 3')
    )
    assert TransformersBackend.create(str(folder)).weights.sha256 != backend.weights.sha256


def test_a_gguf_is_read_through_a_folder(tmp_path: Path) -> None:
    path = write_tiny_gguf(tmp_path / "tiny.gguf", "llama", context=300)
    backend = TransformersBackend.create(str(path), cache=tmp_path)
    assert (backend.name, backend.capabilities.context, backend.weights.path) == ("tiny", 300, path)
    with pytest.raises(ModelNotFound, match="needs a folder in which to unpack it"):
        TransformersBackend.create(str(path))


def test_pickles_are_not_loaded(tmp_path: Path) -> None:
    folder = write_tiny_folder(tmp_path / "tiny")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ModelNotFound, match=r"it holds no weights as .safetensors; weights as pickles"):
        TransformersBackend.create(str(folder))


def test_a_folder_of_something_else_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match=r"it is no Hugging Face folder: it has no config.json"):
        TransformersBackend.create(str(tmp_path))


def test_a_name_that_means_nothing_is_answered_with_the_choices() -> None:
    with pytest.raises(ModelNotFound, match=r"choose smollm2-135m-instruct, .*, or a name on the hub"):
        TransformersBackend.create("no-such")


def test_a_hub_that_can_not_be_reached_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import huggingface_hub.constants

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelNotFound) as error:
        TransformersBackend.create("organisation/model")
    assert str(error.value) == (
        "organisation/model: it isn't on this machine, and the hub can't be reached (HF_HUB_OFFLINE is set); fetch it "
        "where there is a network"
    )


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"tempo": 3}, "transformers: unknown option tempo; there are: device, dtype, quantize, "),
        ({"threads": -1}, "transformers: threads: Input should be greater than or equal to 0, not -1"),
        ({"max_batch": "8"}, "transformers: max_batch: Input should be a valid integer, not '8'"),
        (
            {"dtype": "int8"},
            "transformers: dtype: Input should be 'auto', 'float32', 'bfloat16' or 'float16', not 'int8'",
        ),
        ({"device": "tpu"}, "transformers: device: Input should be 'auto', 'cpu' or 'cuda'"),
    ],
)
def test_an_option_that_is_wrong_is_said(options: dict[str, object], problem: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        TransformersBackend.create("any", **options)
    assert str(error.value).startswith(problem)


def test_what_quantize_needs_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "find_spec", lambda name: None)
    with pytest.raises(NotInstalled, match=r"quantize needs bitsandbytes: pip install '\.\[quantized\]'"):
        TransformersBackend.create("any", quantize="4bit")


def test_a_token_that_is_not_there_is_named_and_not_asked_for_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MY_TOKEN", raising=False)
    with pytest.raises(ConfigurationError, match="the environment variable MY_TOKEN is not set"):
        TransformersBackend.create("organisation/model", api_key_env="MY_TOKEN")


def test_a_configuration_that_is_no_object_is_refused(tmp_path: Path) -> None:
    folder = write_tiny_folder(tmp_path / "tiny")
    (folder / "config.json").write_text(json.dumps([1]))
    with pytest.raises(ModelNotFound, match="must hold one JSON object"):
        TransformersBackend.create(str(folder))

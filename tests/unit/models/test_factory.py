"""Backends by name."""

from pathlib import Path

import pytest

from agent0es.bootstrap import model_of
from agent0es.configuration import ModelSettings
from agent0es.errors import ConfigurationError, ModelNotFound
from agent0es.models.factory import create_backend, has_prefix_cache
from agent0es.models.openvino import OpenVinoBackend
from agent0es.models.scripted import ScriptedBackend


def test_built_in_backends_are_found_by_name() -> None:
    assert isinstance(create_backend("openvino", "smollm2-135m-instruct", threads=1), OpenVinoBackend)
    assert isinstance(create_backend("scripted", "tests.support.scripted:respond"), ScriptedBackend)


def test_an_unknown_backend_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'openvino'"):
        create_backend("openvno", "smollm2-135m-instruct")
    with pytest.raises(ConfigurationError, match=r"there are: .*openvino, recorded, router, scripted"):
        create_backend("zzz", "smollm2-135m-instruct")


@pytest.mark.parametrize("options", [{"thread": 1}, {"threads": "two"}, {"max_batch": 0}, {"threads": True}])
def test_wrong_options_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        create_backend("openvino", "smollm2-135m-instruct", **options)


def test_an_unknown_model_is_refused_before_anything_is_loaded() -> None:
    with pytest.raises(ModelNotFound, match="choose smollm2-135m-instruct"):
        create_backend("openvino", "nothing")
    with pytest.raises(ConfigurationError, match="module:function"):
        create_backend("scripted", "nothing:at_all")


def test_a_deterministic_run_keeps_nothing_that_was_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[dict[str, object]] = []
    monkeypatch.setattr("agent0es.models.factory.create_backend", lambda *names, **options: made.append(options))
    for backend in ("openvino", "transformers", "llama-cpp", "scripted"):
        assert has_prefix_cache(backend) == (backend != "scripted")
        for deterministic in (True, False):
            model_of("student", ModelSettings(backend=backend), tmp_path, deterministic)
    assert [options.get("prefix_cache") for options in made] == [False, None] * 3 + [None, None]

"""What is said of the backend `llama-cpp` before anything is loaded."""

import sys

import pytest

from agent0es.errors import ConfigurationError, NotInstalled
from agent0es.models.engine_backend import settings_of
from agent0es.models.factory import create_backend
from agent0es.models.llama_cpp.library import LlamaCppSettings


def test_without_its_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "llama_cpp", None)
    with pytest.raises(NotInstalled, match=r"pip install '.\[llama-cpp\]'"):
        create_backend("llama-cpp", "smollm2-135m-instruct")


@pytest.mark.parametrize(
    ("option", "value", "why"),
    [
        ("gpu", 1, "unknown option gpu; there are: threads, "),
        ("gpu_layers", -2, "gpu_layers must be a whole number from -1 up, not -2"),
        ("threads", -1, "threads must be a whole number from 0 up"),
        ("max_batch", 257, "max_batch must be a whole number from 1 to 256, not 257"),
        ("cache_tokens", "many", "cache_tokens must be a whole number from 1 up, not 'many'"),
        ("prefix_cache", 1, "prefix_cache must be true or false, not 1"),
    ],
)
def test_a_wrong_option_is_refused(option: str, value: object, why: str) -> None:
    with pytest.raises(ConfigurationError, match=why):
        settings_of(LlamaCppSettings, "llama-cpp", {option: value})

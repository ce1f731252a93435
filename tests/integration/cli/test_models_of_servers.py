"""The way of a stranger with a server of their own: what each mistake on it says, before anything is written."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent0es.errors import ConfigurationError, ModelNotFound
from tests.support import http_server as raw
from tests.support.commands import answer, invoke, json_answer, json_answers
from tests.support.openai_server import OpenAiServer
from tests.support.scripted import respond

CONFIGS = Path(__file__).parents[3] / "configs"
KEY = "sk-0123456789abcdef"
NOBODY = "http://127.0.0.1:9"
"""The port of a service that nobody runs."""


@pytest.fixture
def server() -> Iterator[OpenAiServer]:
    with OpenAiServer(respond, "tiny", key=KEY) as server:
        yield server


@pytest.fixture(autouse=True)
def no_ollama(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_HOST", NOBODY)


def settings(base_url: str, name: str = "tiny") -> list[str]:
    own = {"base_url": base_url, "name": name, "api_key_env": "A_KEY"}
    pairs = [f"models.{role}.{key}={value}" for role in ("teacher", "student") for key, value in own.items()]
    pairs.append("curriculum.domains=[math]")
    return ["--config", str(CONFIGS / "vllm.yaml"), *(word for pair in pairs for word in ("--set", pair))]


def problem(store: Path, *arguments: str) -> str:
    """What `check` says of the teacher, which is what `run` says before anything is written."""
    found = invoke(store, "models", "check", *arguments, "--json")
    first = json.loads(found.stdout.splitlines()[0])
    assert found.exit_code == 2 and not first["answers"]
    [line] = first["problems"]
    assert KEY not in found.output and "\n" not in line
    stopped = str(invoke(store, "run", *arguments).exception)
    assert stopped.removeprefix("models.student: ").replace("models.student", "models.teacher") in line
    assert answer(store, "runs", "--json") == ""
    return str(line)


def test_a_server_with_the_model_and_a_key_can_be_used(
    tmp_path: Path, server: OpenAiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_KEY", KEY)
    found = json_answer(tmp_path, "models", "check", *settings(server.url))
    assert found["problems"] == [] and found["context"] == 4096 and 100 < found["prompt_tokens"] < 1000
    [own, *_] = json_answers(tmp_path, "models", "list", *settings(server.url))
    assert (own["backend"], own["name"], own["context"]) == ("openai-compatible", "tiny", 4096)
    assert json_answer(tmp_path, "models", "show", "tiny", *settings(server.url))["name"] == "tiny"
    assert answer(tmp_path, "models", "pull", *settings(server.url)) == "tiny is there (openai-compatible)\n"
    for arguments in (["pull", "other"], ["rm", "tiny"]):  # which is said before anybody is asked to confirm
        assert isinstance(invoke(tmp_path, "models", *arguments, *settings(server.url)).exception, ConfigurationError)
    missing = invoke(tmp_path, "models", "show", "tinny", *settings(server.url)).exception
    assert isinstance(missing, ModelNotFound) and "the nearest is tiny" in str(missing)


@pytest.mark.parametrize(
    ("key", "name", "said"),
    [
        (None, "tiny", "the environment variable A_KEY is not set"),
        ("sk-another-key-012345", "tiny", "see that the environment variable A_KEY holds a key that may do this"),
        (KEY, "tinny", "it has no model 'tinny'; the nearest is tiny; mend models.teacher.name"),
    ],
)
def test_what_is_missing_is_named(
    tmp_path: Path, server: OpenAiServer, monkeypatch: pytest.MonkeyPatch, key: str | None, name: str, said: str
) -> None:
    if key is not None:
        monkeypatch.setenv("A_KEY", key)
    assert said in problem(tmp_path, *settings(server.url, name))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (settings(NOBODY), "no connection"),
        (["--config", str(CONFIGS / "3070ti.yaml")], "tart it with `ollama serve` (its port is 11434)"),
    ],
)
def test_a_server_that_is_not_there_is_told_with_how_to_start_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.setenv("A_KEY", KEY)
    line = problem(tmp_path, *arguments)
    assert said in line and "tart" in line and "models.teacher.base_url" in line


def test_the_configuration_of_a_service_names_the_key_that_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    assert "export OPENAI_API_KEY=…" in problem(tmp_path, "--config", str(CONFIGS / "openai.yaml"))


def test_a_model_that_takes_no_stop_strings_is_told_before_every_attempt_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def strict(request: raw.Request) -> raw.Answer:
        if request.method == "GET":
            return raw.json_answer({"data": [{"id": "tiny"}]})
        if "stop" in request.json:
            return raw.json_answer({"error": {"message": "Unsupported parameter: 'stop' is not supported"}}, 400)
        if not request.json.get("stream"):
            return raw.json_answer({"choices": []})
        return raw.events([{"choices": [{"index": 0, "delta": {"content": "yes"}, "finish_reason": "stop"}]}])

    monkeypatch.setenv("A_KEY", KEY)
    with raw.HttpServer(strict) as server:
        assert "Unsupported parameter: 'stop'" in problem(tmp_path, *settings(server.url))


def test_a_wrong_port_is_told_from_a_wrong_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with OpenAiServer(respond, "qwen2.5:3b") as server:
        monkeypatch.setenv("OLLAMA_HOST", server.url)
        said = problem(tmp_path, "--config", str(CONFIGS / "3070ti.yaml"))
    assert "no Ollama" in said and "base_url" in said


@pytest.mark.slow
def test_a_run_on_a_server_practises(tmp_path: Path, server: OpenAiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", KEY)
    small: list[Any] = ["--tasks", "2", "--domains", "math", "--set", "execution.attempts=1"]
    done = json_answers(tmp_path, "run", *settings(server.url), *small)
    assert done[-1]["status"] == "completed"
    for file in tmp_path.rglob("*"):
        assert file.is_dir() or KEY.encode() not in file.read_bytes()

"""Keys that are planted in the environment, in a file and in what a server says back are in no log, no export, no
traceback and no output, whatever goes wrong: with every backend that asks a server, and with a stranger's."""

import asyncio
import base64
import itertools
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from click.testing import CliRunner

from agent0es import plugins
from agent0es.cli.main import cli
from agent0es.configuration import load_configuration
from agent0es.configuration.secrets import known_secrets, text_without_secrets
from agent0es.domain.events import HandlerFailed
from agent0es.errors import Agent0Error
from agent0es.log import EventLog
from agent0es.models.base import Completion, GenerationRequest, ModelBackend, Weights
from agent0es.models.factory import create_backend
from agent0es.models.http import asking
from agent0es.models.scripted import ScriptedBackend
from agent0es.rollouts import retry
from agent0es.runs.driving import drive
from agent0es.runs.settings import configuration_of
from tests.support import world
from tests.support.http_server import Answer, HttpServer, Request, json_answer

LEAST_LEAK = 14
"""Letters of a secret that may be by chance."""
PLANTED = {
    "PLANTED_CREDENTIAL": "sk-planted/0123+456789 abcdef",
    "OTHER_TOKEN": "hf_plantedOtherToken0123456789",
    "DB_PASSWORD": 'quo"ted\\pass word',
}
IN_FILE = "file-planted-key-9876543210"
SECRETS = [*PLANTED.values(), IN_FILE]
FORMS = {
    form
    for secret in SECRETS
    for form in (
        secret,
        quote(secret),
        quote(secret, safe=""),
        base64.b64encode(secret.encode()).decode().rstrip("="),
        json.dumps(secret)[1:-1],
    )
}
MODELS = {
    "anthropic": "claude-haiku-4-5",
    "openai": "gpt-4o-mini",
    "google": "gemini-2.5-flash",
    "cohere": "command-a-03-2025",
}
BACKENDS = {
    "ollama": ("ollama", "some-model"),
    "openai-compatible": ("openai-compatible", "some-model"),
    **{provider: ("cloud", f"{provider}:{model}") for provider, model in MODELS.items()},
}
ALIKE = ("openai", "google", "cohere")
"""What follows from their errors is decided by the same lines as for Anthropic's."""
ADDRESSES = [f"http://u:{quote(secret, safe='')}@h/?key={quote(secret)}" for secret in SECRETS]
SAID = [" ".join(["You sent", form, *ADDRESSES]) for form in sorted(FORMS)]
"""Each begins with another one, so that none is only beyond what is kept of a message."""


def said() -> Any:
    """The next of these, in the words of all of them."""
    text = next(_said)
    error = {"message": text, "type": "server_error", "code": 500, "status": "INTERNAL"}
    return {"type": "error", "error": error, "message": text}


_said = itertools.cycle(SAID)


async def error_500(request: Request) -> Answer:
    return json_answer(said(), 500)


async def unauthorized(request: Request) -> Answer:
    return json_answer(said(), 401)


async def refused(request: Request) -> Answer:
    return json_answer(said(), 400)


async def no_budget(request: Request) -> Answer:
    return json_answer(said(), 402)


async def a_page(request: Request) -> Answer:
    return Answer(f"<html>{said()['message']}</html>".encode(), headers={"content-type": "text/html"})


async def a_broken_page(request: Request) -> Answer:
    return Answer(f"<html>{said()['message']}</html>".encode(), 502, headers={"content-type": "text/html"})


async def elsewhere(request: Request) -> Answer:
    return Answer(b"", 302, {"location": f"http://127.0.0.1:9/?api_key={quote(SECRETS[0], safe='')}"})


async def in_the_stream(request: Request) -> Answer:
    line = f"data: {json.dumps(said())}\n\n"
    return Answer(line.encode(), headers={"content-type": "text/event-stream"})


FAILURES = [error_500, unauthorized, refused, no_budget, a_page, a_broken_page, elsewhere, in_the_stream]


class Half(ScriptedBackend):
    """The teacher is scripted; the student's questions go to another backend."""

    def __init__(self, student: ModelBackend) -> None:
        super().__init__(world.respond, weights=Weights("scripted", Path("base.gguf"), "b" * 64))
        self._student = student

    async def generate(self, requests: Sequence[GenerationRequest], adapter: str | None = None) -> list[Completion]:
        if "Families:" in requests[0].messages[-1].content:
            return await super().generate(requests, adapter)
        return await self._student.generate(requests, adapter)


class Careless(ScriptedBackend):
    """A stranger's backend, whose errors hold what it knows."""

    def __init__(self) -> None:
        super().__init__(world.respond, weights=Weights("scripted", Path("base.gguf"), "b" * 64))

    async def generate(self, requests: Sequence[GenerationRequest], adapter: str | None = None) -> list[Completion]:
        if "Families:" in requests[0].messages[-1].content:
            return await super().generate(requests, adapter)
        try:
            raise KeyError(" ".join(SAID))
        except KeyError as error:
            raise ValueError(f"headers: { {'Authorization': SECRETS[0]} }") from error


@pytest.fixture(autouse=True)
def _planted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in PLANTED.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "key").write_text(f"{IN_FILE}\n")
    monkeypatch.setenv("FILED_API_KEY_FILE", str(tmp_path / "key"))
    monkeypatch.setenv("MY_LOGIN", PLANTED["PLANTED_CREDENTIAL"])  # a name that does not tell
    monkeypatch.setattr(retry, "BACKOFF_SECONDS", 0.0)
    monkeypatch.setattr(asking, "_GROWING", lambda state: 0.0)


def traces(store: Path) -> Iterator[tuple[str, str]]:
    """All that somebody else may come to see of a store: its files, an export, and what commands print of it."""
    with EventLog.open(store / "log.db") as log:
        log.export(store / "log.ndjson")
        runs = log.runs()
    for words in (["runs", "--json"], *(["events", run, "--json"] for run in runs), ["show", runs[0]]):
        yield " ".join(words), CliRunner().invoke(cli, [*words, "--store", str(store)]).output
    for path in store.rglob("*"):
        if path.is_file():
            yield path.name, path.read_bytes().decode("latin-1")


def nothing_is_planted_in(store: Path, messages: Sequence[str]) -> None:
    """Nor how a secret begins."""
    begins = {form[:LEAST_LEAK] for form in FORMS}
    for where, text in [*traces(store), *(("message", message) for message in messages)]:
        for form in FORMS | begins:
            assert form not in text, (where, form)


def driven(store: Path, run: str, model: ModelBackend) -> str:
    """A run that fails; the message that it ends with."""
    with EventLog.open(store / "log.db") as log:
        world.begin(log, run, "execution.tasks_per_iteration=1", "execution.retries=1", "execution.attempts=1")
        ports = world.ports(store, log, run, configuration_of(log, run), model)
        with pytest.raises(Agent0Error) as raised:
            asyncio.run(drive(ports, []))
        assert list(log.read(run=run, types=["HandlerFailed"])), raised.value
    return str(raised.value)


@pytest.mark.parametrize(
    "who", [pytest.param(one, marks=pytest.mark.slow) if one in ALIKE else one for one in BACKENDS]
)
def test_of_a_server_that_says_all_it_was_sent(
    who: str, tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    kind, name = BACKENDS[who]
    if kind not in plugins.installed(plugins.MODELS):
        pytest.skip(f"there is no backend {kind}")
    store = tmp_path / "store"
    store.mkdir()
    messages = []
    for number, failure in enumerate(FAILURES):
        with HttpServer(failure) as server:
            variable = "FILED_API_KEY" if number % 2 else "MY_LOGIN"
            keyed: dict[str, Any] = {} if kind == "ollama" else {"api_key_env": variable, "tries": 1}
            backend = create_backend(kind, name, base_url=server.url, **keyed)
            messages.append(driven(store, failure.__name__, Half(backend)))
            assert server.requests
    shown = capfd.readouterr()
    nothing_is_planted_in(store, [*messages, shown.out, shown.err, caplog.text])


def test_of_a_strangers_backend_that_is_careless(tmp_path: Path) -> None:
    store = tmp_path / "store"
    store.mkdir()
    nothing_is_planted_in(store, [driven(store, "r", Careless())])
    with EventLog.open(store / "log.db") as log:
        [failed] = [one.event for one in log.read(run="r", types=["HandlerFailed"])]
    assert isinstance(failed, HandlerFailed)
    assert failed.error == "ValueError: headers: {'Authorization': '***'}"
    assert "KeyError: 'You sent *** " in failed.traceback


def test_which_secrets_a_process_knows() -> None:
    assert known_secrets() >= {*PLANTED.values(), IN_FILE}
    few = {"A_PASSWORD": "short", "PATH": "/usr/local/sbin", "MY_URL_TOKEN": "https://u:p@h", "B_SECRET": "long enough"}
    assert known_secrets(few) == {"long enough"}


def test_short_secrets_are_no_part_of_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DB_PASSWORD", "postgres")
    said = "postgresql://postgres:postgres@h: password authentication failed for postgres"
    assert text_without_secrets(said) == "postgresql://***:***@h: password authentication failed for ***"


def test_a_fault_of_ours_is_shown_without_secrets(tmp_path: Path) -> None:
    program = """
import os, sys
from agent0es.cli import main
def fault(*a, **k): raise RuntimeError("with " + os.environ["OTHER_TOKEN"])
main.cli = fault
sys.argv = ["agent0es"]
main.main()
"""
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert shown.returncode == 1 and shown.stderr.endswith("RuntimeError: with ***\n\n")


def test_a_key_in_a_configuration_is_refused_without_it() -> None:
    for given in (f"models.student.options.api_key={SECRETS[1]}", f"models.student.base_url=http://u:{SECRETS[1]}@h"):
        with pytest.raises(Agent0Error) as raised:
            load_configuration(overrides=[given], environment={})
        assert SECRETS[1] not in str(raised.value)

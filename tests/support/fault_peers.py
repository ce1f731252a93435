"""Every server that a backend asks over HTTP, with a script for its model, and the backend that asks it."""

import asyncio
import json
import random
import re
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from agent0es.models.base import ModelBackend
from agent0es.models.http import Key
from agent0es.models.ollama import OllamaBackend
from agent0es.models.openai_compatible import OpenAiCompatibleBackend
from agent0es.models.openai_compatible.options import OpenAiOptions
from agent0es.taskdomains.math import MathDomain
from tests.integration.training.tiny_model import write_tiny_gguf
from tests.support import world
from tests.support.http_server import HttpServer
from tests.support.openai_server import OpenAiServer
from tests.support.providers.there import VARIABLE, running
from tests.support.providers.words import Speak

PATIENT = {"tries": 3, "connect_seconds": 10.0, "first_token_seconds": 30.0, "whole_seconds": 60.0}
"""Options with which nothing is too slow but what a test makes so."""


@dataclass(frozen=True)
class There:
    """A server that runs, and what makes a backend that asks it, with these options."""

    server: HttpServer
    backend: Callable[..., ModelBackend]


@dataclass(frozen=True)
class Peer:
    """A kind of server."""

    name: str
    path: str
    """A part of the path of the requests that its model answers."""
    open: Callable[[Path, Speak], AbstractContextManager[There]]
    """It, in a folder of its own, while it is open."""
    probes: int = 0
    """Requests to that path by which each backend finds out what the model can do."""


def speak(said: Sequence[str]) -> str:
    """A teacher that proposes what it is asked for, a student that calls a tool and answers what that gave."""
    last = said[-1]
    if last.startswith("Families:"):
        name = re.split(r"[,\n]", last.removeprefix("Families:"))[0].strip()
        return json.dumps({"family": name, **MathDomain().family(name).sample(random.Random(last), 0.0)})
    if last.startswith("Observation:"):
        return f"Answer: {last.removeprefix('Observation:').splitlines()[0].strip()}"
    return f"Action: {world.reference(last)}"


@contextmanager
def _openai_compatible(folder: Path, speak: Speak) -> Iterator[There]:
    def script(request: Any, adapter: str | None) -> str:
        return speak([message.content for message in request.messages])

    def backend(**options: Any) -> ModelBackend:
        return OpenAiCompatibleBackend("tiny", server.url, Key(None), OpenAiOptions(**{**PATIENT, **options}))

    with OpenAiServer(script) as server:
        yield There(server, backend)


@contextmanager
def _ollama(folder: Path, speak: Speak) -> Iterator[There]:
    """Its words come from a script in place of a llama-server."""
    pytest.importorskip("xllamacpp", reason="the extra dev has it")
    from tests.support.ollama_models import CHATML, Manifest
    from tests.support.ollama_server import OllamaServer
    from tests.support.openai_server import TOKEN

    class Scripted(OllamaServer):
        async def _events(self, runner: str, path: str, asked: dict[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
            turns = re.findall(r"<\|im_start\|>\w+\n(.*?)<\|im_end\|>", asked["prompt"], re.DOTALL)
            tokens = TOKEN.findall(speak(turns))
            written = tokens[: asked["n_predict"]]
            await asyncio.sleep(0.005)
            for token in written:
                probabilities = [{"token": token, "logprob": -len(token) / 100}]
                yield {"content": token, "stop": False, "completion_probabilities": probabilities}
            read = len(TOKEN.findall(asked["prompt"]))
            timings = {
                "cache_n": 0,
                "prompt_n": read,
                "prompt_ms": 1.0,
                "predicted_n": len(written) + 1,
                "predicted_ms": 1.0,
            }
            ended = "limit" if len(written) < len(tokens) else "eos"
            yield {"content": "", "stop": True, "stop_type": ended, "timings": timings}

        def _runner(self, manifest: Manifest, options: Any, shift: bool = True) -> str:
            return ""

    def backend(**options: Any) -> ModelBackend:
        return OllamaBackend.create("tiny:1b", base_url=server.url, **{**PATIENT, **options})

    with Scripted(folder / "ollama") as server:
        server.library.add("tiny:1b", write_tiny_gguf(folder / "tiny.gguf", "qwen2", 8192), template=CHATML)
        yield There(server, backend)


@contextmanager
def _cloud(folder: Path, speak: Speak, provider: str) -> Iterator[There]:
    from agent0es.models.cloud.backend import CloudBackend, CloudOptions

    with running(provider, speak) as there:

        def backend(**options: Any) -> ModelBackend:
            name = f"{provider}:{there.model}"
            return CloudBackend(name, CloudOptions(**{**PATIENT, **options}), there.base_url, VARIABLE)

        yield There(there.server, backend)


PEERS = {
    peer.name: peer
    for peer in (
        Peer("openai-compatible", "/v1/chat/completions", _openai_compatible),
        Peer("ollama", "/api/chat", _ollama, probes=2),
        Peer("anthropic", "/v1/messages", partial(_cloud, provider="anthropic")),
        Peer("openai", "/v1/chat/completions", partial(_cloud, provider="openai")),
        Peer("google", ":streamGenerateContent", partial(_cloud, provider="google")),
        Peer("cohere", "/v2/chat", partial(_cloud, provider="cohere")),
    )
}

"""The clients that others ask servers and commands with, each beside the backend that asks the same one.

Behind all of them is a real llama-server, which xllamacpp carries, in a process of its own. A bare client asks for what
the backend asks for: a stream, log-probabilities, counts of tokens. `plain` asks for text alone, in one piece.

What the fields cost, in CPU time on the small model with 8 requests: with the log-probabilities of the likeliest
tokens, without which llama-server gives none, 17.8 ms a token in place of 14.5 (0.6 of the difference in the client);
as `cloud` asks, for a stream without them, 15.6.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from importlib.util import find_spec
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from bare_engines import Ask, Pair, asked, turns

from agent0es.errors import NotInstalled
from agent0es.models.factory import create_backend
from agent0es.models.weights import find_weights

ROOT = Path(__file__).resolve().parents[1]
os.environ["PYTHONPATH"] = str(ROOT)  # the servers' processes need the tests' helpers too
sys.path.insert(0, str(ROOT))

from tests.support.llama_server import LlamaServer  # noqa: E402

AT_ONCE = 32
"""Requests that the server answers at the same time."""
CONTEXT = 512
"""Tokens of each."""
COMMAND = (sys.executable, "-I", str(Path(__file__).with_name("asks_a_server.py")))
"""The command of `cli`, without the server's address."""
KEY = "BENCHMARK_KEY"


@contextmanager
def llama_server(model: str, cache: Path) -> Iterator[tuple[str, str]]:
    """(its address, its model's name)."""
    if find_spec("xllamacpp") is None:
        raise NotInstalled("the package xllamacpp is missing: pip install '.[dev]' in a checkout of agent0es")
    path, cores = find_weights(model, cache).path, len(os.sched_getaffinity(0))
    with LlamaServer(path, threads=cores, n_ctx=AT_ONCE * CONTEXT, n_parallel=AT_ONCE) as server:
        yield server.url, path.stem


def through_openai(address: str, model: str, **more: Any) -> tuple[Ask, Ask, Any]:
    """The `openai` client, with a stream and log-probabilities, and without; and what closes it. `more` are fields that
    a backend sends to this kind of server."""
    from openai import AsyncOpenAI

    client = AsyncOpenAI(api_key="none", base_url=f"{address}/v1", max_retries=0, timeout=1800)

    def body(question: str, tokens: int) -> dict[str, Any]:
        return {"model": model, "messages": messages(question), "max_completion_tokens": tokens, "temperature": 0.0}

    async def streamed(question: str, tokens: int) -> int:
        text, logprobs, written = "", [], 0
        counted = {"stream": True, "stream_options": {"include_usage": True}, "logprobs": True}
        async for chunk in await client.chat.completions.create(**body(question, tokens), **counted, **more):
            for choice in chunk.choices:
                text += choice.delta.content or ""
                logprobs += [one.logprob for one in (choice.logprobs and choice.logprobs.content) or ()]
            written = chunk.usage.completion_tokens if chunk.usage else written
        return written

    async def whole(question: str, tokens: int) -> int:
        answer = await client.chat.completions.create(**body(question, tokens))
        return int(answer.usage.completion_tokens)

    return _all_at_once(streamed), _all_at_once(whole), client.close


@asynccontextmanager
async def openai_compatible(model: str, cache: Path) -> AsyncIterator[Pair]:
    """Beside the `openai` client."""
    with llama_server(model, cache) as (address, name):
        backend = create_backend("openai-compatible", name, base_url=address)
        neutral = {"top_p": 1.0, "seed": 0, "top_logprobs": 1, "extra_body": {"top_k": 0, "min_p": 0.0}}
        bare, plain, close = through_openai(address, name, **neutral)
        try:
            yield Pair(asked(backend), bare, plain)
        finally:
            await backend.close()
            await close()


@asynccontextmanager
async def cloud(model: str, cache: Path) -> AsyncIterator[Pair]:
    """Beside the `openai` client. The name is that of a model of OpenAI's, for which the backend asks for all that such
    a model takes; the words are llama-server's."""
    os.environ[KEY] = "none"
    with llama_server(model, cache) as (address, _):
        backend = create_backend("cloud", "openai:gpt-4.1-mini", base_url=f"{address}/v1", api_key_env=KEY)
        bare, plain, close = through_openai(address, "gpt-4.1-mini")
        try:
            yield Pair(asked(backend), bare, plain)
        finally:
            await backend.close()
            await close()


@asynccontextmanager
async def ollama(model: str, cache: Path) -> AsyncIterator[Pair]:
    """Beside the `ollama` client. No Ollama can be installed from a package registry: the server is the one of our
    tests (`tests/support/ollama_server.py`), which has Ollama's routes and lines and, as Ollama does, a real
    llama-server behind it; here in a process of its own."""
    from ollama import AsyncClient

    with ollama_server(find_weights(model, cache).path) as address:
        backend = create_backend("ollama", "bench", base_url=address, num_ctx=CONTEXT)
        client = AsyncClient(address)

        def body(question: str, tokens: int) -> dict[str, Any]:
            sampling = {"num_ctx": CONTEXT, "num_predict": tokens, "temperature": 0.0, "top_p": 1.0, "seed": 0}
            return {"model": "bench", "messages": messages(question), "think": False, "options": sampling}

        async def streamed(question: str, tokens: int) -> int:
            text, logprobs, written = "", [], 0
            async for line in await client.chat(**body(question, tokens), stream=True, logprobs=True):
                text += line.message.content or ""
                logprobs += [one.logprob for one in line.logprobs or ()]
                written = line.eval_count or written
            return written

        async def whole(question: str, tokens: int) -> int:
            return int((await client.chat(**body(question, tokens))).eval_count)

        try:
            yield Pair(asked(backend), _all_at_once(again(streamed)), _all_at_once(again(whole)))
        finally:
            await backend.close()


def again(ask: Any) -> Any:
    """As the backend does where a connection breaks: on a busy machine llama-server resets one now and then."""
    from httpx import TransportError

    async def tried(question: str, tokens: int) -> int:
        for _ in range(7):
            try:
                return int(await ask(question, tokens))
            except TransportError:
                await asyncio.sleep(0.5)
        return int(await ask(question, tokens))

    return tried


@contextmanager
def ollama_server(gguf: Path) -> Iterator[str]:
    """Its address."""
    ours, theirs = get_context("spawn").Pipe()
    with tempfile.TemporaryDirectory() as folder:
        process = get_context("spawn").Process(target=serve_ollama, args=(gguf, Path(folder), theirs))
        process.start()
        try:
            theirs.close()  # so that the end of the process is seen
            yield ours.recv()
        finally:
            process.kill()
            process.join()


def serve_ollama(gguf: Path, folder: Path, pipe: Connection) -> None:
    """The process of the Ollama server, with the model `bench`, as `ollama create` would make it."""
    from agent0es.models.made_once import sha256_of
    from tests.support.ollama_server import OllamaServer

    with OllamaServer(folder / "models") as server:
        server.library.threads = len(os.sched_getaffinity(0))
        server.library.add("bench", gguf)
        server.library.create("bench", f"sha256:{sha256_of(gguf)}", {})
        pipe.send(server.url)
        pipe.recv()  # until it is killed, or its parent is gone


@asynccontextmanager
async def cli(model: str, cache: Path) -> AsyncIterator[Pair]:
    """Beside `subprocess.run` in threads. The command is a Python program that asks the llama-server."""
    with llama_server(model, cache) as (address, name), ThreadPoolExecutor(AT_ONCE) as pool:
        command = [*COMMAND, address]
        backend = create_backend("cli", name, command=command, processes=AT_ONCE, can=["sampling"])

        def once(said: bytes) -> int:
            done = subprocess.run(command, input=said, capture_output=True, check=True)
            return int(json.loads(done.stdout)["usage"]["written"])

        async def bare(questions: Sequence[str], tokens: int) -> int:
            loop = asyncio.get_running_loop()
            lines = _lines(questions, tokens)
            return sum(await asyncio.gather(*(loop.run_in_executor(pool, once, line) for line in lines)))

        try:
            yield Pair(asked(backend), bare)
        finally:
            await backend.close()


@asynccontextmanager
async def cli_batch(model: str, cache: Path) -> AsyncIterator[Pair]:
    """Beside lines written to a `subprocess.Popen` and read from it. One process for all requests."""
    with llama_server(model, cache) as (address, name):
        command = [*COMMAND, address]
        backend = create_backend("cli", name, command=command, batch=True, can=["sampling"])
        with started(command) as process:

            async def bare(questions: Sequence[str], tokens: int) -> int:
                assert process.stdin is not None and process.stdout is not None
                process.stdin.write(b"".join(_lines(questions, tokens)))
                process.stdin.flush()
                answers = [json.loads(process.stdout.readline()) for _ in questions]
                return sum(answer["usage"]["written"] for answer in answers)

            try:
                yield Pair(asked(backend), bare)
            finally:
                await backend.close()
                process.kill()


def messages(question: str) -> list[dict[str, str]]:
    return [{"role": role, "content": content} for role, content in turns(question)]


def started(command: Sequence[str]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def _lines(questions: Sequence[str], tokens: int) -> list[bytes]:
    """What the command is given, as the backend words it."""
    asks = (
        {
            "id": number,
            "model": "bench",
            "messages": messages(question),
            "max_tokens": tokens,
            "stop": [],
            "temperature": 0.0,
            "top_p": 1.0,
        }
        for number, question in enumerate(questions)
    )
    return [json.dumps(ask).encode() + b"\n" for ask in asks]


def _all_at_once(ask: Any) -> Ask:
    async def together(questions: Sequence[str], tokens: int) -> int:
        return sum(await asyncio.gather(*(ask(question, tokens) for question in questions)))

    return together

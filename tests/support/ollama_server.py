"""An Ollama server for tests: the HTTP API of ollama/ollama at fb30760 (August 2026) in front of real llama-servers.

No Ollama can be installed from a package registry. This one has its routes, statuses, messages and lines
(`server/routes.go`, `server/create.go`, `llm/llama_server.go`) for what agent0es uses; the words come from llama.cpp,
as they do there. `tests/integration/models/test_ollama_client.py` has the real client talk to it.
"""

import asyncio
import json
import time
from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

import httpx

from agent0es.models.made_once import sha256_of
from agent0es.models.ollama.modelfile import CONTINUING_CHATML
from tests.support.http_server import Answer, HttpServer, Request, json_answer
from tests.support.ollama_modelfile import continuing_chatml
from tests.support.ollama_models import CHATML, PARALLEL, Library, Manifest, Refused, now

VERSION = "0.34.2"
Lines = AsyncGenerator[dict[str, Any], None]
PIECE = 64 * 1024
"""Bytes of a pull between two lines of progress."""


class OllamaServer(HttpServer):
    """Serves while it is open; what was asked is in `requests`, and `fail` puts faults before the next answers."""

    def __init__(self, folder: Path, registry: Mapping[str, Path] | None = None) -> None:
        super().__init__(self._reply)
        self.library = Library(folder, registry or {})
        self.max_queue = 512
        self.cut_pull_after: int | None = None
        """Bytes after which a pull breaks off, once."""
        self.waiting = 0
        """Requests that a model answers now, or will."""
        self._slots: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(PARALLEL))
        """Of each llama-server: it is sent no more than it answers at once."""

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        self.library.close()

    async def _reply(self, request: Request) -> Answer:
        """Routes, and how answers are written: one JSON value, or lines of them as they come."""
        if (request.method, request.path) == ("GET", "/"):
            return Answer(b"Ollama is running", headers={"content-type": "text/plain; charset=utf-8"})
        try:
            if request.path.startswith("/api/blobs/"):
                return self._blob(request)
            route = self._routes().get((request.method, request.path))
            if route is None:
                return Answer(b"404 page not found", 404, {"content-type": "text/plain"})
            body = json.loads(request.body or b"{}")
            value = route(body)
            if isinstance(value, Awaitable):
                value = await value
            if not isinstance(value, AsyncIterator):
                return Answer() if value is None else json_answer(value)
            if body.get("stream", True):
                return await _streamed(value)
            return json_answer(_whole([line async for line in value]))
        except Refused as refused:
            return json_answer({"error": refused.message}, refused.status)

    def _routes(self) -> dict[tuple[str, str], Callable[[dict[str, Any]], Any]]:
        def named(body: Mapping[str, Any]) -> str:
            return body.get("model") or body.get("name") or ""

        return {
            ("GET", "/api/version"): lambda body: {"version": VERSION},
            ("GET", "/api/tags"): lambda body: {"models": self.library.tags()},
            ("GET", "/api/ps"): lambda body: {"models": []},
            ("POST", "/api/show"): lambda body: self.library.show(named(body)),
            ("POST", "/api/chat"): self.chat,
            ("POST", "/api/generate"): lambda body: self.chat(body, generate=True),
            ("POST", "/api/embed"): self.embed,
            ("POST", "/api/pull"): self.pull,
            ("POST", "/api/create"): self.create,
            ("DELETE", "/api/delete"): lambda body: self.library.remove(named(body)),
        }

    def _blob(self, request: Request) -> Answer:
        digest = request.path.removeprefix("/api/blobs/")
        path = self.library.path(digest)
        if request.method == "HEAD":
            return Answer(status=200 if path.exists() else 404)
        path.write_bytes(request.body)
        if (found := f"sha256:{sha256_of(path)}") != digest:
            path.unlink()
            raise Refused(400, f'digest mismatch, expected "{digest}", got "{found}"')
        return Answer(status=201)

    # -- inference

    async def chat(self, body: dict[str, Any], generate: bool = False) -> dict[str, Any] | Lines:
        if generate:
            system = [{"role": "system", "content": body["system"]}] if body.get("system") else []
            prompt = [{"role": "user", "content": body["prompt"]}] if body.get("prompt") else []
            body = {**body, "messages": system + prompt}
        if not 0 <= body.get("top_logprobs", 0) <= 20:
            raise Refused(400, "top_logprobs must be between 0 and 20")
        _check_think(body.get("think"))
        if not body.get("model"):
            raise Refused(400, "model is required")
        _, manifest = self.library.find(body["model"])
        if not body.get("messages") and body.get("keep_alive") == 0:
            said = {"role": "assistant", "content": ""}
            return {"model": body["model"], "created_at": now(), "message": said, "done": True, "done_reason": "unload"}
        capabilities = self.library.capabilities(manifest)
        if body.get("think") and "thinking" not in capabilities:
            raise Refused(400, f'"{body["model"]}" does not support thinking')
        if "completion" not in capabilities:
            raise Refused(400, f'"{body["model"]}" does not support chat')
        options = _options(manifest, body)
        runner = self._runner(manifest, options, body.get("shift", True))
        head = {"model": body["model"], "created_at": now()}
        messages = [*manifest.messages, *(body.get("messages") or [])]
        if not body.get("messages"):
            return {**head, "message": {"role": "assistant", "content": ""}, "done": True, "done_reason": "load"}
        if manifest.system and messages[0]["role"] != "system":
            messages.insert(0, {"role": "system", "content": manifest.system})
        path, asked = _for_llama_server(manifest, body, messages, options)
        if body.get("_debug_render_only"):
            rendered = asked["prompt"] if path == "/completion" else await _apply_template(runner, asked)
            debug = {"rendered_template": rendered}
            return {**head, "message": {"role": "", "content": ""}, "done": False, "_debug_info": debug}
        return self._written(head, runner, path, asked, bool(body.get("logprobs")), generate)

    async def _written(
        self, head: dict[str, Any], runner: str, path: str, asked: dict[str, Any], logprobs: bool, generate: bool
    ) -> Lines:
        begun = time.perf_counter_ns()
        if self.waiting >= self.max_queue:
            raise Refused(503, "server busy, please try again.  maximum pending requests exceeded")
        self.waiting += 1
        last, repeated = "", 0
        try:
            async with self._slots[runner], aclosing(self._events(runner, path, asked)) as written:
                async for event in written:
                    text, thinking, tokens, reason, timings = _piece(event, path)
                    repeated = repeated + 1 if text.strip() == last else 0
                    last = text.strip()
                    if repeated > 30 and path == "/completion":
                        return
                    line_out: dict[str, Any] = {**head, "created_at": now()}
                    said = {"content": "" if reason else text, **({"thinking": thinking} if thinking else {})}
                    line_out |= (
                        {"response": said["content"]} if generate else {"message": {"role": "assistant", **said}}
                    )
                    line_out["done"] = reason is not None
                    if logprobs and tokens:
                        line_out["logprobs"] = [
                            {
                                "token": token["token"],
                                "logprob": token["logprob"],
                                **({"bytes": list(token["token"].encode())} if token["token"] else {}),
                            }
                            for token in tokens
                        ]
                    if reason is not None:
                        yield line_out | {
                            "done_reason": reason,
                            "total_duration": time.perf_counter_ns() - begun,
                            "load_duration": 1,
                            "prompt_eval_count": timings["cache_n"] + timings["prompt_n"],
                            "prompt_eval_duration": int(timings["prompt_ms"] * 1e6),
                            "eval_count": timings["predicted_n"],
                            "eval_duration": int(timings["predicted_ms"] * 1e6),
                        }
                    elif text or thinking or ("logprobs" in line_out and path != "/completion"):
                        yield line_out
        finally:
            self.waiting -= 1

    async def _events(self, runner: str, path: str, asked: dict[str, Any]) -> Lines:
        """What llama-server writes, as it comes."""
        async with _client() as client, client.stream("POST", runner + path, json=asked) as response:
            if response.status_code >= 400:
                raise Refused(response.status_code, (await response.aread()).decode())
            async for line in response.aiter_lines():
                data = line.removeprefix("data: ")
                if data and not data.startswith(":") and data != "[DONE]":  # `:` begins a comment
                    yield json.loads(data)

    def _runner(self, manifest: Manifest, options: Mapping[str, Any], shift: bool = True) -> str:
        return self.library.runner(manifest, options.get("num_ctx", 4096), shift)

    async def embed(self, body: dict[str, Any]) -> dict[str, Any]:
        texts = body.get("input")
        texts = [texts] if isinstance(texts, str) else texts or []
        if not all(isinstance(text, str) for text in texts):
            raise Refused(400, "invalid input type")
        _, manifest = self.library.find(body["model"])
        options = _options(manifest, body)
        runner = self._runner(manifest, options)
        vectors, tokens = [], 0
        for text in texts:
            async with _client() as client:
                response = await client.post(f"{runner}/v1/embeddings", json={"input": text})
            if response.status_code >= 400:
                message = response.json()["error"]["message"]
                too_long = any(word in message for word in ("too large", "context size", "physical batch size"))
                raise Refused(
                    *(
                        (400, "the input length exceeds the context length")
                        if too_long
                        else (response.status_code, message)
                    )
                )
            data = response.json()
            vectors.append(data["data"][0]["embedding"])
            tokens += data["usage"]["prompt_tokens"]
        return {"model": body["model"], "embeddings": vectors, "total_duration": 1, "prompt_eval_count": tokens}

    # -- models

    async def pull(self, body: dict[str, Any]) -> Lines:
        name = self.library.full(body.get("model") or body.get("name") or "")
        yield {"status": "pulling manifest"}
        source = self.library.registry.get(name) or self.library.registry.get(name.removesuffix(":latest"))
        if source is None:
            raise Refused(500, "pull model manifest: file does not exist")
        digest, total = f"sha256:{sha256_of(source)}", source.stat().st_size
        blob = self.library.path(digest)
        partial = blob.with_name(f"{blob.name}-partial")
        status = {"status": f"pulling {digest[7:19]}", "digest": digest, "total": total}
        if not blob.exists():
            with source.open("rb") as read, partial.open("ab") as written:
                read.seek(written.tell())
                while piece := read.read(PIECE):
                    written.write(piece)
                    if self.cut_pull_after is not None and written.tell() >= self.cut_pull_after:
                        self.cut_pull_after = None
                        raise Refused(500, "max retries exceeded: unexpected EOF")
                    yield {**status, "completed": written.tell()}
            partial.rename(blob)
        else:
            yield {**status, "completed": total}
        for last in ("verifying sha256 digest", "writing manifest"):
            yield {"status": last}
        self.library.manifests[name] = Manifest(digest)
        yield {"status": "success"}

    async def create(self, body: dict[str, Any]) -> Lines:
        name = self.library.full(body.get("model") or body.get("name") or "")
        if body.get("adapters"):
            raise Refused(400, "LoRA adapters are no longer supported")
        if not body.get("files"):
            raise Refused(400, "neither 'from' or 'files' was specified")
        [(file, digest)] = body["files"].items()
        if file.startswith("/") or ".." in file.split("/"):
            raise Refused(400, "file path must be relative")
        yield {"status": "parsing GGUF"}
        path = self.library.path(digest)
        if not path.exists():
            raise Refused(500, f"open {path}: no such file or directory")
        if path.read_bytes()[:4] != b"GGUF":
            raise Refused(400, "supplied file was not in GGUF format")
        yield {"status": f"using existing layer {digest}"}
        self.library.create(name, digest, body)
        yield {"status": "writing manifest"}
        yield {"status": "success"}


def _client() -> httpx.AsyncClient:
    """For a llama-server of this machine: no certificates are read."""
    return httpx.AsyncClient(timeout=300, verify=False, trust_env=False)


async def _streamed(lines: Lines) -> Answer:
    """Refused before the first line, it is the status; after it, the last line under status 200."""
    first = await anext(lines)

    async def pieces() -> AsyncIterator[bytes]:
        yield json.dumps(first).encode() + b"\n"
        try:
            async for line in lines:
                yield json.dumps(line).encode() + b"\n"
        except Refused as refused:
            yield json.dumps({"error": refused.message}).encode() + b"\n"
        finally:
            await lines.aclose()  # a client that went away cancels the request

    return Answer(pieces(), headers={"content-type": "application/x-ndjson"})


def _check_think(think: Any) -> None:
    if think is not None and not isinstance(think, bool) and think not in ("high", "medium", "low", "max"):
        raise Refused(400, f'invalid think value: "{think}" (must be "high", "medium", "low", "max", true, or false)')


def _options(manifest: Manifest, body: Mapping[str, Any]) -> dict[str, Any]:
    return {**manifest.parameters, **(body.get("options") or {})}


def _for_llama_server(
    manifest: Manifest, body: Mapping[str, Any], messages: list[dict[str, Any]], options: Mapping[str, Any]
) -> tuple[str, dict[str, Any]]:
    """Path and body with which Ollama asks llama-server: rendered by a Go template, or by the GGUF's own."""
    taken = {
        "stream": True,
        "cache_prompt": True,
        "n_predict": options.get("num_predict", -1),
        "temperature": options.get("temperature", 0.8),
        "top_k": options.get("top_k", 40),
        "top_p": options.get("top_p", 0.9),
        "min_p": options.get("min_p", 0.0),
        "repeat_penalty": options.get("repeat_penalty", 1.0),
        "seed": options.get("seed", -1),
        "stop": options.get("stop", []),
    }
    schema = body.get("format")
    if manifest.template in TEMPLATES or body.get("raw"):
        if schema:
            taken["json_schema"] = schema
        if body.get("logprobs"):
            taken["n_probs"] = 1
        filled = body["prompt"] if body.get("raw") else TEMPLATES[manifest.template](_collated(messages))
        return "/completion", {**taken, "prompt": filled}
    if schema:
        taken["response_format"] = {"type": "json_schema", "json_schema": {"name": "schema", "schema": schema}}
    if body.get("logprobs"):
        taken |= {"logprobs": True, "top_logprobs": 1}
    if body.get("think") is not None:
        taken["chat_template_kwargs"] = {"enable_thinking": bool(body["think"])}
    return "/v1/chat/completions", {**taken, "messages": messages}


def _collated(messages: list[dict[str, Any]]) -> list[dict[str, str]]:
    """Turns of one role that follow each other become one, as in `collate` of template/template.go."""
    joined: list[dict[str, str]] = []
    for message in messages:
        if joined and joined[-1]["role"] == message["role"]:
            joined[-1] = {**joined[-1], "content": f"{joined[-1]['content']}\n\n{message['content']}"}
        else:
            joined.append({"role": message["role"], "content": message["content"]})
    return joined


def _chatml(turns: Sequence[Mapping[str, str]]) -> str:
    return "".join(f"<|im_start|>{turn['role']}\n{turn['content']}<|im_end|>\n" for turn in turns) + (
        "<|im_start|>assistant\n"
    )


TEMPLATES = {CHATML: _chatml, CONTINUING_CHATML: continuing_chatml}
"""The Go templates that are filled here."""


async def _apply_template(runner: str, asked: Mapping[str, Any]) -> str:
    async with _client() as client:
        response = await client.post(f"{runner}/apply-template", json=asked)
    if response.status_code >= 400:
        raise Refused(response.status_code, response.text)
    prompt: str = response.json()["prompt"]
    return prompt


def _piece(event: Mapping[str, Any], path: str) -> tuple[str, str, list[dict[str, Any]], str | None, dict[str, Any]]:
    """Text, thinking, tokens, reason of the end, counts: of one event of llama-server."""
    if path == "/completion":
        reason = None if not event["stop"] else "length" if event["stop_type"] == "limit" else "stop"
        return event["content"], "", event.get("completion_probabilities") or [], reason, event.get("timings", {})
    choice = event["choices"][0]
    delta, ended = choice["delta"], choice["finish_reason"]
    tokens = (choice.get("logprobs") or {}).get("content") or []
    reason = None if ended is None else "length" if ended == "length" else "stop"
    return delta.get("content") or "", delta.get("reasoning_content") or "", tokens, reason, event.get("timings", {})


def _whole(lines: list[dict[str, Any]]) -> dict[str, Any]:
    """What is answered without streaming."""
    last = dict(lines[-1])
    if "message" in last:
        last["message"] = {**last["message"], "content": "".join(line["message"]["content"] for line in lines)}
    if "response" in last:
        last["response"] = "".join(line["response"] for line in lines)
    if tokens := [token for line in lines for token in line.get("logprobs", ())]:
        last["logprobs"] = tokens
    return last

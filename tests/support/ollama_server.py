"""An Ollama server for tests: the HTTP API of ollama/ollama at fb30760 (August 2026) in front of real llama-servers.

No Ollama can be installed from a package registry. This one has its routes, statuses, messages and lines
(`server/routes.go`, `server/create.go`, `llm/llama_server.go`) for what agent0es uses; the words come from llama.cpp,
as they do there. `tests/integration/models/test_ollama_client.py` has the real client talk to it.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx

from agent0es.models.made_once import sha256_of
from tests.support.ollama_models import CHATML, Library, Manifest, Refused, now

VERSION = "0.34.2"
Lines = Iterator[dict[str, Any]]
PIECE = 64 * 1024
"""Bytes of a pull between two lines of progress."""


class OllamaServer:
    """Serves until it is closed. What was asked is in `asked`: (path, body)."""

    def __init__(self, folder: Path, registry: Mapping[str, Path] | None = None, port: int = 0) -> None:
        self.library = Library(folder, registry or {})
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.max_queue = 512
        self.cut_pull_after: int | None = None
        """Bytes after which a pull breaks off, once."""
        self.waiting = 0
        self._lock = threading.Lock()
        server = self

        class Handler(_Handler):
            ollama = server

        self._http = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self.library.close()

    def __enter__(self) -> "OllamaServer":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    # -- inference

    def chat(self, body: dict[str, Any], generate: bool = False) -> dict[str, Any] | Lines:
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
            rendered = asked["prompt"] if path == "/completion" else _apply_template(runner, asked)
            debug = {"rendered_template": rendered}
            return {**head, "message": {"role": "", "content": ""}, "done": False, "_debug_info": debug}
        return self._answer(head, runner, path, asked, bool(body.get("logprobs")), generate)

    def _answer(
        self, head: dict[str, Any], runner: str, path: str, asked: dict[str, Any], logprobs: bool, generate: bool
    ) -> Lines:
        begun = time.perf_counter_ns()
        with self._lock:
            self.waiting += 1
            if self.waiting > self.max_queue:
                self.waiting -= 1
                raise Refused(503, "server busy, please try again.  maximum pending requests exceeded")
        try:
            with httpx.stream("POST", runner + path, json=asked, timeout=120) as response:
                if response.status_code >= 400:
                    raise Refused(response.status_code, response.read().decode())
                for line in response.iter_lines():
                    data = line.removeprefix("data: ")
                    if not data or data == "[DONE]":
                        continue
                    text, thinking, tokens, reason, timings = _piece(json.loads(data), path)
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
            with self._lock:
                self.waiting -= 1

    def _runner(self, manifest: Manifest, options: Mapping[str, Any], shift: bool = True) -> str:
        return self.library.runner(manifest, options.get("num_ctx", 4096), shift)

    def embed(self, body: dict[str, Any]) -> dict[str, Any]:
        texts = body.get("input")
        texts = [texts] if isinstance(texts, str) else texts or []
        if not all(isinstance(text, str) for text in texts):
            raise Refused(400, "invalid input type")
        _, manifest = self.library.find(body["model"])
        options = _options(manifest, body)
        runner = self._runner(manifest, options)
        vectors, tokens = [], 0
        for text in texts:
            response = httpx.post(f"{runner}/v1/embeddings", json={"input": text}, timeout=120)
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

    def pull(self, body: dict[str, Any]) -> Lines:
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

    def create(self, body: dict[str, Any]) -> Lines:
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


class _Handler(BaseHTTPRequestHandler):
    """Routes, and how answers are written: one JSON value, or lines of them as they come."""

    protocol_version = "HTTP/1.1"
    ollama: OllamaServer

    def log_message(self, *arguments: object) -> None:
        pass

    def do_GET(self) -> None:
        routes: dict[str, Callable[[], Any]] = {
            "/api/version": lambda: {"version": VERSION},
            "/api/tags": lambda: {"models": self.ollama.library.tags()},
            "/api/ps": lambda: {"models": []},
        }
        if self.path == "/":
            self._write(200, b"Ollama is running", "text/plain; charset=utf-8")
        else:
            self._route(routes.get(self.path))

    def do_HEAD(self) -> None:
        if self.path.startswith("/api/blobs/"):
            try:
                found = self.ollama.library.path(self.path.removeprefix("/api/blobs/")).exists()
                self._write(200 if found else 404, b"")
            except Refused as refused:
                self._write(refused.status, b"")
        else:
            self._write(200, b"")

    def do_POST(self) -> None:
        if self.path.startswith("/api/blobs/"):
            self._route(self._blob, 201)
            return
        server, body = self.ollama, self._json()
        routes: dict[str, Callable[[dict[str, Any]], Any]] = {
            "/api/chat": server.chat,
            "/api/generate": lambda body: server.chat(body, generate=True),
            "/api/embed": server.embed,
            "/api/show": lambda body: server.library.show(body.get("model") or body.get("name") or ""),
            "/api/pull": server.pull,
            "/api/create": server.create,
        }
        route = routes.get(self.path)
        streams = self.path not in ("/api/embed", "/api/show")
        self._route(None if route is None else lambda: route(body), 200, streams and body.get("stream", True))

    def do_DELETE(self) -> None:
        body = self._json()
        known = self.path == "/api/delete"
        self._route(
            (lambda: self.ollama.library.remove(body.get("model") or body.get("name") or "")) if known else None
        )

    def _json(self) -> dict[str, Any]:
        body = json.loads(self._body() or b"{}")
        self.ollama.asked.append((self.path, body))
        return body

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        pieces = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)

    def _blob(self) -> None:
        digest, data = self.path.removeprefix("/api/blobs/"), self._body()
        self.ollama.asked.append((self.path, {"size": len(data)}))
        path = self.ollama.library.path(digest)
        path.write_bytes(data)
        if (found := f"sha256:{sha256_of(path)}") != digest:
            path.unlink()
            raise Refused(400, f'digest mismatch, expected "{digest}", got "{found}"')

    def _route(self, answer: Callable[[], Any] | None, status: int = 200, stream: bool = True) -> None:
        if answer is None:
            self._write(404, b"404 page not found", "text/plain")
            return
        try:
            value = answer()
            if isinstance(value, Iterator):
                if stream:
                    self._stream(value)
                    return
                value = _whole(list(value))
            self._write(status, b"" if value is None else json.dumps(value).encode())
        except Refused as refused:
            self._write(refused.status, json.dumps({"error": refused.message}).encode())
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _stream(self, lines: Lines) -> None:
        """Refused before the first line, it is the status; after it, the last line under status 200."""
        first = next(lines, None)
        self.send_response(200)
        self.send_header("Content-Type", "application/x-ndjson")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            while first is not None:
                self._chunk(first)
                first = next(lines, None)
        except Refused as refused:
            self._chunk({"error": refused.message})
        finally:
            lines.close()  # type: ignore[attr-defined]  # a client that went away cancels the request
        self.wfile.write(b"0\r\n\r\n")

    def _chunk(self, line: dict[str, Any]) -> None:
        data = json.dumps(line).encode() + b"\n"
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def _write(self, status: int, data: bytes, kind: str = "application/json; charset=utf-8") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)


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
    if manifest.template == CHATML or body.get("raw"):
        if schema:
            taken["json_schema"] = schema
        if body.get("logprobs"):
            taken["n_probs"] = 1
        return "/completion", {**taken, "prompt": body["prompt"] if body.get("raw") else _chatml(messages)}
    if schema:
        taken["response_format"] = {"type": "json_schema", "json_schema": {"name": "schema", "schema": schema}}
    if body.get("logprobs"):
        taken |= {"logprobs": True, "top_logprobs": 1}
    if body.get("think") is not None:
        taken["chat_template_kwargs"] = {"enable_thinking": bool(body["think"])}
    return "/v1/chat/completions", {**taken, "messages": messages}


def _chatml(messages: list[dict[str, Any]]) -> str:
    """Turns of one role that follow each other become one, as in `collate` of template/template.go."""
    joined: list[tuple[str, str]] = []
    for message in messages:
        if joined and joined[-1][0] == message["role"]:
            joined[-1] = (message["role"], f"{joined[-1][1]}\n\n{message['content']}")
        else:
            joined.append((message["role"], message["content"]))
    turns = "".join(f"<|im_start|>{role}\n{content}<|im_end|>\n" for role, content in joined)
    return f"{turns}<|im_start|>assistant\n"


def _apply_template(runner: str, asked: Mapping[str, Any]) -> str:
    response = httpx.post(f"{runner}/apply-template", json=asked, timeout=60)
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

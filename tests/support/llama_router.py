"""A llama-server in router mode: `with router(presets) as url`.

It is the real one where there is a program `llama-server`, which no package carries. Elsewhere the servers of the
models are real (xllamacpp's), and what stands before them is this file: it does what `server-models.cpp` of llama.cpp
0.5.0 does, as far as adapters go: lists, `reload`, `load`, `--no-models-autoload`, requests by their model's name,
statuses and errors.
"""

import configparser
import json
import shutil
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.support.llama_server import LlamaServer

PROGRAM = shutil.which("llama-server")
READY_SECONDS = 60


@contextmanager
def router(presets: Path, port: int = 0, autoload: bool = True) -> Iterator[str]:
    """Its address, while it runs. Without `autoload` it loads nothing that it was not told to load."""
    port = port or free_port()
    with real(PROGRAM, presets, port, autoload) if PROGRAM else imitated(presets, port, autoload):
        yield f"http://127.0.0.1:{port}"


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@contextmanager
def real(program: str, presets: Path, port: int, autoload: bool) -> Iterator[None]:
    arguments = [program, "--models-preset", str(presets), "--port", str(port), "--threads", "1", "--poll", "0"]
    arguments += [] if autoload else ["--no-models-autoload"]
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(READY_SECONDS * 10):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/models")
                break
            except OSError:
                time.sleep(0.1)
        yield
    finally:
        process.terminate()
        process.wait()


@contextmanager
def imitated(presets: Path, port: int, autoload: bool) -> Iterator[None]:
    models = Models(presets)
    handler = type("Handler", (Handler,), {"models": models, "autoload": autoload})
    server = ThreadingHTTPServer(("127.0.0.1", port), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        models.close()


class Models:
    """The models of a file of presets, and the server of each that is loaded."""

    def __init__(self, presets: Path) -> None:
        self._presets = presets
        self._lock = threading.RLock()
        self._sections: dict[str, dict[str, str]] = {}
        self._servers: dict[str, LlamaServer] = {}
        self._failed: set[str] = set()
        self.reload()

    def reload(self) -> None:
        parser = configparser.ConfigParser(default_section="*", interpolation=None)
        parser.read_string("[*]\n" + self._presets.read_text().replace("[*]", ""))
        with self._lock:
            sections = {name: dict(parser[name]) for name in parser.sections()}
            for name in list(self._servers):
                if sections.get(name) != self._sections[name]:
                    self._servers.pop(name).__exit__(None, None, None)
            self._sections, self._failed = sections, set()

    def load(self, name: str) -> str:
        """The address of its server."""
        with self._lock:
            if name not in self._servers:
                section = self._sections[name]
                files = tuple(Path(file) for file in section.get("lora", "").split(",") if file)
                server = LlamaServer(
                    Path(section["model"]), lora=files, n_ctx=int(section.get("c", 2048)), model_alias=[name]
                )
                try:
                    server.__enter__()
                except AssertionError:
                    self._failed.add(name)
                    raise
                self._servers[name] = server
                if files:
                    post(f"{server.url}/lora-adapters", [{"id": number, "scale": 1.0} for number in range(len(files))])
            return self._servers[name].url

    def try_to_load(self, name: str) -> None:
        with suppress(AssertionError):
            self.load(name)

    def known(self, name: str) -> bool:
        return name in self._sections

    def loaded(self, name: str) -> bool:
        return name in self._servers

    def listed(self) -> dict[str, Any]:
        with self._lock:
            return {"object": "list", "data": [self._card(name) for name in self._sections]}

    def _card(self, name: str) -> dict[str, Any]:
        status: dict[str, Any] = {"value": "loaded" if name in self._servers else "unloaded", "args": []}
        if name in self._failed:
            status |= {"failed": True, "exit_code": 1}
        return {"id": name, "aliases": [], "object": "model", "owned_by": "llamacpp", "status": status}

    def close(self) -> None:
        with self._lock:
            for server in self._servers.values():
                server.__exit__(None, None, None)


class Handler(BaseHTTPRequestHandler):
    models: Models
    autoload: bool

    def log_message(self, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = parse_qs(url.query)
        if url.path in ("/models", "/v1/models"):
            if query.get("reload"):
                self.models.reload()
            self._say(200, self.models.listed())
        elif url.path == "/props" and "model" not in query:
            self._say(200, {"role": "router", "default_generation_settings": {"n_ctx": 0}, "model_path": "none"})
        else:
            self._forward(query.get("model", [""])[0], None)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        name = json.loads(body).get("model", "")
        if urlsplit(self.path).path != "/models/load":
            self._forward(name, body)
        elif not self.models.known(name):
            self._refuse(404, "model is not found")
        elif self.models.loaded(name):
            self._refuse(400, "model is already running")
        else:
            threading.Thread(target=self.models.try_to_load, args=[name], daemon=True).start()
            self._say(200, {"success": True})

    def _forward(self, name: str, body: bytes | None) -> None:
        if not self.models.known(name):
            self._refuse(400, f"model '{name}' not found" if name else "model name is missing from the request")
            return
        if not self.autoload and not self.models.loaded(name):
            self._refuse(400, "model is not loaded")
            return
        request = urllib.request.Request(self.models.load(name) + self.path, body, {"Content-Type": "application/json"})
        try:
            answer = urllib.request.urlopen(request)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.headers["Content-Type"])
            self.end_headers()
            while piece := answer.read1(65_536):
                self.wfile.write(piece)

    def _refuse(self, code: int, message: str) -> None:
        kind = {404: "not_found_error", 400: "invalid_request_error"}[code]
        self._say(code, {"error": {"code": code, "message": message, "type": kind}})

    def _say(self, code: int, value: Any) -> None:
        body = json.dumps(value).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def post(url: str, value: Any) -> None:
    request = urllib.request.Request(url, json.dumps(value).encode(), {"Content-Type": "application/json"})
    urllib.request.urlopen(request).close()

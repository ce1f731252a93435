"""Models of the hub: a server that speaks as it does has one folder."""

import asyncio
import hashlib
import json
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from unittest.mock import Mock
from urllib.parse import unquote, urlsplit

import huggingface_hub.constants as constants
import pytest

from agent0es.errors import ModelNotFound, StoreError
from agent0es.models.factory import library_of
from agent0es.models.transformers import TransformersBackend
from tests.support.tiny_folder import write_tiny_folder

COMMIT = "a" * 40


class Hub(ThreadingHTTPServer):
    """One repository, `org/tiny`; `status` answers every question about it instead."""

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder = folder
        self.fetched: list[str] = []
        self.tokens: set[str | None] = set()
        self.status = 200

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Hub
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        hub, path = self.server, unquote(urlsplit(self.path).path)
        hub.tokens.add(self.headers.get("Authorization"))
        if hub.status != 200:
            code = {401: "RepoNotFound", 403: "GatedRepo"}.get(hub.status, "")
            self._send(b"{}", hub.status, {"X-Error-Code": code} if code else {})
        elif path in (f"/api/models/org/tiny/revision/{name}" for name in ("main", COMMIT)):
            self._send(json.dumps({"id": "org/tiny", "sha": COMMIT, "siblings": []}).encode())
        elif path == f"/api/models/org/tiny/tree/{COMMIT}":
            files = [file for file in sorted(hub.folder.rglob("*")) if file.is_file()]
            names = [(file.relative_to(hub.folder).as_posix(), file.stat().st_size) for file in files]
            entries = [{"type": "file", "path": name, "size": size, "oid": sha1(name)} for name, size in names]
            self._send(json.dumps(entries).encode())
        elif (prefix := f"/org/tiny/resolve/{COMMIT}/") and path.startswith(prefix):
            name = path.removeprefix(prefix)
            if self.command == "GET":
                hub.fetched.append(name)
            headers = {"ETag": f'"{sha1(name)}"', "X-Repo-Commit": COMMIT}
            self._send((hub.folder / name).read_bytes(), 200, headers)
        else:
            self._send(b"{}", 404, {"X-Error-Code": "RevisionNotFound" if "/revision/" in path else "EntryNotFound"})

    def _send(self, body: bytes, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Nothing."""


def sha1(name: str) -> str:
    return hashlib.sha1(name.encode()).hexdigest()


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    folder = write_tiny_folder(tmp_path / "repository")
    for name in ("pytorch_model.bin", "modeling_evil.py", "onnx/model.json"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("no")
    with Hub(folder) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(constants, "ENDPOINT", server.address)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", server.address + "/{repo_id}/resolve/{revision}/{filename}"
        )
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_IMPLICIT_TOKEN", True)
        yield server
        server.shutdown()


def test_a_model_is_fetched_once_without_what_is_a_program(hub: Hub) -> None:
    backend = TransformersBackend.create("org/tiny")
    assert backend.name == "org/tiny"
    wanted = {path.name for path in hub.folder.iterdir() if path.suffix in (".json", ".jinja", ".safetensors")}
    assert set(hub.fetched) == wanted
    again = TransformersBackend.create(f"org/tiny@{COMMIT}")
    assert len(hub.fetched) == len(wanted)
    assert backend.weights and again.weights and again.weights.sha256 == backend.weights.sha256
    hub.shutdown()
    hub.server_close()
    assert TransformersBackend.create("org/tiny").capabilities == backend.capabilities  # it is here


def test_a_model_can_be_pulled_before_it_is_used(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_TOKEN", "hf_secretsecretsecret")
    library = library_of("transformers", api_key_env="MY_TOKEN")
    assert library is not None
    asyncio.run(library.pull("org/tiny", lambda progress: None))
    assert hub.fetched and hub.tokens == {"Bearer hf_secretsecretsecret"}
    fetched = len(hub.fetched)
    assert TransformersBackend.create("org/tiny").name == "org/tiny" and len(hub.fetched) == fetched
    with pytest.raises(ModelNotFound, match="org/tiny@elsewhere: it has no revision elsewhere"):
        asyncio.run(library.pull("org/tiny@elsewhere", lambda progress: None))


def test_what_was_fetched_is_listed_shown_and_removed(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    library = library_of("transformers")
    assert library is not None

    def listed() -> dict[str, bool]:
        return {model.name: model.here for model in asyncio.run(library.list()) if "/" in model.name}

    assert listed() == {}, "the folder is not even there"
    with pytest.raises(ModelNotFound, match="org/tiny: not fetched from the hub"):
        asyncio.run(library.removable("org/tiny"))
    asyncio.run(library.pull("org/tiny", lambda progress: None))
    assert listed() == {"org/tiny": True}
    shown = asyncio.run(library.show("org/tiny"))
    assert shown.model.context == 8192 and shown.model.detail == "llama" and (shown.model.size or 0) > 10_000
    assert shown.properties["revision"] == COMMIT
    [config] = Path(constants.HF_HUB_CACHE).glob("*/snapshots/*/config.json")
    unfinished = config.with_name("model.safetensors.index.json")
    unfinished.write_text(json.dumps({"weight_map": {"a": "model-2-of-2.safetensors"}}))
    assert listed() == {"org/tiny": False}, "a part of it was not fetched"
    unfinished.write_text("[")
    assert listed() == {}
    unfinished.unlink()
    asyncio.run(library.removable(f"org/tiny@{COMMIT}"))
    with monkeypatch.context() as nothing_may_be_deleted, pytest.raises(StoreError, match="Permission denied"):
        nothing_may_be_deleted.setattr(shutil, "rmtree", Mock(side_effect=PermissionError))
        asyncio.run(library.remove("org/tiny"))
    assert listed() == {"org/tiny": True}
    asyncio.run(library.remove("org/tiny"))
    assert listed() == {} and not list(Path(constants.HF_HUB_CACHE).glob("*/blobs/*"))


def test_a_token_is_sent_and_never_shown(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_TOKEN", "hf_secretsecretsecret")
    TransformersBackend.create("org/tiny", api_key_env="MY_TOKEN")
    assert hub.tokens == {"Bearer hf_secretsecretsecret"}
    hub.status = 403
    with pytest.raises(ModelNotFound) as error:
        TransformersBackend.create("org/tiny@other", api_key_env="MY_TOKEN")
    assert "its authors must let you in first" in str(error.value) and "secret" not in str(error.value)


@pytest.mark.parametrize(
    ("status", "problem"),
    [(401, "the hub has no such model, or none that you may see"), (500, "the hub can't be reached")],
)
def test_what_the_hub_says_is_one_line(hub: Hub, status: int, problem: str) -> None:
    hub.status = status
    with pytest.raises(ModelNotFound, match=f"^org/tiny: .*{problem}") as error:
        TransformersBackend.create("org/tiny")
    assert "\n" not in str(error.value)


def test_a_revision_that_is_not_there_is_named(hub: Hub) -> None:
    with pytest.raises(ModelNotFound, match="org/tiny@elsewhere: it has no revision elsewhere"):
        TransformersBackend.create("org/tiny@elsewhere")

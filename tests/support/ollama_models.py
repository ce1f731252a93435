"""The models of the Ollama server for tests: blobs and manifests in a folder, a real llama-server for each that runs.

Ollama since 0.30 is a front of llama.cpp's server, which it starts once for each model and context length. So is this.
"""

import hashlib
import json
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import gguf
import xllamacpp

from agent0es.models.gguf_file import GgufFile
from agent0es.models.made_once import sha256_of

CHATML = "{{- range .Messages }}<|im_start|>{{ .Role }}\n{{ .Content }}<|im_end|>\n{{ end }}<|im_start|>assistant\n"
"""Ollama's template/chatml.gotmpl: the one Go template that is rendered here."""
CHATML_STOP = ["<|im_start|>", "<|im_end|>"]
NAME = re.compile(r"(?:\w[\w.:-]*/)?(?:\w[\w-]{0,79}/)?\w[\w.-]{0,79}(?::\w[\w.-]{0,79})?", re.ASCII)
PARALLEL = 4


class Refused(Exception):
    """An answer with another status than 200."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


@dataclass
class Manifest:
    """A model as the server keeps it."""

    blob: str
    """`sha256:…` of its GGUF."""
    template: str = ""
    """A Go template; empty: the GGUF's own template is used, by llama-server."""
    parameters: dict[str, Any] = field(default_factory=dict)
    system: str = ""
    license: str = ""
    messages: list[dict[str, str]] = field(default_factory=list)
    modified: str = field(default_factory=lambda: now())

    @property
    def digest(self) -> str:
        text = json.dumps([self.blob, self.template, self.parameters, self.system, self.license, self.messages])
        return hashlib.sha256(text.encode()).hexdigest()


def now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


class Library:
    """Blobs, manifests and what runs. `registry` is what can be pulled: name to file."""

    def __init__(self, folder: Path, registry: Mapping[str, Path]) -> None:
        self.blobs = folder / "blobs"
        self.blobs.mkdir(parents=True)
        self.registry = dict(registry)
        self.manifests: dict[str, Manifest] = {}
        self.removed: list[str] = []
        self.threads = 1
        """Of each model that runs."""
        self._running: dict[tuple[str, int, bool], xllamacpp.Server] = {}
        self._lock = threading.Lock()

    def path(self, digest: str) -> Path:
        if not re.fullmatch(r"sha256[:-][0-9a-f]{64}", digest):
            raise Refused(400, "invalid digest format")
        return self.blobs / digest.replace(":", "-")

    def find(self, name: str) -> tuple[str, Manifest]:
        known = self.full(name)
        if known not in self.manifests:
            raise Refused(404, f"model '{name}' not found")
        return known, self.manifests[known]

    def full(self, name: str) -> str:
        """With its tag, as the server shows it."""
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise Refused(400, "invalid model name")
        name = name.removeprefix("registry.ollama.ai/").removeprefix("library/")
        tagged = name if ":" in name.rsplit("/", 1)[-1] else f"{name}:latest"
        return next((known for known in self.manifests if known.lower() == tagged.lower()), tagged)

    def add(self, name: str, path: Path, **changes: Any) -> None:
        """A model that is there from the beginning."""
        digest = f"sha256:{sha256_of(path)}"
        blob = self.path(digest)
        if not blob.exists():
            blob.symlink_to(path)
        self.manifests[self.full(name)] = Manifest(digest, **changes)

    def create(self, name: str, digest: str, body: Mapping[str, Any]) -> None:
        template, parameters = body.get("template") or "", dict(body.get("parameters") or {})
        if "{%" in template:
            raise Refused(400, 'template error: template: :1: function "bos_token" not defined')
        chat_template = self.metadata(digest).get("tokenizer.chat_template", "")
        if not template and "<|im_start|>" in chat_template:  # what its template is nearest to (template.Named)
            template = CHATML
            parameters.setdefault("stop", CHATML_STOP)
        self.manifests[self.full(name)] = Manifest(
            digest,
            template,
            parameters,
            body.get("system") or "",
            body.get("license") or "",
            body.get("messages") or [],
        )

    def remove(self, name: str) -> None:
        known, manifest = self.find(name)
        del self.manifests[known]
        self.removed.append(known)
        if all(other.blob != manifest.blob for other in self.manifests.values()):
            self.path(manifest.blob).unlink()

    def metadata(self, digest: str) -> Mapping[str, Any]:
        return GgufFile.open(self.path(digest)).metadata

    def capabilities(self, manifest: Manifest) -> list[str]:
        metadata = self.metadata(manifest.blob)
        if f"{metadata['general.architecture']}.pooling_type" in metadata:
            return ["embedding"]
        template = manifest.template or metadata.get("tokenizer.chat_template", "")
        thinks = "enable_thinking" in template
        return ["completion", *(["tools"] if "tools" in template else []), *(["thinking"] if thinks else [])]

    def show(self, name: str) -> dict[str, Any]:
        _, manifest = self.find(name)
        metadata = dict(self.metadata(manifest.blob))
        jinja = metadata.pop("tokenizer.chat_template", "")
        metadata.pop("general.name", None)
        go = manifest.template or "{{ .Prompt }}"
        lines = [
            f"{key:<30} {json.dumps(value)}" for key, values in manifest.parameters.items() for value in _all(values)
        ]
        modelfile = [
            '# Modelfile generated by "ollama show"',
            "# To build a new Modelfile based on this, replace FROM with:",
            f"# FROM {name}\n",
            f"FROM {self.path(manifest.blob)}",
            f'TEMPLATE """{go}"""' if "\n" in go or '"' in go else f"TEMPLATE {go}",
            *(f"PARAMETER {key} {value}" for key, values in manifest.parameters.items() for value in _all(values)),
        ]
        return {
            **({"license": manifest.license} if manifest.license else {}),
            **({"system": manifest.system} if manifest.system else {}),
            **({"messages": manifest.messages} if manifest.messages else {}),
            "modelfile": "\n".join(modelfile) + "\n",
            "parameters": "\n".join(lines),
            "template": manifest.template or jinja,
            "details": self.details(manifest),
            "model_info": {
                key: [] if isinstance(value, list) and len(value) > 5 else value for key, value in metadata.items()
            },
            "capabilities": self.capabilities(manifest),
            "modified_at": manifest.modified,
        }

    def details(self, manifest: Manifest) -> dict[str, Any]:
        metadata = self.metadata(manifest.blob)
        architecture = metadata["general.architecture"]
        kind = gguf.LlamaFileType(metadata.get("general.file_type", 0)).name
        return {
            "parent_model": "",
            "format": "gguf",
            "family": architecture,
            "families": [architecture],
            "parameter_size": "134.52M",
            "quantization_level": kind.removeprefix("MOSTLY_").removeprefix("ALL_"),
        }

    def tags(self) -> list[dict[str, Any]]:
        return [
            {
                "name": name,
                "model": name,
                "modified_at": manifest.modified,
                "size": self.path(manifest.blob).stat().st_size,
                "digest": manifest.digest,
                "details": self.details(manifest),
            }
            for name, manifest in self.manifests.items()
        ]

    def runner(self, manifest: Manifest, num_ctx: int, shift: bool) -> str:
        """Where the llama-server of this model listens, started where it isn't running."""
        trained = self.metadata(manifest.blob)
        num_ctx = min(max(4, num_ctx), trained[f"{trained['general.architecture']}.context_length"])
        key = (manifest.blob, num_ctx, shift)
        with self._lock:
            if key not in self._running:
                settings = xllamacpp.CommonParams()
                settings.model.path = str(self.path(manifest.blob).resolve())
                settings.n_ctx, settings.n_parallel = num_ctx * PARALLEL, PARALLEL
                settings.ctx_shift, settings.embedding = shift, "embedding" in self.capabilities(manifest)
                settings.cpuparams.n_threads, settings.cpuparams.poll = self.threads, 0
                settings.warmup, settings.port, settings.verbosity, settings.ui = False, 0, -1, False
                self._running[key] = xllamacpp.Server(settings)
            return self._running[key].listening_address

    def close(self) -> None:
        self._running.clear()


def _all(values: Any) -> list[Any]:
    return values if isinstance(values, list) else [values]

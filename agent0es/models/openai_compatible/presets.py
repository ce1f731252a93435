"""Adapters on a llama-server in router mode, which serves the models of a file of presets (`--models-preset FILE`).

An adapter is one section more: the model's own, with the adapter's file. The server is told to read the file again, and
loads what is new beside what it has. The file outlives the server, so one that was restarted serves its adapters again.
"""

import asyncio
import fcntl
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from agent0es.domain.text import one_line
from agent0es.errors import ModelNotFound
from agent0es.models.artifacts import LORA_GGUF
from agent0es.models.base import Deployment, GenerationFailed, RequestRefused, file_of, unchanged
from agent0es.models.http import HttpClient, ServerRefused
from agent0es.models.openai_compatible.router import CouldNotLoad, load

_HEAD = re.compile(r"^\s*\[(?P<name>.*)\]\s*$")
_KEY = re.compile(r"^\s*(?P<key>[\w.-]+)\s*=")
_OWN = frozenset({"load-on-startup", "LLAMA_ARG_LOAD_ON_STARTUP", "alias", "a", "LLAMA_ARG_ALIAS", "tags"})
"""Of the model's own section alone: no two models have the same alias, and a server that starts loads few."""
_MODEL = frozenset({"model", "m", "LLAMA_ARG_MODEL", "hf-repo", "hf", "hfr", "LLAMA_ARG_HF_REPO", "hf-file", "hff"})


class RouterAdapters:
    """By a section of the presets, named so that it tells the adapter apart from others of that name."""

    def __init__(self, client: HttpClient, presets: Path, model: str, there: Callable[[Path], str]) -> None:
        """`there` is a file's path as the server sees it."""
        self._client, self._presets, self._model, self._there = client, presets, model, there

    async def deploy(self, deployment: Deployment) -> dict[str, str]:
        """Raises WrongWeights, ModelNotFound for what the server does not take, and as `HttpClient.ask` does."""
        name, file = _name(deployment), deployment.artifacts.folder / _file(deployment)
        await unchanged(deployment, [_file(deployment)])
        key = "lora" if file.name == LORA_GGUF else "model"
        await self._edit(lambda text: with_adapter(text, self._model, name, key, self._there(file)))
        await self._client.get("/models?reload=1")
        try:
            await load(self._client, name)
        except RequestRefused as refused:
            raise ModelNotFound(f"adapter {deployment.name} can't be served: {refused}") from None
        except CouldNotLoad as failed:
            raise ModelNotFound(
                f"adapter {deployment.name} can't be served: {failed}; it is [{name}] of {self._presets}; where the "
                "server sees the files by other names, say so in models.<role>.options.paths"
            ) from None
        return {"model": name}

    async def retire(self, deployment: Deployment) -> None:
        """A model that is no longer in the file is unloaded when that is read."""
        await self._edit(lambda text: without(text, _name(deployment)))
        try:
            await self._client.get("/models?reload=1")
        except (RequestRefused, ServerRefused, GenerationFailed):
            return  # it reads the file when it starts

    async def _edit(self, change: Callable[[str], str]) -> None:
        """Raises ModelNotFound for a file that can't be read, changed or written."""
        try:
            await asyncio.to_thread(_edited, self._presets.resolve(), change)
        except (OSError, UnicodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no text"
            raise ModelNotFound(f"models.<role>.options.presets: {self._presets}: {reason}") from None
        except ValueError as error:
            raise ModelNotFound(f"models.<role>.options.presets: {self._presets}: {error}") from None


def with_adapter(text: str, model: str, name: str, key: str, file: str) -> str:
    """The presets with a section for an adapter: that of its model, with `lora`, or with another `model`. Pure.

    Raises ValueError where the model has no section, or what is to be written would mean something else.
    """
    section = next((lines for found, lines in _sections(text) if found == model), None)
    if section is None:
        raise ValueError(f"it has no section [{model}], which adapters are added to; write one with `model = FILE`")
    keys = [match["key"] if (match := _KEY.match(line)) else "" for line in section]
    if "lora" in keys:
        raise ValueError(f"[{model}] has a `lora` of its own; name a model without one")
    if one_line(file, len(file)) != file or "," in file or ";" in file or "#" in file:
        raise ValueError(f"{file!r} has letters that a file of presets can't hold; keep the store elsewhere")
    left = _OWN | (_MODEL if key == "model" else frozenset())
    kept = [line for line, its in zip(section, keys, strict=True) if line.strip() and its not in left]
    before = without(text, name).rstrip("\n")
    return "\n".join([before, "", f"[{name}]", *kept, f"{key} = {file}", ""])


def without(text: str, name: str) -> str:
    """The presets without this section; every other line as it was. Pure."""
    kept: list[str] = []
    inside = False
    for line in text.split("\n"):
        head = _HEAD.match(line)
        inside = head["name"] == name if head else inside
        if not inside:
            kept.append(line)
    return "\n".join(kept)


def _sections(text: str) -> list[tuple[str, list[str]]]:
    found: list[tuple[str, list[str]]] = []
    for line in text.split("\n"):
        if head := _HEAD.match(line):
            found.append((head["name"], []))
        elif found and not line.lstrip().startswith((";", "#")):
            found[-1][1].append(line)
    return found


def _edited(path: Path, change: Callable[[str], str]) -> None:
    """Change a file that others may change too, so that a reader sees all of it or what was before; who may
    read it stays as it was."""
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        text = path.read_text()
        changed = change(text)
        if changed != text:
            beside = path.with_name(f".{path.name}.new")
            beside.touch(mode=0o600)  # keys may stand in it
            beside.write_text(changed)
            shutil.copymode(path, beside)
            beside.replace(path)
    finally:
        os.close(descriptor)


def _file(deployment: Deployment) -> str:
    """Matrices beside the model where there are any: they are loaded in a moment, and take little room."""
    return file_of(deployment, "llama-server", ("lora-gguf", "merged"))


def _name(deployment: Deployment) -> str:
    """`student-1-3f2a90bc11de`."""
    return f"{deployment.name}-{deployment.artifacts.files[_file(deployment)][:12]}"

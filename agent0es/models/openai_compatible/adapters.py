"""How a server is made to answer with a trained adapter. Each server has its own way; this is the seam.

vLLM loads PEFT's folder while it runs, and answers with it where a request names it as its model. llama-server does so
with a file of presets (`presets.py`).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from agent0es.errors import ModelNotFound
from agent0es.models.artifacts import PEFT, WEIGHTS
from agent0es.models.base import Deployment, RequestRefused, file_of, unchanged
from agent0es.models.http import HttpClient, ServerRefused
from agent0es.models.openai_compatible.options import OpenAiOptions
from agent0es.models.openai_compatible.presets import RouterAdapters
from agent0es.models.openai_compatible.server import Facts

Fields = Mapping[str, Any]
"""What a request says so that an adapter answers."""


class AdapterServer(Protocol):
    """Has adapters answer on one server."""

    async def deploy(self, deployment: Deployment) -> Fields:
        """Make an adapter answer; once more after the server has lost it. Raises WrongWeights, ModelNotFound."""
        ...

    async def retire(self, deployment: Deployment) -> None:
        """Unload it, if it is loaded."""
        ...


class VllmAdapters:
    """By `/v1/load_lora_adapter`, under a name that tells its weights apart from others of that name: a server outlives
    a run."""

    def __init__(self, client: HttpClient, paths: Mapping[str, str]) -> None:
        self._client, self._paths = client, paths

    async def deploy(self, deployment: Deployment) -> Fields:
        artifacts = deployment.artifacts
        file_of(deployment, "vLLM", ("peft",))
        await unchanged(deployment, [file for file in artifacts.files if file.startswith(f"{PEFT}/")])
        name, folder = served_name(deployment), there(artifacts.peft, self._paths)
        try:
            await self._client.post("/v1/load_lora_adapter", {"lora_name": name, "lora_path": folder}, form="text")
        except RequestRefused as refused:
            if "already" not in str(refused):
                raise ModelNotFound(f"adapter {deployment.name} can't be served: {refused}") from None
        except ServerRefused as refused:
            if refused.fault.status != 404:
                raise
            raise ModelNotFound(
                f"adapter {deployment.name} can't be served: {refused.fault.words}; where the server sees the folder "
                f"{folder} by another name, say so in models.<role>.options.paths"
            ) from None
        return {"model": name}

    async def retire(self, deployment: Deployment) -> None:
        try:
            await self._client.post("/v1/unload_lora_adapter", {"lora_name": served_name(deployment)}, form="text")
        except (RequestRefused, ServerRefused):
            return  # it was restarted, and knows nothing of it


class NoAdapters:
    """A server that loads none."""

    def __init__(self, where: str) -> None:
        self._where = where

    async def deploy(self, deployment: Deployment) -> Fields:
        raise ModelNotFound(
            f"adapter {deployment.name}: {self._where} serves none; for vLLM, start it with --enable-lora and "
            "VLLM_ALLOW_RUNTIME_LORA_UPDATING=True; for llama-server, start it with --models-preset FILE and set "
            "models.<role>.options.presets to that file"
        )

    async def retire(self, deployment: Deployment) -> None:
        return


def adapters_of(facts: Facts, client: HttpClient, options: OpenAiOptions) -> AdapterServer:
    """The way of this server."""
    if facts.kind == "vllm":
        return VllmAdapters(client, options.paths)
    if "lora-gguf" in facts.capabilities.adapters and options.presets is not None:
        return RouterAdapters(client, options.presets, facts.model, lambda file: there(file, options.paths))
    return NoAdapters(client.where)


def served_name(deployment: Deployment) -> str:
    """`student-1-3f2a90bc11de`."""
    return f"{deployment.name}-{deployment.artifacts.files[WEIGHTS][:12]}"


def there(folder: Path, paths: Mapping[str, str]) -> str:
    """A folder or file as the server sees it: the longest of the paths that holds it is put in place of its own."""
    whole = folder.absolute()
    for here in sorted(paths, key=len, reverse=True):
        if whole.is_relative_to(here):
            return str(Path(paths[here]) / whole.relative_to(here))
    return str(whole)

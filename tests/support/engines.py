"""The real engine under a script: a two-layer model runs in a process of its own, and the script writes the answers.

So whatever happens to an engine happens here too, in a second instead of a minute.
"""

import asyncio
import contextlib
import os
import resource
import signal
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from agent0es.models.base import Completion, Deployment, GenerationRequest, Weights
from agent0es.models.engine_backend import EngineBackend
from agent0es.models.gguf_file import GgufFile
from agent0es.models.gguf_writer import write_gguf
from agent0es.models.made_once import sha256_of
from agent0es.models.openvino import OpenVinoBackend
from agent0es.models.scripted import Script, ScriptedBackend
from tests.integration.training.tiny_model import write_tiny_gguf

Blow = Callable[[int], object]
"""What happens to a process."""

Plan = Callable[[GenerationRequest, str | None], Blow | None]
"""(request, adapter) to what happens to the engine while it answers."""


def kill(process: int) -> None:
    with contextlib.suppress(ProcessLookupError):  # another of its requests has killed it
        os.kill(process, signal.SIGKILL)


def stop(process: int) -> None:
    os.kill(process, signal.SIGSTOP)


def give_no_more_memory(process: int) -> None:
    """Whatever it asks for from now on, it does not get."""
    for limit in (resource.RLIMIT_AS, resource.RLIMIT_DATA):
        resource.prlimit(process, limit, (1 << 20, 1 << 20))


def tiny_weights(folder: Path, architecture: str = "llama", context: int = 512, words: bool = False) -> Weights:
    """The tiny model in a quantization that OpenVINO takes."""
    tiny = GgufFile.open(write_tiny_gguf(folder / "f32.gguf", architecture, context, words))
    path = folder / "tiny.gguf"
    write_gguf(tiny, path, lambda name: tiny.values(name) if len(tiny.tensors[name].shape) > 1 else None)
    return Weights("tiny", path, sha256_of(path))


def processes(module: str, parent: int | None = None) -> dict[int, str]:
    """Processes of `python -m MODULE` that a process started, by their id, with their arguments."""
    found = {}
    for process in Path("/proc").iterdir():
        try:
            arguments = (process / "cmdline").read_text(errors="replace").split("\0")
            status = (process / "stat").read_text(errors="replace").rsplit(")", 1)[1].split()
        except (OSError, IndexError):
            continue
        if module in arguments and status[0] != "Z" and parent in (None, int(status[1])):
            found[int(process.name)] = " ".join(arguments)
    return found


def engines() -> dict[int, str]:
    """Engines of this process."""
    return processes("agent0es.models.engine_process", os.getpid())


class UnderEngine(ScriptedBackend):
    """Answers with a script's words when a real engine has answered too."""

    def __init__(
        self,
        script: Script,
        weights: Weights,
        plan: Plan = lambda request, adapter: None,
        engine: EngineBackend | None = None,
    ) -> None:
        """`engine` is OpenVINO's where none is given."""
        super().__init__(script, weights=weights)
        self.engine = engine or OpenVinoBackend.create(str(weights.path), cache_tokens=4096, context=512)
        self._plan = plan

    async def generate(self, requests: Sequence[GenerationRequest], adapter: str | None = None) -> list[Completion]:
        strike = self._plan(requests[0], adapter)
        tokens = 8 if strike is None else 200  # it must be struck before the answer
        short = [
            replace(one, messages=one.messages[-1:], prefill="", max_tokens=tokens, shared=0, json_schema=None)
            for one in requests
        ]
        answers = asyncio.create_task(self.engine.generate(short, adapter))
        if strike is not None:
            for _ in range(10):  # until the request is handed in
                await asyncio.sleep(0)
            answering = self.engine._engine(adapter)._process
            assert answering is not None
            strike(answering._process.pid)
        await answers
        return await super().generate(requests, adapter)

    async def deploy(self, deployment: Deployment) -> None:
        await self.engine.deploy(deployment)
        await super().deploy(deployment)

    async def retire(self, name: str) -> None:
        await self.engine.retire(name)
        await super().retire(name)

    async def close(self) -> None:
        await self.engine.close()
        await super().close()

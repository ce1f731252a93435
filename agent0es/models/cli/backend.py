"""The backend `cli`: a command of the user's is the model."""

import asyncio
import shutil
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent0es.errors import ConfigurationError, ModelNotFound
from agent0es.models.base import Capabilities, Completion, GenerationRequest
from agent0es.models.cli.dialect import Asked, Format, as_json, as_text, parsed, read_json, read_text
from agent0es.models.cli.processes import Pipe, ask_once
from agent0es.models.simple import SimpleBackend

Ability = Literal["prefill", "sampling", "seeds", "structured_output", "logprobs"]


class CliOptions(BaseModel):
    """`models.<role>.options` of this backend."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    command: tuple[str, ...] = Field(min_length=1)
    """Program and arguments. No shell reads them."""
    format: Format = "json"
    """What it reads and writes: `json`, an object; `text`, the turns and the answer as they are."""
    batch: bool = False
    """One process for all requests: JSON lines in, JSON lines out, each with the `id` of its request."""
    processes: int = Field(default=4, ge=1, le=256)
    """Without `batch`, how many may run at once."""
    timeout_seconds: float = Field(default=300.0, gt=0.0, le=86400.0)
    """Most seconds for an answer; then the process and all that it started are ended."""
    can: frozenset[Ability] = frozenset()
    """What it takes of a request besides messages, max_tokens and stop; `logprobs`: what it gives besides text."""
    context: int | None = Field(default=None, ge=1)
    """Most tokens that it may read and write together."""


class CliBackend(SimpleBackend):
    """A command answers, in a process for each request or in one for all."""

    def __init__(self, name: str, options: CliOptions) -> None:
        """Nothing is started before the first request. Raises ModelNotFound where there is no such command."""
        can = options.can
        self.name = name
        self.capabilities = Capabilities(
            logprobs="logprobs" in can,
            structured_output="structured_output" in can,
            prefill="prefill" in can,
            sampling="sampling" in can,
            seeds="seeds" in can,
            context=options.context,
        )
        program = shutil.which(options.command[0])
        if program is None:
            raise ModelNotFound(f"cli: there is no program {options.command[0]!r} (options.command) to run")
        self._command = (program, *options.command[1:])
        self._timeout = options.timeout_seconds
        self._room = asyncio.Semaphore(options.processes)
        self._pipe = Pipe(self._command, name, self._timeout) if options.batch else None
        of_format: dict[Format, Callable[[Asked, float], Awaitable[Completion]]] = {
            "json": self._object,
            "text": self._text,
        }
        self._ask = self._line if options.batch else of_format[options.format]

    @classmethod
    def create(cls, name: str, *, cache: Path | None = None, **options: Any) -> "CliBackend":
        """`name` is what the log calls the model, and what the command is told; options are those of CliOptions.

        Raises ConfigurationError in one line for a wrong option, ModelNotFound where there is no such command.
        """
        try:
            read = CliOptions.model_validate(options)
        except ValidationError as error:
            why = error.errors(include_url=False, include_input=False)[0]
            option = ".".join(map(str, why["loc"]))
            known = f"; there are: {', '.join(CliOptions.model_fields)}" if why["type"] == "extra_forbidden" else ""
            raise ConfigurationError(f"cli: options.{option}: {why['msg']}{known}") from None
        if read.batch and read.format != "json":
            raise ConfigurationError("cli: options.batch: answers are told apart by JSON; leave options.format at json")
        return cls(name, read)

    async def complete(self, request: GenerationRequest) -> Completion:
        """As the protocol says. The time includes the wait for a free process."""
        return await self._ask(Asked(request, self.capabilities, self.name), time.perf_counter())

    async def close(self) -> None:
        if self._pipe is not None:
            await self._pipe.close()

    async def _object(self, asked: Asked, begin: float) -> Completion:
        said = await self._once(as_json(asked))
        return read_json(asked, parsed(said, self.name), time.perf_counter() - begin)

    async def _text(self, asked: Asked, begin: float) -> Completion:
        said = await self._once(as_text(asked))
        return read_text(asked, said, time.perf_counter() - begin)

    async def _line(self, asked: Asked, begin: float) -> Completion:
        assert self._pipe is not None
        number = self._pipe.number()
        answer = await self._pipe.ask(number, as_json(asked, number))
        return read_json(asked, answer, time.perf_counter() - begin)

    async def _once(self, said: bytes) -> bytes:
        async with self._room:
            return await ask_once(self._command, self.name, said, self._timeout)

"""The process that holds an OpenVINO pipeline, started by `engine.Engine`.

    python -m agent0es.models.engine_process GGUF SERVED SHA256 SETTINGS FD PARENT

A process and not a thread, because `step()` keeps Python's global lock: 70 ms and more at a time, in which no event
loop of the same process can move.
"""

import json
import sys
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent0es.errors import ModelNotFound
from agent0es.models import engine_child
from agent0es.models.base import RequestRefused
from agent0es.models.child_process import out_of_memory
from agent0es.models.engine import EngineSettings
from agent0es.models.engine_child import (
    Writing,
    before_stop,
    check_hash,
    last_line,
    run,
    surely_before_stop,
    tell,
    without_cut_off,
)
from agent0es.models.engine_messages import Answered, Ask, EngineRequest, FromEngine, Generated, Refused
from agent0es.models.gguf_file import GgufFile
from agent0es.models.gguf_writer import as_q8_0
from agent0es.models.made_once import made_once

KV_BLOCK = 32
"""Tokens in a block of the pipeline's cache on a CPU."""
_SEED_SPACE = 2**32
"""The pipeline's sampler takes 32 bits of seed."""


@dataclass(slots=True, kw_only=True)
class Running(Writing):
    """A request in the batch."""

    handle: Any
    prompt_tokens: int


class Batch(engine_child.Batch):
    """A pipeline and the requests that it works on, advanced step by step."""

    def __init__(self, gguf: Path, settings: EngineSettings) -> None:
        """Load the weights. Raises ModelNotFound when OpenVINO does not take them."""
        import openvino
        import openvino_genai

        self._openvino, self._genai = openvino, openvino_genai
        self._settings = settings
        self.step_seconds = settings.step_seconds
        scheduler = openvino_genai.SchedulerConfig()
        scheduler.max_num_seqs = settings.max_batch
        scheduler.max_num_batched_tokens = settings.max_batched_tokens
        scheduler.num_kv_blocks = -(-settings.cache_tokens // KV_BLOCK)
        scheduler.enable_prefix_caching = settings.prefix_cache
        properties = {}
        if settings.threads:
            properties["INFERENCE_NUM_THREADS"] = settings.threads
        try:
            self._pipeline = openvino_genai.ContinuousBatchingPipeline(str(gguf), scheduler, "CPU", properties)
        except (RuntimeError, LookupError, ValueError) as error:
            if out_of_memory(str(error)):
                raise  # no fault of the file, and it may pass
            raise ModelNotFound(f"{gguf}: OpenVINO can't load it: {last_line(error)}") from error
        self._tokenizer = self._pipeline.get_tokenizer()
        self._pieces = {token: piece for piece, token in self._tokenizer.get_vocab().items()}
        """Token to its bytes."""
        self._running: list[Running] = []
        self._waiting: deque[Ask] = deque()

    @property
    def busy(self) -> bool:
        return bool(self._running or self._waiting)

    def add(self, ask: Ask) -> None:
        self._waiting.append(ask)

    def cancel(self, number: int) -> None:
        """Forget a request; what it holds is freed by the next step."""
        self._waiting = deque(ask for ask in self._waiting if ask.number != number)
        for running in self._running:
            if running.number == number:
                running.handle.cancel()
        self._running = [running for running in self._running if running.number != number]
        if not self.busy:
            self._pipeline.step()

    def step(self) -> list[FromEngine]:
        """One token more for every running request; what there is to tell the parent."""
        told = self._admit()
        if self._running:
            self._pipeline.step()
        still = []
        for running in self._running:
            status = running.handle.get_status()
            if status == self._genai.GenerationStatus.RUNNING:
                if running.stream or running.stop:
                    self._read(running)
                if running.stopped:
                    running.handle.stop()
                    told.append(Answered(running.number, self._completion(running, told)))
                else:
                    still.append(running)
                    if running.stream:
                        text = surely_before_stop(self._text(running.token_ids), running.stop)
                        # A character may still lack bytes: they come with a later token.
                        if not text.endswith("\ufffd"):
                            tell(running, text, told)
            elif status == self._genai.GenerationStatus.FINISHED:
                told.append(Answered(running.number, self._completion(running, told)))
            else:
                told.append(
                    Refused(
                        running.number,
                        f"a request of {running.prompt_tokens} prompt tokens did not fit into the cache of "
                        f"{self._settings.cache_tokens} tokens; raise the option cache_tokens",
                    )
                )
        self._running = still
        if told and not self.busy:
            self._pipeline.step()  # frees what a stopped request holds
        return told

    def _admit(self) -> list[FromEngine]:
        told: list[FromEngine] = []
        while self._waiting and len(self._running) < self._settings.max_batch:
            ask = self._waiting.popleft()
            try:
                self._running.append(self._start(ask))
            except RequestRefused as error:
                told.append(Refused(ask.number, str(error)))
            except RuntimeError as error:
                if out_of_memory(str(error)):
                    raise
                told.append(Refused(ask.number, f"OpenVINO refuses the request: {last_line(error)}"))
        return told

    def _start(self, ask: Ask) -> Running:
        request = ask.request
        encoded = self._tokenizer.encode(request.prompt, add_special_tokens=False).input_ids
        if request.prefix:
            # Those who found a half-filled block in the cache would all go on in it, and write over one another.
            whole = encoded.shape[1] // KV_BLOCK * KV_BLOCK
            encoded = self._openvino.Tensor(encoded.data[:, : whole or None].copy())
        prompt_tokens = encoded.shape[1]
        # The tokenizer cuts a text off at the model's context without a word, so a full context is one too many.
        if prompt_tokens + request.max_tokens > self._settings.context:
            raise RequestRefused(
                f"a prompt of {prompt_tokens} tokens and max_tokens {request.max_tokens} "
                f"exceed the context of {self._settings.context}"
            )
        handle = self._pipeline.add_request(ask.number, encoded, self._config(request))
        return Running(
            number=ask.number,
            stream=ask.stream,
            stop=tuple(filter(None, request.stop)),
            handle=handle,
            prompt_tokens=prompt_tokens,
        )

    def _config(self, request: EngineRequest) -> Any:
        options: dict[str, Any] = {}
        if request.temperature > 0:
            options |= {"do_sample": True, "temperature": request.temperature, "top_p": request.top_p}
        if request.json_schema is not None:
            schema = json.dumps(request.json_schema)
            options["structured_output_config"] = self._genai.StructuredOutputConfig(json_schema=schema)
        return self._genai.GenerationConfig(
            max_new_tokens=request.max_tokens,
            logprobs=1,
            rng_seed=request.seed % _SEED_SPACE,
            apply_chat_template=False,
            **options,
        )

    def _read(self, running: Running) -> str:
        """Take over the tokens since the last reading; returns the finish reason so far.

        Stop strings are looked for here: the pipeline's threads, which could, wait for one detokenizer, and one was
        seen to wait for ever.
        """
        reason = "NONE"
        while not running.stopped and running.handle.can_read():
            for output in running.handle.read().values():
                for token, logprob in zip(output.generated_ids, output.generated_log_probs, strict=True):
                    if not running.stopped:
                        running.take(token, logprob, self._pieces.get(token, b""))
                reason = output.finish_reason.name
        return reason

    def _text(self, token_ids: list[int]) -> str:
        return self._tokenizer.decode(token_ids) if token_ids else ""

    def _completion(self, running: Running, told: list[FromEngine]) -> Generated:
        reason = self._read(running)
        text = self._text(running.token_ids)
        if running.stopped:
            text, reason = before_stop(text, running.stop), "STOP"
            without_cut_off(running.token_ids, running.logprobs, len(text), self._text)
        if running.stream:
            tell(running, text, told)
        return Generated(
            text=text,
            token_ids=tuple(running.token_ids),
            logprobs=tuple(running.logprobs),
            finish_reason="length" if reason == "LENGTH" else "stop",
            prompt_tokens=running.prompt_tokens,
            seconds=0.0,
        )


def prepare(gguf: Path, served: Path, sha256: str) -> None:
    """Check that the file has this hash, if one is given, and write the copy that is loaded, once, where that is
    another file. Raises WrongWeights and ModelNotFound."""
    check_hash(gguf, sha256)
    if served != gguf:
        try:
            made_once(served, lambda path: as_q8_0(GgufFile.open(gguf), path))
        except OSError as error:
            raise ModelNotFound(f"{served}: can't be written: {error.strerror or error}") from error


def main() -> None:
    """Run the engine that the arguments describe."""
    gguf, served, sha256, options, descriptor, parent = sys.argv[1:]

    def load() -> Batch:
        prepare(Path(gguf), Path(served), sha256)
        return Batch(Path(served), EngineSettings(**json.loads(options)))

    run(descriptor, parent, load)


if __name__ == "__main__":
    main()

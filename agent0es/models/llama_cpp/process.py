"""The process in which llama.cpp computes, started by `engine.Engine`.

    python -m agent0es.models.llama_cpp.process GGUF SHA256 SETTINGS FD PARENT

A process, because a library in C that meets what it did not expect ends the process that it is in.
"""

import json
import os
import sys
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from agent0es.models import engine_child
from agent0es.models.artifacts import LORA_GGUF, Artifacts
from agent0es.models.base import RequestRefused
from agent0es.models.engine_child import (
    Writing,
    before_stop,
    check_hash,
    run,
    surely_before_stop,
    tell,
    without_cut_off,
)
from agent0es.models.engine_messages import Answered, Ask, FromEngine, Generated, Missing, Refused
from agent0es.models.llama_cpp.library import Library, LlamaCppSettings, Sampler, Token

WORTH_WAITING = 64
"""Tokens: a request that could share so many more with one that is just now being read waits until they are."""


@dataclass(eq=False, slots=True)
class Sequence:
    """Tokens at a place in the cache."""

    place: int
    adapter: str | None
    """Who reads them: each model, and each adapter, makes something else of the same tokens."""
    tokens: list[int]
    """In the cache, or to be read next."""
    done: int = 0
    """How many of them are in the cache."""


@dataclass(eq=False, slots=True, kw_only=True)
class Running(Writing):
    """A request in the batch."""

    sequence: Sequence
    sampler: Sampler
    prompt_tokens: int
    cached: int
    max_tokens: int

    @property
    def room(self) -> int:
        """Places for tokens that it may come to need."""
        return self.prompt_tokens + self.max_tokens


class Batch(engine_child.Batch):
    """Weights, the requests that are answered together, and what earlier ones left in the cache."""

    def __init__(self, gguf: Path, settings: LlamaCppSettings) -> None:
        """Raises ModelNotFound when llama.cpp does not take the file."""
        self._library = Library(gguf, settings)
        self._settings = settings
        self.step_seconds = settings.step_seconds
        self._keeps = settings.prefix_cache and self._library.rewinds
        self._waiting: deque[tuple[Ask, list[int]]] = deque()
        self._running: list[Running] = []
        self._kept: list[Sequence] = []
        """What finished requests read and wrote, the least recently used first."""
        self._free = list(range(self._library.places))
        self._refused: list[FromEngine] = []

    @property
    def busy(self) -> bool:
        return bool(self._running or self._waiting or self._refused)

    def add(self, ask: Ask) -> None:
        request = ask.request
        try:
            if request.adapter is not None and not self._library.loaded(request.adapter):
                self._refused.append(Missing(ask.number, f"adapter {request.adapter} is not loaded", wrong=False))
                return
            tokens = self._library.tokens(request.prompt)
            if len(tokens) + request.max_tokens > self._settings.context:
                raise RequestRefused(
                    f"a prompt of {len(tokens)} tokens and max_tokens {request.max_tokens} "
                    f"exceed the context of {self._settings.context}"
                )
            if len(tokens) + request.max_tokens > self._settings.cache_tokens:
                raise RequestRefused(
                    f"a request of {len(tokens)} prompt tokens did not fit into the cache of "
                    f"{self._settings.cache_tokens} tokens; raise the option cache_tokens"
                )
            self._waiting.append((ask, tokens))
        except RequestRefused as error:
            self._refused.append(Refused(ask.number, str(error)))

    def cancel(self, number: int) -> None:
        self._waiting = deque(waiting for waiting in self._waiting if waiting[0].number != number)
        for running in [one for one in self._running if one.number == number]:
            self._leave(running)

    def deploy(self, name: str, artifacts: Artifacts) -> None:
        check_hash(artifacts.lora_gguf, artifacts.files[LORA_GGUF])
        self._library.load(name, artifacts.lora_gguf)

    def retire(self, name: str) -> list[FromEngine]:
        asked = [ask.number for ask, _ in self._waiting if ask.request.adapter == name]
        asked += [running.number for running in self._running if running.sequence.adapter == name]
        for number in asked:
            self.cancel(number)
        for sequence in [kept for kept in self._kept if kept.adapter == name]:
            self._drop(sequence)
        self._library.unload(name)
        return [Missing(number, f"adapter {name} was retired", wrong=False) for number in asked]

    def step(self) -> list[FromEngine]:
        told, self._refused = self._refused, []
        while self._waiting and self._admit(*self._waiting[0], told):
            self._waiting.popleft()
        for adapter in sorted({running.sequence.adapter for running in self._running}, key=str):
            self._advance([running for running in self._running if running.sequence.adapter == adapter], told)
        return told

    def _admit(self, ask: Ask, prompt: list[int], told: list[FromEngine]) -> bool:
        """Take a request into the batch, or refuse it; False where it has to wait."""
        request = ask.request
        room = len(prompt) + request.max_tokens
        free = self._settings.cache_tokens - sum(running.room for running in self._running)
        if len(self._running) >= min(self._settings.max_batch, self._library.places) or room > free:
            return False
        usable = prompt[:-1]  # the last token is read in any case: what comes after it is asked for
        others = [running.sequence for running in self._running] + self._kept if self._keeps else []
        others = [other for other in others if other.adapter == request.adapter]
        read = {other: min(other.done, _common(other.tokens, usable)) for other in others}
        best = max(read, key=lambda other: read[other], default=None)
        shared = read[best] if best is not None else 0
        if any(_common(other.tokens, usable) >= shared + WORTH_WAITING for other in others):
            return False
        try:
            sampler = self._library.sampler(request)
        except RequestRefused as error:
            told.append(Refused(ask.number, str(error)))
            return True
        if best in self._kept:  # used again: it is the last to go
            self._kept.remove(best)
            self._kept.append(best)
        while self._kept and (not self._free or sum(len(kept.tokens) for kept in self._kept) > free - room):
            if self._kept[0] is best:
                shared = 0
            self._drop(self._kept[0])
        sequence = Sequence(self._free.pop(), request.adapter, list(prompt), shared)
        if best is not None and shared:
            self._library.begin_with(sequence.place, best.place, shared)
        running = Running(
            number=ask.number,
            stream=ask.stream,
            stop=tuple(filter(None, request.stop)),
            sequence=sequence,
            sampler=sampler,
            prompt_tokens=len(prompt),
            cached=shared,
            max_tokens=request.max_tokens,
        )
        self._running.append(running)
        return True

    def _advance(self, together: list[Running], told: list[FromEngine]) -> None:
        """Read what is next of each, as far as the batch goes: those that write first, then prompts."""
        left = self._settings.max_batched_tokens
        tokens: list[Token] = []
        answered: list[tuple[Running, int]] = []
        for running in sorted(together, key=lambda one: len(one.sequence.tokens) - one.sequence.done):
            sequence = running.sequence
            part = sequence.tokens[sequence.done : sequence.done + left]
            if not part:
                break
            left -= len(part)
            whole = sequence.done + len(part) == len(sequence.tokens)
            for at, token in enumerate(part, sequence.done):
                tokens.append(Token(token, at, sequence.place, whole and at + 1 == len(sequence.tokens)))
            sequence.done += len(part)
            if whole:
                answered.append((running, len(tokens) - 1))
        self._library.read(tokens, together[0].sequence.adapter)
        for running, at in answered:
            self._write(running, *running.sampler.next(at), told)

    def _write(self, running: Running, token: int, logprob: float, told: list[FromEngine]) -> None:
        """One token more."""
        running.take(token, logprob, self._library.piece(token))
        running.sequence.tokens.append(token)
        ended = self._library.ends(token) or running.stopped
        if not ended and len(running.token_ids) < running.max_tokens:
            if running.stream:
                text = surely_before_stop(self._library.text(running.token_ids), running.stop)
                if not text.endswith("\ufffd"):  # a character may still lack bytes: they come with a later token
                    tell(running, text, told)
            return
        self._leave(running)
        text = self._library.text(running.token_ids)
        if running.stopped:
            text = before_stop(text, running.stop)
            without_cut_off(running.token_ids, running.logprobs, len(text), self._library.text)
        if running.stream:
            tell(running, text, told)
        generated = Generated(
            text=text,
            token_ids=tuple(running.token_ids),
            logprobs=tuple(running.logprobs),
            finish_reason="stop" if ended else "length",
            prompt_tokens=running.prompt_tokens,
            seconds=0.0,
            cached_tokens=running.cached,
        )
        told.append(Answered(running.number, generated))

    def _leave(self, running: Running) -> None:
        """Take a request out of the batch. What was read stays in the cache while there is room."""
        self._running.remove(running)
        running.sampler.close()
        sequence = running.sequence
        del sequence.tokens[sequence.done :]
        self._kept.append(sequence)
        if not self._keeps:
            self._drop(sequence)

    def _drop(self, sequence: Sequence) -> None:
        self._kept.remove(sequence)
        self._library.forget(sequence.place)
        self._free.append(sequence.place)


def _common(one: list[int], other: list[int]) -> int:
    """How many tokens two sequences have in common, from the first."""
    for at, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return at
    return min(len(one), len(other))


def main() -> None:
    """Run the engine that the arguments describe."""
    gguf, sha256, options, descriptor, parent = sys.argv[1:]

    os.environ["GGML_NO_BACKTRACE"] = "1"  # a debugger's pages would push what went wrong out of the last words

    # Threads that wait sleep instead of spinning, which makes a machine with other work, such as ours in the sandbox,
    # many times slower. OpenMP reads it when it is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")

    def load() -> Batch:
        check_hash(Path(gguf), sha256)
        return Batch(Path(gguf), LlamaCppSettings(**json.loads(options)))

    run(descriptor, parent, load)


if __name__ == "__main__":
    main()

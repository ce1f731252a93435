"""A backend that repeats the recorded answers of another run: for tests and debugging, without the model.

A request is answered with the recorded completion of the same messages, prefill, seed, temperature and adapter. So a
run with the recorded one's seed and settings, one request at a time, has the same contents again, whatever made the
recording.
"""

import asyncio
import hashlib
import json
import math
import re
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from agent0es.configuration.secrets import url_without_secrets
from agent0es.domain import events as ev
from agent0es.domain.prompt import IN_WORDS, Message
from agent0es.errors import ConfigurationError, ModelNotFound, NotRecorded, RunNotFound
from agent0es.log import EventLog
from agent0es.models.artifacts import FORMS
from agent0es.models.base import (
    Capabilities,
    Completion,
    Deployment,
    GenerationRequest,
    Health,
    Usage,
    Weights,
    not_deployed,
)
from agent0es.models.weights import find_weights

ROUNDING = 0.4999e-4
"""How far the mean of a call's log-probabilities may be from the recorded one, and still be rounded to it."""
SHOWN = 60
"""Characters of a prompt that a message shows."""

_PIECE = re.compile(r"\s*\S+|\s+")

Key = tuple[bytes, int, float, str | None]
"""Hash of messages and prefill, seed, temperature, adapter."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A recorded completion."""

    called: ev.ModelCalled
    mean_logprob: float | None
    """As exact as the log has it."""

    def fits(self, request: GenerationRequest) -> bool:
        """Whether it keeps the request's bounds. Those of the recorded request are not in the log."""
        text = self.called.text
        return self.called.completion_tokens <= request.max_tokens and not any(stop in text for stop in request.stop)

    def completion(self, seconds: float) -> Completion:
        """The same again."""
        called, tokens = self.called, self.called.tokens
        return Completion(
            text=called.text,
            finish_reason=called.finish_reason,
            usage=Usage(called.prompt_tokens, called.completion_tokens, called.cached_tokens),
            model=called.model,
            adapter=called.adapter,
            seconds=seconds,
            token_ids=None if tokens is None else tokens.ids,
            logprobs=None if tokens is None else tokens.logprobs,
            mean_logprob=self.mean_logprob,
            thinking=called.thinking,
            left_out=called.left_out,
        )


@dataclass(frozen=True, slots=True)
class Recording:
    """What the models of a run wrote."""

    models: tuple[str, ...]
    adapters: frozenset[str]
    answers: dict[Key, list[Answer]]
    """Those of attempts that a crash cut off come last."""
    in_words: bool
    """Whether a JSON schema was part of what was read."""


class RecordedBackend:
    """Answers with the completions of a recorded run."""

    def __init__(self, store: str, run: str, weights: Weights | None = None) -> None:
        """`store` is a folder, or the URL of a log. Adapters are trained on `weights`, if there are any.

        Raises StoreError when there is no log, RunNotFound when it has no such run.
        """
        self.weights = weights
        self._where = f"run {run} in {url_without_secrets(store)}"
        self._run = run
        self._log = store if "://" in store else Path(store).expanduser() / "log.db"
        self._deployed: set[str] = set()
        self._closed = False
        with EventLog.open(self._log, read_only=True) as log:
            runs = log.runs()
        if run not in runs:
            raise RunNotFound(f"recorded: there is no {self._where}; the latest are: {', '.join(runs[-5:]) or 'none'}")

    @classmethod
    def create(cls, name: str, *, cache: Path | None = None, weights: str | None = None) -> "RecordedBackend":
        """`name` is `STORE:RUN`, `weights` a model's name or the path of a GGUF.

        Raises ConfigurationError for another form of name, ModelNotFound when there are no such weights, and what the
        constructor raises.
        """
        store, _, run = name.rpartition(":")
        if not (store and run):
            shown = url_without_secrets(name)
            raise ConfigurationError(f"recorded: {shown!r} must be STORE:RUN, e.g. store:20261124-041215")
        return cls(store, run, find_weights(weights, cache) if weights else None)

    @property
    def name(self) -> str:
        """The recorded model's own, so that events are the same again; of several models all names."""
        return " and ".join(self._recording.models) or "recorded"

    @cached_property
    def capabilities(self) -> Capabilities:
        """All is as good as the recorded model's; a schema that this one had to read is to be read again."""
        return Capabilities(
            logprobs=True, token_ids=True, structured_output=not self._recording.in_words, adapters=FORMS
        )

    async def generate(self, requests: Sequence[GenerationRequest], adapter: str | None = None) -> list[Completion]:
        """As the protocol says. Raises NotRecorded for a request that the recorded run did not make."""
        if adapter is not None and adapter not in self._deployed:
            raise not_deployed(adapter, sorted(self._deployed))
        begin = time.perf_counter()
        await asyncio.sleep(0)  # other tasks run in between, as they do with a real model
        answers = [self._find(request, adapter) for request in requests]
        seconds = time.perf_counter() - begin
        return [answer.completion(seconds) for answer in answers]

    async def stream(self, request: GenerationRequest, adapter: str | None = None) -> AsyncIterator[str]:
        """The text word by word: where its tokens end is not recorded."""
        [completion] = await self.generate([request], adapter)
        for piece in _PIECE.findall(completion.text):
            yield piece

    async def health(self) -> Health:
        return Health(
            ok=not self._closed, detail=f"recorded: {self._where}", extra={"deployed": sorted(self._deployed)}
        )

    async def deploy(self, deployment: Deployment) -> None:
        """Let an adapter of the recording answer; its files are not looked at. Raises ModelNotFound for another one."""
        if deployment.name not in self._recording.adapters:
            known = ", ".join(sorted(self._recording.adapters)) or "none"
            raise ModelNotFound(f"adapter {deployment.name} answered nothing in {self._where}; there are: {known}")
        self._deployed.add(deployment.name)

    async def retire(self, name: str) -> None:
        self._deployed.discard(name)

    async def close(self) -> None:
        self._closed = True

    @cached_property
    def _recording(self) -> Recording:
        with EventLog.open(self._log, read_only=True) as log:
            types = ["ModelCalled", "SolutionSubmitted", "AttemptAbandoned"]
            return read_recording(recorded.event for recorded in log.read(run=self._run, types=types))

    def _find(self, request: GenerationRequest, adapter: str | None) -> Answer:
        """The first recorded answer that fits the request. Raises NotRecorded with what is missing."""
        key = _key(request.messages, request.prefill, request.seed, request.temperature, adapter)
        known = self._recording.answers.get(key, [])
        for answer in known:
            if answer.fits(request):
                return answer
        end = (request.messages[-1].content + request.prefill)[-SHOWN:]
        asked = (
            f"seed {request.seed}, temperature {request.temperature}, adapter {adapter or 'none'}, "
            f"{len(request.messages)} messages that end with {end!r}"
        )
        if known:
            raise NotRecorded(
                f"{self._where} has an answer, but not within {request.max_tokens} tokens and before "
                f"{' or '.join(map(repr, request.stop)) or 'any end'}, to: {asked}; leave the settings as recorded"
            )
        raise NotRecorded(
            f"{self._where} has no answer to: {asked}; the run must have the recorded one's seed and settings, and the "
            "recording must go that far"
        )


def read_recording(events: Iterable[ev.Event]) -> Recording:
    """The answers in a run's events."""
    calls: list[ev.ModelCalled] = []
    confidence: dict[str, float] = {}
    cut_off: set[str | None] = set()
    for event in events:
        match event:
            case ev.ModelCalled():
                calls.append(event)
            case ev.SolutionSubmitted():
                confidence[event.attempt] = event.solution.confidence or 0.0
            case ev.AttemptAbandoned():
                cut_off.add(event.attempt)
            case _:
                pass
    of_attempt: dict[str | None, list[ev.ModelCalled]] = defaultdict(list)
    for call in calls:
        if call.question is None:  # the confidence is of what the attempt itself wrote
            of_attempt[call.attempt].append(call)
    shift = {name: _shift(of_attempt[name], value) for name, value in confidence.items()}
    answers: dict[Key, list[Answer]] = defaultdict(list)
    for call in sorted(calls, key=lambda call: call.attempt in cut_off):
        key = _key(call.prompt.messages, call.prompt.begun, call.seed, call.temperature, call.adapter)
        mean = call.mean_logprob
        if mean is not None and call.question is None:
            mean = min(0.0, mean + shift.get(call.attempt or "", 0.0))
        answers[key].append(Answer(call, mean))
    return Recording(
        models=tuple(dict.fromkeys(call.model for call in calls)),
        adapters=frozenset(call.adapter for call in calls if call.adapter),
        answers=dict(answers),
        in_words=any(IN_WORDS in call.prompt.messages[-1].content for call in calls if call.role == "teacher"),
    )


def _shift(calls: Sequence[ev.ModelCalled], confidence: float) -> float:
    """What to add to the rounded means of an attempt's calls so that its confidence is the recorded one again, where
    the log has no log-probability of each token, as before version 3 of ModelCalled.

    The confidence is exp of the mean over all tokens of the attempt, as they were before each call's mean was rounded.
    """
    tokens = sum(call.completion_tokens for call in calls)
    if not tokens or confidence <= 0.0:
        return 0.0
    mean = sum((call.mean_logprob or 0.0) * call.completion_tokens for call in calls) / tokens
    return min(ROUNDING, max(-ROUNDING, math.log(confidence) - mean))


def _key(messages: Sequence[Message], prefill: str, seed: int, temperature: float, adapter: str | None) -> Key:
    said = json.dumps([messages, prefill]).encode()
    return hashlib.sha256(said).digest(), seed, temperature, adapter

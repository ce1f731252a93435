"""llama.cpp's C library, as far as it is used here: weights, tokens, one cache for many sequences, samplers.

The bindings of llama-cpp-python are ctypes: nothing in them is checked, so nothing outside this file calls them.
"""

import ctypes
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from agent0es.errors import ModelNotFound
from agent0es.models.base import RequestRefused
from agent0es.models.child_process import out_of_memory
from agent0es.models.engine import EngineSettings
from agent0es.models.engine_messages import EngineRequest
from agent0es.models.llama_cpp.grammar import grammar_of

_WARNING, _ERROR = 3, 4
"""Levels of a message in ggml."""
_SEED_SPACE = 2**32 - 1
"""The largest number of 32 bits stands for "any seed"."""
_MICRO_BATCH = 512
"""Tokens that are computed at once."""
MOST_SEQUENCES = 256
"""That llama.cpp keeps at once (`LLAMA_MAX_SEQ`), and so the requests that can be answered together."""


@dataclass(frozen=True, slots=True)
class LlamaCppSettings(EngineSettings):
    """How llama.cpp is set up and fed."""

    max_batch: int = field(default=64, metadata={"highest": MOST_SEQUENCES})
    """Requests in the running batch; more wait."""
    cache_tokens: int = 32_768
    """Size of the key-value cache, 23 kB a token for the embedded model."""
    gpu_layers: int = field(default=-1, metadata={"lowest": -1})
    """Layers on the GPU, where llama-cpp-python was built for one; -1: all."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token that is to be read."""

    id: int
    position: int
    place: int
    """Of its sequence, in the cache."""
    answered: bool
    """Whether the next token is asked for."""


class Library:
    """Weights in memory, and a cache in which sequences have numbered places."""

    def __init__(self, gguf: Path, settings: LlamaCppSettings) -> None:
        """Raises ModelNotFound when llama.cpp does not take the file."""
        import llama_cpp

        self._c: Any = llama_cpp
        self._errors: list[str] = []
        self._log = llama_cpp.llama_log_callback(self._hear)
        llama_cpp.llama_log_set(self._log, ctypes.c_void_p(0))
        llama_cpp.llama_backend_init()
        parameters = llama_cpp.llama_model_default_params()
        parameters.n_gpu_layers = settings.gpu_layers
        self._model = llama_cpp.llama_model_load_from_file(os.fsencode(gguf), parameters)
        if not self._model:
            raise self._refusal(gguf)
        self._vocabulary = llama_cpp.llama_model_get_vocab(self._model)
        self._tokens = llama_cpp.llama_vocab_n_tokens(self._vocabulary)
        self.places = min(llama_cpp.llama_max_parallel_sequences(), 2 * settings.max_batch)
        self._context = llama_cpp.llama_init_from_model(self._model, self._context_parameters(settings))
        if not self._context:
            raise self._refusal(gguf)
        self._memory = llama_cpp.llama_get_memory(self._context)
        self._batch = llama_cpp.llama_batch_init(settings.max_batched_tokens, 0, 1)
        self._adapters: dict[str, Any] = {}
        self.piece = lru_cache(maxsize=self._tokens)(self._piece)

    @property
    def rewinds(self) -> bool:
        """Whether what two sequences begin with can be shared; not in a model that keeps one state a sequence."""
        c = self._c
        return not (c.llama_model_is_recurrent(self._model) or c.llama_model_is_hybrid(self._model))

    def tokens(self, text: str) -> list[int]:
        """What a prompt is to the model. Control tokens in it count as such: the chat template wrote them."""
        data = text.encode()
        room = len(data) + 8
        ids = (self._c.llama_token * room)()
        count = self._c.llama_tokenize(self._vocabulary, data, len(data), ids, room, False, True)
        if count < 0:
            raise RequestRefused("llama.cpp can't make tokens of the prompt")
        return list(ids[:count])

    def text(self, tokens: Sequence[int]) -> str:
        """Of written tokens, without control tokens."""
        return b"".join(self.piece(token, special=False) for token in tokens).decode(errors="replace")

    def _piece(self, token: int, special: bool = True) -> bytes:
        for room in (64, 65_536):
            buffer = ctypes.create_string_buffer(room)
            length = self._c.llama_token_to_piece(self._vocabulary, token, buffer, room, 0, special)
            if length >= 0:
                return buffer.raw[:length]
        return b""

    def ends(self, token: int) -> bool:
        """Whether a model's turn is over after this token."""
        return bool(self._c.llama_vocab_is_eog(self._vocabulary, token))

    def read(self, tokens: Sequence[Token], adapter: str | None) -> None:
        """Compute on at most `max_batched_tokens`. What comes next is then to be had by their places in `tokens`."""
        batch = self._batch
        for at, token in enumerate(tokens):
            batch.token[at] = token.id
            batch.pos[at] = token.position
            batch.n_seq_id[at] = 1
            batch.seq_id[at][0] = token.place
            batch.logits[at] = token.answered
        batch.n_tokens = len(tokens)
        self._use(adapter)
        if status := self._c.llama_decode(self._context, batch):
            raise RuntimeError(f"llama.cpp could not compute ({status}): {self._last_error()}")

    def begin_with(self, place: int, other: int, tokens: int) -> None:
        """Have a sequence begin with the first tokens of another, which then are in the cache once for both."""
        self._c.llama_memory_seq_cp(self._memory, other, place, 0, tokens)

    def forget(self, place: int) -> None:
        """Free what a sequence holds alone."""
        self._c.llama_memory_seq_rm(self._memory, place, -1, -1)

    def load(self, name: str, file: Path) -> None:
        """Raises ModelNotFound when the adapter does not fit the weights."""
        if name not in self._adapters:
            adapter = self._c.llama_adapter_lora_init(self._model, os.fsencode(file))
            if not adapter:
                raise self._refusal(file)
            self._adapters[name] = adapter

    def unload(self, name: str) -> None:
        """An adapter that nobody asks any more."""
        adapter = self._adapters.pop(name, None)
        if adapter is not None:
            self._use(None)
            self._c.llama_adapter_lora_free(adapter)

    def loaded(self, name: str) -> bool:
        return name in self._adapters

    def sampler(self, request: EngineRequest) -> "Sampler":
        """Raises RequestRefused for a JSON schema that can't be kept to."""
        return Sampler(self._c, self._vocabulary, self._context, self._tokens, request)

    def _use(self, adapter: str | None) -> None:
        c, count = self._c, 1 if adapter is not None else 0
        adapters = (c.llama_adapter_lora_p_ctypes * 1)(*([self._adapters[adapter]] if adapter is not None else []))
        c.llama_set_adapters_lora(self._context, adapters, count, (ctypes.c_float * 1)(1.0))

    def _context_parameters(self, settings: LlamaCppSettings) -> Any:
        parameters = self._c.llama_context_default_params()
        parameters.n_ctx = settings.cache_tokens
        parameters.n_batch = settings.max_batched_tokens
        parameters.n_ubatch = min(_MICRO_BATCH, settings.max_batched_tokens)
        parameters.n_seq_max = self.places
        parameters.n_outputs_max = self.places
        parameters.n_threads = parameters.n_threads_batch = settings.threads or len(os.sched_getaffinity(0))
        parameters.kv_unified = True  # sequences share what they begin with, and the room
        return parameters

    def _hear(self, level: int, text: bytes, _: Any) -> None:
        """Keep what llama.cpp says when something is wrong, for this process's last words and for messages."""
        if level in (_WARNING, _ERROR):
            sys.stderr.write(text.decode(errors="replace"))
        if level == _ERROR:
            self._errors.append(text.decode(errors="replace").strip())

    def _last_error(self) -> str:
        said = [line.rpartition(": error loading model: ")[2] for line in self._errors]
        self._errors.clear()
        return said[0] if said else "no reason given"

    def _refusal(self, file: Path) -> Exception:
        reason = self._last_error()
        if out_of_memory(reason):
            return MemoryError(reason)  # no fault of the file, and it may pass
        return ModelNotFound(f"{file}: llama.cpp can't load it: {reason}")


class Sampler:
    """Chooses one request's tokens."""

    def __init__(self, c: Any, vocabulary: Any, context: Any, tokens: int, request: EngineRequest) -> None:
        self._c, self._context, self._tokens = c, context, tokens
        self._grammar = None
        if request.json_schema is not None:
            self._grammar = c.llama_sampler_init_grammar(vocabulary, grammar_of(request.json_schema).encode(), b"root")
            if not self._grammar:
                raise RequestRefused("llama.cpp can't use the grammar of this JSON schema")
        self._chain = c.llama_sampler_chain_init(c.llama_sampler_chain_default_params())
        if request.temperature > 0:
            c.llama_sampler_chain_add(self._chain, c.llama_sampler_init_temp(request.temperature))
            if request.top_p < 1:
                c.llama_sampler_chain_add(self._chain, c.llama_sampler_init_top_p(request.top_p, 1))
            c.llama_sampler_chain_add(self._chain, c.llama_sampler_init_dist(request.seed % _SEED_SPACE))
        else:
            c.llama_sampler_chain_add(self._chain, c.llama_sampler_init_greedy())

    def next(self, at: int) -> tuple[int, float]:
        """The token after the one that was read at this place of the batch, and its log-probability under the model as
        it is, at temperature 1."""
        logits = np.ctypeslib.as_array(self._c.llama_get_logits_ith(self._context, at), (self._tokens,))
        token = self._c.llama_sampler_sample(self._chain, self._context, at)
        if self._grammar is not None:
            if not self._allowed(token):
                token = self._among_allowed(logits)
            self._c.llama_sampler_accept(self._grammar, token)
        highest = logits.max()
        return token, float(logits[token] - highest - np.log(np.exp(logits - highest).sum(dtype=np.float64)))

    def close(self) -> None:
        """Free it, with all that is in its chain."""
        for sampler in filter(None, (self._chain, self._grammar)):
            self._c.llama_sampler_free(sampler)

    def _allowed(self, token: int) -> bool:
        """Whether the grammar lets it follow. To look at one token takes a small part of the time for all."""
        one = self._c.llama_token_data(token, 0.0, 0.0)
        tokens = self._c.llama_token_data_array(ctypes.pointer(one), 1, -1, False)
        self._c.llama_sampler_apply(self._grammar, ctypes.byref(tokens))
        return bool(one.logit != float("-inf"))

    def _among_allowed(self, logits: "npt.NDArray[np.float32]") -> int:
        """A token as the request wants it, of those that the grammar lets follow. With the first choice before it, each
        is as probable as if there had been no others: p + (1 - A) p / A = p / A, A being the share of those allowed."""
        data = np.zeros(self._tokens, dtype=[("id", "i4"), ("logit", "f4"), ("p", "f4")])
        data["id"], data["logit"] = np.arange(self._tokens), logits
        first = data.ctypes.data_as(ctypes.POINTER(self._c.llama_token_data))
        tokens = self._c.llama_token_data_array(first, self._tokens, -1, False)
        for sampler in (self._grammar, self._chain):
            self._c.llama_sampler_apply(sampler, ctypes.byref(tokens))
        return int(tokens.data[tokens.selected].id)

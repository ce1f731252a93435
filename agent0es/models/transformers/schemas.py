"""Texts that are kept to a JSON schema, by llguidance."""

import json
from typing import Any

import torch
from torch import Tensor

from agent0es.models.base import RequestRefused

_SPACES: Any = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
"""As `json.dumps` writes: a small model that may write spaces writes them for ever."""


class Schemas:
    """Makes matchers: one follows one text."""

    def __init__(self, tokenizer: Any, vocabulary: int, ends: frozenset[int]) -> None:
        """`vocabulary` is how many logits there are, which may be more than the tokenizer knows."""
        self._tokenizer, self._vocabulary, self._ends = tokenizer, vocabulary, ends
        self._known: Any = None

    def matcher(self, schema: dict[str, Any]) -> Any:
        """Raises RequestRefused for a schema that can't be followed."""
        from llguidance import LLMatcher

        if self._known is None:
            from llguidance.hf import from_tokenizer

            try:
                self._known = from_tokenizer(self._tokenizer, self._vocabulary, sorted(self._ends))
            except (TypeError, ValueError, AttributeError, AssertionError) as error:
                raise RequestRefused(f"its tokenizer can't be kept to a JSON schema: {error}") from error
        grammar = LLMatcher.grammar_from_json_schema(json.dumps(schema), overrides=_SPACES)
        matcher = LLMatcher(self._known, grammar)
        if problem := matcher.get_error():
            raise RequestRefused(f"its JSON schema can't be followed: {problem.splitlines()[0]}")
        return matcher

    def masked(self, matcher: Any, logits: Tensor) -> Tensor:
        """Logits (vocabulary) with -inf for what may not come next."""
        bits = torch.frombuffer(bytearray(matcher.compute_bitmask()), dtype=torch.uint8).to(logits.device)
        places = torch.arange(8, dtype=torch.uint8, device=logits.device)
        allowed = (bits[:, None] >> places & 1).flatten()[: len(logits)].bool()
        allowed = torch.cat([allowed, allowed.new_zeros(len(logits) - len(allowed))])
        return logits.masked_fill(~allowed, float("-inf"))

    def ends(self, matcher: Any, token: int) -> bool:
        """Take a token over; whether the text is complete with it."""
        return not matcher.consume_token(token) or matcher.is_stopped()

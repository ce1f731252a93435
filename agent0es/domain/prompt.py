"""What a model is given to read, as turns of which it is known who said what."""

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from pydantic import Field, SerializationInfo, field_serializer, field_validator, model_serializer, model_validator

from agent0es.domain.values import Value

Speaker = Literal["system", "user", "assistant", "tool"]
"""Whose turn it is in a chat."""
Author = Literal["harness", "model", "tool"]
"""Who really said something: a worked example is an assistant's turn that the harness wrote."""

IN_WORDS = "\nWrite one JSON object that this JSON schema takes, and nothing else: "
"""What stands before a schema that a model reads because its engine can't keep it to one."""


class Message(NamedTuple):
    """One turn of a chat, as it crosses the model port."""

    role: Speaker
    content: str


class Part(Value):
    """A turn, or a piece of the turn that the model is to continue."""

    role: Speaker = "assistant"
    """Whose turn it is in."""
    text: str
    """As it was said, before a chat template makes control tokens harmless. Hostile unless the harness said it."""
    author: Author = "harness"
    """Who said it."""
    trainable: bool = False
    """Whether the model is to learn to write it."""

    @model_validator(mode="before")
    @classmethod
    def _from_list(cls, value: Any) -> Any:
        return dict(zip(("text", "role", "author", "trainable"), value, strict=False)) if _is_list(value) else value

    @model_serializer
    def _as_list(self, info: SerializationInfo) -> Any:
        """Where it is stored, its fields without their names and without defaults at the end: a log has many parts, and
        a long text in a list stays a reference in tables too. For people, by name."""
        fields = {"text": self.text, "role": self.role, "author": self.author, "trainable": self.trainable}
        if info.mode != "python":
            return fields
        kept = 4 if self.trainable else 3 if self.author != "harness" else 2 if self.role != "assistant" else 1
        return list(fields.values())[:kept]


class Tokens(Value):
    """What a model wrote, token by token. The log holds it as one text, which it keeps once."""

    ids: tuple[int, ...] | None
    """Numbers in the model's vocabulary."""
    logprobs: tuple[float, ...] | None
    """Natural logarithm of each one's probability, rounded to 4 places."""

    @model_validator(mode="before")
    @classmethod
    def _from_one_text(cls, value: Any) -> Any:
        return json.loads(value[0]) if _is_list(value) else value

    @model_serializer
    def _as_one_text(self, info: SerializationInfo) -> Any:
        fields = {"ids": self.ids, "logprobs": self.logprobs}
        return [_compact(fields)] if info.mode == "python" else fields


class Prompt(Value):
    """All that a model reads before it writes."""

    opening: tuple[Part, ...] = ()
    """First turns, which other prompts begin with too. The log holds them as one text, which it keeps once."""
    turns: tuple[Part, ...] = Field(min_length=1)
    """The turns after them."""
    prefill: tuple[Part, ...] = ()
    """The beginning of the turn that the model continues, in pieces: its own words, what tools gave, words that the
    harness put into its mouth."""

    @field_validator("opening", mode="before")
    @classmethod
    def _from_one_text(cls, value: Any) -> Any:
        return _parts(value[0]) if _is_list(value) and len(value) == 1 and isinstance(value[0], str) else value

    @field_serializer("opening")
    def _as_one_text(self, opening: tuple[Part, ...], info: SerializationInfo) -> Any:
        """One text in a list where it is stored; for people, as it is."""
        return [_text(opening)] if info.mode == "python" else [part.model_dump(mode="json") for part in opening]

    @property
    def messages(self) -> tuple[Message, ...]:
        """The turns as a request has them."""
        return tuple(Message(part.role, part.text) for part in (*self.opening, *self.turns))

    @property
    def begun(self) -> str:
        """The prefill as one text."""
        return "".join(part.text for part in self.prefill)

    def plain(self) -> str:
        """For people to read: each turn under the name of its role, the prefill last. No model reads this."""
        return "".join(f"[{part.role}]\n{part.text}\n" for part in (*self.opening, *self.turns)) + (
            f"[assistant]\n{self.begun}"
        )


@lru_cache(maxsize=256)
def _parts(text: str) -> tuple[Part, ...]:
    return tuple(map(Part.model_validate, json.loads(text)))


@lru_cache(maxsize=256)
def _text(parts: Sequence[Part]) -> str:
    return _compact([part.model_dump() for part in parts])


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple)

"""What a command is given and what it gives back: a JSON object or plain text. Pure."""

import json
import re
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent0es.domain.text import one_line
from agent0es.models.base import Capabilities, Completion, GenerationFailed, GenerationRequest, RequestRefused, Usage

Format = Literal["json", "text"]

_WORD = re.compile(r"\s*\S+|\s+")


class Counted(BaseModel):
    """What a command says of tokens."""

    model_config = ConfigDict(strict=True)

    prompt: int = Field(ge=0)
    written: int = Field(ge=0)
    cached: int | None = None


class Answer(BaseModel):
    """The JSON object that a command writes. Keys that are not here are ignored."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)

    text: str | None = None
    error: str | None = None
    finish_reason: Literal["stop", "length"] = "stop"
    usage: Counted | None = None
    thinking: str | None = None
    token_ids: list[int] | None = None
    logprobs: list[float] | None = None
    cost_usd: float | None = Field(default=None, ge=0)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, and what its command can take of it."""

    request: GenerationRequest
    capabilities: Capabilities
    model: str

    @property
    def left_out(self) -> tuple[str, ...]:
        return self.capabilities.left_out(self.request)


def as_json(asked: Asked, number: int | None = None) -> bytes:
    """One line with the request; `number` is its `id` among others in the same pipe."""
    request = asked.request
    said: dict[str, Any] = {
        "model": asked.model,
        "messages": [{"role": role, "content": content} for role, content in request.messages],
        "prefill": request.prefill,
        "max_tokens": request.max_tokens,
        "stop": list(request.stop),
        "temperature": request.temperature,
        "top_p": request.top_p,
        "seed": request.seed,
        "json_schema": request.json_schema,
    }
    kept = {key: value for key, value in said.items() if key not in asked.left_out}
    return json.dumps(kept if number is None else {"id": number, **kept}).encode() + b"\n"


def as_text(asked: Asked) -> bytes:
    """The turns as they would be printed: what the system says, then a lone question as it is, or each turn with a
    line above it that says whose it is."""
    request = asked.request
    first = [content for role, content in request.messages if role == "system"]
    turns = [(role, content) for role, content in request.messages if role != "system"]
    if len(turns) == 1 and not request.prefill:
        pieces = [*first, turns[0][1]]
    else:
        begun = request.prefill if "prefill" not in asked.left_out else ""
        pieces = [*first, *(f"{role.capitalize()}:\n{content}" for role, content in turns), f"Assistant:\n{begun}"]
    return "\n\n".join(pieces).encode("utf-8", "replace")


def parsed(said: bytes, model: str) -> dict[str, Any]:
    """The JSON object in a command's words. Raises GenerationFailed where there is none."""
    try:
        found = json.loads(said.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        begins = one_line(said[:400].decode("utf-8", "replace"))
        raise GenerationFailed(f"{model}: it wrote no JSON object, but {begins!r}")
    return found


def read_json(asked: Asked, said: dict[str, Any], seconds: float) -> Completion:
    """The answer that a command wrote. Raises GenerationFailed where it is none, RequestRefused where it is `error`."""
    try:
        answer = Answer.model_validate(said)
    except ValidationError as error:
        why = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, why["loc"]))
        raise GenerationFailed(
            f"{asked.model}: its answer is not as it must be: {where}: {one_line(why['msg'])}"
        ) from None
    if answer.error is not None:
        raise RequestRefused(f"{asked.model}: {one_line(answer.error)}")
    if answer.text is None:
        raise GenerationFailed(f"{asked.model}: its answer has neither `text` nor `error`")
    return _bounded(asked, answer, answer.text, seconds)


def read_text(asked: Asked, said: bytes, seconds: float) -> Completion:
    """All that a command wrote, without the line's end that commands write last."""
    return _bounded(asked, Answer(), said.decode("utf-8", "replace").removesuffix("\n"), seconds)


def _bounded(asked: Asked, answer: Answer, text: str, seconds: float) -> Completion:
    """The completion, within the bounds of its request. Where the command counted nothing, a word is a token."""
    request, model = asked.request, asked.model
    length = answer.finish_reason == "length"
    ids, logprobs = (answer.token_ids, answer.logprobs) if asked.capabilities.logprobs else (None, None)
    ends = [at for stop in request.stop if (at := text.find(stop)) >= 0]
    if ends:
        text, length = text[: min(ends)], False
    if answer.usage is not None:
        usage = Usage(answer.usage.prompt, answer.usage.written, answer.usage.cached)
    elif logprobs is not None:
        usage = Usage(_words_read(request), len(logprobs))
    else:
        words = _WORD.findall(text)
        kept = words[: request.max_tokens]
        text, length = "".join(kept), length or len(kept) < len(words)
        usage = Usage(_words_read(request), len(kept))
    if usage.written > request.max_tokens:
        raise GenerationFailed(f"{model}: it wrote {usage.written} tokens, of at most {request.max_tokens}")
    for name, tokens in (("token_ids", ids), ("logprobs", logprobs)):
        if tokens is not None and len(tokens) != usage.written:
            raise GenerationFailed(f"{model}: it gave {len(tokens)} {name} for {usage.written} tokens")
    return Completion(
        text=text,
        finish_reason="length" if length else "stop",
        usage=usage,
        model=model,
        adapter=None,
        seconds=seconds,
        token_ids=None if ids is None else tuple(ids),
        logprobs=None if logprobs is None else tuple(min(one, 0.0) for one in logprobs),
        thinking=answer.thinking or None,
        left_out=asked.left_out,
        cost_usd=answer.cost_usd,
    )


def _words_read(request: GenerationRequest) -> int:
    said = [*(content for _, content in request.messages), request.prefill]
    return max(1, sum(len(_WORD.findall(text)) for text in said))

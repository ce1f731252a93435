"""What is sent to `/v1/chat/completions`, and what its stream says. Pure.

What a server sends is hostile: its types are checked, and an answer that does not fit is a fault.
"""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, takewhile
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from agent0es.domain.text import one_line
from agent0es.models.base import Capabilities, GenerationRequest, ModelUnavailable
from agent0es.models.http import Fault, ServerFault
from agent0es.models.http.faults import error_in_stream
from agent0es.models.http.schemas import as_object, is_object
from agent0es.models.openai_compatible.options import Kind

SEEDS = 2**31
"""Seeds that every server takes are below."""
MOST_STOPS = 4
"""That OpenAI itself takes; the text is cut at the others here."""
CONTINUERS: frozenset[Kind] = frozenset({"vllm", "sglang", "llama-server"})
"""Servers that are told that the last turn is to be continued. llama-server finds that out by itself, but then newer
ones give the beginning back too."""
NEUTRAL: Mapping[Kind, Mapping[str, Any]] = {
    "llama-server": {"top_k": 0, "min_p": 0.0},
    "vllm": {"top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0},
    "sglang": {"top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0},
}
"""What these servers, or the folders of models, set by themselves and nobody asked for."""
ENDS: Mapping[str, str] = {
    "stop": "stop",
    "eos": "stop",
    "tool_calls": "stop",
    "function_call": "stop",
    "length": "length",
}


class Wire(BaseModel):
    """What a server says: fields that are not known are passed over."""

    model_config = ConfigDict(extra="ignore", frozen=True)


T = TypeVar("T", bound=Wire)


class CallFunction(Wire):
    name: str | None = None
    arguments: str | dict[str, Any] | None = None


class CallPart(Wire):
    index: int = 0
    function: CallFunction = CallFunction()


class Delta(Wire):
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: tuple[CallPart, ...] | None = None


class TokenLogprob(Wire):
    token: str
    logprob: float | None
    bytes: tuple[int, ...] | None = None
    id: int | None = None


class Logprobs(Wire):
    content: tuple[TokenLogprob, ...] | None = None


class Choice(Wire):
    index: int = 0
    delta: Delta = Delta()
    logprobs: Logprobs | None = None
    token_ids: tuple[int, ...] | None = None
    finish_reason: str | None = None


class CachedTokens(Wire):
    cached_tokens: int | None = None


class UsageSaid(Wire):
    prompt_tokens: int = 0
    completion_tokens: int = 0
    prompt_tokens_details: CachedTokens | None = None


class Chunk(Wire):
    model: str | None = None
    choices: tuple[Choice, ...]
    usage: UsageSaid | None = None


def checked(where: str, kind: type[T], value: Any) -> T:
    """A value that a server sent. Raises ModelUnavailable for another than the protocol says."""
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise ModelUnavailable(
            f"{where}: not what the protocol says ({first['msg']}); is that the right address?"
        ) from None


def body_of(
    request: GenerationRequest, kind: Kind, able: Capabilities, model: Mapping[str, Any], extra: Mapping[str, Any]
) -> dict[str, Any]:
    """The request as the server takes it; what it can't take is left out. `model` are the fields that say who answers,
    `extra` is the user's."""
    messages = [{"role": _role(message.role, kind), "content": message.content} for message in request.messages]
    begun = bool(request.prefill) and able.prefill
    if begun:
        messages.append({"role": "assistant", "content": request.prefill})
    stop = list(dict.fromkeys(request.stop))
    body: dict[str, Any] = {
        **NEUTRAL.get(kind, {}),
        **extra,
        **model,
        "messages": messages,
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_completion_tokens" if kind == "openai" else "max_tokens": request.max_tokens,
    }
    if begun and kind in CONTINUERS:
        body.update(continue_final_message=True, add_generation_prompt=False)
    if able.sampling:
        body.update(temperature=request.temperature, top_p=request.top_p)
    if able.seeds:
        body["seed"] = request.seed % SEEDS
    if stop:
        body["stop"] = stop[:MOST_STOPS] if kind in ("openai", "other") else stop
    if request.json_schema is not None and able.structured_output:
        plain = as_object(request.json_schema) if kind == "openai" else request.json_schema
        schema = {"name": "answer", "schema": plain, "strict": True}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    if able.logprobs:
        body.update(logprobs=True, top_logprobs=1)  # llama-server gives none for 0
        if kind == "vllm":
            body["return_token_ids"] = True
    return body


def is_held(request: GenerationRequest, kind: Kind, able: Capabilities) -> bool:
    """Whether the answer stands within an object that nobody asked for."""
    return kind == "openai" and able.structured_output and not is_object(request.json_schema)


def _role(role: str, kind: Kind) -> str:
    """A tool's turn without the call that it answers is none where the protocol is kept strictly."""
    return "user" if role == "tool" and kind in ("openai", "other") else role


@dataclass
class Said:
    """What a stream has said so far."""

    text: list[str] = field(default_factory=list)
    thinking: list[str] = field(default_factory=list)
    calls: dict[int, tuple[list[str], list[str]]] = field(default_factory=dict)
    """Native calls of tools by their index: the pieces of name and arguments."""
    tokens: list[TokenLogprob] = field(default_factory=list)
    ids: list[int] = field(default_factory=list)
    ended: str | None = None
    usage: UsageSaid | None = None
    model: str | None = None

    def take(self, value: Any) -> str:
        """Read one value of the stream; what it adds to the text. Raises ServerFault for an error, and for what is none
        of the protocol's."""
        if isinstance(value, dict) and ("error" in value or value.get("object") == "error"):
            raise ServerFault(error_in_stream(value))
        try:
            chunk = Chunk.model_validate(value)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = one_line(".".join(map(str, first["loc"])), 60)
            raise ServerFault(Fault("unreadable", f"not what the protocol says: {where}: {first['msg']}")) from None
        self.usage = chunk.usage or self.usage
        self.model = chunk.model or self.model
        return "".join(self._choice(choice) for choice in chunk.choices if choice.index == 0)

    def _choice(self, choice: Choice) -> str:
        delta = choice.delta
        added = (delta.content or "") + (delta.refusal or "")
        self.text.append(added)
        self.thinking.append(delta.reasoning_content or delta.reasoning or "")
        for part in delta.tool_calls or ():
            name, arguments = self.calls.setdefault(part.index, ([], []))
            name.append(part.function.name or "")
            given = part.function.arguments
            arguments.append(given if isinstance(given, str) else json.dumps(given) if given else "")
        self.tokens.extend((choice.logprobs.content if choice.logprobs else None) or ())
        self.ids.extend(choice.token_ids or ())
        self.ended = choice.finish_reason or self.ended
        return added


async def read(values: AsyncIterator[Any]) -> Said:
    """A whole stream. Raises ServerFault, also where it ends without saying why the answer did."""
    said = Said()
    async for value in values:
        said.take(value)
    if said.ended is None:
        raise ServerFault(Fault("cut off", "the answer ended without a finish_reason"))
    if said.ended == "content_filter":
        raise ServerFault(Fault("in stream", "its content filter refused the answer", 400))
    if said.ended not in ENDS:
        raise ServerFault(Fault("in stream", f"the answer was ended by {one_line(said.ended, 40)!r}"))
    return said


def text_of(said: Said) -> str:
    """What was said, and native calls of tools as text, each on lines of its own."""
    calls = (call_text("".join(name), "".join(arguments)) for _, (name, arguments) in sorted(said.calls.items()))
    return "\n".join(part for part in ("".join(said.text), *calls) if part)


def call_text(name: str, arguments: str) -> str:
    """A native call in the form in which the student's words are read."""
    try:
        given = json.loads(arguments or "{}")
    except (ValueError, RecursionError):
        given = arguments
    named = json.dumps({"name": name, "arguments": given}, ensure_ascii=False)
    return f"<tool_call>\n{named}\n</tool_call>"


def cut(text: str, stop: Sequence[str]) -> tuple[str, bool]:
    """The text before the first stop string, and whether there was one: some servers take only some of them."""
    ends = [at for one in stop if one and (at := text.find(one)) >= 0]
    return (text[: min(ends)], True) if ends else (text, False)


def written(said: Said, stop: Sequence[str]) -> tuple[tuple[int, ...] | None, tuple[float, ...] | None, int]:
    """(token ids, log-probabilities, how many tokens were written), where what the server gave covers all of it.

    A token that belongs to a stop string only is none that was written. Of a token that ended the turn some servers
    give no probability: then it is not counted either.
    """
    counted = said.usage.completion_tokens if said.usage else 0
    count = max(len(said.tokens), len(said.ids))
    if not count or count < counted - 1 or (said.tokens and said.ids and len(said.tokens) != len(said.ids)):
        return None, None, counted
    kept = count if len(said.tokens) != count else _before(said.tokens, stop)
    ids = said.ids or [token.id for token in said.tokens if token.id is not None]
    logprobs = [token.logprob for token in said.tokens if token.logprob is not None]
    return (
        tuple(ids[:kept]) if len(ids) == count else None,
        tuple(min(one, 0.0) for one in logprobs[:kept]) if len(logprobs) == count else None,
        kept,
    )


def _before(tokens: Sequence[TokenLogprob], stop: Sequence[str]) -> int:
    """How many tokens begin before the first stop string in what they spell."""
    spelt = [_spelt(token) for token in tokens]
    whole = b"".join(spelt)
    ends = [at for one in stop if one and (at := whole.find(one.encode())) >= 0]
    if not ends:
        return len(tokens)
    begins = accumulate(map(len, spelt[:-1]), initial=0)
    first = min(ends)
    return sum(1 for _ in takewhile(lambda begin: begin < first, begins))


def _spelt(token: TokenLogprob) -> bytes:
    given = token.bytes
    return bytes(given) if given is not None and all(0 <= one < 256 for one in given) else token.token.encode()

"""What clients of OpenAI's chat completions send and read, as far as a router can do it. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

MODEL = "router"
DOMAIN = "math"
"""The task domain where none is named, as for `agent0es ask`."""
NEUTRAL = frozenset(
    "function_call metadata moderation parallel_tool_calls prediction prompt_cache_key prompt_cache_options "
    "prompt_cache_retention safety_identifier service_tier store tool_choice user".split()
)
"""Parameters that change no answer of ours: there is nothing to say of them."""
WORDS = {"system": "Instructions", "developer": "Instructions", "user": "User", "assistant": "Assistant"}


class Refused(Exception):
    """A request that can't be answered as it is."""

    def __init__(self, message: str, param: str, *, status: int = 400, code: str = "unsupported_parameter") -> None:
        super().__init__(message)
        self.param, self.status, self.code = param, status, code


class Lenient(BaseModel):
    """Takes what it does not know: another version of the protocol has more."""

    model_config = ConfigDict(extra="allow")


class Part(Lenient):
    """A part of a message."""

    type: str
    text: str | None = None


class Turn(Lenient):
    """A message of the conversation."""

    role: str
    content: str | list[Part] | None = None


class StreamOptions(Lenient):
    """How an answer is streamed."""

    include_usage: bool = False


class ResponseFormat(Lenient):
    """In which form the answer is wanted."""

    type: str


class ChatRequest(Lenient):
    """A request for a chat completion; what stands here is read, the rest is left out or refused."""

    model: str
    """`router`, or `router:` and a task domain."""
    messages: list[Turn] = Field(min_length=1)
    """The conversation; the last message is the user's."""
    stream: bool | None = None
    """Whether the answer comes as server-sent events."""
    stream_options: StreamOptions | None = None
    domain: str | None = None
    """A parameter of ours: the task domain, with its tools and instructions."""
    n: int | None = None
    tools: list[Any] | None = None
    functions: list[Any] | None = None
    web_search_options: dict[str, Any] | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    response_format: ResponseFormat | None = None
    modalities: list[str] | None = None
    audio: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """What the router is asked."""

    text: str
    domain: str
    ignored: tuple[str, ...]
    """Parameters that were given and change nothing: each draft is sampled as the router is configured."""


def models(domains: Sequence[str]) -> list[str]:
    """The names under which the router may be asked."""
    return [MODEL, *(f"{MODEL}:{one}" for one in domains)]


def domain_of(model: str, domains: Sequence[str]) -> str | None:
    """The task domain that a model's name has; None where it has none. Raises Refused."""
    known = models(domains)
    if model not in known:
        words = f"there is no model {model[:100]!r} here; there are {', '.join(known)}"
        raise Refused(words, "model", status=404, code="model_not_found")
    return model.partition(":")[2] or None


def question_of(said: ChatRequest, domains: Sequence[str]) -> Question:
    """What a request asks the router. Raises Refused for what it can't do, and for a model that there is not."""
    domain = domain_of(said.model, domains)
    if said.domain is not None and said.domain not in domains:
        known = ", ".join(domains)
        raise Refused(
            f"there is no task domain {said.domain[:100]!r}; there are {known}", "domain", code="unknown_domain"
        )
    if domain and said.domain not in (None, domain):
        raise Refused("model and domain name different task domains", "domain", code="unknown_domain")
    _see_that_it_can(said)
    return Question(conversation(said.messages), said.domain or domain or DOMAIN, _ignored(said))


def _see_that_it_can(said: ChatRequest) -> None:
    """Raises Refused for a parameter whose effect the client would miss."""
    if said.n not in (None, 1):
        raise Refused("the router gives one answer: n must be 1", "n")
    for name in ("tools", "functions", "web_search_options"):
        if getattr(said, name):
            raise Refused(f"{name}: the router calls its own tools, in the sandbox, and none of the client's", name)
    if said.logprobs or said.top_logprobs:
        raise Refused("logprobs: an answer is the end of an attempt of several calls, and has none", "logprobs")
    if said.response_format is not None and said.response_format.type != "text":
        raise Refused("response_format: the router promises no form of an answer but text", "response_format")
    if said.audio or set(said.modalities or ["text"]) != {"text"}:
        raise Refused("the router answers in text only", "modalities")


def _ignored(said: ChatRequest) -> tuple[str, ...]:
    given = {name for name, value in (said.model_extra or {}).items() if value is not None}
    return tuple(sorted(name[:100] for name in given - NEUTRAL))


def conversation(turns: Sequence[Turn]) -> str:
    """The question as one text: the last message, after what was said before, each turn under a word for who said it.

    A single message of the user is the question as it is. Raises Refused.
    """
    texts = [_text(turn, place) for place, turn in enumerate(turns)]
    if turns[-1].role != "user":
        raise Refused("the last message must be the user's", f"messages.{len(turns) - 1}.role", code="invalid_value")
    if not texts[-1].strip():
        raise Refused("the last message is empty", f"messages.{len(turns) - 1}.content", code="invalid_value")
    if len(turns) == 1:
        return texts[0]
    before = [f"{WORDS[turn.role]}: {text}" for turn, text in zip(turns[:-1], texts[:-1], strict=True) if text.strip()]
    return "\n\n".join([*before, f"Question: {texts[-1]}"]) if before else texts[-1]


def _text(turn: Turn, place: int) -> str:
    """The words of a message. Raises Refused where it has something else."""
    if turn.role not in WORDS:
        raise Refused(
            f"a message of {turn.role[:100]!r} can't be read here", f"messages.{place}.role", code="invalid_value"
        )
    if not isinstance(turn.content, list):
        return turn.content or ""
    for part in turn.content:
        if part.type == "text" and part.text is None:
            raise Refused("a part of type 'text' has no text", f"messages.{place}.content", code="invalid_value")
        if part.type != "text":
            raise Refused(f"the router reads text only, not {part.type[:100]!r}", f"messages.{place}.content")
    return "\n".join(part.text or "" for part in turn.content)


@dataclass(slots=True)
class Writing:
    """Writes the objects of one answer."""

    route: str
    """The route's name."""
    model: str
    """As it was asked for."""
    created: int
    """Seconds since 1970."""
    with_usage: bool = False
    _head: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        self._head = {"id": f"chatcmpl-{self.route}", "created": self.created, "model": self.model}

    def whole(self, found: Mapping[str, Any]) -> dict[str, Any]:
        """The answer, not streamed. `found` is what came of the question."""
        message = {"role": "assistant", "content": found["answer"], "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
        more = {"choices": [choice], "usage": usage(found), "agent0es": extension(found)}
        return {**self._head, "object": "chat.completion", **more}

    def chunk(
        self, delta: Mapping[str, Any], finish: Literal["stop"] | None = None, more: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """A piece of the streamed answer."""
        choice = {"index": 0, "delta": dict(delta), "logprobs": None, "finish_reason": finish}
        return self._piece([choice], None) | ({} if more is None else {"agent0es": dict(more)})

    def last(self, found: Mapping[str, Any]) -> dict[str, Any]:
        """The piece that tells the tokens."""
        return self._piece([], usage(found))

    def _piece(self, choices: list[dict[str, Any]], tokens: dict[str, int] | None) -> dict[str, Any]:
        own = {"usage": tokens} if self.with_usage else {}
        return {**self._head, "object": "chat.completion.chunk", "choices": choices, **own}


def usage(found: Mapping[str, Any]) -> dict[str, int]:
    """Tokens of the whole route, drafts included; none for an answer from the cache."""
    read, written = found["prompt_tokens"], found["completion_tokens"]
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


def extension(found: Mapping[str, Any]) -> dict[str, Any]:
    """The field `agent0es` of an answer: who answered, why, how sure that is, what it cost, what it rests on."""
    names = (
        "route attempt candidate model adapter confidence basis verdict cached cost_usd calls seconds ignored".split()
    )
    return {name: found[name] for name in names} | {"reason": found["decisions"][-1]["reason"]}

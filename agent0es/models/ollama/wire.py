"""What crosses the wire, in both directions: values of Ollama's API (docs/api.md and api/types.go of ollama/ollama).

Pure. What a server says is hostile: types are checked, numbers bounded, and what is unknown is left out.
"""

import json
from collections.abc import Iterable, Sequence
from statistics import fmean
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from agent0es.domain.tries import Try
from agent0es.models.base import Completion, GenerationRequest, Usage
from agent0es.models.ollama.options import OllamaOptions
from agent0es.models.thinking import split_thinking

Count = Annotated[int, Field(ge=0, le=2**53)]
SEEDS = 2**31 - 1
"""Ollama reads a seed as a float of 64 bits, and llama.cpp takes 32, of which the highest means "at random"."""


REPEATS = 30
"""Of one token, after which Ollama ends an answer (`llm/llama_server.go`)."""


class Wire(BaseModel):
    """A value as a server sends it."""

    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())


class Function(Wire):
    name: str
    arguments: dict[str, Any] = {}


class ToolCall(Wire):
    function: Function


class Said(Wire):
    content: str = ""
    thinking: str = ""
    tool_calls: tuple[ToolCall, ...] = ()


class TokenLogprob(Wire):
    token: str = ""
    logprob: float


class DebugInfo(Wire):
    rendered_template: str = ""


class Chunk(Wire):
    """A line of the answer to `/api/chat`."""

    message: Said = Said()
    done: bool = False
    done_reason: str = ""
    prompt_eval_count: Count = 0
    eval_count: Count = 0
    logprobs: tuple[TokenLogprob, ...] | None = None
    debug_info: DebugInfo | None = Field(default=None, alias="_debug_info")


class Details(Wire):
    family: str = ""
    parameter_size: str = ""
    quantization_level: str = ""


class Version(Wire):
    """The answer to `/api/version`."""

    version: str = ""


class Show(Wire):
    """The answer to `/api/show`."""

    modelfile: str = ""
    parameters: str = ""
    template: str = ""
    system: str = ""
    license: str = ""
    renderer: str = ""
    parser: str = ""
    details: Details = Details()
    messages: tuple[dict[str, Any], ...] | None = None
    model_info: dict[str, Any] = {}
    capabilities: tuple[str, ...] | None = None
    remote_model: str = ""
    remote_host: str = ""
    modified_at: str = ""


class Listed(Wire):
    name: str
    size: Count = 0
    digest: str = ""
    modified_at: str = ""
    details: Details = Details()
    remote_model: str = ""


class Tags(Wire):
    """The answer to `/api/tags`."""

    models: tuple[Listed, ...] = ()


class Progress(Wire):
    """A line of the answer to `/api/pull` and `/api/create`."""

    status: str = ""
    digest: str = ""
    total: Count = 0
    completed: Count = 0


class Embedded(Wire):
    """The answer to `/api/embed`."""

    embeddings: tuple[tuple[float, ...], ...]


def chat_body(
    request: GenerationRequest,
    model: str,
    options: OllamaOptions,
    context: int,
    stop: Iterable[str] = (),
    logprobs: bool = False,
) -> dict[str, Any]:
    """The body of `/api/chat`. `stop` are the model's own stop strings, `context` what the model may read and write.

    The context is never cut on the quiet: too long a prompt is refused (`truncate`), and a text that fills the context
    ends there (`shift`), where the server would otherwise drop what was said first.
    """
    messages = [{"role": message.role, "content": message.content} for message in request.messages]
    if request.prefill:
        messages.append({"role": "assistant", "content": request.prefill})
    sampling: dict[str, Any] = {
        **options.sent,
        "num_ctx": context,
        "num_predict": request.max_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "seed": request.seed % SEEDS,
    }
    if request.stop:
        sampling["stop"] = list(dict.fromkeys((*request.stop, *stop)))
    body: dict[str, Any] = {
        "model": model,
        "messages": messages,
        "stream": True,
        "think": options.think,
        "truncate": False,
        "shift": False,
        "options": sampling,
    }
    if request.json_schema is not None:
        body["format"] = request.json_schema
    if logprobs:
        body["logprobs"] = True
    if options.keep_alive is not None:
        body["keep_alive"] = options.keep_alive
    return body


def rendering_body(model: str, options: OllamaOptions, context: int, begun: str) -> dict[str, Any]:
    """The body of an `/api/chat` that is not answered, but tells the prompt that the model would read: of a question,
    and of a turn that begins with `begun` where there is one. A server from before 2025-08 writes one token instead."""
    messages = [{"role": "user", "content": "Count."}, *([{"role": "assistant", "content": begun}] if begun else [])]
    return {
        "model": model,
        "messages": messages,
        "stream": False,
        "think": options.think,
        "truncate": False,
        "shift": False,
        "options": {**options.sent, "num_ctx": context, "num_predict": 1},
        "_debug_render_only": True,
    } | ({} if options.keep_alive is None else {"keep_alive": options.keep_alive})


def completion_of(
    chunks: Iterable[Chunk],
    *,
    model: str,
    adapter: str | None,
    seconds: float,
    left_out: tuple[str, ...] = (),
    tries: tuple[Try, ...] = (),
) -> Completion:
    """The answer that these lines are, of which the last is `done`.

    Ollama counts the token that ended the turn and those of a stop string, but gives no log-probability of them: then
    what was written is what the log-probabilities cover. It gives none of the pieces of a letter that takes several
    tokens either: then there is only the mean of the others.
    """
    text: list[str] = []
    thinking: list[str] = []
    tokens: list[TokenLogprob] = []
    last = Chunk()
    for last in chunks:
        text.append(last.message.content)
        thinking.append(last.message.thinking)
        text.extend(f"\n{tool_call_text(call)}\n" for call in last.message.tool_calls)
        tokens.extend(last.logprobs or ())
    said, thought = "".join(text), "".join(thinking)
    if not thought:
        left, said = split_thinking(said)
        thought = left or ""
    logprobs = tuple(min(token.logprob, 0.0) for token in tokens)
    covered = bool(tokens) and _covers(tokens, said, thought)
    return Completion(
        text=said,
        finish_reason="length" if last.done_reason == "length" else "stop",
        usage=Usage(last.prompt_eval_count, len(tokens) if covered else last.eval_count),
        model=model,
        adapter=adapter,
        seconds=seconds,
        logprobs=logprobs if covered else None,
        mean_logprob=fmean(logprobs) if logprobs and not covered else None,
        thinking=thought or None,
        left_out=left_out,
        tries=tries,
    )


def _covers(tokens: Iterable[TokenLogprob], said: str, thought: str) -> bool:
    """Whether these tokens are all that was written. Around thoughts there are control tokens, too."""
    written = "".join(token.token for token in tokens)
    return said.strip() in written and thought.strip() in written


def is_repeating(chunks: Sequence[Chunk]) -> bool:
    """Whether an answer ends in one token again and again: Ollama breaks such off after 30, and says nothing of it."""
    last = [(chunk.message.content.strip(), chunk.message.thinking.strip()) for chunk in chunks[-REPEATS:]]
    return len(last) == REPEATS and len(set(last)) == 1


def tool_call_text(call: ToolCall) -> str:
    """A native call of a tool, in the form in which the student's words are read."""
    named = {"name": call.function.name, "arguments": call.function.arguments}
    return f"<tool_call>\n{json.dumps(named, ensure_ascii=False)}\n</tool_call>"

"""A request in the words of pydantic-ai, and its answer in ours. Pure."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from genai_prices import calc_price
from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    UserPromptPart,
)
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.output import OutputObjectDefinition
from pydantic_ai.settings import ModelSettings
from pydantic_ai.usage import RequestUsage

from agent0es.domain.prompt import Message
from agent0es.domain.text import storable
from agent0es.models.base import Capabilities, Completion, GenerationRequest, Usage
from agent0es.models.http.schemas import as_object, is_object, out_of_object

SCHEMA_NAME = "answer"


@dataclass(frozen=True, slots=True)
class Token:
    """A written token."""

    text: str
    logprob: float
    id: int | None


def messages_of(messages: Sequence[Message]) -> list[ModelMessage]:
    """The turns. What a tool said is a turn of the user: no tool is declared to these models."""
    said: list[ModelMessage] = []
    for role, content in messages:
        content = storable(content)
        if role == "assistant":
            said.append(ModelResponse(parts=[TextPart(content)]))
            continue
        part: ModelRequestPart = SystemPromptPart(content) if role == "system" else UserPromptPart(content)
        if said and isinstance(said[-1], ModelRequest):
            said[-1] = ModelRequest(parts=[*said[-1].parts, part])
        else:
            said.append(ModelRequest(parts=[part]))
    return said


def settings_of(request: GenerationRequest, capabilities: Capabilities, most_stops: int) -> ModelSettings:
    """What is asked for besides the messages, without what the model can't take. The seed is never among it."""
    settings = ModelSettings(max_tokens=request.max_tokens, max_retries=0)
    if capabilities.sampling:
        settings["temperature"] = request.temperature
        if request.temperature > 0 and request.top_p < 1:
            settings["top_p"] = request.top_p
    if stops := [stop for stop in request.stop if stop.strip()][:most_stops]:
        settings["stop_sequences"] = stops
    return settings


def parameters_of(request: GenerationRequest, capabilities: Capabilities) -> ModelRequestParameters:
    """The schema that the answer is to fit, where there is one and the model takes it."""
    if request.json_schema is None or not capabilities.structured_output:
        return ModelRequestParameters()
    asked = OutputObjectDefinition(json_schema=as_object(request.json_schema), name=SCHEMA_NAME)
    return ModelRequestParameters(output_mode="native", output_object=asked)


def completion_of(
    response: ModelResponse, request: GenerationRequest, *, model: str, seconds: float, left_out: tuple[str, ...]
) -> Completion:
    """The answer, which ends before a stop string also where the model did not take it."""
    text, stopped = text_of(response, request.stop)
    tokens = tokens_of(response.provider_details or {})
    if tokens is not None and stopped:
        tokens = covering(tokens, text)
    mean = fmean(token.logprob for token in tokens) if tokens else None
    usage = response.usage
    if is_held(request, left_out):
        text, tokens = out_of_object(text), None  # tokens of other words
    ids = None if tokens is None or any(token.id is None for token in tokens) else [token.id or 0 for token in tokens]
    return Completion(
        text=text,
        finish_reason="length" if response.finish_reason == "length" and not stopped else "stop",
        usage=Usage(
            prompt=usage.input_tokens,
            written=usage.output_tokens if tokens is None else len(tokens),
            cached=usage.cache_read_tokens,
        ),
        model=model,
        adapter=None,
        seconds=seconds,
        token_ids=None if ids is None else tuple(ids),
        logprobs=None if tokens is None else tuple(token.logprob for token in tokens),
        mean_logprob=mean,
        thinking="\n".join(part.content for part in response.parts if isinstance(part, ThinkingPart)) or None,
        left_out=left_out,
    )


def is_held(request: GenerationRequest, left_out: Sequence[str]) -> bool:
    """Whether the answer stands within an object that nobody asked for."""
    return not is_object(request.json_schema) and "json_schema" not in left_out


def text_of(response: ModelResponse, stop: Sequence[str]) -> tuple[str, bool]:
    """What was said, before the first stop string, and whether there was one. A tool call follows as text."""
    said = "".join(part.content for part in response.parts if isinstance(part, TextPart))
    for call in response.parts:
        if isinstance(call, ToolCallPart):
            named, given = json.dumps(call.tool_name), call.args_as_json_str()
            said += f'\n<tool_call>\n{{"name": {named}, "arguments": {given}}}\n</tool_call>'
    ends = [at for one in stop if one and (at := said.find(one)) >= 0]
    return (said[: min(ends)], True) if ends else (said, False)


def tokens_of(details: Mapping[str, Any]) -> list[Token] | None:
    """The tokens in a provider's details: OpenAI's list, Google's `chosen_candidates`; None where there are none."""
    match details.get("logprobs"):
        case {"chosen_candidates": list(found)}:
            return [Token(one["token"] or "", one["log_probability"] or 0.0, one["token_id"]) for one in found]
        case list(found):
            return [Token(one["token"], one["logprob"], None) for one in found]
        case _:
            return None


def covering(tokens: Iterable[Token], text: str) -> list[Token]:
    """The first tokens that make up a text."""
    kept: list[Token] = []
    length = 0
    for token in tokens:
        if length >= len(text):
            break
        kept.append(token)
        length += len(token.text)
    return kept


def cost_of(response: ModelResponse, provider: str, model: str) -> float | None:
    """US dollars, by the prices that genai-prices has: of the model that answered, or else of the one that was asked.
    None where it knows neither."""
    for name in (response.model_name, model):
        try:
            return float(calc_price(response.usage, name or model, provider_id=provider).total_price)
        except (LookupError, ValueError):
            continue
    return None


def is_priced(provider: str, model: str) -> bool:
    """Whether genai-prices knows the model."""
    try:
        calc_price(RequestUsage(input_tokens=1, output_tokens=1), model, provider_id=provider)
    except LookupError:
        return False
    return True

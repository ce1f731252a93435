"""OpenAI's Chat Completions: https://platform.openai.com/docs/api-reference/chat.

Models: `gpt-4o-mini`, which takes all settings; `gpt-5.5`, which reasons unless `reasoning_effort` is `none`, and takes
sampling settings and gives log-probabilities only then; `o4-mini`, which always reasons.
"""

import math
import time
from typing import Any

from tests.support.http_server import Answer, Request, events, json_answer
from tests.support.providers.serving import KEY, OF_FORMAT, Refused, bearer, refused, texts
from tests.support.providers.words import Speak, Written, write

MODELS = {"gpt-4o-mini": 128_000, "gpt-5.5": 400_000, "o4-mini": 200_000}
SAMPLING = ("temperature", "top_p", "logprobs", "presence_penalty", "frequency_penalty")


def fault(status: int, message: str, kind: str, code: str | None = None, param: str | None = None) -> Refused:
    return refused(status, {"error": {"message": message, "type": kind, "param": param, "code": code}})


def answer(request: Request, speak: Speak | None = None) -> Answer:
    if bearer(request) != KEY:
        shown = bearer(request)[:3] + "***"
        message = f"Incorrect API key provided: {shown}. You can find your API key at https://platform.openai.com."
        raise fault(401, message, "invalid_request_error", "invalid_api_key")
    if (request.method, request.path) == ("GET", "/v1/models"):
        data = [{"id": name, "object": "model", "created": 1, "owned_by": "openai"} for name in MODELS]
        return json_answer({"object": "list", "data": data})
    if (request.method, request.path) != ("POST", "/v1/chat/completions"):
        raise fault(404, f"Invalid URL ({request.method} {request.path})", "invalid_request_error")
    body = request.json
    name = body["model"]
    if name not in MODELS:
        message = f"The model `{name}` does not exist or you do not have access to it."
        raise fault(404, message, "invalid_request_error", "model_not_found")
    _check(body)
    prompt = [text for message in body["messages"] for text in texts(message["content"])]
    read = OF_FORMAT + sum(len(text.split()) for text in prompt)
    if read > MODELS[name]:
        message = (
            f"This model's maximum context length is {MODELS[name]} tokens. However, your messages resulted in {read} "
            "tokens. Please reduce the length of the messages."
        )
        raise fault(400, message, "invalid_request_error", "context_length_exceeded", "messages")
    schema = body.get("response_format", {}).get("json_schema", {}).get("schema")
    written = write(
        prompt,
        most=body.get("max_completion_tokens") or body.get("max_tokens") or 4096,
        stops=body.get("stop") or (),
        greedy=body.get("temperature", 1) == 0,
        schema=schema,
        think=_reasons(body),
        speak=speak,
    )
    base = {
        "id": "chatcmpl-1",
        "created": int(time.time()),
        "model": f"{name}-2026-08-01",
        "system_fingerprint": "fp_1",
    }
    usage = {
        "prompt_tokens": written.read,
        "completion_tokens": written.count,
        "total_tokens": written.read + written.count,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": len(written.thought), "audio_tokens": 0},
    }
    reason = "length" if written.ended == "length" else "stop"
    logprobs = _logprobs(written) if body.get("logprobs") else None
    if not body.get("stream"):
        message = {"role": "assistant", "content": written.text, "refusal": None, "annotations": []}
        content = None if logprobs is None else {"content": logprobs, "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": content, "finish_reason": reason}
        return json_answer({**base, "object": "chat.completion", "choices": [choice], "usage": usage})

    def chunk(delta: dict[str, Any], reason: str | None = None, one: dict[str, Any] | None = None) -> dict[str, Any]:
        content = None if one is None else {"content": [one], "refusal": None}
        choice = {"index": 0, "delta": delta, "logprobs": content, "finish_reason": reason}
        return {**base, "object": "chat.completion.chunk", "choices": [choice], "usage": None}

    chunks = [chunk({"role": "assistant", "content": "", "refusal": None})]
    for at, token in enumerate(written.tokens):
        chunks.append(chunk({"content": token}, one=None if logprobs is None else logprobs[at]))
    chunks.append(chunk({}, reason))
    if (body.get("stream_options") or {}).get("include_usage"):
        chunks.append({**base, "object": "chat.completion.chunk", "choices": [], "usage": usage})
    return events(chunks)


def _reasons(body: dict[str, Any]) -> bool:
    return body["model"] == "o4-mini" or (body["model"] == "gpt-5.5" and body.get("reasoning_effort") != "none")


def _check(body: dict[str, Any]) -> None:
    if not body.get("messages"):
        raise fault(400, "Invalid 'messages': empty array.", "invalid_request_error", "empty_array", "messages")
    if body["model"] != "gpt-4o-mini":
        unsupported = ["stop", "max_tokens", *(SAMPLING if _reasons(body) else ())]
        for name in unsupported:
            if body.get(name) is not None and not (name in ("temperature", "top_p") and body[name] == 1):
                message = f"Unsupported parameter: '{name}' is not supported with this model."
                raise fault(400, message, "invalid_request_error", "unsupported_parameter", name)
    elif "reasoning_effort" in body:
        message = "Unrecognized request argument supplied: reasoning_effort"
        raise fault(400, message, "invalid_request_error", None, "reasoning_effort")
    if len(body.get("stop") or ()) > 4:
        message = (
            f"Invalid 'stop': array too long. Expected an array with maximum length 4, but got {len(body['stop'])}."
        )
        raise fault(400, message, "invalid_request_error", "array_above_max_length", "stop")
    if (body.get("max_completion_tokens") or 1) < 1:
        message = "Invalid 'max_completion_tokens': integer below minimum value."
        raise fault(400, message, "invalid_request_error", "integer_below_min_value", "max_completion_tokens")
    schema = body.get("response_format", {}).get("json_schema")
    if schema and schema.get("strict") and schema["schema"].get("additionalProperties") is not False:
        message = (
            "Invalid schema for response_format: 'additionalProperties' is required to be supplied and to be false."
        )
        raise fault(400, message, "invalid_request_error", None, "response_format")


def _logprobs(written: Written) -> list[dict[str, Any]]:
    return [
        {"token": token, "logprob": logprob, "bytes": list(token.encode()), "top_logprobs": []}
        for token, logprob in zip(written.tokens, written.logprobs, strict=True)
        if math.isfinite(logprob)
    ]

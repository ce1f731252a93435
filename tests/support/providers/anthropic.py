"""Anthropic's Messages, API version 2026-10-21: https://platform.claude.com/docs/en/api/messages.

Models: `claude-haiku-4-5`, which thinks when it is asked to; `claude-haiku-5-5`, which thinks unless it is told not to.
"""

from collections.abc import Iterator
from typing import Any

from tests.support.http_server import Answer, Request, json_answer
from tests.support.providers.serving import KEY, OF_FORMAT, Refused, bearer, named_events, refused, texts
from tests.support.providers.words import Speak, Written, write

MODELS = {"claude-haiku-4-5": 200_000, "claude-haiku-5-5": 1_000_000}
PATHS = ("/v1/messages", "/v1/messages?beta=true")
REMOVED = ("temperature", "top_p", "top_k")


def fault(status: int, kind: str, message: str) -> Refused:
    body = {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_011"}
    return refused(status, body, request_id="req_011")


def answer(request: Request, speak: Speak | None = None) -> Answer:
    if not request.headers.get("anthropic-version"):
        raise fault(400, "invalid_request_error", "anthropic-version: header is required")
    if KEY not in (bearer(request), request.headers.get("x-api-key")):
        raise fault(401, "authentication_error", "invalid x-api-key")
    if request.method == "GET" and request.path.startswith("/v1/models"):
        data = [
            {
                "type": "model",
                "lifecycle": "active",
                "id": name,
                "display_name": name,
                "created_at": "2026-10-01T00:00:00Z",
            }
            for name in MODELS
        ]
        return json_answer({"data": data, "has_more": False, "first_id": None, "last_id": None})
    if request.method != "POST" or request.path not in PATHS:
        raise fault(404, "not_found_error", "Not found")
    body = request.json
    name = body["model"]
    if name not in MODELS:
        raise fault(404, "not_found_error", f"model: {name}")
    _check(request)
    prompt = texts(body.get("system", "")) + [
        text for message in body["messages"] for text in texts(message["content"])
    ]
    read = OF_FORMAT + sum(len(text.split()) for text in prompt)
    if read > MODELS[name]:
        raise fault(400, "invalid_request_error", f"prompt is too long: {read} tokens > {MODELS[name]} maximum")
    thinking = (body.get("thinking") or {}).get("type")
    schema = ((body.get("output_config") or {}).get("format") or {}).get("schema")
    written = write(
        prompt,
        most=body["max_tokens"],
        stops=body.get("stop_sequences") or (),
        schema=schema,
        think=thinking in ("enabled", "adaptive") or (name == "claude-haiku-5-5" and thinking != "disabled"),
        speak=speak,
    )
    blocks: list[dict[str, Any]] = []
    if written.thought:
        blocks.append({"type": "thinking", "thinking": "".join(written.thought), "signature": "EqQBCg=="})
    if written.tokens or not blocks:
        blocks.append({"type": "text", "text": written.text})
    if not body.get("stream"):
        return json_answer({**_message(name, written), "content": blocks, **_ended(written)})
    return named_events([(event["type"], event) for event in _events(name, written)])


def _check(request: Request) -> None:
    body = request.json
    for setting in REMOVED:
        if setting in body and request.headers["anthropic-version"] >= "2026-10-21":
            raise fault(400, "invalid_request_error", f"{setting}: Extra inputs are not permitted")
    if "max_tokens" not in body:
        raise fault(400, "invalid_request_error", "max_tokens: Field required")
    if not body.get("messages"):
        raise fault(400, "invalid_request_error", "messages: at least one message is required")
    for message in body["messages"]:
        if not all(text.strip() for text in texts(message["content"])):
            raise fault(400, "invalid_request_error", "messages: text content blocks must contain non-whitespace text")
    if body["messages"][-1]["role"] == "assistant":
        raise fault(400, "invalid_request_error", "This model does not support assistant message prefill.")
    if any(not stop.strip() for stop in body.get("stop_sequences") or ()):
        raise fault(400, "invalid_request_error", "stop_sequences: each stop sequence must contain non-whitespace")
    budget = (body.get("thinking") or {}).get("budget_tokens", 0)
    if budget and budget >= body["max_tokens"]:
        raise fault(400, "invalid_request_error", "`max_tokens` must be greater than `thinking.budget_tokens`.")


def _message(name: str, written: Written) -> dict[str, Any]:
    return {"id": "msg_013", "type": "message", "role": "assistant", "model": name}


def _usage(written: Written, count: int) -> dict[str, Any]:
    return {
        "input_tokens": written.read,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": count,
        "service_tier": "standard",
    }


def _ended(written: Written) -> dict[str, Any]:
    reasons = {"stop": "end_turn", "length": "max_tokens"}
    return {
        "stop_reason": reasons.get(written.ended, "stop_sequence"),
        "stop_sequence": None if written.ended in reasons else written.ended,
        "usage": _usage(written, written.count),
    }


def _events(name: str, written: Written) -> Iterator[dict[str, Any]]:
    begun = {**_message(name, written), "content": [], "stop_reason": None, "stop_sequence": None}
    yield {"type": "message_start", "message": {**begun, "usage": _usage(written, 1)}}
    index = 0
    if written.thought:
        block = {"type": "thinking", "thinking": "", "signature": ""}
        yield {"type": "content_block_start", "index": index, "content_block": block}
        for token in written.thought:
            delta = {"type": "thinking_delta", "thinking": token}
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        signed = {"type": "signature_delta", "signature": "EqQBCg=="}
        yield {"type": "content_block_delta", "index": index, "delta": signed}
        yield {"type": "content_block_stop", "index": index}
        index += 1
    yield {"type": "content_block_start", "index": index, "content_block": {"type": "text", "text": ""}}
    yield {"type": "ping"}
    for token in written.tokens:
        delta = {"type": "text_delta", "text": token}
        yield {"type": "content_block_delta", "index": index, "delta": delta}
    yield {"type": "content_block_stop", "index": index}
    ended = _ended(written)
    usage = ended.pop("usage")
    yield {"type": "message_delta", "delta": ended, "usage": {"output_tokens": usage["output_tokens"]}}
    yield {"type": "message_stop"}

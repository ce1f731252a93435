"""Cohere's Chat, v2: https://docs.cohere.com/v2/reference/chat.

Models: `command-a-03-2025`, and `command-a-reasoning-08-2025`, which thinks unless it is told not to.
"""

from collections.abc import Iterator
from typing import Any

from tests.support.http_server import Answer, Request, json_answer
from tests.support.providers.serving import KEY, OF_FORMAT, Refused, bearer, named_events, refused, texts
from tests.support.providers.words import Speak, Written, write

MODELS = {"command-a-03-2025": 256_000, "command-a-reasoning-08-2025": 256_000}
REASONS = {"stop": "COMPLETE", "length": "MAX_TOKENS"}
ID = "5a50480a-cf52-46f0-af01-53d18539bd31"


def fault(status: int, message: str) -> Refused:
    return refused(status, {"id": ID, "message": message})


def answer(request: Request, speak: Speak | None = None) -> Answer:
    if bearer(request) != KEY:
        raise fault(401, "invalid api token")
    if (request.method, request.path.partition("?")[0]) == ("GET", "/v1/models"):
        return json_answer({"models": [{"name": name, "context_length": most} for name, most in MODELS.items()]})
    if (request.method, request.path) != ("POST", "/v2/chat"):
        raise fault(404, "not found")
    body = request.json
    name = body["model"]
    if name not in MODELS:
        raise fault(404, f"model '{name}' not found, make sure the correct model ID was used")
    if not body.get("messages"):
        raise fault(400, "invalid request: messages must not be empty.")
    if len(body.get("stop_sequences") or ()) > 5:
        raise fault(400, "invalid request: stop_sequences must be at most 5 elements")
    prompt = [text for message in body["messages"] for text in texts(message["content"])]
    if not all(prompt):
        raise fault(400, "invalid request: all elements in message content must have a non-empty text.")
    read = OF_FORMAT + sum(len(text.split()) for text in prompt)
    if read > MODELS[name]:
        raise fault(400, f"too many tokens: size limit exceeded by {read - MODELS[name]} tokens.")
    thinking = (body.get("thinking") or {}).get("type", "enabled")
    written = write(
        prompt,
        most=body.get("max_tokens") or 4096,
        stops=body.get("stop_sequences") or (),
        greedy=body.get("temperature", 0.3) == 0,
        think="reasoning" in name and thinking == "enabled",
        speak=speak,
    )
    if body.get("stream"):
        return named_events([*((event["type"], event) for event in _events(written)), ("", "[DONE]")])
    content = [{"type": "thinking", "thinking": "".join(written.thought)}] if written.thought else []
    content.append({"type": "text", "text": written.text})
    return json_answer({"id": ID, "message": {"role": "assistant", "content": content}, **_ended(written)})


def _ended(written: Written) -> dict[str, Any]:
    counts = {"input_tokens": written.read, "output_tokens": written.count}
    usage = {"billed_units": counts, "tokens": counts, "cached_tokens": 0}
    return {"finish_reason": REASONS.get(written.ended, "STOP_SEQUENCE"), "usage": usage}


def _events(written: Written) -> Iterator[dict[str, Any]]:
    begun = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}
    yield {"id": ID, "type": "message-start", "delta": {"message": begun}}
    blocks = [("thinking", written.thought)] if written.thought else []
    for index, (kind, tokens) in enumerate([*blocks, ("text", written.tokens)]):
        start = {"type": kind, kind: ""}
        yield {"type": "content-start", "index": index, "delta": {"message": {"content": start}}}
        for token in tokens:
            yield {"type": "content-delta", "index": index, "delta": {"message": {"content": {kind: token}}}}
        yield {"type": "content-end", "index": index}
    yield {"type": "message-end", "delta": _ended(written)}

"""Google's Gemini API, v1beta: https://ai.google.dev/api/generate-content.

Models: `gemini-2.5-flash`, which thinks unless its budget is 0, and gives log-probabilities where it isn't streamed;
`gemini-3.5-flash-lite`, which gives none.
"""

import re
from typing import Any

from tests.support.http_server import Answer, Request, json_answer
from tests.support.providers.serving import KEY, OF_FORMAT, Refused, named_events, refused, texts
from tests.support.providers.words import Speak, Written, write

MODELS = {"gemini-2.5-flash": 1_048_576, "gemini-3.5-flash-lite": 1_048_576}
STATUSES = {400: "INVALID_ARGUMENT", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED"}
_PATH = re.compile(r"/v1beta/models/([\w.-]+):(generateContent|streamGenerateContent)(\?alt=sse)?")


def fault(code: int, message: str, *details: Any) -> Refused:
    error = {"code": code, "message": message, "status": STATUSES[code]}
    return refused(code, {"error": {**error, "details": list(details)} if details else error})


def answer(request: Request, speak: Speak | None = None) -> Answer:
    if request.headers.get("x-goog-api-key") != KEY:
        reason = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}
        raise fault(400, "API key not valid. Please pass a valid API key.", reason)
    if (request.method, request.path.partition("?")[0]) == ("GET", "/v1beta/models"):
        models = [{"name": f"models/{name}", "inputTokenLimit": limit} for name, limit in MODELS.items()]
        return json_answer({"models": models})
    found = _PATH.fullmatch(request.path)
    if request.method != "POST" or found is None:
        raise fault(404, "Requested entity was not found.")
    name, how, streamed = found.groups()
    if name not in MODELS:
        raise fault(404, f"models/{name} is not found for API version v1beta, or is not supported for generateContent.")
    body = request.json
    config = body.get("generationConfig", {})
    if not body.get("contents"):
        raise fault(400, "* GenerateContentRequest.contents: contents is not specified\n")
    if config.get("responseLogprobs") and (streamed or name != "gemini-2.5-flash"):
        raise fault(400, f"Logprobs is not enabled for models/{name}")
    if len(config.get("stopSequences") or ()) > 5:
        raise fault(400, "The number of stop sequences exceeds the limit of 5.")
    prompt = texts(body.get("systemInstruction", {}).get("parts"))
    prompt += [text for content in body["contents"] for text in texts(content["parts"])]
    read = OF_FORMAT + sum(len(text.split()) for text in prompt)
    if read > MODELS[name]:
        message = f"The input token count ({read}) exceeds the maximum number of tokens allowed ({MODELS[name]})."
        raise fault(400, message)
    thinking = config.get("thinkingConfig") or {}
    written = write(
        prompt,
        most=config.get("maxOutputTokens") or 4096,
        stops=config.get("stopSequences") or (),
        greedy=config.get("temperature", 1) == 0,
        schema=config.get("responseJsonSchema"),
        think=bool(thinking.get("includeThoughts") or thinking.get("include_thoughts")),  # it takes both spellings
        speak=speak,
    )
    if how == "generateContent":
        parts = [_thought(token) for token in written.thought] + [{"text": written.text}]
        return json_answer(_piece(name, written, parts, last=True, logprobs=bool(config.get("responseLogprobs"))))
    pieces = [_piece(name, written, [_thought(token)]) for token in written.thought]
    pieces += [_piece(name, written, [{"text": token}]) for token in written.tokens]
    pieces.append(_piece(name, written, [{"text": ""}], last=True))
    return named_events(("", piece) for piece in pieces)


def _thought(token: str) -> dict[str, Any]:
    return {"text": token, "thought": True}


def _piece(
    name: str, written: Written, parts: list[dict[str, Any]], *, last: bool = False, logprobs: bool = False
) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"parts": parts, "role": "model"}, "index": 0}
    if last:
        candidate["finishReason"] = "MAX_TOKENS" if written.ended == "length" else "STOP"
    if logprobs:
        chosen = [
            {"token": token, "tokenId": 1000 + len(token), "logProbability": logprob}
            for token, logprob in zip(written.tokens, written.logprobs, strict=True)
        ]
        candidate["logprobsResult"] = {"topCandidates": [], "chosenCandidates": chosen}
        candidate["avgLogprobs"] = sum(written.logprobs) / max(1, len(chosen))
    usage = {
        "promptTokenCount": written.read,
        "candidatesTokenCount": len(written.tokens),
        "totalTokenCount": written.read + written.count,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": written.read}],
        **({"thoughtsTokenCount": len(written.thought)} if written.thought else {}),
    }
    return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": name, "responseId": "resp-1"}

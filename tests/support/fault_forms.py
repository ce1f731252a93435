"""What each server says when something is wrong, in its own form: status, body, headers, or a line under HTTP 200.

Each cell comes with words that the log must hold of it.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from tests.support import http_server as raw
from tests.support.http_server import Fault

PAUSE = 1
"""Seconds for which a server asks: whole ones, as HTTP has it."""
Cells = Mapping[str, "Cell"]
"""By the name of the peer."""


class Cell(NamedTuple):
    fault: Fault
    told: str


def of_anthropic(kind: str, message: str) -> Any:
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_011"}


def of_openai(message: str, kind: str, code: str | None = None) -> Any:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def of_google(code: int, status: str, message: str, *details: Any) -> Any:
    error = {"code": code, "message": message, "status": status}
    return {"error": {**error, "details": list(details)} if details else error}


def of_cohere(message: str) -> Any:
    return {"id": "5a50480a-cf52-46f0-af01-53d18539bd31", "message": message}


def of_vllm(code: int, kind: str, message: str) -> Any:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def _said(status: int, body: Any, told: str, **headers: str) -> Cell:
    return Cell(raw.status(status, body, **headers), told)


def _line(line: str, told: str) -> Cell:
    return Cell(raw.line_in_stream(line.encode()), told)


_QUOTA_OF_A_MINUTE = (
    {
        "@type": "type.googleapis.com/google.rpc.QuotaFailure",
        "violations": [{"quotaId": "GenerateRequestsPerMinutePerProjectPerModel-FreeTier"}],
    },
    {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{PAUSE}s"},
)

ERROR_LINE: Cells = {
    "openai-compatible": _line(
        'data: {"error": {"message": "EngineCore encountered an issue.", "type": "InternalServerError", "param": null, '
        '"code": 500}}\n\ndata: [DONE]\n\n',
        "EngineCore encountered an issue.",
    ),
    "ollama": _line('{"error":"an error was encountered while running the model: EOF"}\n', "running the model: EOF"),
    "anthropic": _line(
        'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n',
        "Overloaded",
    ),
    "openai": _line(
        'data: {"error":{"message":"The server had an error while processing your request","type":"server_error",'
        '"param":null,"code":null}}\n\n',
        "The server had an error while processing your request",
    ),
    "google": _line(
        'data: {"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}\n\n',
        "The model is overloaded.",
    ),
    # It has no line for errors: the last event says that there was one, and no more.
    "cohere": _line(
        'event: message-end\ndata: {"type":"message-end","delta":{"finish_reason":"ERROR","usage":null}}\n\n',
        "the provider says that it failed",
    ),
}
TOO_MANY: Cells = {
    "openai-compatible": _said(429, of_vllm(429, "RateLimitError", "Slow down"), "Slow down", retry_after=f"{PAUSE}"),
    "ollama": _said(429, {"error": "too many concurrent requests"}, "too many concurrent", retry_after=f"{PAUSE}"),
    "anthropic": _said(
        429,
        of_anthropic("rate_limit_error", "This request would exceed your organization's rate limit"),
        "exceed your organization's rate limit",
        retry_after=f"{PAUSE}",
    ),
    "openai": _said(
        429,
        of_openai("Rate limit reached for gpt-4o-mini on requests per min", "requests", "rate_limit_exceeded"),
        "Rate limit reached",
        retry_after=f"{PAUSE}",
    ),
    # Its pause is in the body.
    "google": _said(
        429,
        of_google(429, "RESOURCE_EXHAUSTED", "You exceeded your current quota.", *_QUOTA_OF_A_MINUTE),
        "You exceeded your current quota.",
    ),
    "cohere": _said(
        429,
        of_cohere("You are past the per minute request limit, please wait and try again later."),
        "past the per minute request limit",
        retry_after=f"{PAUSE}",
    ),
}
QUEUE_FULL: Cells = {
    "openai-compatible": _said(
        503, of_vllm(503, "SERVICE_UNAVAILABLE", "The request queue is full."), "The request queue is full."
    ),
    "ollama": _said(
        503, {"error": "server busy, please try again.  maximum pending requests exceeded"}, "maximum pending requests"
    ),
    "anthropic": _said(529, of_anthropic("overloaded_error", "Overloaded"), "Overloaded"),
    "openai": _said(
        503,
        of_openai("The engine is currently overloaded, please try again later", "server_error"),
        "The engine is currently overloaded",
    ),
    "google": _said(
        503,
        of_google(503, "UNAVAILABLE", "The model is overloaded. Please try again later."),
        "The model is overloaded.",
    ),
    "cohere": _said(503, of_cohere("service unavailable"), "service unavailable"),
}
BROKEN: Cells = {
    "openai-compatible": _said(500, of_vllm(500, "InternalServerError", "EngineCore died"), "EngineCore died"),
    "ollama": _said(500, {"error": "model runner has unexpectedly stopped"}, "runner has unexpectedly stopped"),
    "anthropic": _said(500, of_anthropic("api_error", "Internal server error"), "Internal server error"),
    "openai": _said(500, of_openai("The server had an error", "server_error"), "The server had an error"),
    "google": _said(500, of_google(500, "INTERNAL", "An internal error has occurred."), "An internal error"),
    "cohere": _said(500, of_cohere("internal server error"), "internal server error"),
}
NO_BUDGET: Cells = {
    "openai-compatible": _said(
        402,
        {"error": {"message": "Insufficient credits. Add more using https://openrouter.ai/credits", "code": 402}},
        "Insufficient credits.",
    ),
    # A server of one's own has no budget; its models in the cloud have one, and say so with another status.
    "ollama": _said(
        429,
        {"error": "you (me) have reached your weekly usage limit, upgrade for higher limits: "
                  "https://ollama.com/upgrade"},
        "reached your weekly usage limit",
    ),
    "anthropic": _said(
        402, of_anthropic("billing_error", "There is an issue with your billing."), "an issue with your billing"
    ),
    # It has no 402.
    "openai": _said(
        429,
        of_openai("You exceeded your current quota, check your plan.", "insufficient_quota", "insufficient_quota"),
        "You exceeded your current quota",
    ),
    "google": _said(
        429,
        of_google(
            429,
            "RESOURCE_EXHAUSTED",
            "Your prepayment credits are depleted. Please go to AI Studio at https://ai.studio/projects to manage your "
            "project and billing.",
        ),
        "Your prepayment credits are depleted.",
    ),
    "cohere": _said(
        402,
        of_cohere("please add or update your payment method at https://dashboard.cohere.com/billing"),
        "add or update your payment method",
    ),
}  # fmt: skip
NO_KEY: Cells = {
    "openai-compatible": _said(401, {"error": "Unauthorized"}, "Unauthorized"),
    "ollama": _said(401, {"error": "unauthorized"}, "unauthorized"),
    "anthropic": _said(401, of_anthropic("authentication_error", "invalid x-api-key"), "invalid x-api-key"),
    "openai": _said(
        401,
        of_openai("Incorrect API key provided: sk-***.", "invalid_request_error", "invalid_api_key"),
        "Incorrect API key",
    ),
    "google": _said(
        400,
        of_google(
            400,
            "INVALID_ARGUMENT",
            "API key not valid. Please pass a valid API key.",
            {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"},
        ),
        "API key not valid",
    ),
    "cohere": _said(401, of_cohere("invalid api token"), "invalid api token"),
}
NO_MODEL: Cells = {
    "openai-compatible": _said(404, of_vllm(404, "NotFoundError", "The model `tiny` does not exist."), "`tiny`"),
    "ollama": _said(404, {"error": "model 'tiny:1b' not found"}, "tiny:1b"),
    "anthropic": _said(404, of_anthropic("not_found_error", "model: claude-haiku-4-5"), "model: claude-haiku-4-5"),
    "openai": _said(
        404,
        of_openai("The model `gpt-4o-mini` does not exist.", "invalid_request_error", "model_not_found"),
        "`gpt-4o-mini` does not exist",
    ),
    "google": _said(
        404,
        of_google(404, "NOT_FOUND", "models/gemini-2.5-flash is not found for API version v1beta."),
        "models/gemini-2.5-flash is not found",
    ),
    "cohere": _said(404, of_cohere("model 'command-a-03-2025' not found"), "model 'command-a-03-2025' not found"),
}
TOO_LONG: Cells = {
    "openai-compatible": _said(
        400,
        of_vllm(
            400,
            "BadRequestError",
            "This model's maximum context length is 4096 tokens. However, you requested 64 output tokens and your "
            "prompt contains 4090 input tokens.",
        ),
        "maximum context length is 4096 tokens",
    ),
    "ollama": _said(
        400,
        {"error": '{"error":{"code":400,"message":"request (9000 tokens) exceeds the available context size (8192 '
                  'tokens), try increasing it","type":"exceed_context_size_error"}}'},
        "exceeds the available context size (8192 tokens), try increasing it",
    ),
    "anthropic": _said(
        400,
        of_anthropic("invalid_request_error", "prompt is too long: 200017 tokens > 200000 maximum"),
        "prompt is too long: 200017 tokens",
    ),
    "openai": _said(
        400,
        of_openai(
            "This model's maximum context length is 128000 tokens. However, your messages resulted in 128017 tokens.",
            "invalid_request_error",
            "context_length_exceeded",
        ),
        "maximum context length is 128000 tokens",
    ),
    "google": _said(
        400,
        of_google(
            400,
            "INVALID_ARGUMENT",
            "The input token count (1048593) exceeds the maximum number of tokens allowed (1048576).",
        ),
        "exceeds the maximum number of tokens allowed",
    ),
    "cohere": _said(
        400, of_cohere("too many tokens: size limit exceeded by 17 tokens."), "size limit exceeded by 17 tokens"
    ),
}  # fmt: skip

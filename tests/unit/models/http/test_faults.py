"""What follows from each answer that is none: a table of what servers really send."""

import json
from typing import Any

import pytest

from agent0es.models.http.cut import see_that_it_was_read
from agent0es.models.http.faults import (
    Fault,
    ServerFault,
    advice,
    decide,
    error_in_stream,
    fault_of,
    reason_of,
    retry_after,
)
from agent0es.testing.models import ask

NOW = 1_780_000_000.0


def openai(message: str, kind: str = "", code: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


GOOGLE_A_MINUTE = {
    "error": {
        "code": 429,
        "message": "You exceeded your current quota, please check your plan and billing details. Please retry in 34s.",
        "status": "RESOURCE_EXHAUSTED",
        "details": [
            {
                "@type": "type.googleapis.com/google.rpc.QuotaFailure",
                "violations": [{"quotaId": "GenerateRequestsPerMinutePerProjectPerModel-FreeTier"}],
            },
            {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34s"},
        ],
    }
}
GOOGLE_A_DAY = json.loads(json.dumps(GOOGLE_A_MINUTE).replace("PerMinute", "PerDay"))

CASES: list[tuple[int, dict[str, str], Any, str]] = [
    # passing
    (429, {"retry-after": "7"}, openai("Rate limit reached for requests", "requests", "rate_limit_exceeded"), "retry"),
    (429, {}, openai("Rate limit reached for gpt-5 on tokens per min", "tokens", "rate_limit_exceeded"), "retry"),
    (429, {}, GOOGLE_A_MINUTE, "retry"),
    (429, {}, {"type": "error", "error": {"type": "rate_limit_error", "message": "Number of requests"}}, "retry"),
    (529, {}, {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, "retry"),
    (503, {}, {"error": "server busy, please try again.  maximum pending requests exceeded"}, "retry"),
    (503, {}, {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}}, "retry"),
    (500, {}, {"error": "llama runner process has terminated: exit status 2"}, "retry"),
    (502, {}, "<html><h1>502 Bad Gateway</h1></html>", "retry"),
    (504, {}, "", "retry"),
    (408, {}, "", "retry"),
    # the request itself
    (400, {}, openai("This model's maximum context length is 8192 tokens.", "", "context_length_exceeded"), "refuse"),
    (400, {}, {"error": {"code": 400, "message": "the request exceeds the available context size, try increasing it",
                         "type": "exceed_context_size_error", "n_prompt_tokens": 9000, "n_ctx": 8192}}, "refuse"),
    (400, {}, {"type": "error", "error": {"type": "invalid_request_error", "message": "prompt is too long: 9 > 8"}},
     "refuse"),
    (400, {}, {"object": "error", "message": "max_tokens must be at least 1", "type": "BadRequestError", "code": 400},
     "refuse"),
    (413, {}, "Payload Too Large", "refuse"),
    (422, {}, {"detail": [{"loc": ["body", "seed"], "msg": "value is not a valid integer"}]}, "refuse"),
    (500, {}, {"error": "input length exceeds the context length"}, "refuse"),
    # the user
    (401, {}, openai("Incorrect API key provided: sk-***", "invalid_request_error", "invalid_api_key"), "stop"),
    (403, {}, openai("You are not allowed to sample from this model", "permission_error"), "stop"),
    (404, {}, openai("The model `nobody` does not exist.", "NotFoundError", "model_not_found"), "stop"),
    (404, {}, {"error": "model 'nobody' not found"}, "stop"),
    (400, {}, openai("model 'nobody' not found"), "stop"),
    (405, {}, {"detail": "Method Not Allowed"}, "stop"),
    (307, {"location": "https://elsewhere"}, "", "stop"),
    (500, {}, {"error": "model requires more system memory (9.1 GiB) than is available (2.0 GiB)"}, "stop"),
    (400, {}, {"error": {"code": 400, "status": "INVALID_ARGUMENT",
                         "message": "Budget 0 is invalid. This model only works in thinking mode."}}, "refuse"),
    (400, {}, {"type": "error", "error": {"type": "invalid_request_error", "message":
                                          "`max_tokens` must be greater than `thinking.budget_tokens`"}}, "refuse"),
    # the budget
    (400, {}, openai("Budget has been exceeded! Current cost: 11, Max budget: 10"), "break"),
    (402, {}, {"error": {"message": "Insufficient credits. Add more using https://…", "code": 402}}, "break"),
    (429, {}, openai("You exceeded your current quota, please check your plan and billing details.",
                     "insufficient_quota", "insufficient_quota"), "break"),
    (429, {"retry-after": "1"}, openai("no more", "insufficient_quota", "insufficient_quota"), "break"),
    (400, {}, {"type": "error", "error": {"type": "invalid_request_error",
                                          "message": "Your credit balance is too low to access the API."}}, "break"),
    (400, {}, openai("Billing hard limit has been reached", "invalid_request_error", "billing_hard_limit_reached"),
     "break"),
    (403, {}, openai("The account has no funds: add a payment method"), "break"),
    (429, {}, {"message": "You are using a Trial key, which is limited to 1000 API calls / month."}, "break"),
    (429, {}, GOOGLE_A_DAY, "break"),
    (429, {"retry-after": "86400"}, openai("Rate limit reached for requests per day"), "break"),
]  # fmt: skip


@pytest.mark.parametrize(("status", "headers", "body", "verdict"), CASES)
def test_what_follows_from_an_answer(status: int, headers: dict[str, str], body: Any, verdict: str) -> None:
    raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    fault = fault_of(status, headers, raw, NOW)
    assert decide(fault) == verdict, fault
    assert fault.words and "\n" not in fault.words


@pytest.mark.parametrize(
    ("kind", "verdict"),
    [
        ("unreachable", "retry"),
        ("slow", "retry"),
        ("cut off", "retry"),
        ("unreadable", "retry"),
        ("too long", "retry"),
        ("untrusted", "stop"),
        ("cut", "refuse"),
    ],
)
def test_what_follows_from_a_connection_that_failed(kind: Any, verdict: str) -> None:
    assert decide(Fault(kind, "words about credit and context length")) == verdict


@pytest.mark.parametrize(
    ("line", "verdict"),
    [
        ({"error": "an error was encountered while running the model: CUDA error"}, "retry"),
        ({"error": {"message": "EngineCore died", "type": "InternalServerError", "code": 500}}, "retry"),
        ({"error": {"message": "context length exceeded", "code": 400}}, "refuse"),
        ({"error": {"message": "You have run out of credits, see billing", "code": 402}}, "break"),
        ({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, "retry"),
    ],
)
def test_what_follows_from_an_error_in_a_stream(line: Any, verdict: str) -> None:
    assert decide(error_in_stream(line)) == verdict


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "250", "retry-after": "1"}, 0.25),
        ({"retry-after": "Thu, 28 May 2026 20:27:10 GMT"}, 30.0),
        ({"retry-after": "Thu, 28 May 2020 20:27:10 GMT"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "9" * 400}, None),
        ({"retry-after": "nan"}, None),
        ({}, None),
    ],
)
def test_the_pause_that_is_asked_for(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, NOW) == seconds


@pytest.mark.parametrize(
    ("words", "read", "context", "told"),
    [
        (300, 80, None, "it read 80 tokens of a prompt of 300 words"),
        (300, 150, None, None),  # a token may be more than a word
        (300, 0, None, None),  # it doesn't count
        (199, 5, None, None),  # too few to tell
        (20, 32, 32, "it read 32 tokens, all that its context holds"),
        (20, 31, 32, None),
    ],
)
def test_a_prompt_that_was_cut_is_found_out_by_the_counts(
    words: int, read: int, context: int | None, told: str | None
) -> None:
    request = ask("word " * words)
    if told is None:
        see_that_it_was_read(request, read, context)
        return
    with pytest.raises(ServerFault, match=told) as found:
        see_that_it_was_read(request, read, context)
    assert "longer context" in advice(found.value.fault, None)


def test_the_advice_names_what_to_set() -> None:
    def told(status: int, body: Any, variable: str | None = "MY_KEY") -> str:
        return advice(fault_of(status, {}, json.dumps(body).encode(), NOW), variable)

    assert "environment variable MY_KEY" in told(401, {})
    assert "models.<role>.api_key_env" in told(401, {}, None)
    assert "models.<role>.name" in told(404, openai("The model `x` does not exist"))
    assert "budget" in told(402, {})
    assert "smaller model" in told(500, {"error": "model requires more system memory (9 GiB) than is available"})


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"[" * 50_000, b"[[[]]]", b"null", b'{"error": null}', b"7", b"{}",
                                  b'{"error": {"message": {"a": [1]}, "code": true, "details": [{}]}}'])  # fmt: skip
def test_any_body_is_told_in_one_line(body: bytes) -> None:
    fault = fault_of(500, {}, body, NOW)
    assert decide(fault) == "retry"
    assert 0 < len(fault.words) <= 4000 and fault.words.isprintable()


def test_what_an_error_came_of_is_told_even_where_its_causes_go_in_a_circle() -> None:
    lost, wrapped, refused = RuntimeError("lost"), RuntimeError("Connection error."), ConnectionRefusedError(111, "x")
    wrapped.__cause__, lost.__cause__ = lost, wrapped  # a library that raises a kept exception anew
    assert reason_of(wrapped) == "lost"
    lost.__cause__ = refused
    assert reason_of(wrapped) == "Connection refused"

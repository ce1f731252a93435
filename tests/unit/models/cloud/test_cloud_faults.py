"""What goes wrong with a provider: it is tried again as often as it is set, by us alone, or told in one line."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from pydantic_ai.exceptions import ModelConnectionError, UserError

from agent0es.errors import ConfigurationError
from agent0es.models.base import Completion, GenerationFailed, GenerationRequest, ModelUnavailable, RequestRefused
from agent0es.models.cloud import connection
from agent0es.models.cloud.backend import CloudBackend
from agent0es.models.cloud.faults import fault_of
from agent0es.models.http.faults import decide
from agent0es.testing.models import ask
from tests.support.http_server import (
    ENDED,
    HUGE,
    NOT_UTF8,
    RESET,
    TRUNCATED,
    WRONG_TYPE,
    Fault,
    line_in_stream,
    loris,
    silent,
    status,
)
from tests.support.providers.serving import KEY
from tests.support.providers.there import VARIABLE, There, running


def error(provider: str, code: int, kind: str, message: str) -> Any:
    """An error's body in the words of each provider."""
    match provider:
        case "anthropic":
            return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}
        case "openai":
            return {"error": {"message": message, "type": kind, "param": None, "code": kind}}
        case "google":
            return {"error": {"code": code, "message": message, "status": kind}}
        case _:
            return {"id": "1", "message": message}


OVERLOADED = {
    "anthropic": (529, "overloaded_error", "Overloaded"),
    "openai": (503, "server_error", "The engine is currently overloaded, please try again later"),
    "google": (503, "UNAVAILABLE", "The model is overloaded. Please try again later."),
    "cohere": (503, "", "service unavailable"),
}
TOO_MANY = {
    "anthropic": "rate_limit_error",
    "openai": "rate_limit_exceeded",
    "google": "RESOURCE_EXHAUSTED",
    "cohere": "",
}
IN_STREAM = {
    "anthropic": b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n',
    "openai": b'data: {"error":{"message":"The server had an error","type":"server_error","code":null}}\n\n',
    "google": b'data: {"error": {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}}\n\n',
    "cohere": b'event: message-end\ndata: {"type":"message-end","delta":{"finish_reason":"ERROR","error":"gone"}}\n\n',
}

PASSING: dict[str, Callable[[There], Fault]] = {
    "too many requests": lambda there: status(
        429, error(there.provider, 429, TOO_MANY[there.provider], "Slow down"), retry_after="7"
    ),
    "overloaded": lambda there: status(
        OVERLOADED[there.provider][0], error(there.provider, *OVERLOADED[there.provider])
    ),
    "an error of the server": lambda there: status(500, {"oops": 1}),
    "a gateway's page": lambda there: status(502, "<html>Bad Gateway</html>"),
    "reset": lambda there: RESET,
    "ended": lambda there: ENDED,
    "an error in the stream": lambda there: line_in_stream(IN_STREAM[there.provider]),
    "truncated": lambda there: TRUNCATED,
    "not UTF-8": lambda there: NOT_UTF8,
    "another content type": lambda there: WRONG_TYPE,
}


def answer(backend: CloudBackend, request: GenerationRequest | None = None) -> Completion:
    async def one() -> Completion:
        try:
            [completion] = await backend.generate([request or ask()])
        finally:
            await backend.close()
        return completion

    return asyncio.run(one())


@pytest.mark.parametrize("fault", PASSING)
def test_what_may_pass_is_tried_again_and_told(there: There, fault: str) -> None:
    """Once by us, and never by the provider's library."""
    there.server.fail(PASSING[fault](there))
    completion = answer(there.backend())
    assert completion.text and len(completion.tries) == 1, completion
    [tried] = completion.tries
    assert tried.what == f"chat with {there.model}" and tried.fault and KEY not in tried.fault
    assert len(there.server.requests) == 2
    assert there.waited == [7.0] if fault == "too many requests" else len(there.waited) == 1


@pytest.mark.parametrize("fault", ["overloaded", "a gateway's page", "an error in the stream", "truncated"])
def test_what_stays_wrong_is_one_line(there: There, fault: str) -> None:
    there.server.fail(PASSING[fault](there), times=3)
    with pytest.raises(GenerationFailed) as raised:
        answer(there.backend())
    said = str(raised.value)
    assert said.startswith(f"cloud at {there.base_url}: ") and said.endswith(" (tried 3 times)")
    assert "\n" not in said and len(said) < 400 and KEY not in said
    assert len(json.loads(str(raised.value.measured["tries"]))) == len(there.server.requests) == 3


@pytest.mark.parametrize(
    ("line", "most", "words"),
    [
        (connection.LONGEST_LINE, connection.MOST_BYTES, "a line of more than 1048576 bytes"),
        (2**30, 2**18, "an answer of more than 262144 bytes"),
    ],
    ids=["line", "answer"],
)
def test_an_answer_of_100_mb_is_not_read(
    there: There, line: int, most: int, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "LONGEST_LINE", line)
    monkeypatch.setattr(connection, "MOST_BYTES", most)
    there.server.fail(HUGE)
    [tried] = answer(there.backend()).tries
    assert tried.fault.endswith(words)


def test_nobody_there(there: There) -> None:
    with there.server.refusing(), pytest.raises(GenerationFailed, match=r"no connection|[Cc]onnect") as raised:
        answer(there.backend())
    assert len(json.loads(str(raised.value.measured["tries"]))) == 3


@pytest.mark.parametrize("fault", [silent(30.0), loris(0.2)], ids=["silent", "a byte now and then"])
def test_who_is_too_slow_is_not_waited_for(there: There, fault: Fault) -> None:
    there.server.fail(fault)
    completion = answer(there.backend(first_token_seconds=0.5, whole_seconds=1.0))
    assert [tried.fault for tried in completion.tries] and completion.text


BUDGETS: dict[str, list[tuple[int, Any]]] = {
    "anthropic": [
        (
            400,
            error(
                "anthropic",
                400,
                "invalid_request_error",
                "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade.",
            ),
        ),
        (402, error("anthropic", 402, "billing_error", "There is an issue with your billing.")),
    ],
    "openai": [
        (
            429,
            error(
                "openai",
                429,
                "insufficient_quota",
                "You exceeded your current quota, please check your plan and billing details.",
            ),
        ),
        (429, error("openai", 429, "billing_hard_limit_reached", "Billing hard limit has been reached")),
    ],
    "google": [
        (
            429,
            {
                "error": {
                    "code": 429,
                    "message": "You exceeded your current quota, please check your plan and billing details.",
                    "status": "RESOURCE_EXHAUSTED",
                    "details": [
                        {
                            "@type": "type.googleapis.com/google.rpc.QuotaFailure",
                            "violations": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"}],
                        },
                        {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "38s"},
                    ],
                }
            },
        ),
        (403, error("google", 403, "PERMISSION_DENIED", "This API method requires billing to be enabled.")),
    ],
    "cohere": [
        (402, error("cohere", 402, "", "please add or update your payment method at https://dashboard.cohere.com")),
        (
            429,
            error("cohere", 429, "", "You are using a Trial key, which is limited to 1000 API calls / month."),
        ),
    ],
}


@pytest.mark.parametrize("place", [0, 1])
def test_a_budget_that_is_used_up_stops_everybody_at_once(there: There, place: int) -> None:
    code, body = BUDGETS[there.provider][place]
    there.server.fail(status(code, body))

    async def two() -> None:
        backend = there.backend()
        with pytest.raises(ModelUnavailable, match=r"add to the budget of that account|may do this"):
            await backend.generate([ask()])
        if code != 403:
            with pytest.raises(ModelUnavailable, match="add to the budget of that account"):
                await there.backend().generate([ask()])
        await backend.close()

    asyncio.run(two())
    assert len(there.server.requests) == 1, "it is asked once, and nobody asks again"


def test_google_says_when_a_minutes_quota_is_free_again() -> None:
    body = {
        "error": {
            "code": 429,
            "message": "You exceeded your current quota, please check your plan and billing details.",
            "status": "RESOURCE_EXHAUSTED",
            "details": [
                {
                    "@type": "type.googleapis.com/google.rpc.QuotaFailure",
                    "violations": [{"quotaId": "GenerateRequestsPerMinutePerProjectPerModel-FreeTier"}],
                },
                {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "38s"},
            ],
        }
    }
    with running("google") as there:
        there.server.fail(status(429, body))
        assert answer(there.backend()).tries and there.waited == [38.0]


def test_a_wrong_key_is_told_with_its_variable(there: There, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = "sk-wrong-0123456789abcdef"
    monkeypatch.setenv(VARIABLE, wrong)
    with pytest.raises(ModelUnavailable, match=f"see that the environment variable {VARIABLE} holds a key") as raised:
        answer(there.backend())
    assert wrong not in str(raised.value) and len(there.server.requests) == 1


def test_a_key_that_is_gone_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with running("anthropic") as there:
        backend = there.backend()
        monkeypatch.delenv(VARIABLE)
        with pytest.raises(ConfigurationError, match=f"the environment variable {VARIABLE} is not set"):
            answer(backend)
        assert there.waited == [] and there.server.requests == []


def test_an_answer_in_one_piece_that_does_not_come_is_too_slow() -> None:
    with running("google") as there:
        for _ in range(4):
            there.server.fail(silent(2.0))
        with pytest.raises(GenerationFailed, match=r"no answer within .* \(tried 3 times\)"):
            answer(there.backend("gemini-2.5-flash", logprobs=True, whole_seconds=0.3))


def test_a_model_that_there_is_not_is_told(there: There) -> None:
    with pytest.raises(ModelUnavailable, match=r"mend models\.<role>\.name"):
        answer(there.backend("no-such-model"))
    assert len(there.server.requests) == 1


def test_a_prompt_that_is_too_long_is_refused_and_not_cut(there: There) -> None:
    with pytest.raises(RequestRefused):
        answer(there.backend(), ask("word " * 1_100_000))
    assert len(there.server.requests) == 1


def test_what_no_other_try_would_mend_is_not_tried_again() -> None:
    untrusted = ModelConnectionError("m", "Connection error.", phase="connect")
    untrusted.__cause__ = OSError("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed")
    assert decide(fault_of(untrusted)) == "stop"
    assert decide(fault_of(UserError("JSON output is not supported by this model."))) == "refuse"
    assert decide(fault_of(ValueError("no JSON"))) == "retry"

"""What is special about what goes wrong with a provider; the rest is in the table of `test_server_faults.py`."""

import asyncio
import json

import pytest
from pydantic_ai.exceptions import ModelConnectionError, UserError

from agent0es.errors import ConfigurationError
from agent0es.models.base import Completion, GenerationFailed, GenerationRequest, ModelUnavailable
from agent0es.models.cloud import connection
from agent0es.models.cloud.backend import CloudBackend
from agent0es.models.cloud.faults import fault_of
from agent0es.models.http.faults import decide
from agent0es.testing.models import ask
from tests.support.fault_forms import of_anthropic, of_cohere, of_google, of_openai
from tests.support.http_server import HUGE, silent, status
from tests.support.providers.serving import KEY
from tests.support.providers.there import VARIABLE, There, running


def answer(backend: CloudBackend, request: GenerationRequest | None = None) -> Completion:
    async def one() -> Completion:
        try:
            [completion] = await backend.generate([request or ask()])
        finally:
            await backend.close()
        return completion

    return asyncio.run(one())


def test_a_page_of_a_gateway_is_told_in_one_line(there: There) -> None:
    """It is tried as often as is set, by us, and never by the provider's library."""
    there.server.fail(status(502, "<html>Bad Gateway</html>"), times=3)
    with pytest.raises(GenerationFailed) as raised:
        answer(there.backend())
    said = str(raised.value)
    assert said.startswith(f"cloud at {there.base_url}: ") and said.endswith(" (tried 3 times)")
    assert "\n" not in said and len(said) < 400 and KEY not in said
    assert len(json.loads(str(raised.value.measured["tries"]))) == len(there.server.requests) == 3


def test_an_answer_without_end_is_not_read_to_its_end(there: There, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "LONGEST_LINE", 2**30)
    monkeypatch.setattr(connection, "MOST_BYTES", 2**18)
    there.server.fail(HUGE)
    [tried] = answer(there.backend()).tries
    assert tried.fault == "an answer of more than 262144 bytes"


BUDGETS = {
    "anthropic": status(
        400,
        of_anthropic(
            "invalid_request_error",
            "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade.",
        ),
    ),
    "openai": status(
        429,
        of_openai("Billing hard limit has been reached", "billing_hard_limit_reached", "billing_hard_limit_reached"),
    ),
    "google": status(403, of_google(403, "PERMISSION_DENIED", "This API method requires billing to be enabled.")),
    "cohere": status(429, of_cohere("You are using a Trial key, which is limited to 1000 API calls / month.")),
}
"""Other words than those of `tests/support/fault_forms.py`."""


def test_a_budget_that_is_used_up_stops_everybody_at_once(there: There) -> None:
    there.server.fail(BUDGETS[there.provider])

    async def two() -> None:
        backend = there.backend()
        with pytest.raises(ModelUnavailable, match=r"add to the budget of that account|may do this"):
            await backend.generate([ask()])
        with pytest.raises(ModelUnavailable, match=r"add to the budget of that account|may do this"):
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


def test_what_no_other_try_would_mend_is_not_tried_again() -> None:
    untrusted = ModelConnectionError("m", "Connection error.", phase="connect")
    untrusted.__cause__ = OSError("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed")
    assert decide(fault_of(untrusted)) == "stop"
    assert decide(fault_of(UserError("JSON output is not supported by this model."))) == "refuse"
    assert decide(fault_of(ValueError("no JSON"))) == "retry"

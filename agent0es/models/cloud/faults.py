"""What pydantic-ai raises, as a fault of the server: what follows from it is decided where all faults are."""

import json

from pydantic_ai.exceptions import (
    ModelAPIError,
    ModelAuthenticationError,
    ModelConnectionError,
    ModelContextWindowExceededError,
    ModelHTTPError,
    ModelQuotaExceededError,
    ModelRequestTimeout,
    ModelTimeoutError,
    UserError,
)

from agent0es.models.http.faults import Fault, ServerFault, causes_of, reason_of, said_by

NO_BUDGET, TOO_LONG = "quota_exhausted", "context_length_exceeded"
"""Words that `http/faults.py` knows, for what pydantic-ai tells by a class."""


def fault_of(error: Exception) -> Fault:
    """The fault behind whatever a provider's library or pydantic-ai raised. What it says is hostile."""
    said, causes = reason_of(error), list(causes_of(error))
    for cause in causes:
        if isinstance(cause, ServerFault):  # ours, from within the connection
            return cause.fault
    match error:
        case ModelRequestTimeout():
            return Fault("slow", f"no answer within {error.timeout:g} s")
        case TimeoutError():
            return Fault("slow", "no answer within the time for a whole one")
        case ModelHTTPError():
            return _of_status(error)
        case _ if any(isinstance(cause, json.JSONDecodeError) for cause in causes):
            return Fault("unreadable", f"no JSON ({said})")
        case ModelConnectionError() if "CERTIFICATE" in said.upper():
            return Fault("untrusted", f"its certificate is not trusted ({said})")
        case ModelConnectionError() if error.phase in ("connect", "pool"):
            return Fault("unreachable", f"no connection ({said})")
        case ModelTimeoutError():
            return Fault("slow", f"nothing came in time ({said})")
        case ModelConnectionError():
            return Fault("cut off", f"the connection ended within the answer ({said})")
        case ModelAPIError() if error.body is not None or error.provider_error_type or error.in_stream:
            words, code, status = said_by(_json(error.body))
            return Fault("in stream", words, status, " ".join((code, *_categories(error))).strip())
        case UserError():  # pydantic-ai itself does not ask for such a thing
            return Fault("status", said, 400)
        case _:
            return Fault("unreadable", f"{type(error).__name__}: {said}")


def _of_status(error: ModelHTTPError) -> Fault:
    words, code, _ = said_by(_json(error.body))
    # Google answers 400 to a wrong key.
    status = 401 if isinstance(error, ModelAuthenticationError) and error.status_code == 400 else error.status_code
    code = " ".join((code, *_categories(error))).strip()
    return Fault("in stream" if error.in_stream else "status", words, status, code, error.retry_after)


def _categories(error: ModelAPIError) -> list[str]:
    found = [NO_BUDGET] if isinstance(error, ModelQuotaExceededError) else []
    return [*found, *([TOO_LONG] if isinstance(error, ModelContextWindowExceededError) else [])]


def _json(body: object) -> bytes:
    """A body as the server sent it: pydantic-ai gives it parsed, or as a text where it is no JSON."""
    if isinstance(body, str):
        return body.encode("utf-8", "replace")
    return json.dumps(body, default=str).encode()

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

from agent0es.models.http.faults import Fault, said_by

NO_BUDGET, TOO_LONG = "quota_exhausted", "context_length_exceeded"
"""Words that `http/faults.py` knows, for what pydantic-ai tells by a class."""
DEEPEST = 8
"""Causes of causes that are looked at."""


def fault_of(error: Exception) -> Fault:
    """The fault behind whatever a provider's library or pydantic-ai raised. What it says is hostile."""
    match error:
        case ModelRequestTimeout():
            return Fault("slow", f"no answer within {error.timeout:g} s")
        case TimeoutError():
            return Fault("slow", "no answer within the time for a whole one")
        case ModelHTTPError():
            return _of_status(error)
        case ModelConnectionError() if "CERTIFICATE" in _words(error).upper():
            return Fault("untrusted", f"its certificate is not trusted ({_words(error)})")
        case ModelTimeoutError():
            return Fault("unreachable" if error.phase in ("connect", "pool") else "slow", _words(error))
        case ModelConnectionError():
            return Fault("unreachable" if error.phase in ("connect", "pool") else "cut off", _words(error))
        case ModelAPIError() if error.body is not None or error.provider_error_type or error.in_stream:
            words, code, status = said_by(_json(error.body))
            return Fault("in stream", words, status, " ".join((code, *_categories(error))).strip())
        case UserError():  # pydantic-ai itself does not ask for such a thing
            return Fault("status", _words(error), 400)
        case _:
            return Fault("unreadable", f"{type(error).__name__}: {_words(error)}")


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


def _words(error: BaseException) -> str:
    """What the first cause of an exception says: libraries wrap it in `Connection error.`"""
    said, found = str(error).strip() or type(error).__name__, error.__cause__
    for _ in range(DEEPEST):
        if found is None:
            break
        said, found = str(found).strip() or said, found.__cause__
    return said

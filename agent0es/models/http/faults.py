"""What can go wrong with a server, and what follows from it. Pure.

A fault is retried where another try may help; a request is refused where the server can't answer it as it is; the run
stops where the user must do something, and all who ask that server are stopped where the same would befall them.
"""

import email.utils
import os
import re
import ssl
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from agent0es.domain.text import one_line
from agent0es.models.http.reading import parse

LONGEST_WORDS = 4000
"""Characters of what a server says that are looked at. It is shortened for people once secrets are out of it: half a
key would not be known as one."""
LONGEST_WAIT = 120.0
"""Seconds. A server that asks for a longer pause is not waited for."""
GAVE_UP_WAITING = (408, 504, 524)
"""Statuses of a server that waited in vain for another."""

Kind = Literal["unreachable", "untrusted", "slow", "cut off", "unreadable", "too long", "status", "in stream", "cut"]
Verdict = Literal["retry", "refuse", "stop", "break"]
"""Try again; the request can't be answered as it is; the user must act; so must they for all who ask that server."""


@dataclass(frozen=True, slots=True)
class Fault:
    """How a try failed."""

    kind: Kind
    """unreachable: no connection; untrusted: its certificate; slow: a time limit; cut off: the connection ended within
    the answer; unreadable: not what the protocol says; too long: beyond the bound on what is read; status: an HTTP
    status that is none of success; in stream: an error told after HTTP 200; cut: the prompt was not read to its end."""
    words: str
    """What happened, for people; where the server says it, hostile."""
    status: int | None = None
    """The HTTP status, or the one that an error in a stream gives."""
    code: str = ""
    """The server's own words for programs, such as `insufficient_quota`: type, code and status of the error, joined."""
    retry_after: float | None = None
    """Seconds of pause that the server asks for."""


class ServerFault(Exception):
    """A fault, on its way to where it is decided what follows."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.words)
        self.fault = fault


_NO_BUDGET_CODES = re.compile(
    r"insufficient_quota|insufficient_(credits?|funds|balance)|billing|payment_required|credit_balance|quota_exhausted"
    r"|PerDay|per_day|budget_exceeded|spend_limit"
)
_NO_BUDGET = re.compile(
    r"billing|credit balance|out of credits|insufficient (credits?|funds|balance|quota)|exceeded your current quota"
    r"|payment|budget (has been )?exceeded|exceed(s|ed)?( your| the)? budget|over budget|spend(ing)? limit|purchase"
    r"|trial key|usage limit",
    re.IGNORECASE,
)
"""A budget alone may be one of tokens, such as Google's and Anthropic's for thinking."""
_TOO_LONG = re.compile(
    r"context[ _]?(length|size|window)|exceed_context|context_length_exceeded|maximum context|max_model_len"
    r"|(prompt|input|request)( is)? too (long|large)|too many (input )?tokens"
    r"|exceeds? the (limit|maximum|context|available)|longer than the (maximum|model)|num_ctx",
    re.IGNORECASE,
)
_NO_MEMORY = re.compile(r"requires more system memory|more (memory|vram) than", re.IGNORECASE)
_NO_MODEL = re.compile(
    r"model[ _'\"`\S]{0,80} ?(not[ _]found|does not exist)|unknown model|no such model|model is not loaded",
    re.IGNORECASE,
)
_LOADING = re.compile(r"loading (the )?model|model is (still )?(being loaded|loading)", re.IGNORECASE)


def decide(fault: Fault) -> Verdict:
    """What follows from a fault."""
    if fault.kind == "untrusted":
        return "stop"
    if fault.kind == "cut":
        return "refuse"
    if fault.kind not in ("status", "in stream"):
        return "retry"
    status, said = fault.status, f"{fault.code} {fault.words}"
    if status == 402 or _NO_BUDGET_CODES.search(fault.code):
        return "break"
    if fault.retry_after is not None and status in (429, 503):
        return "retry" if fault.retry_after <= LONGEST_WAIT else "break"
    if status in (None, 400, 403, 429) and _NO_BUDGET.search(said):
        return "break"
    if status in (None, 400, 413, 422, 500) and _TOO_LONG.search(said):
        return "refuse"
    if _NO_MEMORY.search(said):
        return "stop"
    if status in (None, 408, 409, 425, 429) or (status >= 500 and status != 501):
        return "retry"
    if status in (400, 413, 422):
        return "stop" if _NO_MODEL.search(said) else "refuse"
    return "stop"


def may_be_charged(fault: Fault) -> bool:
    """Whether a model may have read the prompt of a request that met this fault, and its server charge for that. One
    that refuses with a status has asked no model, unless it only gave up waiting for it."""
    if fault.kind in ("unreachable", "untrusted"):
        return False
    return fault.kind != "status" or fault.status in GAVE_UP_WAITING


def is_loading(fault: Fault) -> bool:
    """Whether the server is there, and answers as soon as it has loaded its model: llama-server says so."""
    return fault.status == 503 and _LOADING.search(fault.words) is not None


def is_not_loaded(fault: Fault) -> bool:
    """Whether the server knows the model, but loads none by itself (`llama-server --no-models-autoload`)."""
    return fault.status == 400 and "model is not loaded" in fault.words


def advice(fault: Fault, variable: str | None) -> str:
    """What the user can do about a fault that ends the asking; `variable` is the one with the key."""
    said = f"{fault.code} {fault.words}"
    if is_loading(fault):
        return "it is loading its model: wait until it has, and try again"
    if is_not_loaded(fault):
        return "load it there, or start the server without --no-models-autoload"
    if fault.kind == "untrusted":
        return "name its certificate in the environment variable SSL_CERT_FILE, or mend models.<role>.base_url"
    if fault.kind == "cut":
        return "give it a longer context, or choose a model that has one"
    if fault.kind == "unreachable":
        return "start the server, or mend models.<role>.base_url"
    if fault.kind == "unreadable":
        return "see the server's own log, or mend models.<role>.base_url"
    if fault.kind == "slow":
        return "see what keeps the server busy, or raise first_token_seconds or whole_seconds in models.<role>.options"
    if fault.retry_after is not None and fault.retry_after > LONGEST_WAIT:
        return "wait that long, or ask another server"
    if fault.status == 402 or _NO_BUDGET.search(said) or _NO_BUDGET_CODES.search(fault.code):
        return "nothing is sent to it any more; add to the budget of that account, or use another key"
    if fault.status in (401, 403):
        if variable is None:
            return "set models.<role>.api_key_env to the name of the environment variable that holds your key"
        return f"see that the environment variable {variable} holds a key that may do this"
    if fault.status is not None and 300 <= fault.status < 400:
        return "set models.<role>.base_url to where it is now"
    if fault.status == 404 or _NO_MODEL.search(said):
        return "mend models.<role>.name, or models.<role>.base_url"
    if _NO_MEMORY.search(said):
        return "choose a smaller model, or one with fewer bits"
    if fault.status == 429:
        return "ask less: set requests_per_minute or tokens_per_minute in models.<role>.options"
    return "see the server's own log"


def fault_of(status: int, headers: Mapping[str, str], body: bytes, now: float | None = None) -> Fault:
    """The fault of an answer with an HTTP status that is none of success. `now` is the Unix time."""
    words, code, _ = said_by(body)
    if 300 <= status < 400:
        words = "it sends to another address"
    asked = retry_after(headers, time.time() if now is None else now)
    return Fault("status", words, status, code, asked if asked is not None else _delay_in(body))


def error_in_stream(error: Any) -> Fault:
    """The fault of an error that a server tells after HTTP 200: its JSON, whole."""
    words, code, status = _read(error)
    return Fault("in stream", words, status, code)


def said_by(body: bytes) -> tuple[str, str, int | None]:
    """(words, code, status) of an error's body, in any of the forms that servers give it."""
    try:
        return _read(parse(body))
    except ValueError:
        text = one_line(re.sub(r"<[^<>]*>", " ", body.decode(errors="replace")), LONGEST_WORDS)
        return text or "it does not say why", "", None


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds of pause that an answer's headers ask for: `Retry-After` as a number or a date, or in milliseconds."""
    for name, each in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        value = headers.get(name, "").strip()
        if re.fullmatch(r"\d{1,9}(\.\d{1,9})?", value):
            return float(value) * each
        if value:
            try:
                return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - now)
            except (ValueError, TypeError, OverflowError, IndexError):
                continue
    return None


def _delay_in(body: bytes) -> float | None:
    """Google's `RetryInfo`."""
    found = re.search(rb'"retryDelay"\s*:\s*"(\d{1,6}(?:\.\d{1,9})?)s"', body)
    return float(found[1]) if found else None


def _read(value: Any) -> tuple[str, str, int | None]:
    if isinstance(value, list) and value:  # Google's, of a stream
        value = value[0]
    if not isinstance(value, dict):
        return one_line(str(value), LONGEST_WORDS) or "it does not say why", "", None
    inner = value.get("error", value)
    if isinstance(inner, str) and inner.startswith('{"error"'):  # one server's error within another's
        try:
            return _read(parse(inner))
        except ValueError:
            pass
    if not isinstance(inner, dict):
        inner = {"message": inner}
    words = next((inner[key] for key in ("message", "detail", "error", "msg") if inner.get(key)), "it does not say why")
    codes = [inner.get(key) for key in ("type", "code", "status")] + [_quotas(inner.get("details"))]
    status = next((code for code in codes if isinstance(code, int) and 400 <= code < 600), None)
    code = " ".join(code for code in codes if isinstance(code, str) and code)
    return one_line(str(words), LONGEST_WORDS), one_line(code, LONGEST_WORDS), status


def _quotas(details: Any) -> str:
    """Google's `QuotaFailure`: which quota it was."""
    return (
        " ".join(re.findall(r"'quotaId': '([\w-]{1,200})'", str(details)[:5000])) if isinstance(details, list) else ""
    )


def why_not_read(headers: Mapping[str, str], types: Sequence[str] | None) -> str | None:
    """Why an answer with these headers is not read: its content type is none of these, or it is compressed, and may
    become a thousand times as long as what was counted. None where it is read; None for `types` takes all."""
    if headers.get("content-encoding", "identity").strip().lower() not in ("identity", ""):
        return "a compressed answer, which was not asked for"
    said = headers.get("content-type", "").partition(";")[0].strip().lower()
    if types is None or said in types:
        return None
    return f"{one_line(said, 60) or 'no content type'} came where {types[0]} was asked for; is that the right address?"


def no_json(error: ValueError) -> str:
    """What is said of an answer that can't be read."""
    return f"no JSON in UTF-8 ({one_line(str(error), 80)})"


def reason_of(error: BaseException) -> str:
    """What the machine says of a failed connection, e.g. `Connection refused`; else the words of what it came of, which
    libraries wrap in their own. Hostile."""
    for inner in causes_of(error, contexts=True):
        if isinstance(inner, OSError) and inner.strerror and not isinstance(inner, ssl.SSLError):
            number = inner.errno or 0  # below 0 where a name was looked up
            return os.strerror(number) if number > 0 else inner.strerror
    words = [said for cause in causes_of(error) if (said := str(cause).strip())]
    return words[-1] if words else type(error).__name__


def causes_of(error: BaseException, *, contexts: bool = False) -> Iterator[BaseException]:
    """It, and what it came of, each once: a library that raises a kept exception anew can make a circle of them.
    `contexts` follows what was being handled and the first of a group, too."""
    seen: set[int] = set()
    inner: BaseException | None = error
    while inner is not None and id(inner) not in seen:
        seen.add(id(inner))
        yield inner
        first = inner.exceptions[0] if contexts and isinstance(inner, BaseExceptionGroup) else None
        inner = first or inner.__cause__ or (inner.__context__ if contexts else None)

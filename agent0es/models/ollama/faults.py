"""What went wrong, in one line that says what to do. Pure.

What a server says is hostile: it is shown in one line, shortened.
"""

import json
import os
import re

from agent0es.domain.text import one_line
from agent0es.errors import Agent0Error, ConfigurationError, ModelNotFound
from agent0es.models.base import GenerationFailed, RequestRefused

PORT = 11434
TOO_LONG = re.compile(
    r"exceed_context_size_error|exceeds the (available )?context|longer than the context|input after truncation exceeds"
)
NO_MEMORY = re.compile(r"more system memory|out of memory|resource limitations|failed to allocate", re.IGNORECASE)


def address_of(base_url: str | None) -> str:
    """Where the server is: what was set, or as `OLLAMA_HOST` says to Ollama's own commands, or this machine.

    Raises ConfigurationError for a password in it.
    """
    if base_url is not None:
        return base_url.rstrip("/").removesuffix("/v1")
    host = os.environ.get("OLLAMA_HOST", "").strip() or "127.0.0.1"
    if "@" in host:
        raise ConfigurationError("OLLAMA_HOST must be without user and password; set models.<role>.api_key_env instead")
    scheme, _, rest = host.rpartition("://")
    name, slash, path = rest.partition("/")
    name = name.replace("0.0.0.0", "127.0.0.1")  # where a server listens, and nobody can ask
    if not re.search(r":\d+$", name):
        name += {"http": ":80", "https": ":443"}.get(scheme, f":{PORT}")
    return f"{scheme or 'http'}://{name}{slash}{path}".rstrip("/")


def nobody_there(address: str) -> str:
    """Nothing listens."""
    advice = f"start it with `ollama serve` (its port is {PORT}), or set models.<role>.base_url"
    return f"no Ollama answers at {address}: {advice}"


def message_of(body: str) -> str:
    """What an error says: Ollama's `{"error": …}`, in which there may be one of llama.cpp's server."""
    for _ in range(3):
        try:
            found = json.loads(body)
        except ValueError:
            break
        error = found.get("error") if isinstance(found, dict) else None
        if isinstance(error, dict):
            error = error.get("message")
        if not isinstance(error, str):
            break
        body = error
    return body


def fault_of(status: int | None, said: str, model: str, context: int | None = None) -> Agent0Error:
    """What an error means that the server answered to a question to `model`; no status: it came in mid-stream."""
    message = one_line(message_of(said)) or f"status {status}"
    if status == 404 or (status is None and message.endswith("not found")):
        if "model" in message:
            return ModelNotFound(f"Ollama has no model {model}: fetch it with `ollama pull {model}`")
        return ModelNotFound(f"what answers is no Ollama ({message}): set models.<role>.base_url to its address")
    if TOO_LONG.search(said):
        return RequestRefused(
            f"the prompt is longer than the {context or 'few'} tokens of {model}'s context: set "
            f"models.<role>.options.num_ctx higher ({message})"
        )
    if NO_MEMORY.search(message):
        return GenerationFailed(
            f"Ollama has too little memory for {model} ({message}): choose a smaller model or quantization, or set "
            "models.<role>.options.num_ctx lower"
        )
    if status == 503:
        return GenerationFailed(f"Ollama's queue is full ({message}): ask for less at once, or set OLLAMA_MAX_QUEUE")
    if status is not None and 400 <= status < 500 and status not in (408, 429):
        return RequestRefused(f"Ollama refuses what {model} is asked: {message}")
    return GenerationFailed(f"Ollama failed while {model} answered: {message}")

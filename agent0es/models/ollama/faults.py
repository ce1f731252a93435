"""Where a server is, and what to do when something is wrong with it, in Ollama's own words. Pure."""

import os
import re

from agent0es.errors import ConfigurationError
from agent0es.models.http import Fault

PORT = 11434
_TOO_LONG = re.compile(r"context|input after truncation")
_NO_MEMORY = re.compile(r"more system memory|out of memory|resource limitations|failed to allocate", re.IGNORECASE)


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


def remedy(fault: Fault) -> str | None:
    """What to do about a fault, where Ollama has an answer of its own."""
    if fault.kind == "unreachable":
        return f"is Ollama running? Start it with `ollama serve` (its port is {PORT}), or set models.<role>.base_url"
    if fault.status in (None, 400, 500) and _TOO_LONG.search(fault.words):
        return "set models.<role>.options.num_ctx higher, as far as the model and the memory go"
    if _NO_MEMORY.search(fault.words):
        return "choose a smaller model or quantization, or set models.<role>.options.num_ctx lower"
    if fault.status == 503:
        return "let less be asked at once (execution.tasks_in_flight), or set OLLAMA_MAX_QUEUE for the server"
    if fault.status in (404, 405):
        return "what answers there may be no Ollama: see that models.<role>.base_url is its address"
    return None

"""Keys of services: how they look, and the variables that hold them instead. `models/http/keys.py` reads those."""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from agent0es.configuration.secrets import FROM_VARIABLE, MASK, is_secret, url_without_secrets

KeyPath = tuple[str, ...]

SHAPES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(rf"(?<![A-Za-z0-9])(?:{shape})", re.ASCII), variable)
    for shape, variable in (
        (r"sk-ant-[\w-]{8,}", "ANTHROPIC_API_KEY"),
        (r"sk-or-[\w-]{8,}", "OPENROUTER_API_KEY"),
        (r"sk-[\w-]{8,}", "OPENAI_API_KEY"),
        (r"AIza[\w-]{20,}|AQ\.[\w-]{20,}", "GOOGLE_API_KEY"),
        (r"hf_[A-Za-z0-9]{16,}", "HF_TOKEN"),
        (r"gsk_[A-Za-z0-9]{16,}", "GROQ_API_KEY"),
        (r"xai-[\w-]{16,}", "XAI_API_KEY"),
        (r"nvapi-[\w-]{16,}", "NVIDIA_API_KEY"),
        (r"pplx-[A-Za-z0-9]{16,}", "PERPLEXITY_API_KEY"),
        (r"r8_[A-Za-z0-9]{16,}", "REPLICATE_API_TOKEN"),
        (r"(?:gh[pousr]|github_pat|glpat|xox[abprs])[_-][\w-]{16,}", ""),
        (r"(?:AKIA|ASIA)[A-Z0-9]{16}", "AWS_ACCESS_KEY_ID"),
        (r"eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*", ""),
        (r"(?i:bearer|basic)\s+[\w.+/=~-]{8,}", ""),
    )
)
"""How keys begin, and the variable in which their owners' libraries look for them; empty: no usual one."""
LONG_WORD = re.compile(r"[A-Za-z0-9_+=-]{24,}", re.ASCII)
LETTERS_AND_DIGITS = re.compile(r"[A-Z]|[a-z]|[0-9]")
LEAST_CHANGES = 0.4
"""Share of the places in a long word at which capitals, small letters and digits take turns. By chance it is 0.62; in
names that people give it is less."""
LEAST_PART = 10
"""Characters for each `-`, `_`, `+` or `=` in a random word; names of models have more of those."""
HEXADECIMAL = re.compile(r"[0-9a-fA-F]{32,}")
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


class Found(NamedTuple):
    """Something like a key in a configuration."""

    path: KeyPath
    variable: str | None
    """In which the libraries of that service look for it; None where its shape doesn't tell."""
    masked: bool
    """Whether the log has `***` instead, so that the environment may set it."""


def looks_like_a_key(text: str) -> bool:
    """Whether a text is or holds a key by its shape: `sk-…`, `Bearer …`, a long random word. Not a hash in hexadecimal:
    revisions of models are such."""
    return any(shape.search(text) for shape, _ in SHAPES) or any(map(_is_random, LONG_WORD.findall(text)))


def keys_in(value: Any, path: KeyPath = (), secret: bool = False) -> Iterator[Found]:
    """What looks like a key in settings, or stands under a name that says so; `secret`: this one does."""
    match value:
        case dict():
            for name, inner in value.items():
                yield from keys_in(inner, (*path, str(name)), secret or is_secret(str(name)))
        case list() | tuple():
            for place, inner in enumerate(value):
                yield from keys_in(inner, (*path, str(place)), secret)
        case str() if path and path[-1].endswith(FROM_VARIABLE):
            if is_secret(path[-1].removesuffix(FROM_VARIABLE)) and not _is_variable(value):
                yield Found(path, _variable_for(value), masked=False)
        case str() if value and value != MASK:
            if secret or url_without_secrets(value) != value:
                yield Found(path, _variable_for(value), masked=True)
            elif looks_like_a_key(value):
                yield Found(path, _variable_for(value), masked=False)
        case int() | float() if secret and not isinstance(value, bool):
            yield Found(path, None, masked=True)


def checked_url(url: str) -> str:
    """The address of a server without a slash at its end. Raises ValueError that says what it must be, without it."""
    try:
        parts = urlsplit(url)
        host, user = parts.hostname, parts.username or parts.password
        _ = parts.port  # which is a number from 0 to 65535
    except ValueError:
        host, user, parts = None, None, urlsplit("")
    if user or "@" in parts.netloc:
        raise ValueError("must be without user and password; name the variable that holds a key in api_key_env")
    if parts.scheme not in ("http", "https") or not host or not url.isprintable() or " " in url:
        raise ValueError("must be a URL such as http://localhost:8000/v1")
    if parts.query or parts.fragment:
        raise ValueError("must end with its path, without ? and #")
    return url.rstrip("/")


def checked_variable(name: str) -> str:
    """The name of an environment variable. Raises ValueError for what is none, or looks like a key, without it."""
    if not _is_variable(name):
        raise ValueError("must be the name of an environment variable, e.g. OPENAI_API_KEY")
    return name


def _is_variable(name: str) -> bool:
    return bool(VARIABLE.fullmatch(name)) and not looks_like_a_key(name) and not HEXADECIMAL.fullmatch(name)


def _is_random(word: str) -> bool:
    kinds = [("a" if c.islower() else "A" if c.isupper() else "0") for c in LETTERS_AND_DIGITS.findall(word)]
    changes = sum(one != two for one, two in pairwise(kinds))
    joints = len(word) - len(kinds)
    return len(set(kinds)) == 3 and changes > LEAST_CHANGES * len(kinds) and LEAST_PART * joints <= len(word)


def _variable_for(text: str) -> str | None:
    return next((variable for shape, variable in SHAPES if shape.search(text)), None) or None

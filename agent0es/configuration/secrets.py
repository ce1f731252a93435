"""Secrets among the settings: how names tell them, how they are kept out of what is written, and found again.

A secret is a text under a key that names one (`api_key`, `password`, `auth_token`, `Authorization`, …), at any depth
of `models.*.options`; so is the password in a URL, and a parameter of its query with such a name. It comes from the
environment: from the variable that `<key>_env` names, or from the one that sets the key
(`AGENT0ES_MODELS__STUDENT__OPTIONS__API_KEY`). In a file or an option of the command line it is refused, and so is
what looks like a key under any other name (`configuration/keys.py`). The log and the screen get `***` instead.
"""

import base64
import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus, unquote, unquote_plus

from agent0es.errors import ConfigurationError

MASK = "***"
ENVIRONMENT_PREFIX = "AGENT0ES_"
FROM_VARIABLE = "_env"
"""Ends a key whose value is the name of the environment variable with the secret."""
FROM_FILE = "_FILE"
"""Ends the name of a variable that names a file with the secret, as containers hand them over."""
LEAST_SECRET, SURE_SECRET = 8, 16
"""Characters. A shorter value of the environment may be part of ordinary words, and is left; from the second length on
a secret is found wherever it stands, else only between letters that are none of a word."""
LONGEST_SECRET = 16_384

_SECRET_WORDS = frozenset(
    """password passwd pwd passphrase secret secrets credential credentials authorization bearer cookie cookies
    accesskey secretkey privatekey accesstoken authtoken signature sig""".split()
)
_KEYS = frozenset("api access secret private auth account subscription signing encryption master service".split())
"""Words before `key` that make a secret of it."""
_TOKENS = frozenset("eos bos pad unk sep cls mask stop end start special think eot eom image fill per".split())
"""Words before `token` that make it a piece of text, not a secret."""

_SECRET_PARTS = ("password", "passwd", "apikey")
"""Parts of a word that make a secret of it: `sslpassword`."""
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_URL_IN_TEXT = re.compile(_URL.pattern + r"[^\s'\"<>`]+")


def is_secret(key: str) -> bool:
    """Whether a key names a secret: `api_key`, `X-API-Key`, `authToken`, `key`; not `max_tokens`, `eos_token`."""
    if key.endswith(FROM_VARIABLE):
        return False
    words = [word.lower() for word in _WORD.findall(key)]
    if words == ["key"] or _SECRET_WORDS & set(words) or any(part in key.lower() for part in _SECRET_PARTS):
        return True
    for before, word in zip(["", *words], words, strict=False):
        if word in ("key", "keys") and before in _KEYS:
            return True
        if word == "token" and before not in _TOKENS and word == words[-1]:
            return True
        if word == "tokens" and before in ("access", "auth", "api", "bearer", "refresh"):
            return True
    return False


def without_secrets(value: Any, key: str = "") -> Any:
    """The value with `***` for each secret in it; `key` is the key of the value."""
    match value:
        case dict():
            return {name: without_secrets(inner, _inner_key(key, str(name))) for name, inner in value.items()}
        case list() | tuple():
            return [without_secrets(inner, key) for inner in value]
        case str() if value and is_secret(key):
            return MASK
        case str():
            return url_without_secrets(value)
        case int() | float() if is_secret(key) and not isinstance(value, bool):
            return MASK
        case _:
            return value


def url_without_secrets(text: str, mask: str = MASK) -> str:
    """The text; if it is a URL, with the mask for its password and for secrets in its query.

    With an empty mask they are left out.
    """
    if not (scheme := _URL.match(text)):
        return text
    begin, rest = text[: scheme.end()], text[scheme.end() :]
    authority = re.split("[/?#]", rest, maxsplit=1)[0]
    end = authority.rfind("@")
    if end < 0 and not begin.lower().startswith(("http", "ws")):
        end = rest.find("@")  # SQLAlchemy takes passwords in which these characters are not escaped
    user, colon, password = rest[: max(end, 0)].partition(":")
    if password:
        rest = user + (colon + mask if mask else "") + rest[end:]
    where, question, query = rest.partition("?")
    query, sharp, fragment = query.partition("#")
    pairs = [(pair, is_secret(unquote_plus(pair.partition("=")[0]))) for pair in query.split("&")]
    kept = [f"{pair.partition('=')[0]}={mask}" if secret else pair for pair, secret in pairs if mask or not secret]
    return begin + where + (question if kept else "") + "&".join(kept) + sharp + fragment


_FOLDERS = ("PWD", "OLDPWD")
"""Variables in which a shell keeps folders, whatever their names look like."""

_keys_in: set[str] = set()
"""Variables that a configuration names, and from which a key was read: their names need not tell."""


def key_is_in(variable: str) -> None:
    """Remember that a variable of the environment, or the file that `<variable>_FILE` names, holds a key."""
    _keys_in.add(variable)


def known_secrets(environment: Mapping[str, str] | None = None) -> set[str]:
    """The secrets that this process knows: values of variables whose names say so, or from which a key was read, and
    what is in the files that such variables name."""
    chosen = os.environ if environment is None else environment
    found = set()
    for name, value in chosen.items():
        if name in _keys_in or (is_secret(name) and name not in _FOLDERS):
            found.add(value.strip())
        stem = name.removesuffix(FROM_FILE)
        if stem != name and (stem in _keys_in or is_secret(stem)):
            try:
                with Path(value).open(encoding="utf-8") as file:
                    found.add(file.read(LONGEST_SECRET).strip())
            except (OSError, ValueError):
                continue  # what can't be read was sent to nobody
    return {secret for secret in found if len(secret) >= LEAST_SECRET and not _URL.match(secret)}


def text_without_secrets(text: str, secrets: Iterable[str] = ()) -> str:
    """A text of any kind, such as an error's message, with `***` for the secrets that this process knows and for these,
    as they are or as URLs, headers and JSON write them, and for those of each URL in it."""
    forms = {form for secret in known_secrets().union(secrets) if secret for form in _forms(secret)}
    for form in sorted(forms, key=len, reverse=True):
        if len(form) >= SURE_SECRET or not form.isalnum():
            text = text.replace(form, MASK)
        else:
            text = re.sub(rf"(?<![A-Za-z0-9]){re.escape(form)}(?![A-Za-z0-9])", MASK, text)
    return _URL_IN_TEXT.sub(lambda url: url_without_secrets(url[0]), text)


def _forms(secret: str) -> set[str]:
    encoded = base64.b64encode(secret.encode()).decode().rstrip("=")
    quoted = {quote(secret), quote(secret, safe=""), quote_plus(secret), unquote(secret)}
    return {secret, *quoted, encoded, json.dumps(secret)[1:-1], repr(secret)[1:-1]}


def with_secrets(
    options: Mapping[str, Any], where: str, environment: Mapping[str, str], outer: str = ""
) -> dict[str, Any]:
    """The options with their secrets in them, as a backend takes them.

    `<key>_env: NAME` becomes `<key>` with that variable's value, and what is masked is read from the variable that sets
    it. `where` is the dotted path of the options, `outer` the key that they are under. Raises ConfigurationError that
    names the variable that is not set.
    """
    found: dict[str, Any] = {}
    for name, value in options.items():
        path = f"{where}.{name}"
        stem = name.removesuffix(FROM_VARIABLE)
        if stem != name and is_secret(stem) and isinstance(value, str):
            if stem in options:
                raise ConfigurationError(f"{path}: {stem} is set as well; leave one of them out")
            if not environment.get(value):
                raise ConfigurationError(f"{path}: the environment variable {value[:60]!r} is not set")
            key_is_in(value)
            found[stem] = environment[value]
        else:
            found[name] = _restored(value, _inner_key(outer, name), path, environment)
    return found


def text_with_secrets(value: str, path: str, environment: Mapping[str, str]) -> str:
    """The text of a setting; one that is or holds a mask is read from the variable that sets it, as `with_secrets`."""
    restored: str = _restored(value, "", path, environment)
    return restored


def variable_of(path: str) -> str:
    """The environment variable that sets a key, e.g. `AGENT0ES_MODELS__STUDENT__OPTIONS__API_KEY`."""
    return ENVIRONMENT_PREFIX + "__".join(re.sub(r"\W", "_", part).upper() for part in path.split("."))


def _restored(value: Any, key: str, path: str, environment: Mapping[str, str]) -> Any:
    match value:
        case dict():
            return with_secrets(value, path, environment, key)
        case list() | tuple():
            return [_restored(inner, key, f"{path}.{i}", environment) for i, inner in enumerate(value)]
        case str() if MASK in value and without_secrets(value, key) == value and (is_secret(key) or _URL.match(value)):
            variable = variable_of(path)
            if not environment.get(variable):
                raise ConfigurationError(
                    f"{path} is a secret, which the log doesn't hold; set the environment variable {variable}"
                )
            return environment[variable]
        case _:
            return value


def _inner_key(outer: str, name: str) -> str:
    """The key that decides whether a value is secret: everything under `credentials` is."""
    return outer if is_secret(outer) else name

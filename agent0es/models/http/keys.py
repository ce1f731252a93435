"""The key for a server: found in the environment when a request is made, and kept out of every message."""

import base64
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, quote_plus, unquote

from agent0es.configuration.secrets import MASK, text_without_secrets
from agent0es.errors import ConfigurationError

FROM_FILE = "_FILE"
"""Ends the name of the variable that names a file with the key, as containers hand over secrets."""
LONGEST_KEY = 16_384


@dataclass(frozen=True, slots=True)
class Key:
    """Where a key stands. It is never kept: what is not there can't be printed."""

    variable: str | None
    """The environment variable that holds it; `<variable>_FILE` may name a file instead. None: no key is sent."""

    def read(self, environment: Mapping[str, str] = os.environ) -> str | None:
        """The key. Raises ConfigurationError with the variable's name where it is not set, or holds no key."""
        if self.variable is None:
            return None
        value, file = environment.get(self.variable), environment.get(self.variable + FROM_FILE)
        where = f"the environment variable {self.variable}"
        if not value and file:
            where = f"the file that the environment variable {self.variable}{FROM_FILE} names"
            try:
                with Path(file).open("rb") as opened:
                    value = opened.read(LONGEST_KEY + 1).decode()
            except (OSError, UnicodeDecodeError, ValueError):
                raise ConfigurationError(f"{where} can't be read") from None
        value = (value or "").strip()
        if not value:
            raise ConfigurationError(
                f"{where} is not set, which models.<role>.api_key_env names: export {self.variable}=…, or name a file "
                f"with the key in {self.variable}{FROM_FILE}"
            )
        if not (value.isascii() and value.isprintable() and len(value) <= LONGEST_KEY):
            raise ConfigurationError(f"{where} holds something that can't be a key")
        return value


def without(text: str, secrets: Iterable[str]) -> str:
    """The text with `***` for each secret, as it is or as URLs and headers write it, and for those in URLs."""
    forms = {form for secret in secrets if secret for form in _forms(secret)}
    for form in sorted(forms, key=len, reverse=True):
        text = text.replace(form, MASK)
    return text_without_secrets(text)


def _forms(secret: str) -> set[str]:
    encoded = base64.b64encode(secret.encode()).decode()
    return {secret, quote(secret), quote(secret, safe=""), quote_plus(secret), unquote(secret), encoded.rstrip("=")}

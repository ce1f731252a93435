"""The key for a server: found in the environment when a request is made, and kept out of every message."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from agent0es.configuration.secrets import FROM_FILE, key_is_in
from agent0es.errors import ConfigurationError

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
        key_is_in(self.variable)
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

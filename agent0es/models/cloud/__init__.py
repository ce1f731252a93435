"""Models of Anthropic, OpenAI, Google and Cohere, through pydantic-ai: who is reached how (`providers.py`,
`connection.py`), what is asked and answered (`dialect.py`), what their errors mean (`faults.py`)."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent0es.errors import NotInstalled

if TYPE_CHECKING:
    from agent0es.models.cloud.backend import CloudBackend
    from agent0es.models.library import ModelLibrary

INSTALL = "the backend cloud needs the extra cloud: pip install '.[cloud]' in a checkout"


class Cloud:
    """The entry point: what the providers' libraries need is imported where a model is made."""

    @classmethod
    def create(
        cls,
        name: str,
        *,
        cache: Path | None = None,
        base_url: str | None = None,
        api_key_env: str | None = None,
        **options: Any,
    ) -> "CloudBackend":
        """`name` is `PROVIDER:MODEL`; options are those of CloudOptions.

        Raises NotInstalled, ModelNotFound for a name that is none, and ConfigurationError for a wrong option or a key
        that is not there.
        """
        with _installed():
            from agent0es.models.cloud.backend import CloudBackend, CloudOptions
        from agent0es.models.http import options_of

        return CloudBackend(name, options_of(CloudOptions, "cloud", options), base_url, api_key_env)

    @classmethod
    def library(
        cls,
        *,
        cache: Path | None = None,
        base_url: str | None = None,
        api_key_env: str | None = None,
        **options: Any,
    ) -> "ModelLibrary":
        """The models that are known by name. Raises NotInstalled."""
        with _installed():
            from agent0es.models.cloud.library import CloudLibrary
        return CloudLibrary()


def published_price(name: str) -> tuple[float, float] | None:
    """What a million tokens of `PROVIDER:MODEL` cost in US dollars, read and written; None where nobody knows, also
    because the extra is not installed."""
    try:
        from agent0es.models.cloud.library import price_of
    except ImportError:
        return None
    provider, _, model = name.partition(":")
    return price_of(provider, model)


@contextmanager
def _installed() -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise NotInstalled(f"{INSTALL} ({error})") from None

"""What a user can set of the backend: `models.<role>.options`."""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from agent0es.models.http import HttpOptions

Kind = Literal["vllm", "llama-server", "sglang", "lm-studio", "openai", "other"]


class OpenAiOptions(HttpOptions):
    """Beside those of every backend that asks a server."""

    server: Kind | None = None
    """Which server it is, where it doesn't tell by itself."""
    context: int | None = Field(default=None, gt=0)
    """Most tokens that a request may read and write together, where the server doesn't say, or for less than that."""
    prefill: bool | None = None
    """Whether the server continues a turn of the assistant that has begun; None asks it."""
    logprobs: bool | None = None
    """Whether it gives log-probabilities; None asks it."""
    structured_output: bool | None = None
    """Whether it keeps to a JSON schema; None goes by which server it is."""
    sampling: bool | None = None
    """Whether the model takes temperature and top_p; None goes by which server it is."""
    seeds: bool | None = None
    """Whether the same seed, alone, gives the same text; None goes by which server it is."""
    embeddings: bool | None = None
    """Whether it makes vectors of texts; None asks it."""
    paths: dict[str, str] = Field(default_factory=dict)
    """Folder here to the same folder as the server sees it, for adapters that a server on another machine loads."""
    presets: Path | None = None
    """The file of presets of a llama-server in router mode (`llama-server --models-preset FILE`), to which trained
    adapters are added. The model needs a section in it."""
    extra_body: dict[str, Any] = Field(default_factory=dict)
    """Further fields of each request, e.g. `{chat_template_kwargs: {enable_thinking: false}}` or `{top_k: 20}`."""

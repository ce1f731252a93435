"""What a user may set of the backend beside the model's name: `models.<role>.options`."""

from typing import Annotated, Any, Literal

from pydantic import Field, StrictBool

from agent0es.models.http import HttpOptions

DEFAULT_CONTEXT = 8192
"""Tokens. The server's own default is 4,096 on most machines, and what is longer would be cut without a word."""
Think = StrictBool | Literal["low", "medium", "high", "max"]


class OllamaOptions(HttpOptions):
    """How a model is asked. Sampling is by temperature and top_p alone, as a request says, unless another way is set
    here: what a Modelfile or the server would add, such as a penalty, is not in the log."""

    num_ctx: int | None = Field(default=None, ge=1)
    """Tokens that a request may read and write together; None: 8,192, or fewer where the model was made for fewer."""
    think: Think = False
    """Whether the model thinks before it speaks, or how much. What it thinks counts against `max_tokens`."""
    keep_alive: Annotated[str, Field(min_length=1)] | int | None = None
    """How long the server keeps the model loaded after an answer: `30m`, seconds, -1 for ever. None: as it likes."""
    top_k: int = 0
    min_p: float = 0.0
    typical_p: float | None = None
    repeat_penalty: float = 1.0
    repeat_last_n: int | None = None
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    num_gpu: int | None = None
    """Layers on the graphics card; this one and the next are as in Ollama's Modelfile, sent as they are."""
    main_gpu: int | None = None
    num_thread: int | None = None
    num_batch: int | None = None

    @property
    def sent(self) -> dict[str, Any]:
        """What of it goes into each request's own `options`."""
        names = set(OllamaOptions.model_fields) - set(HttpOptions.model_fields) - {"num_ctx", "think", "keep_alive"}
        return self.model_dump(include=names, exclude_none=True)

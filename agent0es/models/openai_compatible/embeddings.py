"""What `/v1/embeddings` answers. Pure."""

from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import ValidationError

from agent0es.models.base import GenerationFailed
from agent0es.models.openai_compatible.wire import Wire

if TYPE_CHECKING:
    import numpy.typing as npt


class Vector(Wire):
    index: int
    embedding: tuple[float, ...]


class Vectors(Wire):
    data: tuple[Vector, ...]


def vectors_of(answer: Any, count: int) -> "list[npt.NDArray[np.float32]]":
    """The vectors in the order of the texts. Raises GenerationFailed where they are not so many, or not alike."""
    try:
        data = sorted(Vectors.model_validate(answer).data, key=lambda one: one.index)
    except ValidationError:
        raise GenerationFailed("the server's vectors are not what the protocol says") from None
    if [one.index for one in data] != list(range(count)) or len({len(one.embedding) for one in data}) > 1:
        raise GenerationFailed(f"the server gave {len(data)} vectors for {count} texts, or of several lengths")
    return [np.asarray(one.embedding, dtype=np.float32) for one in data]

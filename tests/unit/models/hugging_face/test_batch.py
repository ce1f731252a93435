"""Where a GPU's memory ends."""

from collections import deque

import pytest
import torch

from agent0es.models.transformers.batch import Batch


class Full(Batch):
    def __init__(self) -> None:
        self._waiting, self._cohorts = deque(), []

    def _step(self) -> list[object]:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nSee documentation")


def test_what_helps_is_said_in_one_line() -> None:
    with pytest.raises(MemoryError) as error:
        Full().step()
    assert str(error.value).startswith("the GPU's memory is too small for 0 requests; set models.<role>.options: ")

"""What a model has read that many prompts begin with."""

import copy
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

Beginning = tuple[str | None, tuple[int, ...]]
"""Adapter and tokens: another adapter reads the same tokens in another way."""
_KEPT = 4
"""Beginnings: a run's student and teacher have two or three."""


class Prefixes:
    """Caches of one row, the last used last."""

    def __init__(self) -> None:
        self._read: OrderedDict[Beginning, Any] = OrderedDict()

    def of(self, beginning: Beginning, rows: int, read: Callable[[], Any]) -> Any:
        """A cache of so many rows that have read a beginning; `read` gives one of a single row."""
        if beginning not in self._read:
            self._read[beginning] = read()
            while len(self._read) > _KEPT:
                self._read.popitem(last=False)
        self._read.move_to_end(beginning)
        cache = copy.deepcopy(self._read[beginning])
        cache.batch_repeat_interleave(rows)
        return cache

    def forget(self, adapter: str) -> None:
        """What an adapter has read."""
        for beginning in [one for one in self._read if one[0] == adapter]:
            del self._read[beginning]

from collections.abc import Callable, Mapping
from typing import Any

from agent0es.errors import Agent0Error

ProgressCallback = Callable[[Mapping[str, Any]], None]


class TrainingError(Agent0Error):
    """x"""


class TrainingJob:
    def __init__(self, **k: Any) -> None: ...


async def train_adapter(job: Any, p: Any) -> Any:
    raise TrainingError("not there yet")

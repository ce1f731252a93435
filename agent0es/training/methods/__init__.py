"""Training methods, a file each: which loss is taken on which rows."""

from typing import Any

from agent0es import plugins
from agent0es.configuration import TrainingSettings
from agent0es.training.methods.base import Method, Unit

__all__ = ["Method", "Unit", "learning_rate", "load_method", "with_learning_rate"]


def load_method(name: str) -> Method[Any]:
    """The method of this name. Raises ConfigurationError in one line where there is none or it can't be used."""

    def fault(made: object) -> str | None:
        parts = ("name", "learns", "learning_rate", "needs_reference", "read", "loss")
        missing = [part for part in parts if not hasattr(made, part)]
        return f"has no {' and no '.join(missing)}" if missing else None

    method: Method[Any] = plugins.make(plugins.METHODS, name, fault=fault)
    return method


def learning_rate(settings: TrainingSettings) -> float:
    """The highest rate of a training: what is set, or the method's own. Raises ConfigurationError as `load_method`."""
    return load_method(settings.method).learning_rate if settings.learning_rate is None else settings.learning_rate


def with_learning_rate(settings: TrainingSettings) -> TrainingSettings:
    """The settings with their rate written out, as the log has those of a training. Raises as `learning_rate`."""
    return settings.model_copy(update={"learning_rate": learning_rate(settings)})

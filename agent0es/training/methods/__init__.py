"""Training methods, a file each: which loss is taken on which rows."""

from typing import Any

from agent0es import plugins
from agent0es.training.methods.base import Method, Unit

__all__ = ["Method", "Unit", "load_method"]


def load_method(name: str) -> Method[Any]:
    """The method of this name. Raises ConfigurationError in one line where there is none or it can't be used."""

    def fault(made: object) -> str | None:
        missing = [part for part in ("name", "learns", "needs_reference", "read", "loss") if not hasattr(made, part)]
        return f"has no {' and no '.join(missing)}" if missing else None

    method: Method[Any] = plugins.make(plugins.METHODS, name, fault=fault)
    return method

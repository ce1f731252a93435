"""The training engines by name."""

from collections.abc import Mapping

from agent0es.training.engine import Engine
from agent0es.training.hf import HuggingFace
from agent0es.training.packed import Packed

ENGINES: Mapping[str, type[Engine]] = {engine.name: engine for engine in (Packed, HuggingFace)}
"""`training.engine` to what computes."""

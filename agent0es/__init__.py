"""The flight recorder for self-evolving agents."""

__version__ = "0.1.0"

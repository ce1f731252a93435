"""Models that an Ollama server runs, asked by its own API: `/v1` would ignore the context length and `think`."""

from agent0es.models.ollama.backend import OllamaBackend

__all__ = ["OllamaBackend"]

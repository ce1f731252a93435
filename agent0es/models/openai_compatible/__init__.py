"""Servers that talk as OpenAI's does: vLLM, llama-server, SGLang, LM Studio, OpenAI itself, and others.

`server.py` finds out which it is and what it can do; `wire.py` says what is sent and reads what comes back, pure;
`adapters.py` has trained adapters answer there; `backend.py` puts them together.
"""

from agent0es.models.openai_compatible.backend import OpenAiCompatibleBackend

__all__ = ["OpenAiCompatibleBackend"]

"""The backend `transformers`: a Hugging Face folder, a hub name, or a GGUF, in this machine's memory.

`backend.py` is the parent's side and imports no torch. `process.py` is the process that holds the model: `loading.py`
loads it, `adapters.py` puts adapters beside it, `batch.py` answers with it, a token of every request a step.
"""

from agent0es.models.transformers.backend import TransformersBackend

__all__ = ["TransformersBackend"]

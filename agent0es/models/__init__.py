"""Language models behind one asynchronous protocol, the embedded weights, and the embedder.

Messages go in, completions come out; the chat format is the model's own. A backend of another package needs only what
is named here.
"""

from agent0es.domain.prompt import Message
from agent0es.domain.tries import Try
from agent0es.models.base import (
    Capabilities,
    Completion,
    Deployment,
    GenerationFailed,
    GenerationRequest,
    ModelBackend,
    ModelUnavailable,
    RequestRefused,
    Usage,
)
from agent0es.models.simple import SimpleBackend

__all__ = [
    "Capabilities",
    "Completion",
    "Deployment",
    "GenerationFailed",
    "GenerationRequest",
    "Message",
    "ModelBackend",
    "ModelUnavailable",
    "RequestRefused",
    "SimpleBackend",
    "Try",
    "Usage",
]

"""Whether a server has read a prompt to its end: some cut what is too long, answer, and say nothing. Pure."""

from agent0es.models.base import GenerationRequest
from agent0es.models.http.faults import Fault, ServerFault

FEWEST_WORDS = 200
"""Words of a prompt from which on it is looked at."""


def see_that_it_was_read(request: GenerationRequest, read: int, context: int | None = None) -> None:
    """Raises ServerFault for a prompt of which a server says that it read fewer tokens than can be, or as many as the
    `context` holds that it was given.

    A token is hardly ever more than a word. A server that doesn't count says 0.
    """
    words = sum(len(message.content.split()) for message in request.messages)
    if context is not None and read >= context:
        raise ServerFault(Fault("cut", f"it read {read} tokens, all that its context holds, so it cut the prompt"))
    if words >= FEWEST_WORDS and 0 < read < words / 2:
        raise ServerFault(Fault("cut", f"it read {read} tokens of a prompt of {words} words: its context cut it"))

"""Whether a server has read a prompt to its end: some cut what is too long, answer, and say nothing. Pure."""

from agent0es.models.base import GenerationRequest

FEWEST_WORDS = 200
"""Words of a prompt from which on it is looked at."""


def why_cut(request: GenerationRequest, read: int) -> str | None:
    """What shows that a prompt of which a server says that it read so many tokens was cut; None where nothing does.

    A token is hardly ever more than a word. A server that doesn't count says 0.
    """
    words = sum(len(message.content.split()) for message in request.messages)
    if words < FEWEST_WORDS or not 0 < read < words / 2:
        return None
    return f"it read {read} tokens of a prompt of {words} words, so it cut it"

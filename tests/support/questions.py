"""What a scripted student says about its own answers: mostly readable, and not always the same."""

import random

from agent0es.models.base import GenerationRequest

SURE = ("85", "I am 40% sure.", "0.5", "The answer is a prime.")
VERDICTS = ("Yes", "No", "Answer:")


def reply(request: GenerationRequest) -> str | None:
    """The reply to a question of `agent0es.agents.confidence`; None to any other request."""
    question = request.messages[-1].content
    for opening, said in (("How likely is it", SURE), ("Look at your answer", VERDICTS)):
        if question.startswith(opening):
            return random.Random(request.seed).choice(said)
    return None

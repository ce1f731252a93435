"""What a scripted student says about its own answers: mostly readable, and not always the same."""

import random

SURE = ("85", "I am 40% sure.", "0.5", "The answer is a prime.")
VERDICTS = ("Yes", "No", "Answer:")


def reply(prompt: str, seed: int) -> str | None:
    """The reply to a question of `agent0es.agents.confidence`; None to any other prompt."""
    question = prompt.rsplit("<|im_start|>user\n", 1)[-1]
    for opening, said in (("How likely is it", SURE), ("Look at your answer", VERDICTS)):
        if question.startswith(opening):
            return random.Random(seed).choice(said)
    return None

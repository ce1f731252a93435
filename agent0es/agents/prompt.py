"""Prompts in two parts, so that what many requests share is stored once and read once."""

from collections.abc import Sequence

from agent0es.models.base import ChatTemplate


def two_parts(template: ChatTemplate, shared_turns: Sequence[tuple[str, str]], text: str) -> tuple[str, str]:
    """The prompt for the user's `text` after `shared_turns`: the shared part, and what is this request's own.

    The first part is empty for a model whose template does not simply put one turn after the other.
    """
    prompt, own = template.chat_prompt([*shared_turns, ("user", text)]), template.chat_prompt([("user", text)])
    cut = len(prompt) - len(own) if prompt.endswith(own) else 0
    return prompt[:cut], prompt[cut:]

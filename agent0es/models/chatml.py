"""SmolLM2's chat format, written by hand: `<|im_start|>role\\ntext<|im_end|>\\n`."""

import re
from collections.abc import Sequence

END_OF_TURN = "<|im_end|>"

CONTROL_TOKENS = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<repo_name>",
    "<reponame>",
    "<file_sep>",
    "<filename>",
    "<gh_stars>",
    "<issue_start>",
    "<issue_comment>",
    "<issue_closed>",
    "<jupyter_start>",
    "<jupyter_text>",
    "<jupyter_code>",
    "<jupyter_output>",
    "<jupyter_script>",
    "<empty_output>",
)
"""What the tokenizer turns into a control token wherever it stands in a text."""

_CONTROL = re.compile("<(?=" + "|".join(re.escape(token[1:]) for token in CONTROL_TOKENS) + ")")
ZERO_WIDTH_SPACE = "\u200b"


def neutralise(text: str) -> str:
    """The text with control tokens broken by a zero-width space, so that it can't end or open a turn."""
    return _CONTROL.sub("<" + ZERO_WIDTH_SPACE, text)


class ChatMl:
    """The format as a `ChatTemplate`: what backends of ChatML models inherit."""

    end_of_turn = END_OF_TURN

    def chat_prompt(self, messages: Sequence[tuple[str, str]], prefill: str = "") -> str:
        return chat_prompt(messages, prefill)

    def neutralise(self, text: str) -> str:
        return neutralise(text)


def chat_prompt(messages: Sequence[tuple[str, str]], prefill: str = "") -> str:
    """(role, text) turns as one prompt, the assistant's turn open after `prefill`. Texts can't forge a turn."""
    turns = "".join(f"<|im_start|>{neutralise(role)}\n{neutralise(text)}{END_OF_TURN}\n" for role, text in messages)
    return f"{turns}<|im_start|>assistant\n{neutralise(prefill)}"

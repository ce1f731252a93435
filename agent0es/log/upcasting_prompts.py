"""Prompts as they were written before version 3 of ModelCalled: one text, in pieces, in SmolLM2's chat format.

`prompt_of` reads such a text back into turns; `as_before` writes it, byte for byte as it was.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, get_args

from agent0es.domain.prompt import Message, Speaker

END_OF_TURN = "<|im_end|>"
ASSISTANT = "<|im_start|>assistant\n"
HEAD = 2
"""How many pieces there were before the turn that the model continued: what many prompts shared, and the rest."""
OBSERVATION = "Observation:"
"""How every piece began, and no other, that a tool had given."""

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
"""SmolLM2's, which were broken by a zero-width space."""

_RESTS = "|".join(re.escape(token[1:]) for token in CONTROL_TOKENS)
_CONTROL = re.compile(f"<(?={_RESTS})")
_BROKEN = re.compile(f"<\u200b(?={_RESTS})")
_TURN = re.compile(r"<\|im_start\|>([^\n<]*)\n(.*?)<\|im_end\|>\n", re.DOTALL)


def as_before(messages: Sequence[Message], prefill: str = "") -> str:
    """The prompt of these messages."""
    turns = "".join(f"<|im_start|>{role}\n{broken(text)}{END_OF_TURN}\n" for role, text in messages)
    return f"{turns}{ASSISTANT}{broken(prefill)}"


def broken(text: str) -> str:
    """The text without control tokens."""
    return _CONTROL.sub("<\u200b", text)


def prompt_of(pieces: Sequence[str], question: str | None) -> dict[str, Any]:
    """A Prompt's content from the pieces. What a plug-in wrote in a format of its own becomes one turn of the user."""
    begun = pieces[HEAD:]
    shared = pieces[0] if len(pieces) > 1 else ""
    opening, rest = _turns(shared)
    if rest:
        opening = ()
    turns, rest = _turns("".join(pieces[:HEAD]))
    turns = turns[len(opening) :]
    if rest != ASSISTANT or not turns:
        return {"turns": [{"role": "user", "text": "".join(pieces)}]}
    parts = [{"role": speaker, "text": text} for speaker, text in (*opening, *turns)]
    if question is not None:
        for part in parts[-2:]:
            if part["role"] == "assistant":
                part["author"] = "model"  # the answer that it is asked about
    last = len(begun) - 1
    return {
        "opening": parts[: len(opening)],
        "turns": parts[len(opening) :],
        "prefill": [_piece(_whole(text), question, at == last) for at, text in enumerate(begun)],
    }


def _piece(text: str, question: str | None, last: bool) -> dict[str, Any]:
    """A piece of the assistant's turn. After its own words a tool's always stood, so the last of the others is what the
    harness put into its mouth."""
    if question is not None:
        return {"text": text}
    if text.startswith(OBSERVATION):
        return {"text": text, "author": "tool"}
    return {"text": text, "author": "harness" if last else "model", "trainable": True}


@lru_cache(maxsize=256)
def _turns(text: str) -> tuple[tuple[tuple[str, str], ...], str]:
    """The whole turns that a text begins with, and what is left."""
    found, at = [], 0
    while (turn := _TURN.match(text, at)) is not None and turn[1] in get_args(Speaker):
        found.append((turn[1], _whole(turn[2])))
        at = turn.end()
    return tuple(found), text[at:]


def _whole(text: str) -> str:
    """The text as it was before its control tokens were broken."""
    return _BROKEN.sub("<", text)

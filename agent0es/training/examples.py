"""Training examples: text to tokens, and which tokens the loss is taken on."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent0es.domain.prompt import Message
from agent0es.models.base import RequestRefused
from agent0es.models.chat_template import ChatTemplate

ATTEMPT = (
    Message("system", "Solve the task."),
    Message("user", "What is 6 times 7?"),
    Message("assistant", "Thought: I compute it.\nAction: python\n```python\nprint(6 * 7)\n```"),
    Message("user", "Observation: 42"),
    Message("assistant", "Answer: 42"),
    Message("user", "Is that right?"),
)
"""What a student's row may be made of."""


@dataclass(frozen=True, slots=True)
class Example:
    """One text as tokens."""

    ids: tuple[int, ...]
    trainable: tuple[bool, ...]
    """Per token, whether the model is to learn to write it."""

    @property
    def labels(self) -> int:
        """How many tokens are learnt: nothing comes before the first, so it never is."""
        return sum(self.trainable[1:])


def read_rows(dataset: Path, template: ChatTemplate) -> list[tuple[str, list[tuple[str, bool]]]]:
    """(prompt, segments) of each line, in the chat format of the model that is trained.

    Of a chat, the segments begin with the first turn that is to be learnt. A dataset of before version 2 of
    DatasetBuilt has the prompt as text. Raises ValueError with the line's number.
    """
    rows = []
    for number, line in enumerate(dataset.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            row = json.loads(line)
            segments = [(str(text), bool(learn)) for text, learn in row["segments"]]
            if "prompt" in row:
                rows.append((str(row["prompt"]), segments))
            else:
                messages = [Message(message["role"], message["content"]) for message in row["messages"]]
                learnt = [at for at, message in enumerate(row["messages"]) if message.get("trainable", False)]
                said = [(template.neutralise(text), learn) for text, learn in segments]
                prompt, *between = spans(messages, learnt, template)
                rows.append((prompt[0], [*between, *said, (template.end_of_turn, True)]))
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{dataset}, line {number}: not a row of messages and segments: {error!r}") from None
    return rows


def spans(messages: Sequence[Message], learnt: Sequence[int], template: ChatTemplate) -> list[tuple[str, bool]]:
    """The prompt in pieces: what is read, and in between the assistant's turns of these numbers, each with its end.

    Raises ValueError for a template that writes a turn differently when others follow: then what the model reads in a
    later turn is not what it wrote, and nobody could say which of its words to learn.
    """
    whole = template.render(messages)
    pieces: list[tuple[str, bool]] = []
    done = 0
    for at in learnt:
        before = template.render(messages[:at])
        begin = len(before) + len(whole[len(before) :]) - len(whole[len(before) :].lstrip())  # some begin with a space
        said = template.neutralise(messages[at].content) + template.end_of_turn
        if not whole.startswith(before) or not whole.startswith(said, begin):
            raise ValueError(
                f"the model's chat template writes turn {at + 1} in another way when others follow, so what would be "
                "learnt is not what the model reads and writes"
            )
        pieces += [(whole[done:begin], False), (said, True)]
        done = begin + len(said)
    return [*pieces, (whole[done:], False)]


def why_not_learnt(template: ChatTemplate) -> str | None:
    """Why what a model says in this format can't be learnt; None where it can."""
    try:
        spans(ATTEMPT, (2, 4), template)
    except (ValueError, RequestRefused) as error:
        return str(error)
    return None


def tokenise(tokenizer: Any, prompt: str, segments: Sequence[tuple[str, bool]]) -> Example:
    """Tokens of the whole text, cut as the engine cuts it; a token belongs to the segment in which it ends.

    The prompt, and segments that are not trainable (observations), are read but not learnt.
    """
    spans = [(prompt, False), *segments]
    learnt = [learn for text, learn in spans for _ in text]
    encoded = tokenizer.encode("".join(text for text, _ in spans), add_special_tokens=False)
    return Example(tuple(encoded.ids), tuple(learnt[end - 1] for _, end in encoded.offsets))

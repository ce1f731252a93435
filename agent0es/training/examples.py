"""Training examples: text to tokens, and which tokens the loss is taken on."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

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


Text = tuple[str, list[tuple[str, bool]]]
"""A prompt, and what follows it in pieces: (text, whether it is learnt)."""


@dataclass(frozen=True, slots=True)
class GroupRow:
    """An attempt as one of a group: what it was rewarded, and the tokens that were sampled in it."""

    group: str
    reward: float
    agreement: float
    """p̂ of the group: the share of its most frequent answer."""
    examples: tuple[Example, ...]
    """Its calls."""
    logprobs: tuple[float, ...]
    """Recorded, of the learnt tokens of all its calls."""


def read_rows(dataset: Path, template: ChatTemplate) -> list[Text]:
    """Each line in the chat format of the model that is trained: `messages`, of which a `trainable` one is to be
    learnt, and the `segments` of the turn after them.

    Of a chat, the segments begin with the first turn that is to be learnt. A dataset of before version 2 of
    DatasetBuilt has the prompt as text. Raises ValueError with the line's number.
    """
    return _read(dataset, "a row of messages and segments", lambda row: _text(row, template))


def read_pairs(dataset: Path, template: ChatTemplate) -> list[tuple[Text, Text]]:
    """The texts of each line: of an attempt that was `right`, and of one that was `wrong`, as `read_rows` reads them.

    Raises ValueError with the line's number.
    """
    return _read(dataset, "a pair", lambda row: (_text(row["right"], template), _text(row["wrong"], template)))


def read_group_rows(dataset: Path, template: ChatTemplate, tokenizer: Any) -> list[GroupRow]:
    """Each line is an attempt: `group`, `reward`, `agreement`, and `calls`, each with its `messages` and `prefill`, how
    many tokens were `read`, and the `ids` that were written with their `logprobs`.

    Raises ValueError with the line's number, also where the model that is trained would read other tokens.
    """
    words = tokenizer.get_vocab_size()

    def call(row: dict[str, Any]) -> Example:
        messages = [Message(message["role"], message["content"]) for message in row["messages"]]
        prompt = tokenizer.encode(template.render(messages, row["prefill"]), add_special_tokens=False).ids
        if len(prompt) != row["read"]:
            raise ValueError(f"its prompt has {len(prompt)} tokens here, and the engine read {row['read']}")
        written = [int(number) for number in row["ids"]]
        if len(row["logprobs"]) != len(written) or not all(0 <= number < words for number in written):
            raise ValueError("what was written is not in this model's tokens")
        return Example((*prompt, *written), (False,) * len(prompt) + (True,) * len(written))

    def attempt(row: dict[str, Any]) -> GroupRow:
        calls = row["calls"]
        return GroupRow(
            group=str(row["group"]),
            reward=float(row["reward"]),
            agreement=float(row["agreement"]),
            examples=tuple(call(one) for one in calls),
            logprobs=tuple(float(value) for one in calls for value in one["logprobs"]),
        )

    return _read(dataset, "an attempt of a group", attempt)


R = TypeVar("R")


def _read(dataset: Path, what: str, read: Callable[[dict[str, Any]], R]) -> list[R]:
    rows = []
    with dataset.open(encoding="utf-8") as lines:  # not `splitlines`, which ends a line at U+2028 too
        for number, line in enumerate(lines, start=1):
            try:
                rows.append(read(json.loads(line)))
            except (ValueError, KeyError, TypeError, RequestRefused) as error:
                raise ValueError(f"{dataset}, line {number}: not {what}: {error!r}") from None
    return rows


def _text(row: dict[str, Any], template: ChatTemplate) -> Text:
    segments = [(str(text), bool(learn)) for text, learn in row["segments"]]
    if "prompt" in row:
        return str(row["prompt"]), segments
    messages = [Message(message["role"], message["content"]) for message in row["messages"]]
    learnt = [at for at, message in enumerate(row["messages"]) if message.get("trainable", False)]
    said = [(template.neutralise(text), learn) for text, learn in segments]
    prompt, *between = spans(messages, learnt, template)
    return prompt[0], [*between, *said, (template.end_of_turn, True)]


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

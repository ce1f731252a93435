"""What Qwen2.5-Coder-1.5B-Instruct really wrote under the guide (docs/log.md), and what a chat keeps of it."""

import pytest

from agent0es.agents.react import Action
from agent0es.agents.student import Transcript
from agent0es.models.base import Completion, Usage

BITS = """Thought: 150 in binary is 1111010. There are 7 ones.
Action: python
```python
binary = bin(150)[2:]
ones = binary.count('1')
print(ones)
```"""
BRANCHES = """Thought: Use the floor division operator // for rounding down.
Action: tests
```python
def f(n):
    if n >= 19:
        return n // 21
    return n // 14
```"""
FILE = "Thought: First I look at the file.\nAction: shell\n```\ncat people.csv\n```"
BROKEN = "Thought: The string is not properly closed.\nAction: python\n```python\nprint('cheese' == 'cheese[::-1])\n```"
PARROTED = "Action: python\n```python\nprint([-x for x in [32, 13, 3] if x <= 16])\n```"
CALLS = [
    (BITS, BITS, Action("python", "binary = bin(150)[2:]\nones = binary.count('1')\nprint(ones)")),
    (BRANCHES, BRANCHES, Action("tests", "def f(n):\n    if n >= 19:\n        return n // 21\n    return n // 14")),
    (FILE, FILE, Action("shell", "cat people.csv")),
    (BROKEN, BROKEN, Action("python", "print('cheese' == 'cheese[::-1])")),
    (
        PARROTED + "\nThe result comes back as `",
        PARROTED,
        Action("python", "print([-x for x in [32, 13, 3] if x <= 16])"),
    ),
]
ANSWERS = [
    ("Answer: yes0000000", "yes0000000"),
    ("Answer: 2666.0", "2666.0"),
    (
        "Answer:\n```python\ndef f(xs):\n    return [x // 6 for x in xs]\n```",
        "def f(xs):\n    return [x // 6 for x in xs]",
    ),
]
EMPTY = Transcript(in_turns=True, tools=("python", "math", "tests", "shell"))


def read(text: str) -> tuple[Transcript, Action | None]:
    return EMPTY.read(Completion(text, "stop", Usage(1, 1), "qwen", None, 0.1))


@pytest.mark.parametrize(("text", "kept", "action"), CALLS)
def test_a_call_is_read_and_what_follows_it_is_cut_off(text: str, kept: str, action: Action) -> None:
    transcript, found = read(text)
    assert found == action
    assert transcript.turns[-1].text == kept


@pytest.mark.parametrize(("text", "answer"), ANSWERS)
def test_an_answer_is_read(text: str, answer: str) -> None:
    transcript, action = read(text)
    assert action is None and transcript.answer == answer

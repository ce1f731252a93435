"""Answers in one turn, without tools that are called: in words that end in `Answer:`, or by a program that prints it.

What is asked, what worked examples look like, and what the words of a model mean. Pure; never raises; linear in the
length of the words.
"""

import re
from collections.abc import Sequence

from agent0es.agents.worked_examples import FUNCTIONS, STORIES, Worked
from agent0es.domain.prompt import Message
from agent0es.taskdomains.base import Demonstration, Guide, TaskDomain

SYSTEM = {
    ("cot", False): (
        "Solve the problem. Think step by step. End with a line `Answer: ` and the answer alone behind it: a number, a "
        "word, a list or an expression, as the problem asks, without units or a sentence."
    ),
    ("cot", True): (
        "Solve the programming problem. Think step by step. End with the whole function in one fenced block."
    ),
    ("program", False): (
        "Solve the problem with one Python program that computes the answer and prints it, and nothing else. Write "
        "only the program, in one fenced block:\n```python\n…\n```"
    ),
    (
        "program",
        True,
    ): "Write the function that is asked for, and nothing else, in one fenced block:\n```python\n…\n```",
}
"""By format, and whether a function is asked for."""
STORY_DOMAINS = ("math", "advanced_math", "word_problems")

FENCE = re.compile(r"^[ \t]*(`{3,}|~{3,})[ \t]*([\w+.-]*)[ \t]*\n", re.MULTILINE)
ANSWER = re.compile(r"^[ \t>#*_]*(?:final )?answer[ \t]*[*_]*[ \t]*:[ \t*_]*([^\n]*)$", re.MULTILINE | re.IGNORECASE)
BOXED = "\\boxed{"
NUMBER = re.compile(r"(?<![\w.])[-+]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:/\d+)?(?![\w])")
LONGEST = 100_000
"""Characters of a model's words that are read."""


def examples(domain: TaskDomain, function: bool, count: int) -> list[Worked]:
    """`count` worked examples, or as many as there are, for a problem of a domain: our own where there are any of its
    kind, else those of its practised families that one call of Python solves."""
    if function:
        return list(FUNCTIONS[:count])
    if domain.name in STORY_DOMAINS:
        return list(STORIES[:count])
    shown = (_of_family(one) for one in domain.mixed_demonstrations(16))
    return [one for one in shown if one is not None][:count]


def _of_family(shown: Demonstration) -> Worked | None:
    tool, _, text = shown.action.partition("[")
    if tool != "python" or shown.steps or not text.endswith("]"):
        return None
    *before, last = text[:-1].split("; ")
    printed = last if "\n" in last or last.startswith("print(") else f"print({last})"
    return Worked(shown.description, "", "\n".join([*before, printed]), shown.answer)


def guide(way: str, worked: Sequence[Worked]) -> Guide:
    """Worked examples as turns of a chat."""
    return tuple(
        turn for one in worked for turn in (Message("user", one.question), Message("assistant", _said(way, one)))
    )


def _said(way: str, one: Worked) -> str:
    if way == "program":  # thoughts in comments: a model that reasons first, and then computes, is right more often
        thoughts = f"# {one.thinking}" if one.thinking else ""
        return "\n".join(filter(None, ["```python", thoughts, one.program, "```"]))
    program = f"```python\n{one.program}\n```"
    return "\n".join(filter(None, [one.thinking, f"Answer: {one.answer}" if one.answer else program]))


def answer_of(way: str, function: bool, words: str, printed: str | None) -> str | None:
    """The answer in the format that was asked for; `printed` is what the program gave, None where it failed. None where
    there is none."""
    if function:
        return next(iter(fenced(words)[-1:]), None)
    if way == "cot":
        return strict_answer(words)
    return (printed or "").strip() or None


def strict_answer(words: str) -> str | None:
    """What stands behind the last `Answer:` at the beginning of a line; None where there is nothing."""
    found = ANSWER.findall(words[-LONGEST:])
    answer = found[-1].strip().removesuffix("**").strip() if found else ""
    return answer or None


def fenced(words: str) -> list[str]:
    """What stands in fenced blocks, in their order. One that is not closed goes to the end of the text."""
    text = words[:LONGEST].replace("\r\n", "\n")
    found, at = [], 0
    while (opening := FENCE.search(text, at)) is not None:
        closing = re.compile(rf"^[ \t]*{re.escape(opening[1])}[ \t]*$", re.MULTILINE).search(text, opening.end())
        end = len(text) if closing is None else closing.start()
        found.append(text[opening.end() : end].rstrip("\n"))
        at = len(text) if closing is None else closing.end()
    return [block for block in found if block.strip()]


def program_of(words: str) -> str | None:
    """The program of an answer: its first fenced block."""
    return next(iter(fenced(words)), None)


def lenient_answer(words: str, function: bool) -> str | None:
    r"""What the words probably mean where the format was missed: the last `\boxed{…}`, else the last number; where a
    function is asked for, all of them, in which the verifier looks for it. None where there is none."""
    text = words[-LONGEST:]
    if function:
        return text if "def " in text or "lambda" in text else None
    if boxed := last_boxed(text):
        return boxed
    numbers = NUMBER.findall(text)
    return str(numbers[-1]).replace(",", "") if numbers else None


def last_boxed(text: str) -> str | None:
    r"""What stands in the last `\boxed{…}`, with its inner braces; None where there is none, or it is not closed."""
    _, found, rest = text.rpartition(BOXED)
    depth = 1
    for at, letter in enumerate(rest if found else ""):
        depth += {"{": 1, "}": -1}.get(letter, 0)
        if depth == 0:
            return rest[:at].strip()
    return None

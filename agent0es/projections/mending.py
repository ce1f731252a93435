"""Mistakes that show, and what mends them: a wrong attempt's call, and after it the right attempt at the same task.

A small model that sees that its program printed `40/3` marbles writes the same program again, or answers with it
(docs/log.md); so its own attempts hardly ever show how a mistake is mended. But of two attempts at a task one may be
wrong in a way that shows, and the other right. One behind the other they say: what can't be right is written anew.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

from agent0es.agents.student import NO_CALLS_LEFT
from agent0es.domain.prompt import Part
from agent0es.projections.examples import Example, attempted_example, is_learnable
from agent0es.projections.practice import Attempt, Practice, Practised, is_right, is_wrong
from agent0es.taskdomains.numbers import read_number

Look = Literal["whole", "fraction", "zero", "negative", "no number"]
"""What can be told of an answer without knowing the right one."""


def look_of(text: str) -> Look:
    """Of an answer as it was written, or of what a tool printed."""
    value = read_number(text.strip())
    if value is None:
        return "no number"
    if value <= 0:
        return "negative" if value < 0 else "zero"
    return "whole" if value.denominator == 1 else "fraction"


def shows(printed: str, status: str, right: str) -> bool:
    """Whether a call's result could be seen to be wrong: it is an error, or looks other than the right answer does, and
    is no whole number above zero, as any answer may be."""
    look = look_of(printed)
    return status != "ok" or (look != "whole" and look != look_of(right))


def mended_examples(practice: Practice, most_calls: int) -> list[Example]:
    """Of each task the wrong attempts that show it, each with a right one behind it, as one attempt of at most
    `most_calls` calls. Nothing of the wrong one is learnt."""
    return [
        _mended(task, wrong, right, most_calls)
        for task in practice.tasks.values()
        for wrong, right in _pairs(practice, task, most_calls)
    ]


def _pairs(practice: Practice, task: Practised, most_calls: int) -> Iterator[tuple[Attempt, Attempt]]:
    judged = [one for one in task.judged if _in_turns(one) and not practice.is_retracted(one.name)]
    rights = [attempt for attempt in judged if is_right(attempt) and is_learnable(task, attempt, "correct")]
    wrongs = [attempt for attempt in judged if is_wrong(attempt)]
    for wrong, right in zip(wrongs, rights, strict=False):
        assert right.solution is not None, "it was judged"
        room = len(wrong.statuses) + len(right.statuses) <= most_calls
        if room and shows(wrong.printed, wrong.statuses[-1], right.solution.answer or ""):
            yield wrong, right


def _in_turns(attempt: Attempt) -> bool:
    """Whether it has a call whose result stands in a turn of its own. A run may have been none of a chat before it was
    forked."""
    return bool(attempt.statuses) and attempt.last is not None and len(attempt.last.prompt.turns) > 1


def _mended(task: Practised, wrong: Attempt, right: Attempt, most_calls: int) -> Example:
    assert wrong.last is not None, "it has a call"
    example = attempted_example(task, right)
    before = tuple(turn.model_copy(update={"trainable": False}) for turn in wrong.last.prompt.turns[1:])
    *between, seen = example.turns
    if len(wrong.statuses) + len(right.statuses) == most_calls:
        seen = _as_last(seen)
    return replace(example, turns=(*before, *between, seen), mended=wrong.name, thought=wrong.thought or right.thought)


def _as_last(seen: Part) -> Part:
    """What the last allowed call printed, as `Transcript.observe` has it."""
    if seen.text.endswith(NO_CALLS_LEFT):
        return seen
    return seen.model_copy(update={"text": f"{seen.text}\n{NO_CALLS_LEFT}"})

"""An evaluation by itself: what its log says of each answer, and what the answers come to."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from agent0es.agents.one_turn import lenient_answer
from agent0es.decisions.verify import Call, judged
from agent0es.domain import events as ev
from agent0es.domain.names import Examined, read_attempt, read_call, sample_of
from agent0es.domain.task import Submission, Task
from agent0es.evaluation.estimates import ks, majority, pass_at, wilson
from agent0es.evaluation.problems import wants_function
from agent0es.evaluation.suite import told_apart
from agent0es.log import Recorded
from agent0es.taskdomains.base import TaskDomain
from agent0es.tools.program import NO_OUTPUT

TYPES = ("ModelCalled", "ToolCalled", "SolutionSubmitted", "LenientlyJudged", "Verified")
"""The events that `answers` reads."""
PLACES = 4
"""Decimal places of shares in events."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer to one problem."""

    attempt: str
    words: str = ""
    """What the model wrote last. Hostile."""
    printed: str | None = None
    """What the last tool call printed, where it ended well. Hostile."""
    answer: str | None = None
    """As the format has it. Hostile."""
    correct: bool | None = None
    """What the verifier says of it; None where it could not tell."""
    lenient: bool = False
    """Whether it is right, or what it probably means."""
    key: str | None = None
    """The answer in normal form."""
    done: bool = False
    """Whether it was judged."""
    tool_calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0
    """What the model took for it, waiting in a batch included."""
    refused: str | None = None
    """Why the model did not take what it was asked; then there is no answer. Hostile."""


Answers = Mapping[tuple[int, int], Answer]
"""Problem and sample to the answer, as far as it was judged."""


def answers(recorded: Iterable[Recorded]) -> Answers:
    """The answers of an evaluation from its events of `TYPES`; others are passed over. Pure."""
    known: dict[str, Answer] = {}
    for one in recorded:
        name = getattr(one.event, "attempt", None)
        if isinstance(name, str):
            known[name] = after(known.get(name, Answer(name)), one)
    found = {}
    for name, answer in known.items():
        place = read_attempt(name)
        if answer.done and isinstance(place, Examined):
            found[place.problem, sample_of(place.arm)] = answer
    return found


def after(answer: Answer, one: Recorded) -> Answer:
    """An answer after one more event of its attempt. Pure."""
    match one.event:
        case ev.ModelCalled(question=None) as event:
            return replace(
                answer,
                words=event.text,
                prompt_tokens=answer.prompt_tokens + event.prompt_tokens,
                completion_tokens=answer.completion_tokens + event.completion_tokens,
                seconds=answer.seconds + float(one.meta.measured.get("seconds", 0.0)),
            )
        case ev.ToolCalled() as event if (call := read_call(event.call)) and call.purpose == "solution":
            fine = event.status == "ok" and event.output.strip() != NO_OUTPUT
            return replace(answer, printed=event.output if fine else None)
        case ev.SolutionSubmitted() as event:
            why = one.meta.measured.get("refused")
            given, calls = event.solution.answer, event.solution.tool_calls
            return replace(answer, answer=given, tool_calls=calls, refused=None if why is None else str(why))
        case ev.LenientlyJudged() as event:
            return replace(answer, lenient=event.verification.correct is True)
        case ev.Verified() as event:
            correct = event.verification.correct
            lenient = answer.lenient or correct is True
            return replace(answer, correct=correct, lenient=lenient, key=event.majority_key, done=True)
        case _:
            return answer


async def leniently(
    way: ev.Way, answer: Answer, verified: ev.Verified, task: Task, domain: TaskDomain, call: Call
) -> ev.LenientlyJudged | None:
    """The judgement of what an answer that is not right probably means; None where there is no more to judge."""
    if verified.verification.correct is True:
        return None
    function = wants_function(task)
    said = answer.printed if way.format == "program" and answer.printed is not None else answer.words
    meant = lenient_answer(said, function)
    if meant is None or meant == answer.answer:
        return None
    found = await judged(domain, Submission(meant, task.files), task, call)
    return ev.LenientlyJudged(attempt=answer.attempt, answer=meant, verification=found)


def completed(problems: Sequence[Task], found: Answers, samples: int) -> ev.EvaluationCompleted:
    """What the answers to these problems, the first of an evaluation, come to. Pure."""
    of = [[found[number, sample] for sample in range(samples)] for number in range(len(problems))]
    rights = [sum(one.correct is True for one in some) for some in of]
    strict = _mean([right / samples for right in rights])
    lenient = _mean([_mean([one.lenient for one in some]) for some in of])
    every = [one for some in of for one in some]
    low, high = wilson(strict, len(problems))
    lenient_low, lenient_high = wilson(lenient, len(problems))

    def tallies(kinds: Iterable[str]) -> dict[str, ev.Tally]:
        groups: dict[str, list[int]] = defaultdict(list)
        for kind, right in zip(kinds, rights, strict=True):
            groups[kind].append(right)
        return {
            name: ev.Tally(solved=_rounded(sum(some) / samples), problems=len(some))
            for name, some in sorted(groups.items())
        }

    return ev.EvaluationCompleted(
        problems=len(problems),
        samples=samples,
        pass_at={str(k): _rounded(_mean([pass_at(k, samples, right) for right in rights])) for k in ks(samples)},
        low=_rounded(low),
        high=_rounded(high),
        lenient=_rounded(lenient),
        lenient_low=_rounded(lenient_low),
        lenient_high=_rounded(lenient_high),
        majority=None if samples == 1 else _rounded(_mean([_most_say_right(some) for some in of])),
        unanswered=_rounded(_mean([one.answer is None for one in every])),
        undecided=_rounded(_mean([one.correct is None for one in every])),
        with_tool=_rounded(_mean([one.tool_calls > 0 for one in every])),
        prompt_tokens=round(_mean([one.prompt_tokens for one in every]), 1),
        completion_tokens=round(_mean([one.completion_tokens for one in every]), 1),
        by_domain=tallies(task.domain for task in problems),
        by_family=tallies(told_apart(problems)),
        by_difficulty=tallies(f"{task.difficulty:.2f}" for task in problems),
    )


def is_news(scored: ev.EvaluationCompleted, recorded: Sequence[ev.Event]) -> bool:
    """Whether a result is to be recorded: it is another than the last one, and not of fewer problems. Pure."""
    last = recorded[-1] if recorded else None
    return not isinstance(last, ev.EvaluationCompleted) or (scored != last and scored.problems >= last.problems)


def _most_say_right(some: Sequence[Answer]) -> bool:
    place = majority([one.key for one in some])
    return place is not None and some[place].correct is True


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _rounded(value: float) -> float:
    return round(value, PLACES)

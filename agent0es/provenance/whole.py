"""One answer in full, or one task with all its answers: everything that the log has of it, in order."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from agent0es.domain import events as ev
from agent0es.domain.adapter import row_numbers
from agent0es.domain.names import Practised, read_attempt, task_of
from agent0es.domain.retraction import covers
from agent0es.domain.text import JUDGED
from agent0es.domain.tries import read_measured
from agent0es.errors import UnknownName, nearest
from agent0es.log import History, Recorded


def attempt(history: History, run: str, name: str) -> dict[str, Any]:
    """Prompts, replies, calls with their output, answer, verdict, reward and hashes of an attempt, as values of JSON.

    Of one at a held-out problem `problem` is None: the log has its number only. `run` is the one that made the attempt,
    perhaps in the past of a fork. Raises UnknownName.
    """
    own = list(history.read(stream=("attempt", name)))
    if not own or not isinstance(own[0].event, ev.AttemptStarted):
        known = attempt_names(history.read(types=["AttemptStarted"]))
        if "#" in name:
            raise UnknownName(f"run {run} has no attempt {name!r}; for a sandbox call use", see=("audit", "show", name))
        raise UnknownName(f"run {run} has no attempt {name!r}; {_near(name, known)}. All attempts", see=("sql", ALL))
    started = own[0].event
    about = list(history.read(stream=("task", started.task))) if started.task is not None else []
    return {**whole_attempt(own[0].run, own, about, _retracted(history)), "learnt_by": _learnt_by(history, name)}


ALL = "FROM attempts"


def attempt_names(recorded: Iterable[Recorded]) -> list[str]:
    """The attempts that began, in order."""
    return [one.event.attempt for one in recorded if isinstance(one.event, ev.AttemptStarted)]


def task(history: History, run: str, number: int) -> dict[str, Any]:
    """What was asked of the teacher, its proposals, the task, each attempt in short, and the teacher's reward.

    Raises UnknownName.
    """
    about = list(history.read(stream=("task", number)))
    if not about:
        raise UnknownName(f"run {run} has no task {number}; list its tasks with", see=("sql", "FROM tasks"))
    names = [
        one.event.attempt
        for one in history.read(types=["AttemptStarted"])
        if isinstance(one.event, ev.AttemptStarted) and one.event.task == number
    ]
    retracted = _retracted(history)
    attempts = [whole_attempt(run, list(history.read(stream=("attempt", name))), about, retracted) for name in names]
    found = whole_task(about[0].run, number, about, attempts, retracted)
    return {**found, "learnt_by": _learnt_by(history, str(number))}


def _retracted(history: History) -> list[ev.Retracted]:
    return [one.event for one in history.read(types=["Retracted"]) if isinstance(one.event, ev.Retracted)]


def _learnt_by(history: History, source: str) -> list[dict[str, Any]]:
    """The adapters that were trained on it, an attempt of the student's or a task of the teacher's: which, and the line
    of its dataset, counted from 1."""
    events = [one.event for one in history.read(types=["DatasetBuilt", "AdapterTrained"])]
    trained = {event.adapter for event in events if isinstance(event, ev.AdapterTrained)}
    return [
        {"adapter": event.adapter, "row": row_numbers(event)[source]}
        for event in events
        if isinstance(event, ev.DatasetBuilt) and event.adapter in trained and source in event.sources
    ]


def whole_attempt(
    run: str, own: Iterable[Recorded], about: Iterable[Recorded], retracted: Iterable[ev.Retracted]
) -> dict[str, Any]:
    """An attempt's record from its own events and those of its task. Pure."""
    found: dict[str, Any] = {
        "run": run,
        "problem": _problem(about),
        "problem_unknown": None,
        "status": "started",
        "steps": [],
        "answer": None,
        "solution": None,
        "refused": None,
        "verdict": None,
        "verification": None,
        "lenient": None,
        "second_instance": None,
        "reward": None,
        "abandoned": None,
        "retracted": [],
        "events": [],
    }
    for one in own:
        found["events"].append(_hashes(one))
        _take(found, one)
    for one in about:
        if isinstance(one.event, ev.RewardAssigned) and one.event.attempt == found["attempt"]:
            found["reward"] = {"total": one.event.total, "components": one.event.components}
            found["events"].append(_hashes(one))
    if found["task"] is not None:
        found["retracted"] = [event.what for event in retracted if covers(event.what, found["attempt"])]
    return found


def whole_task(
    run: str,
    number: int,
    about: Iterable[Recorded],
    attempts: list[dict[str, Any]],
    retracted: Iterable[ev.Retracted],
) -> dict[str, Any]:
    """A task's record from its events and the records of its attempts. Pure."""
    found: dict[str, Any] = {
        "run": run,
        "task": number,
        "status": "requested",
        "problem": _problem(about),
        "requested": None,
        "steps": [],
        "attempts": [{key: one[key] for key in SHORT} for one in attempts],
        "reward": None,
        "retracted": [event.what for event in retracted if covers(event.what, str(number))],
        "events": [],
    }
    for one in about:
        event = one.event
        found["events"].append(_hashes(one))
        match event:
            case ev.TaskRequested():
                found["requested"] = event.model_dump(mode="json", exclude={"type", "version", "task"})
            case ev.ModelCalled():
                found["steps"].append(_reply(one, event))
            case ev.ProposalRejected():
                refused = event.model_dump(mode="json", include={"reason", "detail", "tries_left"})
                found["steps"].append({"kind": "refusal", **refused})
                found["status"] = "dropped" if event.tries_left == 0 else found["status"]
            case ev.TaskProposed():
                found["status"] = "proposed"
            case ev.RewardAssigned(role="teacher"):
                found["reward"] = {"total": event.total, "components": event.components}
            case ev.TaskCompleted():
                found["status"] = "completed"
            case _:
                pass
    return found


SHORT = ("attempt", "adapter", "status", "answer", "verdict", "reward", "retracted")
"""What the record of a task has of each of its attempts."""


def _take(found: dict[str, Any], one: Recorded) -> None:
    """Add one event of the attempt."""
    event = one.event
    match event:
        case ev.AttemptStarted():
            found.update(event.model_dump(mode="json", exclude={"type", "version"}), started=one.meta.time)
        case ev.ModelCalled():
            found["steps"].append(_reply(one, event))
        case ev.ToolRequested():
            call = event.model_dump(mode="json", exclude={"type", "version", "attempt", "program"})
            if event.program is not None:
                call["program"] = {"name": event.program.name, "sha256": event.program.sha256}
            found["steps"].append({"kind": "call", **call, "status": "unknown", "output": None, "measured": {}})
        case ev.ToolCalled():
            for step in found["steps"]:
                if step.get("call") == event.call:
                    step.update(event.model_dump(mode="json", exclude={"type", "version", "attempt", "call", "tool"}))
                    step["measured"] = dict(one.meta.measured)
        case ev.Reflected():
            found["steps"].append({"kind": "reflection", "question": event.question, "confidence": event.confidence})
        case ev.SolutionSubmitted():
            found.update(status="submitted", answer=event.solution.answer)
            found["solution"] = event.solution.model_dump(mode="json", exclude={"answer"})
            found["refused"] = one.meta.measured.get("refused")
        case ev.AttemptAbandoned():
            gone = event.model_dump(mode="json", exclude={"type", "version", "attempt", "task"})
            found.update(status="abandoned", abandoned={**gone, "tries": read_measured(one.meta.measured)})
        case ev.LenientlyJudged():
            found["lenient"] = {"answer": event.answer, "verdict": JUDGED[event.verification.correct]}
        case ev.Verified():
            found.update(status="verified", verdict=JUDGED[event.verification.correct])
            found["verification"] = event.verification.model_dump(mode="json")
            found.update(second_instance=event.second_instance)
        case _:
            pass


def _problem(about: Iterable[Recorded]) -> dict[str, Any] | None:
    """The task as it was accepted, None before that."""
    for one in about:
        if isinstance(one.event, ev.TaskProposed):
            return {**one.event.proposal.model_dump(mode="json"), "iteration": one.event.iteration}
    return None


def _reply(one: Recorded, event: ev.ModelCalled) -> dict[str, Any]:
    """What a model read and wrote, the prompt in one piece."""
    called = event.model_dump(mode="json", exclude={"type", "version", "prompt", "tokens", "task", "attempt"})
    measured = {name: value for name, value in one.meta.measured.items() if name != "tries"}
    tries = read_measured(one.meta.measured)
    return {"kind": "reply", "prompt": event.prompt.plain(), **called, "measured": measured, "tries": tries}


def _hashes(one: Recorded) -> dict[str, Any]:
    return {
        "position": one.position,
        "type": one.event.type,
        "time": one.meta.time,
        "hash": one.content_hash,
        "chain_hash": one.chain_hash,
    }


def _near(name: str, known: list[str]) -> str:
    """The attempts at the same problem, or else those with a name like it."""
    wanted = read_attempt(name)
    task = wanted.task if isinstance(wanted, Practised) else None
    same = [other for other in known if task is not None and task_of(other) == task]
    if same and len(same) <= 12:
        return f"of that task there are {', '.join(same)}"
    return nearest(name, known)


def new_text(steps: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Each prompt, without the one before it and the reply to that where it continues them. Pure."""
    before = ""
    for step in steps:
        if step["kind"] != "reply":
            continue
        prompt: str = step["prompt"]
        yield prompt.removeprefix(before)
        before = prompt + step["text"]

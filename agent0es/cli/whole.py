"""What `agent0es show` says about one attempt or one task. What a model wrote is indented and escaped."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agent0es.cli.hints import command
from agent0es.cli.listing import folded, write_fields
from agent0es.cli.output import printable, terminal_width, write_lines, write_table
from agent0es.domain.names import ROUTES
from agent0es.domain.text import counted
from agent0es.provenance.whole import new_text

FULL_LINE = 114
"""Columns that an event takes with its hash."""


def write_attempt(found: Mapping[str, Any], store: Path) -> None:
    """An attempt from its prompt to its reward."""
    verdict = found["verdict"] or found["status"]
    shown = counted(found["demonstrations"], "worked example")
    fields = {
        "problem": _problem(found),
        "answered by": f"{found['adapter'] or 'base model'}, {shown} in the prompt",
        "seed": found["seed"],
        "answer": found["answer"] if found["answer"] is not None else "none" if found["solution"] else None,
        "ended early": found["refused"],
        "confidence": _solution(found["solution"]),
        "verdict": _verdict(found),
        "read leniently": f"{found['lenient']['answer']}: {found['lenient']['verdict']}" if found["lenient"] else None,
        "other numbers": {
            True: "the same code is right for other numbers too",
            False: "the same code is wrong for other numbers",
        }.get(found["second_instance"]),
        "reward": _reward(found["reward"]),
        "abandoned": _abandoned(found["abandoned"]),
        "learnt by": _learnt_by(found),
        "retracted": f"yes, by the retraction of {', '.join(found['retracted'])}" if found["retracted"] else None,
    }
    write_lines([printable(f"Attempt {found['attempt']} of run {found['run']}: {verdict}")])
    write_fields(list(fields.items()))
    _text("Task", found["problem"]["description"] if found["problem"] else found.get("problem_unknown"))
    if found["problem"]:
        _text("Reference", found["problem"]["reference"])
        for path, text in found["problem"]["files"].items():
            _text(f"File {path} at the start", text)
    _steps(found["steps"])
    if found["abandoned"]:
        _tries(found["abandoned"]["tries"])
    _events(found["events"])
    write_lines([""])
    if found["task"] is not None:
        _hint(
            command(store, "show", "--task", str(found["task"]), "--run", found["run"]),
            "The task with all its attempts",
        )
    if any(step["kind"] == "call" for step in found["steps"]):
        _hint(command(store, "audit", found["run"], "--attempt", found["attempt"]), "Its sandbox calls")


def write_task(found: Mapping[str, Any], store: Path) -> None:
    """A task from the request to the teacher's reward."""
    requested, problem = found["requested"], found["problem"]
    fields = {
        "asked for": f"{requested['domain']}: {', '.join(f'{k} {v:.2f}' for k, v in requested['families'].items())}"
        if requested
        else None,
        "problem": _problem(found),
        "iteration": requested["iteration"] if requested else None,
        "reward": _reward(found["reward"], "of the teacher"),
        "learnt by": _learnt_by(found),
        "retracted": "yes" if found["retracted"] else None,
    }
    write_lines([printable(f"Task {found['task']} of run {found['run']}: {found['status']}")])
    write_fields(list(fields.items()))
    if problem:
        _text("Task", problem["description"])
        _text("Reference", problem["reference"])
        for path, text in problem["files"].items():
            _text(f"File {path} at the start", text)
    _steps(found["steps"])
    if found["attempts"]:
        write_lines([""])
        rows = [
            [
                one["attempt"],
                one["adapter"] or "base model",
                one["verdict"] or one["status"],
                one["reward"]["total"] if one["reward"] else None,
                one["answer"],
            ]
            for one in found["attempts"]
        ]
        write_table(["attempt", "answered by", "verdict", "reward", "answer"], rows, "Attempts")
    _events(found["events"])
    if found["attempts"]:
        write_lines([""])
        name = found["attempts"][0]["attempt"]
        _hint(command(store, "show", name, "--run", found["run"]), "One attempt in full")


def _problem(found: Mapping[str, Any]) -> str | None:
    problem = found["problem"]
    if problem is None:
        return None
    family = f"{problem['family']} of {problem['domain']}, difficulty {problem['difficulty']:.2f}"
    if found["task"] is not None:
        return f"task {found['task']}, {family}"
    return f"{'asked of the router' if found['run'] == ROUTES else 'held-out'}, {family}"


def _solution(solution: Mapping[str, Any] | None) -> str | None:
    if solution is None:
        return None
    calls = f"tool calls: {solution['tool_calls']}, with an error: {solution['tool_errors']}"
    observed = "; the answer is what the last call printed" if solution["observed"] else ""
    sure = "unknown" if solution["confidence"] is None else f"{solution['confidence']:.3f} in the tokens"
    return f"{sure}; {calls}{observed}"


def _verdict(found: Mapping[str, Any]) -> str | None:
    verification = found["verification"]
    if verification is None:
        return None
    method = "" if verification["method"] == "none" else f" ({verification['method']})"
    return f"{found['verdict']}{method}, score {verification['score']:g}: {verification['explanation']}"


def _reward(reward: Mapping[str, Any] | None, whose: str = "") -> str | None:
    if reward is None:
        return None
    parts = ", ".join(f"{name} {value:g}" for name, value in reward["components"].items())
    return f"{reward['total']:g} {whose}".strip() + f" (before weights: {parts})"


def _learnt_by(found: Mapping[str, Any]) -> str | None:
    return ", ".join(f"{one['adapter']} (row {one['row']} of its dataset)" for one in found["learnt_by"]) or None


def _abandoned(abandoned: Mapping[str, Any] | None) -> str | None:
    if abandoned is None:
        return None
    reason = f", because {abandoned['reason']}" if abandoned.get("reason") else ""
    return f"cut off and started again as {abandoned['retried_as']}{reason}"


def _steps(steps: Sequence[Mapping[str, Any]]) -> None:
    """Prompts, replies, calls and refusals in order. Of a later prompt only what was added."""
    added = new_text(steps)
    first = True
    for step in steps:
        match step["kind"]:
            case "reply":
                asked = f", asked for its {step['question']}" if step["question"] else ""
                _text(
                    f"Prompt of the {step['role']}{asked} ({counted(step['prompt_tokens'], 'token')})"
                    if first
                    else f"Prompt continues{asked} ({counted(step['prompt_tokens'], 'token')} in all)",
                    next(added),
                )
                first = False
                _tries(step["tries"])
                who = step["adapter"] or step["model"]
                seconds = f", {step['measured']['seconds']:.2f} s" if "seconds" in step["measured"] else ""
                cost = f", ${step['measured']['cost_usd']:.6f}" if "cost_usd" in step["measured"] else ""
                _text(
                    f"Reply of {who} ({counted(step['completion_tokens'], 'token')}, ended by {step['finish_reason']}, "
                    f"temperature {step['temperature']:g}{seconds}{cost})",
                    step["text"],
                )
            case "call":
                _call(step)
            case "refusal":
                _text(f"Refused: {step['reason']}, {counted(step['tries_left'], 'try', 'tries')} left", step["detail"])
            case "reflection":
                said = "unreadable" if step["confidence"] is None else f"{step['confidence']:.3f}"
                write_lines(["", printable(f"Its own {step['question']}: {said}")])


def _tries(tries: Sequence[Mapping[str, Any]]) -> None:
    """The times that a server was asked in vain, a line each."""
    if tries:
        write_lines(["", "  Asked in vain"])
    for one in tries:
        time = f"{datetime.fromtimestamp(one['ended'], UTC):%H:%M:%S}"
        status = f" {one['status']}" if one["status"] else ""
        waited = f"; then waited {one['waited']:.3g} s" if one["waited"] else ""
        write_lines(folded(printable(f"    {time} {one['what']}:{status} {one['fault']}{waited}"), 6))


def _call(step: Mapping[str, Any]) -> None:
    ended = step["status"]
    if ended == "unknown":
        ended = "unknown, the log does not hold its end"
    if step.get("exit_code"):
        ended += f", exit code {step['exit_code']}"
    if "wall_seconds" in step["measured"]:
        ended += f", {step['measured']['wall_seconds'] * 1000:.0f} ms"
    if step.get("denied"):
        ended += f", refused: {', '.join(step['denied'])}"
    purpose = step["purpose"].replace("_", " ")
    called = f"{step['program']['name']}, {step['program']['sha256'][:12]}" if "program" in step else step["tool"]
    _text(f"Call {step['call']} of {called} ({purpose}): {ended}", step["input"])
    _text("Output", step["output"])
    for stream in ("stdout", "stderr"):
        _text(stream, step.get(stream))
    for file in step.get("written", ()):
        write_lines([printable(f"    wrote {file['path']}")])
    for path in step.get("deleted", ()):
        write_lines([printable(f"    deleted {path}")])


def _events(events: Sequence[Mapping[str, Any]]) -> None:
    """The position of each step in the log, with its full hash: on a separate line on a narrow terminal."""
    wide = max((len(one["type"]) for one in events), default=0)
    narrow = (terminal_width() or FULL_LINE) < FULL_LINE
    write_lines(["", "Events: position, time (UTC), type, sha256 of the content"])
    for one in events:
        time = datetime.fromtimestamp(one["time"], UTC)
        place = f"  {one['position']:>7}  {time:%Y-%m-%d %H:%M:%S}  {one['type']:<{wide}}"
        write_lines([place.rstrip(), f"           {one['hash']}"] if narrow else [f"{place}  {one['hash']}"])


def _text(title: str, text: str | None) -> None:
    """A text that others wrote under its title: indented, so that it can't pose as a title."""
    if text is not None:
        write_lines(["", *folded(printable(title), 2), *_indented(text)])


def _indented(text: str) -> Iterator[str]:
    return (f"    {printable(line)}".rstrip() for line in text.strip("\n").split("\n"))


def _hint(words: str, what: str) -> None:
    write_lines([printable(f"{what}: {words}")])

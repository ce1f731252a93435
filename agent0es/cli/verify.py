"""`agent0es verify`: a task domain's verifier by hand, on one answer or many. Nothing is written to a store."""

import asyncio
import json
import sys
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agent0es.cli.output import json_line, json_option, printable, write_lines
from agent0es.files import read_text

if TYPE_CHECKING:
    from agent0es.decisions.verify import Call
    from agent0es.domain.task import Submission, Task, Verification
    from agent0es.taskdomains import TaskDomain

WRONG, UNDECIDED = 1, 3
"""Exit codes."""
AT_ONCE = 32
"""Answers of a batch that are judged at once; the sandbox itself runs as many calls as there are cores."""
FIELDS = ("domain", "reference", "task", "answer", "files")


@dataclass(frozen=True, slots=True)
class Question:
    """One answer to judge."""

    domain: "TaskDomain"
    task: "Task"
    submission: "Submission"


@click.command("verify")
@click.argument("domain", required=False)
@click.option("--reference", metavar="TEXT", help="The right answer, as the domain writes it.")
@click.option(
    "--task", "task_file", type=click.Path(path_type=Path), metavar="FILE", help="JSON of a task, with its files."
)
@click.option("--answer", metavar="TEXT", help="The answer to judge.")
@click.option(
    "--batch", type=click.Path(path_type=Path), metavar="FILE", help="Many answers as JSON lines; - is standard input."
)
@json_option
def verify_command(
    domain: str | None,
    reference: str | None,
    task_file: Path | None,
    answer: str | None,
    batch: Path | None,
    as_json: bool,
) -> None:
    """Judge an answer with a task domain's verifier, as a run would.

    The verdict is correct, wrong or undecided, with the reason. Code runs in the sandbox. A line of --batch is an
    object with domain (or DOMAIN for all), reference or task, answer, and optionally files (path to text: the working
    directory at the end). The verdicts are JSON lines in the same order.

    Exit code: 0 correct, 1 wrong, 3 undecided, 2 for a mistake in the input. For a batch: 0 if all are correct, else 1
    if one is wrong, else 3.
    """
    from agent0es.errors import UserError

    if batch is not None:
        if (reference, task_file, answer) != (None, None, None):
            raise click.UsageError("--batch takes no --reference, --task or --answer: each line has its own")
        questions = _read_batch(batch, domain)
    else:
        if domain is None:
            raise click.UsageError("name the DOMAIN, e.g. math")
        if (reference is None) == (task_file is None):
            raise click.UsageError("give either --reference TEXT or --task FILE")
        if answer is None:
            raise click.UsageError("give --answer TEXT")
        given: dict[str, Any] = {"domain": domain, "answer": answer}
        given |= {"reference": reference} if task_file is None else {"task": _read_json(task_file)}
        try:
            questions = [_question(given, None, {})]
        except ValueError as error:
            raise UserError(f"{task_file or 'verify'}: {error}") from None
    sys.exit(asyncio.run(_judge_all(questions, as_json or batch is not None)))


async def _judge_all(questions: Sequence[Question], as_json: bool) -> int:
    """Judge them side by side, print the verdicts in order, and return the exit code."""
    from agent0es.decisions.verify import judged

    verdicts = set()
    async with _tools() as call:
        waiting = deque(questions)
        running: deque[asyncio.Task[Verification]] = deque()
        while waiting or running:
            while waiting and len(running) < AT_ONCE:
                asked = waiting.popleft()
                running.append(asyncio.create_task(judged(asked.domain, asked.submission, asked.task, call)))
            found = await running.popleft()
            verdicts.add(found.correct)
            write_lines([json_line(found.model_dump())] if as_json else _shown(found))
    if False in verdicts:
        return WRONG
    return UNDECIDED if None in verdicts else 0


@asynccontextmanager
async def _tools() -> "AsyncIterator[Call]":
    """Calls of any installed tool; the sandbox is opened by the first."""
    from agent0es.bootstrap import sandbox_of
    from agent0es.configuration import Configuration
    from agent0es.domain import events as ev
    from agent0es.sandbox import IsolatedSandbox
    from agent0es.taskdomains.base import NeedsCall
    from agent0es.tools import load_tools, run_program
    from agent0es.tools.base import Tool, ToolResult
    from agent0es.tools.policy import policy_of

    configuration = Configuration()
    opened: list[IsolatedSandbox] = []
    tools: dict[str, Tool] = {}

    async def call(needed: NeedsCall, purpose: ev.ToolPurpose) -> ToolResult:
        if not opened:
            opened.append(sandbox_of(configuration))
        policy = policy_of(configuration.tools, needed.tool, "")
        if needed.program is not None:
            return await run_program(opened[0], needed.program, needed.input, policy.limits)
        if needed.tool not in tools:
            tools.update(load_tools([needed.tool], opened[0]))
        return await tools[needed.tool].run(needed.input, policy.limits, needed.files)

    try:
        yield call
    finally:
        for sandbox in opened:
            await sandbox.close()


def _read_batch(path: Path, domain: str | None) -> list[Question]:
    """Every line as a question; a malformed one is reported before any is judged."""
    from agent0es.errors import UserError

    questions = []
    known: dict[str, TaskDomain] = {}
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if not line.strip():
            continue
        try:
            questions.append(_question(json.loads(line), domain, known))
        except (ValueError, RecursionError) as error:
            raise UserError(f"{path}, line {number}: {error}") from None
    return questions


def _question(given: Any, domain: str | None, known: "dict[str, TaskDomain]") -> Question:
    """A question from its JSON. Raises ValueError in one line, ConfigurationError for an unknown domain."""
    from pydantic import ValidationError

    from agent0es.domain.task import Submission, Task
    from agent0es.taskdomains import load_task_domain

    if not isinstance(given, dict):
        raise ValueError("an object is expected")
    for name in given:
        if name not in FIELDS:
            raise ValueError(f"unknown field {name!r}; there are: {', '.join(FIELDS)}")
    if (given.get("reference") is None) == (given.get("task") is None):
        raise ValueError("either reference or task is expected")
    if not isinstance(given.get("answer"), str | None) or "answer" not in given:
        raise ValueError("answer is expected, a text or null")
    files = given.get("files")
    if files is not None and not (isinstance(files, dict) and all(isinstance(text, str) for text in files.values())):
        raise ValueError("files is an object of path to text")
    name = given.get("domain") or domain or (given.get("task") or {}).get("domain")
    if not isinstance(name, str):
        raise ValueError("domain is expected, e.g. math")
    plain = {"family": "", "parameters": {}, "wording": 0, "description": "", "reference_action": "", "difficulty": 0}
    fields = given["task"] if given.get("task") is not None else {**plain, "reference": given["reference"]}
    try:
        task = Task.model_validate({"domain": name, **fields} if isinstance(fields, dict) else fields)
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"task: {'.'.join(map(str, first['loc'])) or 'it'}: {first['msg']}") from None
    if task.domain != name:
        raise ValueError(f"the task is of the domain {task.domain}, not {name}")
    if name not in known:
        known[name] = load_task_domain(name)
    return Question(known[name], task, Submission(given["answer"], task.files if files is None else files))


def _read_json(path: Path) -> Any:
    from agent0es.errors import UserError

    try:
        return json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: {error}") from None


def _shown(found: "Verification") -> list[str]:
    """A judgement for a person."""
    word = {True: "correct", False: "wrong", None: "undecided"}[found.correct]
    lines = [f"{word}: {printable(found.explanation)}"]
    lines.append(f"score {found.score:g}, confidence {found.confidence:g}, by {found.method}")
    if len(found.breakdown) > 1:
        lines += [f"  {printable(part)}: {score:g}" for part, score in found.breakdown.items()]
    return lines

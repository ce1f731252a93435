"""A task domain's verifier by hand: answers from anywhere are judged as a run would. Nothing is logged."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent0es import bootstrap, plugins
from agent0es.domain.events import ToolPurpose
from agent0es.domain.task import Submission, Task, Verification
from agent0es.errors import UserError
from agent0es.taskdomains import TaskDomain, load_task_domain
from agent0es.taskdomains.base import NeedsCall

if TYPE_CHECKING:
    from agent0es.decisions.verify import Call
    from agent0es.sandbox import IsolatedSandbox
    from agent0es.tools.base import Tool, ToolResult

AT_ONCE = 32
"""Answers that are judged at once; the sandbox itself runs as many calls as there are cores."""
FIELDS = ("domain", "reference", "task", "answer", "files")
BARE = {"family": "", "parameters": {}, "wording": 0, "description": "", "reference_action": "", "difficulty": 0}
"""A task of which only the reference is known."""


@dataclass(frozen=True, slots=True)
class Question:
    """One answer to judge."""

    domain: TaskDomain
    task: Task
    submission: Submission


class Reader:
    """Makes questions of what users write. Each domain is loaded once."""

    def __init__(self, domain: str | None = None) -> None:
        """`domain` is of those that name none."""
        self._domain = domain
        self._known: dict[str, TaskDomain] = {}

    def lines(self, text: str, where: Path) -> list[Question]:
        """A question for each line of JSON in a file's text. Raises UserError that names the line."""
        return [*self._lines(text, where)]

    def question(self, given: Any, where: object) -> Question:
        """The question in a JSON value, which `where` gave. Raises UserError, ConfigurationError."""
        try:
            return self._question(given)
        except ValueError as error:
            raise UserError(f"{where}: {error}") from None

    def _lines(self, text: str, where: Path) -> Iterator[Question]:
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip():
                place = f"{where}, line {number}"
                yield self.question(read_json(line, place), place)

    def _question(self, given: Any) -> Question:
        """The same. Raises ValueError in one line, ConfigurationError for an unknown domain."""
        from pydantic import ValidationError

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
        if files is not None and not (isinstance(files, dict) and all(isinstance(t, str) for t in files.values())):
            raise ValueError("files is an object of path to text")
        fields = given["task"] if given.get("task") is not None else {**BARE, "reference": given["reference"]}
        name = given.get("domain") or self._domain or (fields.get("domain") if isinstance(fields, dict) else None)
        if not isinstance(name, str):
            raise ValueError("domain is expected, e.g. math")
        try:
            task = Task.model_validate({"domain": name, **fields} if isinstance(fields, dict) else fields)
        except ValidationError as error:
            first = error.errors()[0]
            raise ValueError(f"task: {'.'.join(map(str, first['loc'])) or 'it'}: {first['msg']}") from None
        if task.domain != name:
            raise ValueError(f"the task is of the domain {task.domain}, not {name}")
        if name not in self._known:
            self._known[name] = load_task_domain(name)
        return Question(self._known[name], task, Submission(given["answer"], task.files if files is None else files))


def read_json(text: str, where: object) -> Any:
    """The JSON value in a text. Raises UserError that says where it is."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{where}: {error}") from None


async def judge(questions: Sequence[Question]) -> AsyncIterator[Verification]:
    """The verdicts in the order of the questions, which are judged side by side. Raises SandboxUnavailable, and
    PluginFailed where a verifier or a tool of it raises."""
    from agent0es.decisions.verify import judged

    async def verdict(asked: Question, call: "Call") -> Verification:
        with plugins.answering(plugins.TASK_DOMAINS, asked.domain.name):
            return await judged(asked.domain, asked.submission, asked.task, call)

    async with _tools() as call:
        waiting = deque(questions)
        running: deque[asyncio.Task[Verification]] = deque()
        while waiting or running:
            while waiting and len(running) < AT_ONCE:
                asked = waiting.popleft()
                running.append(asyncio.create_task(verdict(asked, call)))
            yield await running.popleft()


@asynccontextmanager
async def _tools() -> "AsyncIterator[Call]":
    """Calls of any installed tool; the sandbox is opened by the first."""
    from agent0es.configuration import Configuration
    from agent0es.tools import load_tools, run_program
    from agent0es.tools.policy import policy_of

    configuration = Configuration()
    opened: list[IsolatedSandbox] = []
    tools: dict[str, Tool] = {}

    async def call(needed: NeedsCall, purpose: ToolPurpose) -> "ToolResult":
        if not opened:
            opened.append(bootstrap.sandbox_of(configuration))
        policy = policy_of(configuration.tools, needed.tool, "")
        if needed.program is not None:
            return await run_program(opened[0], needed.program, needed.input, policy.limits)
        if needed.tool not in tools:
            tools.update(load_tools([needed.tool], opened[0]))
        with plugins.answering(plugins.TOOLS, needed.tool):
            return await tools[needed.tool].run(needed.input, policy.limits, needed.files)

    try:
        yield call
    finally:
        for sandbox in opened:
            await sandbox.close()

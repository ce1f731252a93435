"""Ask the router many questions: a file of them, in order, and again from where it was cut off.

A batch is no run. Its name is a function of its questions and of how they are asked, so the same command goes on: what
the log has of it is not asked, and not paid, again. What failed is.
"""

import asyncio
import hashlib
import json
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from agent0es.configuration.secrets import text_without_secrets
from agent0es.domain import events as ev
from agent0es.domain.names import ROUTES
from agent0es.domain.text import storable
from agent0es.errors import Agent0Error
from agent0es.evaluation.benchmarks import Line, read_questions
from agent0es.evaluation.estimates import wilson
from agent0es.log import EventLog

if TYPE_CHECKING:
    from agent0es.configuration import Configuration
    from agent0es.domain.task import Task
    from agent0es.rollouts.routing import Router

BATCH = "batch-"
"""What the names of batches begin with."""
TOLD = ("RouteAsked", "RouteDecided", "RouteAnswered", "RouteFailed")
Record = dict[str, Any]
"""What came of a line, as a value of JSON."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a batch is."""

    total: int
    done: int = 0
    """Lines with an answer or an error."""
    failed: int = 0
    by: Counter[str] = field(default_factory=Counter)
    """`local`, `cloud` or `cached` to how many answers are from there."""
    cost_usd: float = 0.0
    """Dollars, as far as anybody knows."""
    unpriced: int = 0
    """Answers whose cost nobody knows."""
    judged: int = 0
    """Answers that a verifier judged."""
    right: int = 0


class Watcher(Protocol):
    """Is told how a batch goes. The loop calls it, so each call should be short."""

    def opened(self, batch: str, progress: Progress) -> None:
        """It begins, or goes on from here."""
        ...

    def answered(self, progress: Progress) -> None:
        """One more line is done."""
        ...


def questions(file: Path, domain: str) -> list[Line]:
    """The lines of a file. A secret of this process is masked in them. Raises UserError."""
    return [
        line if line.task is None else replace(line, task=masked(line.task)) for line in read_questions(file, domain)
    ]


def masked(task: "Task") -> "Task":
    return task.model_copy(update={"description": storable(text_without_secrets(task.description))})


def name_of(lines: Sequence[Line], configuration: "Configuration") -> str:
    """The same for the same questions, asked in the same way."""
    asked = configuration.without_secrets()
    router = asked.router.model_dump(mode="json", exclude={"budget", "timeout_seconds"})
    way = [router, asked.tools.model_dump(mode="json")]
    said = [None if line.task is None else line.task.model_dump(mode="json") for line in lines]
    words = json.dumps([asked.seed, way, said], sort_keys=True)
    return BATCH + hashlib.sha256(words.encode("utf-8", "surrogatepass")).hexdigest()[:12]


async def batch(
    store: Path,
    log: EventLog,
    configuration: "Configuration",
    lines: Sequence[Line],
    at_once: int,
    watcher: Watcher,
    write: Callable[[Record], None],
    name: str | None = None,
) -> Record:
    """Ask what is missing, at most `at_once` questions at a time. Each line's record is written in order. Returns the
    batch in short. `name` is for one that grows.

    Whoever cancels this may call it again, and it goes on. Raises RunInUse where another process asks the same batch,
    and what `Router.answer` raises, but for a question that nobody could answer.
    """
    from agent0es.rollouts.retry import root_of
    from agent0es.runs.routing import open_router

    name, begin = name or name_of(lines, configuration), time.monotonic()
    with log.lease(name):
        async with open_router(store, log, configuration, name) as router:
            asking = Asking(name, log, router, lines, watcher, write, configuration.router.compare)
            try:
                await asking.ask(at_once)
            except ExceptionGroup as error:
                raise root_of(error) from error
    return summary(name, asking.progress, time.monotonic() - begin)


@dataclass
class Asking:
    """One command's part of a batch."""

    name: str
    log: EventLog
    router: "Router"
    lines: Sequence[Line]
    watcher: Watcher
    write: Callable[[Record], None]
    both: bool = False
    """Whether an answer counts only where both models could be asked."""
    progress: Progress = field(init=False)
    _waiting: dict[int, Record] = field(default_factory=dict)
    """Place to a record that can't be written yet."""
    _written: int = 0

    async def ask(self, at_once: int) -> None:
        """All that the log has no answer to. Raises ExceptionGroup."""
        known, spent = found(self.log, self.name, self.both)
        self.progress = Progress(len(self.lines), cost_usd=spent)
        missing: list[int] = []
        for place, line in enumerate(self.lines):
            if line.task is None:
                self._done(place, {**_of(line), "error": line.error})
            elif answers := known[_identity(line.task)]:
                self._done(place, answered(line, *answers.pop(0)))
            else:
                missing.append(place)
        self.watcher.opened(self.name, self.progress)
        places = iter(missing)
        async with asyncio.TaskGroup() as group:
            for _ in range(min(at_once, len(missing))):
                group.create_task(self._work(places))

    async def _work(self, places: Iterator[int]) -> None:
        from agent0es.rollouts.answering import PASS_ON
        from agent0es.rollouts.routing import NobodyAnswered

        for place in places:
            line = self.lines[place]
            assert line.task is not None, "there is something to ask"
            try:
                asked = await self.router.answer(line.task)
                self._done(place, answered(line, asked.event, asked.seconds))
            except NobodyAnswered as error:
                self._done(place, {**_of(line), "error": str(error), "cost_usd": error.event.cost_usd})
            except PASS_ON:
                raise
            except Agent0Error as error:
                self._done(place, {**_of(line), "error": text_without_secrets(str(error))})
            self.watcher.answered(self.progress)

    def _done(self, place: int, record: Record) -> None:
        self.progress = after(self.progress, record)
        self._waiting[place] = record
        while self._written in self._waiting:
            self.write(self._waiting.pop(self._written))
            self._written += 1


def found(log: EventLog, name: str, both: bool) -> tuple[dict[str, list[tuple[ev.RouteAnswered, float | None]]], float]:
    """What the log has of a batch: each question to its answers with their seconds, the first one first, and the
    dollars that went into questions without an answer. With `both` an answer counts only where both models could be
    asked."""
    asked: dict[str, str] = {}
    lacking: set[str] = set()
    answers: dict[str, list[tuple[ev.RouteAnswered, float | None]]] = defaultdict(list)
    spent = 0.0
    for one in log.read(run=ROUTES, types=TOLD if both else [kind for kind in TOLD if kind != "RouteDecided"]):
        event = one.event
        if isinstance(event, ev.RouteAsked) and event.run == name:
            asked[event.route] = _identity(event.posed)
        elif isinstance(event, ev.RouteDecided) and any(candidate.unavailable for candidate in event.candidates):
            lacking.add(event.route)
        elif isinstance(event, ev.RouteAnswered) and event.route in asked and event.route not in lacking:
            seconds = one.meta.measured.get("seconds")
            answers[asked[event.route]].append((event, None if seconds is None else float(seconds)))
        elif isinstance(event, ev.RouteAnswered | ev.RouteFailed) and event.route in asked:
            spent += event.cost_usd or 0.0
    return answers, spent


def answered(line: Line, event: ev.RouteAnswered, seconds: float | None) -> Record:
    """The record of a line that was answered."""
    said = event.model_dump(mode="json", exclude={"type", "version", "key"})
    return {**_of(line), **said, "seconds": None if seconds is None else round(seconds, 4)}


def after(progress: Progress, record: Record) -> Progress:
    """With one more record. Pure."""
    cost = record.get("cost_usd")
    common = replace(progress, done=progress.done + 1, cost_usd=progress.cost_usd + (cost or 0.0))
    if "error" in record:
        return replace(common, failed=progress.failed + 1)
    who = "cached" if record["cached"] else str(record["candidate"])
    return replace(
        common,
        by=progress.by + Counter([who]),
        unpriced=progress.unpriced + (cost is None),
        judged=progress.judged + (record["verdict"] is not None),
        right=progress.right + (record["verdict"] is True),
    )


def summary(name: str, progress: Progress, seconds: float) -> Record:
    """A batch in short; `accuracy`, with its 95% interval (Wilson), is of the answers that were judged."""
    accuracy = progress.right / progress.judged if progress.judged else None
    low, high = (None, None) if accuracy is None else wilson(accuracy, progress.judged)
    return {
        "batch": name,
        "lines": progress.total,
        "answered": progress.done - progress.failed,
        "failed": progress.failed,
        **{who: progress.by[who] for who in ("local", "cloud", "cached")},
        "cost_usd": round(progress.cost_usd, 9),
        "unpriced": progress.unpriced,
        "judged": progress.judged,
        "right": progress.right,
        "accuracy": accuracy,
        "low": low,
        "high": high,
        "seconds": round(seconds, 3),
    }


def _of(line: Line) -> Record:
    return {"line": line.number, "id": line.id}


def _identity(task: "Task") -> str:
    """The same for the same question with the same answer."""
    words = json.dumps(task.model_dump(mode="json"), sort_keys=True)
    return hashlib.sha256(words.encode("utf-8", "surrogatepass")).hexdigest()

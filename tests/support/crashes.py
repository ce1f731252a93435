"""Runs in processes of their own that are killed, and what must hold of their log afterwards.

Everything is real except the model's words and the number of task families: log, sandbox, handlers, trainer, and the
process that dies. It is forked from one that has loaded everything, so that a test can kill many.
"""

import multiprocessing
import os
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from agent0es.agents.student import NO_CALLS_LEFT, OBSERVATION, UNREADABLE
from agent0es.domain import events as ev
from agent0es.domain.names import NO_RUNS
from agent0es.domain.prompt import Message
from agent0es.log import EventLog, Recorded
from agent0es.log.mapper import encode_content
from agent0es.models.base import GenerationRequest
from agent0es.projections import Projections, schema
from agent0es.taskdomains.base import Family, Split
from agent0es.taskdomains.math import MathDomain
from tests.support.questions import reply
from tests.support.scripted import action_lead, propose

RUN = "r"
"""Name of every run here, so that contents which hold it can be compared."""

FORK = multiprocessing.get_context("forkserver")
FORK.set_forkserver_preload(["tests.support.preloaded"])

OPERATORS = {"Multiply": "*", "times": "*", "product of": "*", "remainder": "%", "modulo": "%", "minus": "-"}


class SmallDomain(MathDomain):
    """Seven families, so that an evaluation is short. Words can't be solved by the script and stay easy."""

    def families(self, split: Split) -> Sequence[Family]:
        practised = ("product", "remainder", "expansion", "word_reversal", "upper_case")
        return [self.family(name) for name in (practised if split == "practised" else ("difference", "quotient"))]


def respond(request: GenerationRequest, adapter: str | None) -> str:
    """A script: the base model guesses what to do with the two numbers, an adapter knows."""
    if (opinion := reply(request)) is not None:
        return opinion
    question, said, seed = request.messages[-1].content, request.prefill, request.seed
    if question.startswith("Families:"):
        return propose(question, seed)
    if observed := re.findall(r"Observation: (.*)", said):
        return (" " if said.endswith("Answer:") else "Answer: ") + observed[-1]
    known = next((operator for words, operator in OPERATORS.items() if words in question), "/")
    operator = known if adapter else random.Random(seed).choice("*%-")
    expression = f" {operator} ".join(re.findall(r"[0-9]+", question)[:2])
    return f"{action_lead(said)}python[{expression or '1 + 1'}]\n"


def converse(request: GenerationRequest, adapter: str | None) -> str:
    """The same student in a chat. At some tasks it first says what it will do, and is reminded; at some its first
    program fails, and it mends that; then it answers with what the program printed."""
    asked = [at for at, message in enumerate(request.messages) if message.role == "user" and not _harness(message)]
    question, *after = request.messages[asked[-1] :]
    if question.content.startswith("Families:") or reply(request) is not None:
        return respond(request, adapter)
    seen = [message.content for message in after if message.content.startswith(OBSERVATION)]
    kind = len(question.content) % 3
    if kind == 0 and not after:
        return "I will let a program compute it."
    if seen and "Error" not in seen[-1]:
        return f"Thought: The program has it.\nAnswer: {seen[-1].removeprefix(OBSERVATION).split()[0]}"
    call = respond(replace(request, messages=(question,), prefill=""), adapter)
    word = re.search(r"'\w+'", question.content)
    expression = f"{word[0]}.upper()" if word else call.removeprefix("Action: python[").rstrip("]\n")
    value = "value" if seen or kind == 1 else "Value"
    return f"Thought: A program computes it.\nAction: python\n```python\nvalue = {expression}\nprint({value})\n```"


def _harness(message: Message) -> bool:
    """Whether a user's turn is no task."""
    return message.content.startswith((OBSERVATION, UNREADABLE, NO_CALLS_LEFT))


@dataclass
class Killed:
    """A store whose run is killed again and again."""

    store: Path
    acknowledged: dict[int, str] = field(default_factory=dict)
    """Position to chain hash of every append that returned in any of the processes."""
    ended: list[int] = field(default_factory=list)
    """Exit codes, negative for signals."""

    @property
    def head(self) -> int:
        return max(self.acknowledged, default=0)

    def run(
        self,
        *arguments: str,
        environment: Mapping[str, str] | None = None,
        kill_when: Callable[[int, str], bool] = lambda position, kind: False,
        delay: float = 0.0,
    ) -> int:
        """`agent0es` with these arguments; its exit code.

        It is killed `delay` seconds after it acknowledged an event for which `kill_when(position, type)` is true.
        """
        ours, theirs = FORK.Pipe(duplex=False)
        process = FORK.Process(target=_agent0es, args=(self.store, arguments, dict(environment or {}), theirs))
        process.start()
        theirs.close()
        killed = False
        with ours:
            while True:
                try:
                    told = ours.recv()
                except EOFError:
                    break
                self.acknowledged.update({position: chain_hash for position, _, chain_hash in told})
                if not killed and any(kill_when(position, kind) for position, kind, _ in told):
                    time.sleep(delay)
                    process.kill()  # which it may have forestalled by ending
                    killed = True
        process.join(60)
        code = process.exitcode
        assert code is not None, "the process closed its pipe and goes on"
        self.ended.append(code)
        return code

    def output(self) -> str:
        """The end of what the last process wrote. After a native crash it lists all native modules."""
        return "".join(self.store.with_suffix(suffix).read_text()[-10_000:] for suffix in (".out", ".err"))

    def refusal(self) -> str:
        """The one line that the last process wrote to standard error, but for warnings when it began."""
        *warnings, line = self.store.with_suffix(".err").read_text().splitlines()
        assert all(warning.startswith("Warning: ") for warning in warnings)
        assert line.startswith("agent0es: ")
        return line

    def events(self) -> list[Recorded]:
        with EventLog.open(self.store / "log.db", read_only=True) as log:
            return list(log.read())


def _agent0es(store: Path, arguments: Sequence[str], environment: dict[str, str], pipe: Connection) -> None:
    """What the forked process does."""
    from agent0es import taskdomains
    from agent0es.cli.main import main
    from agent0es.models import embedder
    from agent0es.runs import finding
    from tests.support.preloaded import EMBEDDER

    for descriptor, suffix in ((1, ".out"), (2, ".err")):
        os.dup2(os.open(store.with_suffix(suffix), os.O_WRONLY | os.O_CREAT | os.O_TRUNC), descriptor)
    os.environ.update(environment)
    append, append_async = EventLog.append, EventLog.append_async

    def tell(appended: list[Recorded]) -> list[Recorded]:
        pipe.send([(r.position, r.event.type, r.chain_hash) for r in appended])
        return appended

    async def telling_async(self: EventLog, *values: Any, **options: Any) -> list[Recorded]:
        return tell(await append_async(self, *values, **options))

    EventLog.append = lambda self, *values, **options: tell(append(self, *values, **options))  # type: ignore[method-assign]
    EventLog.append_async = telling_async  # type: ignore[method-assign]
    finding.new_run_name = lambda log: RUN
    taskdomains.load_task_domains = lambda names, families: {"math": SmallDomain()}
    embedder.Embedder = lambda *file: EMBEDDER
    sys.argv = ["agent0es", *arguments, "--store", str(store)]
    main()


def check(killed: Killed) -> list[Recorded]:
    """What must hold after every crash; the events, but for those of who watches over the store."""
    with EventLog.open(killed.store / "log.db", read_only=True) as log:
        report = log.verify()
        assert report.ok, report.problem
        recorded = list(log.read())
    found = {r.position: r.chain_hash for r in recorded}
    assert list(found) == list(range(1, len(found) + 1))
    lost = {position for position, chain_hash in killed.acknowledged.items() if found.get(position) != chain_hash}
    assert not lost, f"acknowledged, and not in the log: {sorted(lost)}"
    ids = Counter(r.meta.event_id for r in recorded)
    assert max(ids.values()) == 1, "an event was appended twice"
    return [r for r in recorded if r.run not in NO_RUNS]


def check_complete(killed: Killed, tasks: int, iterations: int) -> list[Recorded]:
    """What must hold when the run was taken up to its end: everything once. The events."""
    recorded = check(killed)
    events = [r.event for r in recorded]
    assert isinstance(events[-1], ev.RunCompleted)

    def count(kind: type[ev.Event], *names: str) -> Counter[Any]:
        return Counter(tuple(_plain(getattr(e, name)) for name in names) for e in events if isinstance(e, kind))

    every_task = Counter((number,) for number in range(1, tasks * iterations + 1))
    given_up = Counter((e.task,) for e in events if isinstance(e, ev.ProposalRejected) and e.tries_left == 0)
    assert count(ev.TaskRequested, "task") == every_task, "every task is requested once"
    assert count(ev.TaskProposed, "task") + given_up == every_task, "every task is proposed or given up, once"
    assert count(ev.TaskCompleted, "task") + given_up == every_task, "every task ends once"
    begun = Counter(e.attempt for e in events if isinstance(e, ev.AttemptStarted))
    assert set(begun.values()) == {1}, "what was cut off is made again under another name"
    submitted = count(ev.SolutionSubmitted, "attempt")
    assert set(submitted.values()) == {1}, "every attempt has one solution"
    assert count(ev.Verified, "attempt") == submitted, "every solution is judged once"
    rewards = count(ev.RewardAssigned, "task", "attempt")
    assert set(rewards.values()) == {1}, "every attempt and every teacher is rewarded once"
    assert {task for task, attempt in rewards if attempt is None} == {
        task for (task,) in count(ev.TaskCompleted, "task")
    }
    for kind in (ev.IterationStarted, ev.IterationCompleted, ev.DatasetBuilt):
        assert count(kind, "iteration") == Counter((n,) for n in range(1, iterations + 1)), kind.__name__
    outcomes = [count(kind, "adapter") for kind in (ev.AdapterPromoted, ev.AdapterRejected, ev.TrainingFailed)]
    assert sum(outcomes, Counter()) == count(ev.DatasetBuilt, "adapter"), "every adapter has one outcome"
    for kind in (ev.AdapterTrained, ev.AdapterEvaluated):
        assert count(kind, "adapter") == outcomes[0] + outcomes[1], kind.__name__
    assert count(ev.RunStarted) == count(ev.RunCompleted) == {(): 1}
    return recorded


def decided(recorded: Sequence[Recorded]) -> list[tuple[str, str, str]]:
    """Stream and content hash of every event, in order, as if nothing had been cut off; and some of it to look at.

    Left out are attempts that were abandoned, and calls of the verifier that were made again; what took their place
    has their name. RunStarted is left out because its configuration names the model, Retried because it says no more.
    """
    abandoned = {r.stream for r in recorded if isinstance(r.event, ev.AttemptAbandoned)}
    last_call: dict[str, str] = {}
    for r in recorded:
        if isinstance(r.event, ev.ToolRequested):
            last_call[_call(r.event.call)] = r.event.call
    found = []
    for r in recorded:
        replaced = (
            isinstance(r.event, ev.ToolRequested | ev.ToolCalled) and last_call[_call(r.event.call)] != r.event.call
        )
        if r.stream in abandoned or replaced or isinstance(r.event, ev.RunStarted | ev.Retried):
            continue
        event = type(r.event).model_validate(_plain(r.event.model_dump()))
        sha256 = r.content_hash if event == r.event else encode_content(event).sha256
        found.append((_plain(r.stream), sha256, str(event)[-300:]))
    return found


def handled(killed: Killed) -> list[tuple[str, str, str]]:
    """Every handler with the stream and type of the causes that it is done with."""
    by_position = {r.position: r for r in killed.events()}
    with EventLog.open(killed.store / "log.db", read_only=True) as log:
        done = [(handler, by_position[position]) for handler, position in log.handled(RUN)]
    return sorted((handler, _plain(cause.stream), cause.event.type) for handler, cause in done)


def _call(name: str) -> str:
    """Name of a call without the count of the verifier's tries: `12/3#s2` as `12/3#s`."""
    return re.sub(r"(#[a-z])[0-9]+$", r"\1", name)


def _plain(value: Any) -> Any:
    """The value with attempts and calls named as if none had been made again: `12/3.1#s2` as `12/3#s`."""
    match value:
        case str():
            return _call(re.sub(r"^((?:attempt/r/)?(?:[0-9]+|eval/[^/]+)/[0-9]+)\.[0-9]+(?=$|#)", r"\1", value))
        case dict():
            return {key: _plain(inner) for key, inner in value.items()}
        case list() | tuple():
            return type(value)(_plain(inner) for inner in value)
        case _:
            return value


def tables(store: Path, file: Path | None) -> dict[str, list[Any]]:
    """All rows of all tables, folded into a file that may have something, or from zero."""
    with EventLog.open(store / "log.db", read_only=True) as log, Projections.open(log, file) as projections:
        projections.catch_up()
        assert projections.kept == (file is not None)
        return {name: list(projections.query(f"FROM {name} ORDER BY ALL").rows) for name in schema.TABLES}

"""One attempt at one problem: the student's turns, the tool calls in the sandbox, and their results.

Not a handler of its own: `solve` (practice) and `evaluate` (held-out problems) both act through it.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from agent0es.agents.confidence import MAX_TOKENS, reflection
from agent0es.agents.student import STOP, Transcript, opening
from agent0es.configuration import ToolsSettings
from agent0es.crash_points import reach
from agent0es.decisions.attempt import called, model_called, reflected, refusal, requested_under
from agent0es.domain import events as ev
from agent0es.domain.names import CallName, again
from agent0es.domain.seeds import derive_seed
from agent0es.domain.task import Question, Solution
from agent0es.errors import TransientError
from agent0es.handlers.base import Ports, Record
from agent0es.handlers.retry import described
from agent0es.log import History, NewEvent
from agent0es.models.base import GenerationRequest
from agent0es.taskdomains.base import Demonstration, NeedsCall
from agent0es.tools.base import NO_FILES, ToolResult, refused
from agent0es.tools.policy import Policy, policy_of


@dataclass(frozen=True, slots=True)
class Problem:
    """What is put before the student, and how."""

    attempt: str
    """Name of the attempt."""
    task: int | None
    """Number of the task; None for a held-out problem."""
    domain: str
    """Task domain."""
    description: str
    seed: int
    adapter: str | None
    temperature: float
    files: Mapping[str, str] = field(default_factory=dict)
    """What lies in the working directory at the start."""
    demonstrations: tuple[Demonstration, ...] = ()
    lead: str = ""
    """Words put into the student's mouth at the start."""


@dataclass(frozen=True, slots=True)
class Attempted:
    """How an attempt ended."""

    solution: Solution
    call: tuple[str, str] | None
    """The last tool call: (tool, input)."""
    files: Mapping[str, str]
    """What lies in the working directory at the end."""
    pending: list[NewEvent]
    """Events that are not appended yet; the caller appends them with what follows from them."""


T = TypeVar("T")

INTERRUPTED = "the run was interrupted"
"""Why an attempt was cut off that another process had begun, or the parent of a fork."""


async def to_its_end(
    ports: Ports,
    history: History,
    name: str,
    task: int | None,
    done: type[ev.Event],
    record: Record,
    make: Callable[[str], Awaitable[T]],
) -> T | None:
    """What `make(name)` returns; None when the history already has the attempt's end, an event of type `done`.

    The attempt is the unit of retry: one that fails in passing is abandoned and made again under another name, while
    those beside it go on.
    """
    reason = INTERRUPTED

    async def once() -> T | None:
        own = await take_up(ports, history, name, task, done, record, reason)
        return None if own is None else await make(own)

    async def failed(retry: int, error: TransientError) -> None:
        nonlocal reason
        reason = described(error)

    return await ports.retries(once, failed)


async def take_up(
    ports: Ports, history: History, name: str, task: int | None, done: type[ev.Event], record: Record, reason: str
) -> str | None:
    """The name under which to make an attempt now; None when the history already has its end, an event of type `done`.

    What was cut off, for this `reason`, is abandoned: it keeps its audit trail, and the attempt is made again in a
    stream of its own.
    """
    plain, retry = name, 0
    while True:
        known = {type(r.event) for r in history.read(stream=("attempt", name))}
        if done in known:
            return None
        if not known:
            return name
        retry += 1
        next_name = again(plain, retry)
        if ev.AttemptAbandoned not in known:
            abandoned = ev.AttemptAbandoned(attempt=name, task=task, retried_as=next_name, reason=reason)
            await record([NewEvent(ports.stream("attempt", name), abandoned)])
        name = next_name


async def attempt(problem: Problem, ports: Ports, record: Record) -> Attempted:
    """Let the student solve a problem, writing every step as it happens."""
    stream = ports.stream("attempt", problem.attempt)
    model = ports.models["student"]
    settings = ports.settings("student")
    head = opening(model, ports.domains[problem.domain].system, problem.demonstrations, problem.description)
    limits = ports.tools_settings(problem.domain)
    transcript = Transcript(lead=problem.lead, tools=limits.enabled or ())
    last_call: tuple[str, str] | None = None
    files = problem.files
    made: Counter[str] = Counter()
    started = ev.AttemptStarted(
        attempt=problem.attempt,
        task=problem.task,
        seed=problem.seed,
        adapter=problem.adapter,
        demonstrations=len(problem.demonstrations),
    )
    await record([NewEvent(stream, started)])
    while True:
        prompt = (*head, *map(model.neutralise, transcript.prompt))
        request = GenerationRequest(
            prompt="".join(prompt),
            shared=len(head[0]),
            max_tokens=settings.max_tokens,
            temperature=0.0 if transcript.answering else problem.temperature,  # reporting does not explore
            top_p=settings.top_p,
            stop=(*STOP, *settings.stop),
            seed=derive_seed(problem.seed, transcript.calls),
        )
        [completion] = await model.generate([request], adapter=problem.adapter)
        called = model_called(
            request,
            completion,
            prompt,
            role="student",
            task=problem.task,
            attempt=problem.attempt,
            model=model.name,
            adapter=problem.adapter,
        )
        pending = [NewEvent(stream, called, {"seconds": round(completion.seconds, 4)})]
        transcript, action = transcript.read(completion)
        if action is None:
            if transcript.answer is not None:
                for question in ports.configuration.execution.reflection:
                    await record(pending)
                    pending = await ask(question, problem, transcript.said, ports)
            return Attempted(transcript.solution(), last_call, files, pending)
        last_call = (action.tool, action.input)
        call = str(CallName(problem.attempt, "solution", transcript.calls + 1))
        requested = tool_requested(
            ports, problem.domain, call, problem.attempt, NeedsCall(action.tool, action.input, files), "solution"
        )
        await record([*pending, NewEvent(stream, requested)])
        result, called_event = await call_tool(ports, problem.domain, stream, requested, files, made[action.tool])
        await record([called_event])
        made[action.tool] += 1
        if result.files is not None:
            files = result.files
        transcript = transcript.observe(result, last_call=transcript.calls + 1 >= (limits.calls_per_attempt or 0))


async def ask(question: Question, problem: Problem, said: str, ports: Ports) -> list[NewEvent]:
    """Ask the student about the answer that it has given in `said`. Returns the events, which nobody has appended."""
    stream, model = ports.stream("attempt", problem.attempt), ports.models["student"]
    prompt = reflection(model, ports.domains[problem.domain].system, problem.description, said, question)
    request = GenerationRequest(
        prompt="".join(prompt),
        max_tokens=MAX_TOKENS[question],
        stop=ports.settings("student").stop,
        seed=derive_seed(problem.seed, question),
    )
    [completion] = await model.generate([request], adapter=problem.adapter)
    called = model_called(
        request,
        completion,
        prompt,
        role="student",
        task=problem.task,
        attempt=problem.attempt,
        model=model.name,
        adapter=problem.adapter,
        question=question,
    )
    measured = {"seconds": round(completion.seconds, 4)}
    return [NewEvent(stream, called, measured), NewEvent(stream, reflected(problem.attempt, called, question))]


def tool_requested(
    ports: Ports, domain: str, call: str, attempt: str, needed: NeedsCall, purpose: ev.ToolPurpose
) -> ev.ToolRequested:
    """The event that stands in the log before a call starts. `domain` is the task's."""
    policy = policy_of(ports.tools_settings(domain), needed.tool, domain)
    return requested_under(policy, ports.tier, call, attempt, needed, purpose)


async def call_tool(
    ports: Ports,
    domain: str,
    stream: str,
    requested: ev.ToolRequested,
    files: Mapping[str, str] = NO_FILES,
    made: int = 0,
) -> tuple[ToolResult, NewEvent]:
    """Run a call that the log already knows of, and the event that says how it ended.

    `made` is how many calls of the tool the attempt has made before; it binds the student, as rates do, and not the
    verifier.
    """
    settings = ports.tools_settings(domain)
    policy = policy_of(settings, requested.tool, domain)
    tool = ports.tools.get(requested.tool)
    why: tuple[str, str] | None = None
    if requested.purpose == "solution":
        why = refusal(settings, policy, made) or _rate(ports, settings, policy)
    if why is not None:
        result = refused(*why)
    elif requested.program is not None:
        result = await ports.run_program(requested.program, requested.input, policy.limits)
        reach("tool.ran")
    elif tool is None:
        result = refused(f"Unknown tool {requested.tool!r}", f"tool {requested.tool}")
    else:
        result = await tool.run(requested.input, policy.limits, files)
        reach("tool.ran")
    measured = {
        "wall_seconds": round(result.wall_seconds, 4),
        "cpu_seconds": round(result.cpu_seconds, 4),
        "peak_memory_mb": round(result.peak_memory_mb, 1),
        "stdout_bytes": result.stdout_bytes,
        "stderr_bytes": result.stderr_bytes,
    }
    return result, NewEvent(stream, called(requested, result, files), measured)


def _rate(ports: Ports, settings: ToolsSettings, policy: Policy) -> tuple[str, str] | None:
    """Why the student may not make this call now: (line to read, word for the audit); None where it may."""
    why = ports.rates.refusal(policy.tool, settings.calls_per_minute, policy.calls_per_minute)
    return None if why is None else (why, "rate")

"""One attempt at one problem: the student's turns, the tool calls in the sandbox, and their results."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from agent0es.agents.confidence import MAX_TOKENS, reflection
from agent0es.agents.student import STOP, Transcript
from agent0es.agents.student_prompt import opening
from agent0es.configuration import StudentSettings
from agent0es.configuration.secrets import text_without_secrets
from agent0es.decisions.attempt import model_called, reflected
from agent0es.domain import events as ev
from agent0es.domain.names import CallName
from agent0es.domain.seeds import derive_seed
from agent0es.domain.task import Question, Scalar, Solution
from agent0es.domain.text import storable
from agent0es.log import NewEvent
from agent0es.models.base import GenerationRequest, ModelBackend, RequestRefused
from agent0es.rollouts.toolbox import Limits, Toolbox
from agent0es.taskdomains.base import Demonstration, Guide, NeedsCall


class Recorder(Protocol):
    """Takes events as they happen; they are durable when it returns."""

    async def __call__(self, events: Sequence[NewEvent]) -> object: ...


@dataclass(frozen=True, slots=True)
class Problem:
    """What is put before the student, and how."""

    attempt: str
    """Name of the attempt."""
    task: int | None
    """Number of the task; None for a held-out problem."""
    system: str
    """The system turn."""
    description: str
    seed: int
    files: Mapping[str, str] = field(default_factory=dict)
    """What lies in the working directory at the start."""
    guide: Guide = ()
    """A worked example that every problem of the domain is put with."""
    demonstrations: tuple[Demonstration, ...] = ()
    lead: str = ""
    """Words put into the student's mouth at the start."""


@dataclass(frozen=True, slots=True)
class Student:
    """Which model is asked, and how."""

    adapter: str | None
    """None is the base model."""
    settings: StudentSettings
    temperature: float


@dataclass(frozen=True, slots=True)
class Rollout:
    """An attempt that is to be made. A value: it holds all that the attempt depends on but for engine and sandbox."""

    stream: str
    """Where its events belong."""
    problem: Problem
    student: Student
    limits: Limits
    questions: tuple[Question, ...] = ()
    """What the student is asked about an answer that it has given."""


@dataclass(frozen=True, slots=True)
class Attempted:
    """How an attempt ended."""

    solution: Solution
    files: Mapping[str, str]
    """What lies in the working directory at the end."""
    pending: list[NewEvent]
    """Events that are not written yet; the caller writes them with what follows from them."""
    measured: Mapping[str, Scalar] = field(default_factory=dict)
    """How it went, for the event of its end: `refused`, why the student could not be asked on."""


async def roll_out(rollout: Rollout, model: ModelBackend, toolbox: Toolbox, record: Recorder) -> Attempted:
    """Let the student solve a problem, writing every step as it happens.

    An attempt that its calls made longer than the model can read ends without an answer; one that is too long to be
    asked about its answer ends with that. Raises RequestRefused where already the first request is too long, and
    TransientError where another try may succeed.
    """
    problem, student, stream = rollout.problem, rollout.student, rollout.stream
    settings, asked = rollout.limits.settings, student.settings
    in_turns = asked.observations == "turns"
    head = opening(problem.system, problem.demonstrations, problem.description, guide=problem.guide, in_turns=in_turns)
    transcript = Transcript(
        in_turns=in_turns,
        lead="" if in_turns else problem.lead,
        reminders=asked.reminders,
        tools=settings.enabled or (),
    )
    files = problem.files
    made: Counter[str] = Counter()
    started = ev.AttemptStarted(
        attempt=problem.attempt,
        task=problem.task,
        seed=problem.seed,
        adapter=student.adapter,
        demonstrations=len(problem.demonstrations),
    )
    await record([NewEvent(stream, started)])
    while True:
        turns = (*head.turns, *transcript.turns)
        prompt = head.model_copy(update={"turns": turns, "prefill": transcript.prefill})
        request = GenerationRequest(
            messages=prompt.messages,
            prefill=prompt.begun,
            shared=len(prompt.opening),
            max_tokens=asked.max_tokens,
            temperature=0.0 if transcript.no_calls_left else student.temperature,  # reporting does not explore
            top_p=asked.top_p,
            stop=(*STOP, *asked.stop),
            seed=derive_seed(problem.seed, transcript.calls + asked.reminders - transcript.reminders),
        )
        try:
            [completion] = await model.generate([request], adapter=student.adapter)
        except RequestRefused as error:
            if not transcript.steps:
                raise
            return Attempted(transcript.solution(), files, [], _refused(error))
        called = model_called(request, completion, prompt, role="student", task=problem.task, attempt=problem.attempt)
        pending = [NewEvent(stream, called, completion.measured)]
        transcript, action = transcript.read(completion)
        if action is None and transcript.again:
            await record(pending)
            continue
        if action is None:
            if transcript.answer is not None:
                for question in rollout.questions:
                    await record(pending)
                    try:
                        pending = await ask(question, rollout, transcript, model)
                    except RequestRefused as error:
                        return Attempted(transcript.solution(), files, [], _refused(error))
            return Attempted(transcript.solution(), files, pending)
        call = str(CallName(problem.attempt, "solution", transcript.calls + 1))
        needed = NeedsCall(action.tool, action.input, files)
        requested = toolbox.requested(rollout.limits, call, problem.attempt, needed, "solution")
        await record([*pending, NewEvent(stream, requested)])
        result, called_event = await toolbox.call(rollout.limits, stream, requested, files, made[action.tool])
        await record([called_event])
        made[action.tool] += 1
        if result.files is not None:
            files = result.files
        transcript = transcript.observe(result, last_call=transcript.calls + 1 >= (settings.calls_per_attempt or 0))


def _refused(error: RequestRefused) -> dict[str, Scalar]:
    """How an attempt ended whose student could not be asked on."""
    return {**error.measured, "refused": storable(text_without_secrets(str(error)))}


async def ask(question: Question, rollout: Rollout, transcript: Transcript, model: ModelBackend) -> list[NewEvent]:
    """Ask the student about the answer that it has given. Returns the events, which nobody has written.

    Raises what `generate` raises.
    """
    problem, student, stream = rollout.problem, rollout.student, rollout.stream
    prompt = reflection(problem.system, problem.description, transcript, question)
    request = GenerationRequest(
        messages=prompt.messages,
        prefill=prompt.begun,
        max_tokens=student.settings.max_tokens if transcript.in_turns else MAX_TOKENS[question],
        stop=student.settings.stop,
        seed=derive_seed(problem.seed, question),
    )
    [completion] = await model.generate([request], adapter=student.adapter)
    called = model_called(
        request,
        completion,
        prompt,
        role="student",
        task=problem.task,
        attempt=problem.attempt,
        question=question,
    )
    return [
        NewEvent(stream, called, completion.measured),
        NewEvent(stream, reflected(problem.attempt, called, question)),
    ]

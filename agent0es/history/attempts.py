"""Recompute attempts from what the models wrote and the tools gave: which calls and solutions follow from that."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from agent0es.agents.confidence import reflection
from agent0es.agents.react import Action
from agent0es.agents.student import Transcript
from agent0es.configuration import StudentSettings, ToolsSettings
from agent0es.decisions.attempt import reflected, requested_under
from agent0es.domain import events as ev
from agent0es.domain.prompt import Prompt
from agent0es.domain.seeds import derive_seed
from agent0es.domain.task import Question
from agent0es.domain.workdir import changed, files_sha256
from agent0es.models.base import Completion, Usage
from agent0es.taskdomains.base import NeedsCall
from agent0es.tools.base import ToolResult
from agent0es.tools.policy import policy_of

CONFIDENCE_DIGITS = 3
"""Before version 3 of ModelCalled the log had only each call's mean log-probability, to 4 places: so a confidence is
good to 3."""


class MissingCall(Exception):
    """A verifier's call that the decision needs and that the log doesn't have."""


@dataclass(slots=True)
class RecordedCalls:
    """Calls in the sandbox on behalf of a decision, as the log has them."""

    asked: dict[str, ev.ToolRequested] = field(default_factory=dict)
    answered: dict[str, ev.ToolCalled] = field(default_factory=dict)

    async def __call__(self, needed: NeedsCall, purpose: ev.ToolPurpose) -> ToolResult:
        """What came of a call. Raises MissingCall for one that the log hasn't."""
        wanted = (needed.tool, _name(needed), needed.input, purpose, files_sha256(needed.files))
        for name, asked in reversed(self.asked.items()):
            given = (asked.tool, _name(asked), asked.input, asked.purpose, asked.files_sha256)
            if given == wanted and name in self.answered:
                return result_of(self.answered[name])
        raise MissingCall(f"a call of {_name(needed) or needed.tool} for {purpose} with this input: {needed.input}")


def _name(call: NeedsCall | ev.ToolRequested) -> str | None:
    """Which program a call runs. Not which version of it: what came of the recorded one stands in the log."""
    return None if call.program is None else call.program.name


@dataclass(slots=True)
class Attempt:
    """What is known of an attempt."""

    started: ev.AttemptStarted
    transcript: Transcript | None = None
    action: Action | None = None
    asked: ev.ModelCalled | None = None
    """The question about its answer that is put to the student."""
    reflected: int = 0
    """How many such questions it has answered."""
    submitted: ev.SolutionSubmitted | None = None
    files: Mapping[str, str] = field(default_factory=dict)
    """What lies in the working directory."""
    verifier: RecordedCalls = field(default_factory=RecordedCalls)

    def expected_prompt(self, called: ev.ModelCalled, settings: ToolsSettings, student: StudentSettings) -> Prompt:
        """How the attempt should have gone until here, at a generation that comes next: the turns after the task's own,
        or how the student's turn begins."""
        prompt, in_turns = called.prompt, student.observations == "turns"
        if self.transcript is None:
            self.transcript = Transcript(
                in_turns=in_turns,
                lead=prompt.prefill[0].text if prompt.prefill else "",  # what it is led by is no decision
                reminders=student.reminders,
                tools=settings.enabled or (),
            )
        turns = (prompt.turns[0], *self.transcript.turns) if in_turns else prompt.turns
        return prompt.model_copy(update={"turns": turns, "prefill": self.transcript.prefill})

    def read(self, called: ev.ModelCalled) -> None:
        """Continue with what the student wrote."""
        assert self.transcript is not None, "expected_prompt makes one"
        completion = Completion(
            text=called.text,
            finish_reason=called.finish_reason,
            usage=Usage(called.prompt_tokens, called.completion_tokens),
            model=called.model,
            adapter=called.adapter,
            seconds=0.0,
            logprobs=None if called.tokens is None else called.tokens.logprobs,
            mean_logprob=called.mean_logprob,
        )
        self.transcript, self.action = self.transcript.read(completion)

    def next_question(self, questions: Sequence[Question]) -> Question | None:
        """What the student is to be asked now of all that it is asked about an answer; None when nothing is left."""
        if self.transcript is None or self.transcript.answer is None or self.reflected >= len(questions):
            return None
        return questions[self.reflected]

    def expected_asking(
        self,
        called: ev.ModelCalled,
        questions: Sequence[Question],
        system: str,
        description: str,
    ) -> ev.ModelCalled | None:
        """The call that puts the next question, as far as that is a decision; None when there is none to put."""
        question = self.next_question(questions)
        if question is None or self.transcript is None or self.asked is not None:
            return None
        return called.model_copy(
            update={
                "question": question,
                "prompt": reflection(system, description, self.transcript, question),
                "temperature": 0.0,
                "seed": derive_seed(self.started.seed, question),
            }
        )

    def expected_reflection(self) -> ev.Reflected | None:
        """The event of the reply to the question; None when none was put."""
        if self.asked is None or self.asked.question is None:
            return None
        return reflected(self.started.attempt, self.asked, self.asked.question)

    def expected_call(
        self, settings: ToolsSettings, domain: str, recorded: ev.ToolRequested
    ) -> ev.ToolRequested | None:
        """The student's call that follows from its last words; None when none does. Which isolation there was is no
        decision, and what was written before version 2 says less."""
        if self.action is None or self.transcript is None:
            return None
        name = self.started.attempt
        expected = requested_under(
            policy_of(settings, self.action.tool, domain),
            recorded.tier,
            f"{name}#{self.transcript.calls + 1}",
            name,
            NeedsCall(self.action.tool, self.action.input, self.files),
            "solution",
        )
        return expected if recorded.policy_sha256 else expected.model_copy(update={"policy_sha256": None})

    def observe(self, called: ev.ToolCalled, settings: ToolsSettings) -> None:
        """Continue with what the student's call gave."""
        if self.transcript is None:
            return  # nothing was written before it; what follows will not fit
        last = self.transcript.calls + 1 >= (settings.calls_per_attempt or 0)
        self.transcript = self.transcript.observe(result_of(called), last_call=last)
        self.files = changed(self.files, called.written, called.deleted)
        self.action = None

    def expected_solution(
        self, recorded: ev.SolutionSubmitted, questions: Sequence[Question]
    ) -> ev.SolutionSubmitted | None:
        """The end that follows from the student's last words; None when they ask for a call or more is to be asked."""
        if self.transcript is None or self.action is not None or self.next_question(questions) is not None:
            return None
        solution = self.transcript.solution()
        confidence, written = solution.confidence, recorded.solution.confidence
        if confidence is not None and written is not None and abs(confidence - written) <= 10**-CONFIDENCE_DIGITS:
            confidence = written
        return ev.SolutionSubmitted(
            attempt=self.started.attempt,
            task=self.started.task,
            solution=solution.model_copy(update={"confidence": confidence}),
        )


def result_of(called: ev.ToolCalled) -> ToolResult:
    """A recorded result, as far as a decision can depend on it."""
    return ToolResult(
        status=called.status,
        output=called.output,
        exit_code=called.exit_code,
        stdout_bytes=0,
        stderr_bytes=0,
        wall_seconds=0.0,
        cpu_seconds=0.0,
        peak_memory_mb=0.0,
        tier=called.tier,
    )

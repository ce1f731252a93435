"""An attempt in one turn: the student's words hold the answer, or a program whose output is it."""

from collections.abc import Mapping
from dataclasses import dataclass

from agent0es.agents.one_turn import answer_of, program_of
from agent0es.agents.student import joined
from agent0es.agents.student_prompt import opening
from agent0es.decisions.attempt import model_called
from agent0es.domain import events as ev
from agent0es.domain.names import CallName
from agent0es.domain.task import Solution
from agent0es.domain.uncertainty import confidence
from agent0es.log import NewEvent
from agent0es.models.base import Completion, GenerationRequest, ModelBackend
from agent0es.rollouts.rollout import Attempted, Recorder, Rollout
from agent0es.rollouts.toolbox import Toolbox
from agent0es.taskdomains.base import NeedsCall
from agent0es.tools.base import ToolResult
from agent0es.tools.program import NO_OUTPUT

PYTHON = "python"


@dataclass(frozen=True, slots=True)
class OneTurn:
    """An executor of such attempts."""

    student: ModelBackend
    toolbox: Toolbox
    format: ev.AnswerFormat
    """cot or program."""
    function: bool
    """Whether a function is asked for, which is then the answer."""

    async def run(self, rollout: Rollout, record: Recorder) -> Attempted:
        """Make one attempt. Raises RequestRefused where the prompt is too long, and TransientError where another try
        may succeed."""
        problem, student = rollout.problem, rollout.student
        prompt = opening(problem.system, (), problem.description, guide=problem.guide, in_turns=True)
        request = GenerationRequest(
            messages=prompt.messages,
            shared=len(prompt.opening),
            max_tokens=student.settings.max_tokens,
            temperature=student.temperature,
            top_p=student.settings.top_p,
            seed=problem.seed,
        )
        started = ev.AttemptStarted(
            attempt=problem.attempt,
            task=problem.task,
            seed=problem.seed,
            adapter=student.adapter,
            demonstrations=len(problem.guide) // 2,
        )
        await record([NewEvent(rollout.stream, started)])
        [completion] = await self.student.generate([request], adapter=student.adapter)
        called = model_called(request, completion, prompt, role="student", task=problem.task, attempt=problem.attempt)
        said = NewEvent(rollout.stream, called, completion.measured)
        code = program_of(completion.text) if self.format == "program" and not self.function else None
        if code is None:
            return Attempted(solution(self.format, self.function, completion, None), problem.files, [said])
        needed = NeedsCall(PYTHON, code, problem.files)
        name = str(CallName(problem.attempt, "solution", 1))
        requested = self.toolbox.requested(rollout.limits, name, problem.attempt, needed, "solution")
        await record([said, NewEvent(rollout.stream, requested)])
        result, ended = await self.toolbox.call(rollout.limits, rollout.stream, requested, problem.files)
        files: Mapping[str, str] = problem.files if result.files is None else result.files
        return Attempted(solution(self.format, self.function, completion, result), files, [ended])


def solution(way: ev.AnswerFormat, function: bool, completion: Completion, result: ToolResult | None) -> Solution:
    """What the words, and what the program printed, come to. Pure."""
    logprobs = joined((), completion)
    fine = result is not None and result.status == "ok" and result.output.strip() != NO_OUTPUT
    answer = answer_of(way, function, completion.text, result.output if result is not None and fine else None)
    return Solution(
        answer=answer,
        confidence=None if logprobs is None else round(confidence(logprobs), 4),
        tool_calls=int(result is not None),
        tool_errors=int(result is not None and result.status != "ok"),
        observed=result is not None and answer is not None,
    )

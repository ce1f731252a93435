"""What the log says of a model's words, of a tool call and of a student's view of its own answer."""

from collections.abc import Mapping

from agent0es.agents.confidence import begins_with_verdict, stated
from agent0es.configuration import ToolsSettings
from agent0es.domain import events as ev
from agent0es.domain.prompt import Prompt, Tokens
from agent0es.domain.task import Question
from agent0es.domain.workdir import FileWritten, files_sha256
from agent0es.models.base import Completion, GenerationRequest
from agent0es.taskdomains.base import NeedsCall
from agent0es.tools.base import ToolResult
from agent0es.tools.policy import Policy


def model_called(
    request: GenerationRequest,
    completion: Completion,
    prompt: Prompt,
    *,
    role: ev.Role,
    task: int | None,
    attempt: str | None,
    question: Question | None = None,
) -> ev.ModelCalled:
    """The event of one generation. `prompt` is what the request asks, with who said what."""
    ids, logprobs = completion.token_ids, completion.logprobs
    return ev.ModelCalled(
        role=role,
        task=task,
        attempt=attempt,
        model=completion.model,
        adapter=completion.adapter,
        prompt=prompt,
        text=completion.text,
        thinking=completion.thinking,
        tokens=None if ids is None and logprobs is None else Tokens(ids=ids, logprobs=logprobs),
        prompt_tokens=completion.usage.prompt,
        cached_tokens=completion.usage.cached,
        completion_tokens=completion.usage.written,
        finish_reason=completion.finish_reason,
        temperature=request.temperature,
        seed=request.seed,
        mean_logprob=None if completion.mean_logprob is None else round(completion.mean_logprob, 4),
        left_out=completion.left_out,
        question=question,
    )


def reflected(attempt: str, called: ev.ModelCalled, question: Question) -> ev.Reflected:
    """The event of the student's reply to a question. From the log alone."""
    confidence = stated(question, called.text, _first_logprob(called))
    return ev.Reflected(
        attempt=attempt,
        task=called.task,
        question=question,
        confidence=None if confidence is None else round(confidence, 4),
    )


def _first_logprob(called: ev.ModelCalled) -> float | None:
    """The log-probability of the verdict that a reply is, or begins with; None where nobody knows it."""
    if called.completion_tokens <= 1:
        return called.mean_logprob
    logprobs = None if called.tokens is None or called.thinking is not None else called.tokens.logprobs
    return logprobs[0] if logprobs and begins_with_verdict(called.text) else None


def requested_under(
    policy: Policy,
    tier: str | None,
    call: str,
    attempt: str,
    needed: NeedsCall,
    purpose: ev.ToolPurpose,
) -> ev.ToolRequested:
    """A request under a policy."""
    return ev.ToolRequested(
        call=call,
        attempt=attempt,
        tool=policy.tool,
        input=needed.input,
        program=needed.program,
        purpose=purpose,
        timeout_seconds=policy.limits.timeout_seconds,
        memory_limit_mb=policy.limits.memory_limit_mb,
        policy_sha256=policy.sha256,
        tier=tier,
        files_sha256=files_sha256(needed.files),
    )


def refusal(settings: ToolsSettings, policy: Policy, made: int) -> tuple[str, str] | None:
    """Why the student may not make this call: (line to read, word for the audit); None where it may.

    `made` is how many calls of the tool the attempt has made before.
    """
    enabled = settings.enabled or ()
    if policy.tool not in enabled:
        return f"Unknown tool {policy.tool!r}; there are: {', '.join(enabled)}", f"tool {policy.tool}"
    if policy.calls_per_attempt is not None and made >= policy.calls_per_attempt:
        return f"RateError: {policy.tool} may be called {policy.calls_per_attempt} times an attempt", "rate"
    return None


def called(requested: ev.ToolRequested, result: ToolResult, files: Mapping[str, str]) -> ev.ToolCalled:
    """The event of a call that has ended. `files` is the working directory before it."""
    deleted = () if result.files is None else tuple(sorted(files.keys() - result.files.keys()))
    return ev.ToolCalled(
        call=requested.call,
        attempt=requested.attempt,
        tool=requested.tool,
        status=result.status,
        output=result.output,
        exit_code=result.exit_code,
        tier=result.tier,
        denied=result.denied,
        stdout=result.stdout,
        stdout_sha256=result.stdout_sha256,
        stderr=result.stderr,
        stderr_sha256=result.stderr_sha256,
        written=tuple(FileWritten(path=f.path, bytes=f.bytes, sha256=f.sha256, text=f.text) for f in result.written),
        deleted=deleted,
    )

"""What was asked of a model or a tool, and what came back."""

from typing import Literal

from agent0es.domain.names import ToolPurpose
from agent0es.domain.program import Program
from agent0es.domain.prompt import Prompt, Tokens
from agent0es.domain.task import Question
from agent0es.domain.values import Role, Value
from agent0es.domain.workdir import FileWritten


class ModelCalled(Value):
    """A model wrote something. Stream of the task (teacher) or of the attempt (student)."""

    type: Literal["ModelCalled"] = "ModelCalled"
    version: Literal[3] = 3
    role: Role
    """On whose behalf."""
    task: int | None
    """Number of the task; None for a held-out problem."""
    attempt: str | None
    """Name of the attempt; None for the teacher."""
    model: str
    """The model that answered, by its backend's name for it."""
    adapter: str | None
    """Adapter that answered; None is the base model."""
    prompt: Prompt
    """What it read, before its chat template."""
    text: str
    """What was written. Hostile."""
    thinking: str | None = None
    """What the model thought before, where its backend tells the two apart. Hostile."""
    tokens: Tokens | None = None
    """What was written, token by token; None where nobody knows."""
    prompt_tokens: int
    """Tokens read, cached ones included."""
    cached_tokens: int | None = None
    """Of these, what the backend had read before; None where it doesn't say."""
    completion_tokens: int
    """Tokens written."""
    finish_reason: str
    """`stop`, `length` or `cancelled`."""
    temperature: float
    """Sampling temperature; 0 is greedy."""
    seed: int
    """Seed of this call."""
    mean_logprob: float | None
    """Mean natural-log probability of the written tokens, rounded to 4 places; None without any."""
    left_out: tuple[str, ...] = ()
    """Settings of the request that the model couldn't take."""
    question: Question | None = None
    """What the student was asked about the answer that it had given; None while it worked, and for the teacher."""


class ToolRequested(Value):
    """A tool call is about to run in the sandbox. Stream of the attempt."""

    type: Literal["ToolRequested"] = "ToolRequested"
    version: Literal[3] = 3
    call: str
    """Name of the call: the attempt, `#`, and a count from 1."""
    attempt: str
    """Name of the attempt."""
    tool: str
    """Name of the tool."""
    input: str
    """What it is given: code, an expression, or a program's data as JSON. Hostile."""
    program: Program | None = None
    """The program of ours that runs in place of the tool, under its limits; None where the tool itself does."""
    purpose: ToolPurpose
    """solution: the student's own call; verification, second_instance: the verifier's, on the student's answer or code;
    reference, repetition: the first and the second run of what a teacher wrote as a freeform task's reference."""
    timeout_seconds: float
    """Wall-clock limit."""
    memory_limit_mb: int
    """Memory limit."""
    policy_sha256: str | None = None
    """Hash of all limits and of the list of what is allowed; None in what was written before version 2."""
    tier: str | None = None
    """The isolation that is to hold; None in what was written before version 2."""
    files_sha256: str | None = None
    """Hash of the working directory at the start (`domain/workdir.py`); None for an empty one."""


class ToolCalled(Value):
    """A tool call ended. A ToolRequested without it has an unknown outcome. Stream of the attempt."""

    type: Literal["ToolCalled"] = "ToolCalled"
    version: Literal[2] = 2
    call: str
    """Name of the call."""
    attempt: str
    """Name of the attempt."""
    tool: str
    """Name of the tool."""
    status: Literal["ok", "error", "timeout", "denied", "limit"]
    """How it ended."""
    output: str
    """What the model read. Hostile."""
    exit_code: int | None
    """Exit status; negative is a signal; None when nothing was started."""
    tier: str
    """The isolation that held."""
    denied: tuple[str, ...] = ()
    """What was refused, in short words: `network`, `file`, `module socket`, `rate`."""
    stdout: str | None = None
    """Standard output, its middle left out where it is long; None where `output` is all of it. Hostile."""
    stdout_sha256: str | None = None
    """Hash of its bytes; None where there were none, and for a call that was killed: where it stood then is chance."""
    stderr: str | None = None
    """Standard error, as `stdout`; None where there was none. Hostile."""
    stderr_sha256: str | None = None
    """As `stdout_sha256`."""
    written: tuple[FileWritten, ...] = ()
    """Files that it made or changed in its working directory."""
    deleted: tuple[str, ...] = ()
    """Files that it removed from there."""

"""The catalogue: everything that can happen in a run, in the order in which it happens.

The fields of an event are its *content*: a function of the run's seed, its configuration and earlier events.
How it went (time, host, durations, memory) is *meta* and lives beside the event, see `agent0es.log.records`.
No content names the run, so two runs that decided the same have the same content hashes. `Retracted` alone is no
decision of the run but what a person did.

How attempts, calls and streams are named says `agent0es.domain.names`.
"""

from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

from agent0es.domain.names import ToolPurpose as ToolPurpose
from agent0es.domain.program import Program
from agent0es.domain.task import Question, Scalar, Solution, Task, Verification
from agent0es.domain.values import Value
from agent0es.domain.workdir import FileWritten

Role = Literal["teacher", "student"]
Share = Annotated[float, Field(ge=0.0, le=1.0)]


class RunStarted(Value):
    """A run began. Stream `run/<run>`."""

    type: Literal["RunStarted"] = "RunStarted"
    version: Literal[4] = 4
    seed: int
    """Every random choice of the run derives from it."""
    configuration: dict[str, Any]
    """The full configuration, defaults included; secrets are left out."""
    code_version: str
    """Version of agent0es that started the run."""
    weights: dict[str, str]
    """Model name to sha256 of its weights."""
    plugins: dict[str, str] = Field(default_factory=dict)
    """What the run uses (`<entry point group>:<name>`) to the package and version that it comes from."""


class RunForked(Value):
    """A run began whose past is another run's up to a position. Stream `run/<run>`."""

    type: Literal["RunForked"] = "RunForked"
    version: Literal[4] = 4
    parent: str
    """Name of the run that it was forked from."""
    position: int = Field(ge=1)
    """The last event that it shares with the parent."""
    seed: int
    """Every random choice from here on derives from it."""
    configuration: dict[str, Any]
    """The full configuration from here on, defaults included; secrets are left out."""
    code_version: str
    """Version of agent0es that forked the run."""
    weights: dict[str, str]
    """Model name to sha256 of its weights."""
    plugins: dict[str, str] = Field(default_factory=dict)
    """What the fork uses (`<entry point group>:<name>`) to the package and version that it comes from."""


class IterationStarted(Value):
    """A round of practice, training and evaluation began. Stream `run/<run>`."""

    type: Literal["IterationStarted"] = "IterationStarted"
    version: Literal[1] = 1
    iteration: int = Field(ge=1)
    """Counted from 1."""


class TaskRequested(Value):
    """The curriculum decided what to ask the teacher for. Stream `task/<run>/<n>`."""

    type: Literal["TaskRequested"] = "TaskRequested"
    version: Literal[2] = 2
    task: int = Field(ge=1)
    """Number of the task in the run, counted from 1."""
    iteration: int = Field(ge=1)
    """Iteration that the task belongs to."""
    domain: str
    """Task domain."""
    source: Literal["families", "freeform"]
    """families: the teacher chooses a family and its parameters; freeform: it writes task and reference itself."""
    families: dict[str, Share]
    """Families to choose from, each with the difficulty that is wanted of it; for a freeform task, its one name."""
    novelty_bar: Share
    """A task whose novelty is below this is refused."""
    seed: int
    """Seed of the proposal and, derived, of the attempts."""


class TaskProposed(Value):
    """The teacher's proposal was accepted. Stream `task/<run>/<n>`."""

    type: Literal["TaskProposed"] = "TaskProposed"
    version: Literal[2] = 2
    task: int
    """Number of the task."""
    iteration: int
    """Iteration that the task belongs to."""
    proposal: Task
    """The task itself, with its answer."""
    novelty: Share
    """1 − the largest cosine similarity to an earlier task of the run; 1 for the first."""
    nearest: int | None
    """Number of the most similar earlier task."""
    attempts: int = Field(ge=1)
    """How many attempts the student makes."""
    seed: int
    """Attempt k's seed derives from it."""
    demonstrations: int = Field(ge=0)
    """How many worked examples of the family the student is shown."""


class ProposalRejected(Value):
    """A proposal of the teacher could not be used. Stream `task/<run>/<n>`."""

    type: Literal["ProposalRejected"] = "ProposalRejected"
    version: Literal[3] = 3
    task: int
    """Number of the task."""
    iteration: int
    """Iteration that the task belongs to."""
    reason: Literal[
        "unreadable",
        "unknown_family",
        "invalid_parameters",
        "duplicate",
        "not_novel",
        "off_frontier",
        "reference_failed",
        "not_deterministic",
        "inconsistent",
        "verifier_too_lax",
    ]
    """Kind of refusal."""
    detail: str
    """What exactly was wrong."""
    text: str
    """What the teacher wrote. Hostile."""
    tries_left: int = Field(ge=0)
    """How often the teacher may still try this task; at 0 the task is dropped."""
    novelty: Share | None = None
    """Of a task that is not novel, what TaskProposed has of one that is; None where that was not the reason."""
    novelty_bar: Share | None = None
    """What its novelty is below."""


class AttemptStarted(Value):
    """The student began an attempt. Stream `attempt/<run>/<attempt>`."""

    type: Literal["AttemptStarted"] = "AttemptStarted"
    version: Literal[1] = 1
    attempt: str
    """Name of the attempt."""
    task: int | None
    """Number of the task; None for a held-out problem."""
    seed: int
    """Seed of the student's sampling."""
    adapter: str | None
    """Adapter that answers; None is the base model."""
    demonstrations: int
    """Worked examples in the prompt."""


class ModelCalled(Value):
    """A model wrote something. Stream of the task (teacher) or of the attempt (student)."""

    type: Literal["ModelCalled"] = "ModelCalled"
    version: Literal[2] = 2
    role: Role
    """On whose behalf."""
    task: int | None
    """Number of the task; None for a held-out problem."""
    attempt: str | None
    """Name of the attempt; None for the teacher."""
    model: str
    """Backend's name of the model."""
    adapter: str | None
    """Adapter that answered; None is the base model."""
    prompt: tuple[str, ...]
    """The prompt is the concatenation of these; long parts are stored once."""
    text: str
    """What was written. Hostile."""
    prompt_tokens: int
    """Tokens read, cached ones included."""
    completion_tokens: int
    """Tokens written."""
    finish_reason: str
    """`stop`, `length` or `cancelled`."""
    temperature: float
    """Sampling temperature; 0 is greedy."""
    seed: int
    """Seed of this call."""
    mean_logprob: float
    """Mean natural-log probability of the written tokens, rounded to 4 places; 0 when none."""
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


class Reflected(Value):
    """The student was asked about its own answer; what it said is the ModelCalled before. Stream of the attempt."""

    type: Literal["Reflected"] = "Reflected"
    version: Literal[1] = 1
    attempt: str
    """Name of the attempt."""
    task: int | None
    """Number of the task; None for a held-out problem."""
    question: Question
    """What it was asked."""
    confidence: Share | None
    """How likely its answer is right, by what it said; None when that could not be read."""


class SolutionSubmitted(Value):
    """An attempt ended. Stream of the attempt."""

    type: Literal["SolutionSubmitted"] = "SolutionSubmitted"
    version: Literal[1] = 1
    attempt: str
    """Name of the attempt."""
    task: int | None
    """Number of the task; None for a held-out problem."""
    solution: Solution
    """Answer and what it took."""


class AttemptAbandoned(Value):
    """The attempt was cut off; it is retried under another name. Stream of the attempt."""

    type: Literal["AttemptAbandoned"] = "AttemptAbandoned"
    version: Literal[2] = 2
    attempt: str
    """Name of the attempt."""
    task: int | None
    """Number of the task; None for a held-out problem."""
    retried_as: str
    """Name of the attempt that takes its place."""
    reason: str
    """What cut it off: an error, or that the run was interrupted."""


class Verified(Value):
    """A verifier judged an answer. Stream of the attempt."""

    type: Literal["Verified"] = "Verified"
    version: Literal[2] = 2
    attempt: str
    """Name of the attempt."""
    task: int | None
    """Number of the task; None for a held-out problem."""
    verification: Verification
    """The judgement."""
    second_instance: bool | None
    """Whether the same code is right for other numbers; None where that was not or could not be checked."""
    majority_key: str | None
    """The answer in a normal form, so that attempts that agree can be counted; None without an answer."""


class RewardAssigned(Value):
    """An attempt, or the teacher for a task, was rewarded. Stream `task/<run>/<n>`."""

    type: Literal["RewardAssigned"] = "RewardAssigned"
    version: Literal[1] = 1
    role: Role
    """Who is rewarded."""
    task: int
    """Number of the task."""
    attempt: str | None
    """Name of the attempt; None for the teacher."""
    components: dict[str, float]
    """Component to value in [0, 1], before weights."""
    total: float
    """Weighted sum of the components."""


class TaskCompleted(Value):
    """All attempts at a task were verified and rewarded. Stream `task/<run>/<n>`."""

    type: Literal["TaskCompleted"] = "TaskCompleted"
    version: Literal[1] = 1
    task: int
    """Number of the task."""
    iteration: int
    """Iteration that the task belongs to."""
    family: str
    """Family of the task."""
    difficulty: Share
    """Difficulty of the task."""
    attempts: int
    """How many attempts were made."""
    solved: int
    """How many were correct."""


class IterationCompleted(Value):
    """The practice of an iteration is over. Stream `run/<run>`."""

    type: Literal["IterationCompleted"] = "IterationCompleted"
    version: Literal[1] = 1
    iteration: int
    """Counted from 1."""
    tasks: int
    """Tasks that were completed."""
    given_up: int
    """Tasks for which the teacher had no usable proposal."""
    attempts: int
    """Attempts that were made."""
    solved: int
    """Attempts that were correct."""


class DatasetBuilt(Value):
    """The training examples of an adapter were chosen. Stream `adapter/<run>/<adapter>`."""

    type: Literal["DatasetBuilt"] = "DatasetBuilt"
    version: Literal[1] = 1
    adapter: str
    """Adapter that is to be trained, e.g. `student-1`."""
    role: Role
    """Who is trained."""
    iteration: int
    """Iteration after which it was built."""
    examples: int
    """Number of rows."""
    sha256: str
    """Hash of the JSONL file's bytes."""
    per_family: dict[str, int]
    """Rows by family."""
    sources: tuple[str, ...]
    """Attempts (student) or task numbers (teacher) that the rows were made of, in order."""


class TrainingStarted(Value):
    """A training process is about to start. Stream `adapter/<run>/<adapter>`."""

    type: Literal["TrainingStarted"] = "TrainingStarted"
    version: Literal[2] = 2
    adapter: str
    """Name of the adapter."""
    role: Role
    """Who is trained."""
    iteration: int
    """Iteration."""
    dataset_sha256: str
    """Hash of the dataset."""
    base_sha256: str
    """Hash of the base model's weights."""
    settings: dict[str, Scalar | list[str]]
    """Hyper-parameters."""


class AdapterTrained(Value):
    """An adapter was trained, merged and written. Stream `adapter/<run>/<adapter>`."""

    type: Literal["AdapterTrained"] = "AdapterTrained"
    version: Literal[2] = 2
    adapter: str
    """Name of the adapter."""
    role: Role
    """Who was trained."""
    iteration: int
    """Iteration."""
    path: str
    """Folder of the adapter, relative to the store."""
    files: dict[str, str]
    """What lies in the folder: path to sha256. Of those before version 2 the adapter's matrices and the merged GGUF."""
    steps: int
    """Optimizer steps."""
    loss: tuple[float, ...]
    """Mean loss per step, rounded to 4 places."""


class TrainingFailed(Value):
    """Training ended without an adapter. Stream `adapter/<run>/<adapter>`."""

    type: Literal["TrainingFailed"] = "TrainingFailed"
    version: Literal[1] = 1
    adapter: str
    """Name of the adapter."""
    role: Role
    """Who was to be trained."""
    iteration: int
    """Iteration."""
    reason: str
    """What went wrong."""


class ArmScore(Value):
    """How one way of answering did on one split of the held-out problems."""

    arm: str
    """E.g. `base-zero-shot`, `base-few-shot`, `student-1`."""
    split: Literal["practised", "held_out"]
    """Families that are practised, with fresh instances, or families that never are."""
    correct: int
    """Problems solved."""
    problems: int
    """Problems asked."""
    low: float
    """Lower end of the 95% Wilson interval of the share."""
    high: float
    """Upper end."""
    by_family: dict[str, tuple[int, int]]
    """Family to (solved, asked)."""


class Comparison(Value):
    """Two arms on the same problems."""

    split: Literal["practised", "held_out"]
    """Which problems."""
    baseline: str
    """Arm that is compared with."""
    arm: str
    """Arm that is compared."""
    difference: float
    """Share solved by the arm minus share solved by the baseline."""
    low: float
    """Lower end of the 95% bootstrap interval over families."""
    high: float
    """Upper end."""
    p_value: float
    """Two-sided exact McNemar test over problems."""


class AdapterEvaluated(Value):
    """An adapter and its baselines answered the same held-out problems. Stream `adapter/<run>/<adapter>`."""

    type: Literal["AdapterEvaluated"] = "AdapterEvaluated"
    version: Literal[1] = 1
    adapter: str
    """Name of the adapter."""
    role: Role
    """Whose adapter."""
    iteration: int
    """Iteration."""
    scores: tuple[ArmScore, ...]
    """Each arm on each split."""
    comparisons: tuple[Comparison, ...]
    """The adapter against each other arm on each split."""


class AdapterPromoted(Value):
    """The gate promoted an adapter: it is in use from now on. Stream `run/<run>`."""

    type: Literal["AdapterPromoted"] = "AdapterPromoted"
    version: Literal[1] = 1
    adapter: str
    """Name of the adapter."""
    role: Role
    """Whose adapter."""
    iteration: int
    """Iteration."""
    score: float
    """Mean share solved over the splits."""
    reason: str
    """Why, in one line."""


class AdapterRejected(Value):
    """The gate rejected an adapter: the one in use stays. Stream `run/<run>`."""

    type: Literal["AdapterRejected"] = "AdapterRejected"
    version: Literal[1] = 1
    adapter: str
    """Name of the adapter."""
    role: Role
    """Whose adapter."""
    iteration: int
    """Iteration."""
    reason: str
    """Why, in one line."""


class Retracted(Value):
    """A person declared a task or an attempt bad: no dataset that is built later holds it. Stream `run/<run>`."""

    type: Literal["Retracted"] = "Retracted"
    version: Literal[1] = 1
    what: str
    """Number of a task, which stands for its attempts too, or name of an attempt at one."""
    reason: str
    """Why, in the person's words."""
    actor: str
    """The person's account on the machine."""


class Retried(Value):
    """Something failed and is retried. For attempts this is AttemptAbandoned. Stream `run/<run>`."""

    type: Literal["Retried"] = "Retried"
    version: Literal[1] = 1
    handler: str
    """Name of the handler that does it."""
    task: int | None
    """Number of the task that it is for; None where it is for none."""
    name: str | None
    """Call, held-out attempt, attempt or adapter that failed; None for what has no name, such as a proposal."""
    retry: int = Field(ge=1)
    """Which retry this is, from 1; `execution.retries` says how many there may be."""
    error: str
    """Type and message."""


class HandlerFailed(Value):
    """A handler failed for good: its error is not retried, or the retries are used up. Stream `run/<run>`."""

    type: Literal["HandlerFailed"] = "HandlerFailed"
    version: Literal[1] = 1
    handler: str
    """Name of the handler."""
    cause: int
    """Position of the event that it was handling."""
    task: int | None
    """Number of the task that is dropped for it; None when the run stops instead."""
    error: str
    """Type and message."""
    traceback: str
    """Where it happened."""


class RunCompleted(Value):
    """All iterations are done. Stream `run/<run>`."""

    type: Literal["RunCompleted"] = "RunCompleted"
    version: Literal[1] = 1
    iterations: int
    """How many were done."""
    serving: dict[str, str | None]
    """Role to the adapter in use at the end; None is the base model."""


Event = (
    RunStarted
    | RunForked
    | IterationStarted
    | TaskRequested
    | TaskProposed
    | ProposalRejected
    | AttemptStarted
    | ModelCalled
    | ToolRequested
    | ToolCalled
    | Reflected
    | SolutionSubmitted
    | AttemptAbandoned
    | Verified
    | RewardAssigned
    | TaskCompleted
    | IterationCompleted
    | DatasetBuilt
    | TrainingStarted
    | AdapterTrained
    | TrainingFailed
    | AdapterEvaluated
    | AdapterPromoted
    | AdapterRejected
    | Retracted
    | Retried
    | HandlerFailed
    | RunCompleted
)
"""Every event, to look at."""

event_adapter: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="type")])
"""Every event, to parse with."""

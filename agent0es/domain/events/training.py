"""How an adapter comes to be. Stream `adapter/<run>/<adapter>`."""

from typing import Literal

from pydantic import Field

from agent0es.domain.task import Scalar
from agent0es.domain.values import Role, Value


class TrainingRequested(Value):
    """A user asked for an adapter that learns from a completed run. Stream `adapter/<run>/<adapter>`."""

    type: Literal["TrainingRequested"] = "TrainingRequested"
    version: Literal[1] = 1
    adapter: str
    """Name of the new adapter."""
    role: Role
    """Who is trained."""
    iteration: int
    """It learns from practice up to the end of this iteration."""
    replaces: str | None
    """The tainted adapter that it is to take the place of."""
    settings: dict[str, Scalar | list[str]]
    """Hyper-parameters, as the configuration has them under `training`."""


class DatasetBuilt(Value):
    """The training examples of an adapter were chosen. Stream `adapter/<run>/<adapter>`."""

    type: Literal["DatasetBuilt"] = "DatasetBuilt"
    version: Literal[4] = 4
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
    rows: Literal["filtered", "asked", "messages", "text", "pairs", "groups"] = "filtered"
    """What a row is. `pairs`: a right and a wrong attempt at one task; `groups`: an attempt of a group, with its reward
    and its tokens; else what was right, and by which rules it was chosen. `filtered`: its prompt is the messages as
    they were asked, and it passed all filters. Before version 4 (`asked`) the only ones were correct, retracted, the
    family's share; before version 3 (`messages`) a teacher's prompts were always those of a request for families, and
    rows left out what was thought; before version 2 (`text`) it was the text that SmolLM2's template makes of them."""
    thought: int = 0
    """Examples that are not among the rows because the model thought before it wrote: without its thoughts it would
    learn to do without."""
    method: str = "rft"
    """The training method that the rows are for."""
    start: str | None = None
    """The adapter that the training goes on from; None where it begins at the base model."""
    left_out: dict[str, int] = Field(default_factory=dict)
    """Why others are not among the rows, to how many: `doubtful` (tasks of the teacher's own whose label all attempts
    contradict), `not_novel` and `duplicate` (near-duplicates), `band` (a student's, of tasks that nearly all attempts
    solve, or none), `reward` (a teacher's, rewarded less than the mean of their family), `cap` (the share of their
    task or family was full). Of groups and pairs: `tainted` (sampled by an adapter that learnt from what was
    retracted), `rolled_back` (by one that fell) and `stale` (by an older one than the latest), `undecided` (nobody
    could judge it), `unsampled` (no tokens were drawn and recorded), `alike` (all of the group were rewarded alike),
    `alone` (no other to pair it with) and `lucky` (right by luck, as a second instance showed). Empty before version
    4."""
    per_family: dict[str, int]
    """Rows by family."""
    sources: tuple[str, ...]
    """Attempts (student) or task numbers and drafts (teacher) that the rows were made of, in order."""


class TrainingStarted(Value):
    """A training process is about to start. Stream `adapter/<run>/<adapter>`."""

    type: Literal["TrainingStarted"] = "TrainingStarted"
    version: Literal[4] = 4
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


class TrainingProgressed(Value):
    """A part of a training is done: a twentieth of its steps, or one step where it has fewer. Stream
    `adapter/<run>/<adapter>`."""

    type: Literal["TrainingProgressed"] = "TrainingProgressed"
    version: Literal[1] = 1
    adapter: str
    """Name of the adapter."""
    role: Role
    """Who is trained."""
    iteration: int
    """Iteration."""
    step: int
    """Optimizer steps so far: the last one of the part."""
    steps: int
    """How many there will be."""
    loss: float
    """Mean of the losses of the part's steps, rounded to 4 places."""
    gradient_norm: float
    """Mean of the gradient's Euclidean norm in these steps, before it is clipped, rounded to 4 places."""
    learning_rate: float
    """In the last of them."""
    tokens: int
    """Read so far, every epoch counted."""
    metrics: dict[str, float]
    """What the training method tells besides: means over the part's steps, rounded to 4 places."""


class MicroBatchHalved(Value):
    """Memory ran out in a training; it goes on with fewer examples computed at once. A step of the optimizer takes as
    many as before. Stream `adapter/<run>/<adapter>`."""

    type: Literal["MicroBatchHalved"] = "MicroBatchHalved"
    version: Literal[1] = 1
    adapter: str
    """Name of the adapter."""
    role: Role
    """Who is trained."""
    iteration: int
    """Iteration."""
    micro_batch: int
    """Most examples that are computed at once from now on."""
    reason: str
    """What the trainer, or the system, said."""


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

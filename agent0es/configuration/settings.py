"""What a user can set: pydantic models with defaults, bounds, and a sentence under each key."""

from typing import Annotated, Any, Literal

from pydantic import Field, field_serializer, field_validator, model_validator

from agent0es.configuration.alerts import AlertsSettings
from agent0es.configuration.models import ModelSettings, StudentSettings
from agent0es.configuration.router import RouterSettings
from agent0es.configuration.secrets import url_without_secrets
from agent0es.configuration.section import EachOnce, Section
from agent0es.domain.task import Question

PYTHON_MODULES = tuple(
    """__future__ abc array ast base64 binascii bisect builtins calendar cmath codecs collections colorsys contextlib
copy csv dataclasses datetime decimal difflib enum fractions functools glob graphlib gzip hashlib heapq hmac
html io itertools json keyword locale math mpmath numbers numpy operator os pathlib pprint queue random re
secrets shutil statistics string struct sympy sys tempfile textwrap time timeit tokenize traceback types
typing unicodedata unittest uuid warnings weakref zipfile zlib zoneinfo""".split()
)
"""What code in `python` may import by default."""
SHELL_COMMANDS = tuple("cat cut diff echo find grep head ls nl pwd sort tail tr uniq wc".split())


class ModelsSettings(Section):
    """The models of the two agents."""

    teacher: ModelSettings = ModelSettings(temperature=1.0, max_tokens=96)
    """Proposes the tasks."""
    student: StudentSettings = StudentSettings(stop=("\n",))
    """Solves them, and is trained."""


class ToolSettings(Section):
    """Settings of one tool. They replace those of all tools; `null` leaves those in effect."""

    timeout_seconds: float | None = Field(default=None, gt=0.0, le=3600.0)
    """Most seconds of wall clock for one call."""
    memory_limit_mb: int | None = Field(default=None, ge=64)
    """Most memory for one call, in MB."""
    output_limit_bytes: int | None = Field(default=None, ge=64)
    """Bytes that are kept of a call's output."""
    calls_per_attempt: int | None = Field(default=None, ge=0, le=64)
    """Calls of this tool in one attempt; more are refused."""
    calls_per_minute: int | None = Field(default=None, ge=1)
    """Calls of this tool in any minute of the run; more are refused."""
    allow: tuple[str, ...] | None = None
    """What the tool may use: modules (`python`), commands (`shell`), functions (`math`) or tools (`plan`). `null` for
    `tools.modules`, `tools.commands`, or all there are."""


class ToolsSettings(Section):
    """Which tools the student may call, and their limits."""

    enabled: Annotated[tuple[str, ...] | None, EachOnce] = Field(default=None, min_length=1)
    """Entry points in the group `agent0es.tools`; `null` for the tools of the task's domain."""
    timeout_seconds: float = Field(default=5.0, gt=0.0, le=3600.0)
    """Most seconds of wall clock for one call."""
    memory_limit_mb: int = Field(default=512, ge=64)
    """Most memory for one call, in MB."""
    output_limit_bytes: int = Field(default=2048, ge=64)
    """Bytes that are kept of a call's output."""
    calls_per_attempt: int | None = Field(default=None, ge=0, le=64)
    """After this many calls the student must answer; `null` for the number of the task's domain."""
    calls_per_minute: int | None = Field(default=None, ge=1)
    """Calls of all tools together in any minute of the run; more are refused. `null` for no limit."""
    modules: tuple[str, ...] = PYTHON_MODULES
    """What code in `python` may import. A hint to the model, not the boundary: that is the sandbox."""
    commands: tuple[str, ...] = SHELL_COMMANDS
    """Which of its commands `shell` may run."""
    of: dict[str, ToolSettings] = Field(default_factory=dict)
    """Tool (entry point in the group `agent0es.tools`) to its own settings."""
    domains: dict[str, dict[str, ToolSettings]] = Field(default_factory=dict)
    """Task domain (entry point in the group `agent0es.task_domains`) to tool to its settings in that domain."""


class SandboxSettings(Section):
    """Isolation of the code that models write."""

    tier: Literal["auto", "full", "kernel"] = "auto"
    """`auto` takes the best one that works on this machine. docs/security.md says what each stops."""
    allow_unsafe: bool = False
    """If no tier works, run tools without isolation. Every start and every event of a call says so."""


class CurriculumSettings(Section):
    """What the teacher is asked for."""

    domains: Annotated[tuple[str, ...], EachOnce] = Field(default=("math",), min_length=1)
    """What is practised: entry points in the group `agent0es.task_domains`."""
    families: Annotated[tuple[str, ...], EachOnce] = ()
    """Families of other packages that join these domains: entry points in the group `agent0es.families`."""
    freeform_share: float = Field(default=0.0, ge=0.0, le=1.0)
    """Share of the tasks that the teacher writes itself, where the domain allows it; the rest come from families."""
    steered: bool = True
    """Whether tasks follow what the student can do; `false`, to compare, asks families in turn at any difficulty."""
    start_difficulty: float = Field(default=0.0, ge=0.0, le=1.0)
    """Difficulty of the run's first tasks; from there it moves towards a solve rate of one half."""
    band: float = Field(default=0.25, gt=0.0, le=0.5)
    """A family is at the frontier while its solve rate is within this of one half; others are asked less often."""
    domain_floor: float = Field(default=0.1, ge=0.0, le=1.0)
    """Least share of the tasks for each domain, at most an equal one; the rest goes where abilities move most."""
    novelty_share: float = Field(default=0.1, ge=0.0, le=1.0)
    """Share of the tasks that goes to the families asked least, at the frontier or not."""
    review_share: float = Field(default=0.5, ge=0.0, le=1.0)
    """Share of the tasks that are only as difficult as the evaluation, once the frontier lies beyond it."""
    candidates: int = Field(default=2, ge=1)
    """Families that the teacher may choose from for each task."""
    novelty_bar: float = Field(default=0.02, ge=0.0, le=1.0)
    """Proposals less novel than this are near-duplicates and refused; novelty is 1 − the largest cosine similarity."""
    proposal_tries: int = Field(default=3, ge=1)
    """Proposals per task before it is dropped."""
    demonstrations: int = Field(default=4, ge=0, le=16)
    """Worked examples in the prompt while the student solves less than half of a family's tasks."""


class RewardsSettings(Section):
    """Weights of the reward components."""

    weights: dict[str, float] = Field(default={"uncertainty": 0.3, "tool_use": 0.3, "novelty": 0.2, "correctness": 0.2})
    """Component (entry point in the group `agent0es.rewards`) to weight."""


class TrainingSettings(Section):
    """How adapters are trained."""

    roles: Annotated[tuple[Literal["student", "teacher"], ...], EachOnce] = ("student",)
    """Whose adapters are trained after each iteration."""
    engine: Literal["packed", "hf"] = "packed"
    """What computes: `packed` trains GGUFs of the llama and qwen2 architectures on a CPU, in less time; `hf` trains
    every model that transformers loads, on a GPU where there is one."""
    method: str = "rft"
    """Entry point in the group `agent0es.methods`. `rft` learns from the attempts that were right, `dpo` from pairs of
    a right and a wrong one, `grpo` from all at a task by their rewards; these two go on from the adapter that
    practised last and was not rolled back."""
    variant: Literal["grpo", "dr_grpo", "dapo", "adpo"] = "dapo"
    """Of `grpo`: how advantages are scaled, what is clipped, and over what the mean is taken."""
    reward: Literal["correct", "total"] = "correct"
    """Of `grpo`, what the student's attempts are rewarded with: `correct`, 1 for right and 0 for wrong; `total`, the
    sum that `rewards.weights` makes. A teacher's proposals always have the latter, and 0 where they were refused."""
    clip: float = Field(default=0.2, gt=0.0, lt=1.0)
    """Of `grpo`: how far below 1 a token's probability may get, by that at which it was written, before it teaches no
    more."""
    clip_high: float = Field(default=0.28, gt=0.0)
    """The same above 1. A token that was unlikely has far to go: DAPO's value."""
    kl: float = Field(default=0.0, ge=0.0)
    """Of `grpo`: the weight of the KL term, which holds the adapter to where it began."""
    beta: float = Field(default=0.1, gt=0.0)
    """Of `dpo`: how strongly the adapter is held to where it began."""
    learn_from: Literal["observed", "correct", "mended"] = "observed"
    """Of `rft`, which of the student's correct attempts: `observed` takes those of one call that printed the answer;
    `correct` those of any number of calls, mended mistakes included: the mending is learnt. None that is right by luck.
    `mended` also puts a right attempt behind a wrong one at the same task whose mistake shows (an error, less than
    nothing, a part of what comes whole), so that the student learns to call again then."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Precision of multiplications with frozen weights. `auto` takes bf16 if it is faster on this processor; with
    `execution.deterministic` it takes fp32, because another processor would train a different adapter."""
    peft_method: Literal["lora", "qlora"] = "lora"
    """`qlora` keeps the frozen weights in 4 bits, by bitsandbytes (extra `quantized`); for `engine: hf`."""
    gradient_checkpointing: bool = False
    """Compute what lies between layers again on the way back, rather than keep it: less memory, a third more time; for
    `engine: hf`."""
    optimizer: Literal["adamw", "adamw_8bit"] = "adamw"
    """`adamw_8bit` keeps AdamW's averages in 8 bits, on a GPU in pages that move to the CPU's memory when there is no
    room; by bitsandbytes (extra `quantized`)."""
    rank: int = Field(default=32, ge=1)
    """Rank of the adapter's matrices."""
    alpha: float = Field(default=64.0, gt=0.0)
    """What the adapter adds is scaled by alpha / rank."""
    dropout: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Share of the adapter's inputs that is left out at random in training."""
    target_modules: tuple[str, ...] = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
    """Layers that get an adapter."""
    frozen_share: float = Field(default=1 / 3, ge=0.0, lt=1.0)
    """Share of the layers, from the first on, that get no adapter; gradients only go back through the others."""
    learning_rate: float | None = Field(default=None, gt=0.0)
    """The highest rate; it rises during warm-up, then falls to the end. `null` for the method's own: `rft` 0.001, which
    is for a small model; `grpo` 0.00001 and `dpo` 0.000005, TRL's for LoRA. Where a run's method is changed and no
    rate is said, it is the new one's."""
    epochs: int = Field(default=2, ge=1)
    """Passes over the dataset."""
    batch_size: int = Field(default=8, ge=1)
    """Examples per batch. Where memory runs out fewer are computed at once; a step of the optimizer takes as many."""
    gradient_accumulation: int = Field(default=1, ge=1)
    """Batches per step of the optimizer."""
    warmup_steps: int = Field(default=5, ge=0)
    """Steps over which the learning rate rises."""
    max_tokens: int = Field(default=1024, ge=2)
    """Longer examples are left out."""
    band: float = Field(default=0.5, gt=0.0, le=0.5)
    """Of `rft`: the student learns from tasks of which the share of right attempts is within this of one half; 0.5 is
    all."""
    examples_per_task: int = Field(default=1, ge=1)
    """Of `rft`: most examples of one task, different right attempts."""
    examples_per_family: int = Field(default=10, ge=1)
    """Most examples of one family, pooled over all iterations."""
    minimum_examples: int = Field(default=16, ge=1)
    """With fewer examples the iteration trains nothing."""


class EvaluationSettings(Section):
    """The held-out problems and the gate."""

    practised_problems: int = Field(default=1, ge=1)
    """New problems of each practised family."""
    held_out_problems: int = Field(default=3, ge=1)
    """Problems of each family that is never practised."""
    max_difficulty: float = Field(default=0.5, ge=0.0, le=1.0)
    """Difficulties are spread evenly from 0 to this."""
    demonstrations: int = Field(default=16, ge=1, le=16)
    """Worked examples in the few-shot baselines, of mixed practised families."""
    margin: float = Field(default=0.0, ge=0.0, le=1.0)
    """An adapter is promoted when its mean score beats that of the one in use by more than this, and by the test."""
    significance: float | None = Field(default=0.05, gt=0.0, le=1.0)
    """How likely a promotion by luck may be: the level of the one-sided exact McNemar test over all held-out problems,
    spent over all adapters that challenge the one in use (the first is tested at 1/2 of it, the second at 1/6, the
    third at 1/12, …). Luck has up to twice as much where problems of a family are solved or missed together. `null`
    for no test: a lead of more than the margin is enough."""
    refuse_leaks: bool = True
    """Refuse an adapter that learnt a held-out problem, or nearly so, and tasks that tell one. `false` only in runs of
    before this was looked for."""


class GuardSettings(Section):
    """What is done when a run gets worse, or learns nothing any more."""

    on_fall: Literal["ignore", "alarm", "rollback", "stop"] = "rollback"
    """What follows when tasks lose variety or repeat, labels get worse, no entropy is left in the answers, or adapters
    solve fewer held-out problems: an `alarm`; a `rollback` to the adapter before, too, where one that was in use is
    responsible; a `stop` of the run, too. `ignore` doesn't look. From a lack of entropy only an alarm follows where
    held-out accuracy has not fallen: an adapter may be sure and right."""
    fall: float = Field(default=0.1, gt=0.0, le=1.0)
    """By how much a share must be below the best of earlier iterations for an alarm, and by more than four standard
    errors."""
    patience: int | None = Field(default=3, ge=1)
    """The run ends when in so many iterations no adapter was promoted or solved more held-out problems than all before
    it; `null` for never."""


class ExecutionSettings(Section):
    """How much is done, and how."""

    iterations: int = Field(default=1, ge=1)
    """Rounds of practice, training and evaluation."""
    tasks_per_iteration: int = Field(default=990, ge=1)
    """Tasks per iteration."""
    attempts: int = Field(default=2, ge=1, le=64)
    """Attempts per task (k)."""
    reflection: Annotated[tuple[Question, ...], EachOnce] = ()
    """What the student is asked about each of its answers, in one more turn each: `confidence`, `critique`."""
    tasks_in_flight: int = Field(default=40, ge=1)
    """Tasks that are worked on at once; limits memory and batch size."""
    deterministic: bool = False
    """One request at a time in a fixed order, and training in one thread: slower; a resumed run then has the same
    content hashes, on a CPU."""
    on_error: Literal["stop", "continue"] = "stop"
    """After an error in a handler: `stop` the run, or drop that task and `continue`."""
    retries: int = Field(default=2, ge=0)
    """How often an attempt or other work is retried after a passing failure (an engine died, a trainer was killed)."""


class LogSettings(Section):
    """Where the log is."""

    url: str | None = None
    """`postgresql://user:password@host:5432/database`; without it, log.db in the store."""

    @field_validator("url")
    @classmethod
    def _readable(cls, url: str | None) -> str | None:
        from sqlalchemy import make_url
        from sqlalchemy.exc import ArgumentError

        try:
            if url is not None:
                make_url(url)
        except (ArgumentError, ValueError):  # without the URL, which may hold a password
            raise ValueError("must be a URL such as postgresql://user:password@host:5432/database") from None
        return url

    @field_serializer("url")
    def _without_password(self, url: str | None) -> str | None:
        return None if url is None else url_without_secrets(url, mask="")


class Configuration(Section):
    """The complete configuration of a run."""

    seed: int = Field(default=0, ge=0)
    """Every random choice derives from it."""
    models: ModelsSettings = ModelsSettings()
    """The models of the two agents."""
    tools: ToolsSettings = ToolsSettings()
    """Which tools the student may call, and their limits."""
    sandbox: SandboxSettings = SandboxSettings()
    """Isolation of the code that models write."""
    curriculum: CurriculumSettings = CurriculumSettings()
    """What the teacher is asked for."""
    rewards: RewardsSettings = RewardsSettings()
    """What counts as a good answer, and a good task."""
    training: TrainingSettings = TrainingSettings()
    """How adapters are trained."""
    evaluation: EvaluationSettings = EvaluationSettings()
    """The held-out problems and the gate."""
    guard: GuardSettings = GuardSettings()
    """What is done when a run gets worse, or learns nothing any more."""
    execution: ExecutionSettings = ExecutionSettings()
    """How much is done, and how."""
    router: RouterSettings = RouterSettings()
    """Who answers a question."""
    alerts: AlertsSettings = AlertsSettings()
    """What an operator is told of."""
    log: LogSettings = LogSettings()
    """Where the log is."""

    def without_secrets(self) -> "Configuration":
        """As the log keeps it."""
        return Configuration.model_validate(self.model_dump(mode="json"))

    @model_validator(mode="before")
    @classmethod
    def _routers_are_the_router(cls, data: Any) -> Any:
        """A model whose backend is `router` is the one of the section `router`."""
        models = data.get("models") if isinstance(data, dict) else None
        for role, model in models.items() if isinstance(models, dict) else ():
            if not isinstance(model, dict) or model.get("backend") != "router":
                continue
            router = RouterSettings.model_validate(data.get("router") or {}).model_dump(mode="json")
            if set(model.get("options") or router) != set(router):  # and not what was filled in before
                raise ValueError(f"models.{role}.options: set the section router instead")
            data = {**data, "models": {**data["models"], role: {**model, "options": router}}}
        return data

    @model_validator(mode="after")
    def _no_clock_in_a_deterministic_run(self) -> "Configuration":
        own = [self.tools.of, *self.tools.domains.values()]
        bounds = [self.tools.calls_per_minute, *(one.calls_per_minute for of in own for one in of.values())]
        if self.execution.deterministic and any(bounds):
            raise ValueError("calls_per_minute depends on the clock: leave it out, or execution.deterministic")
        return self

    @model_validator(mode="after")
    def _room_to_mend(self) -> "Configuration":
        if self.training.learn_from == "mended":
            if self.models.student.observations != "turns":
                raise ValueError("training.learn_from: mended is for a chat: set models.student.observations to turns")
            if (self.tools.calls_per_attempt or 0) < 2:
                raise ValueError("training.learn_from: mended takes a second call: set tools.calls_per_attempt to 2")
        return self

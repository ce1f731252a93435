"""What a user can set: pydantic models, read from YAML, the environment and `--set`.

Later sources win: defaults, the file, `AGENT0ES_<SECTION>__<KEY>` in the environment, `--set section.key=value`.
"""

import difflib
import os
from collections.abc import Iterable, Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_serializer, field_validator, model_validator

from agent0es import crash_points
from agent0es.domain.task import Question
from agent0es.errors import ConfigurationError

ENVIRONMENT_PREFIX = "AGENT0ES_"
NOT_SETTINGS = {"AGENT0ES_STORE", crash_points.VARIABLE}
"""Variables with the prefix that are not part of the configuration."""


PYTHON_MODULES = tuple(
    """__future__ abc array ast base64 binascii bisect builtins calendar cmath codecs collections colorsys contextlib
copy csv dataclasses datetime decimal difflib enum fractions functools glob graphlib gzip hashlib heapq hmac
html io itertools json keyword locale math mpmath numbers numpy operator os pathlib pprint queue random re
secrets shutil statistics string struct sympy sys tempfile textwrap time timeit tokenize traceback types
typing unicodedata unittest uuid warnings weakref zipfile zlib zoneinfo""".split()
)
SHELL_COMMANDS = tuple("cat cut diff echo find grep head ls nl pwd sort tail tr uniq wc".split())


class Section(BaseModel):
    """Part of the configuration; unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class ModelSettings(Section):
    """One model and how it is asked."""

    backend: str = "openvino"
    """Entry point in the group `agent0es.models`."""
    name: str = "smollm2-135m-instruct"
    """Name or path of the weights, as the backend understands it."""
    temperature: float = Field(default=0.6, ge=0.0, le=2.0)
    """Sampling temperature; 0 is greedy."""
    top_p: float = Field(default=1.0, gt=0.0, le=1.0)
    """Nucleus bound."""
    max_tokens: int = Field(default=64, ge=1, le=32768)
    """Bound on the tokens of one turn."""
    stop: tuple[str, ...] = ()
    """Further strings that end the student's turn, e.g. a line break for a model that writes one line a turn."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Passed to the backend, e.g. `threads`, `max_batch`."""


class ModelsSettings(Section):
    """The two agents' models."""

    teacher: ModelSettings = ModelSettings(temperature=1.0, max_tokens=96)
    student: ModelSettings = ModelSettings(stop=("\n",))


class ToolSettings(Section):
    """What holds for one tool instead of what holds for all; what is None here does not."""

    timeout_seconds: float | None = Field(default=None, gt=0.0, le=3600.0)
    memory_limit_mb: int | None = Field(default=None, ge=64)
    output_limit_bytes: int | None = Field(default=None, ge=64)
    calls_per_attempt: int | None = Field(default=None, ge=0, le=64)
    """Calls of this tool in one attempt; more are refused."""
    calls_per_minute: int | None = Field(default=None, ge=1)
    """Calls of this tool in any minute of the run; more are refused."""
    allow: tuple[str, ...] | None = None
    """Instead of `modules` or `commands`; of `math` the functions, of `plan` the tools. None for all there are."""


class ToolsSettings(Section):
    """What the student may call, and within which limits."""

    enabled: tuple[str, ...] | None = Field(default=None, min_length=1)
    """Entry points in the group `agent0es.tools`; None for those that a task's domain is made for."""
    describe: bool = False
    """Tell the student in its system turn what each enabled tool does and how it is called. For models that were not
    trained on these tools: it makes every prompt longer, and adapters learn with it."""
    timeout_seconds: float = Field(default=5.0, gt=0.0, le=3600.0)
    """Wall clock of one call."""
    memory_limit_mb: int = Field(default=512, ge=64)
    """Address space of one call."""
    output_limit_bytes: int = Field(default=2048, ge=64)
    """What is kept of a call's output."""
    calls_per_attempt: int | None = Field(default=None, ge=0, le=64)
    """After so many calls the student must answer; None for as many as a task's domain is made for."""
    calls_per_minute: int | None = Field(default=None, ge=1)
    """Calls of all tools together in any minute of the run; more are refused. None for no bound."""
    modules: tuple[str, ...] = PYTHON_MODULES
    """What code in `python` may import. A hint to the model, not the boundary: that is the sandbox."""
    commands: tuple[str, ...] = SHELL_COMMANDS
    """What `shell` knows, as far as it is listed here."""
    of: dict[str, ToolSettings] = Field(default_factory=dict)
    """Tool (entry point in the group `agent0es.tools`) to what holds for it alone."""
    domains: dict[str, dict[str, ToolSettings]] = Field(default_factory=dict)
    """Task domain (entry point in the group `agent0es.task_domains`) to tool to what holds for it there."""


class SandboxSettings(Section):
    """Isolation of what models wrote."""

    tier: Literal["auto", "full", "kernel"] = "auto"
    """auto: the best one that works on this machine. What they stop: docs/security.md."""
    allow_unsafe: bool = False
    """Where no tier works, run tools without isolation all the same. Every start says so, and so does every event."""


class CurriculumSettings(Section):
    """What the teacher is asked for."""

    domains: tuple[str, ...] = Field(default=("math",), min_length=1)
    """Entry points in the group `agent0es.task_domains`."""
    freeform_share: float = Field(default=0.0, ge=0.0, le=1.0)
    """Share of the tasks that the teacher writes itself, where the domain allows it; the others are of families."""
    start_difficulty: float = Field(default=0.0, ge=0.0, le=1.0)
    """Difficulty of the run's first tasks; from there it moves towards a solve rate of one half."""
    band: float = Field(default=0.25, gt=0.0, le=0.5)
    """Tasks are at the frontier where the solve rate is within this of one half; families outside it are asked less."""
    domain_floor: float = Field(default=0.1, ge=0.0, le=1.0)
    """Least share of the tasks for each domain, at most an equal one; the rest goes where abilities move most."""
    novelty_share: float = Field(default=0.1, ge=0.0, le=1.0)
    """Share of the tasks that goes to the families asked least, at the frontier or not."""
    review_share: float = Field(default=0.5, ge=0.0, le=1.0)
    """Share of the tasks that are as difficult as those of the evaluation, where the frontier lies beyond them."""
    candidates: int = Field(default=2, ge=1)
    """Families that the teacher may choose between."""
    novelty_bar: float = Field(default=0.02, ge=0.0, le=1.0)
    """Proposals less novel than this are near-duplicates and refused; novelty is 1 − the largest cosine similarity."""
    proposal_tries: int = Field(default=3, ge=1)
    """Proposals per task before it is given up."""
    demonstrations: int = Field(default=4, ge=0, le=16)
    """Worked examples of a family while the student solves under half of its tasks."""


class RewardsSettings(Section):
    """Weights of the reward components."""

    weights: dict[str, float] = {"uncertainty": 0.3, "tool_use": 0.3, "novelty": 0.2, "correctness": 0.2}
    """Component (entry point in the group `agent0es.rewards`) to weight."""


class TrainingSettings(Section):
    """How adapters are trained."""

    roles: tuple[Literal["student", "teacher"], ...] = ("student",)
    """Whose adapters are trained after each iteration."""
    peft_method: Literal["lora"] = "lora"
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Of the multiplications with frozen weights. `auto` takes bf16 where this processor is faster at it; fp32 where
    `execution.deterministic` is set, because another processor would train another adapter."""
    rank: int = Field(default=32, ge=1)
    alpha: float = Field(default=64.0, gt=0.0)
    dropout: float = Field(default=0.0, ge=0.0, lt=1.0)
    target_modules: tuple[str, ...] = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
    frozen_share: float = Field(default=1 / 3, ge=0.0, lt=1.0)
    """Share of the layers, counted from the first, that get no adapter: training goes back only through the others."""
    learning_rate: float = Field(default=1e-3, gt=0.0)
    epochs: int = Field(default=2, ge=1)
    batch_size: int = Field(default=8, ge=1)
    gradient_accumulation: int = Field(default=1, ge=1)
    warmup_steps: int = Field(default=5, ge=0)
    examples_per_family: int = Field(default=10, ge=1)
    """Cap, pooled over all iterations."""
    minimum_examples: int = Field(default=16, ge=1)
    """With fewer than this the iteration trains nothing."""


class EvaluationSettings(Section):
    """The held-out problems and the gate."""

    practised_problems: int = Field(default=1, ge=1)
    """Fresh problems of each practised family."""
    held_out_problems: int = Field(default=3, ge=1)
    """Problems of each family that is never practised."""
    max_difficulty: float = Field(default=0.5, ge=0.0, le=1.0)
    """Problems are spread evenly over [0, this]."""
    demonstrations: int = Field(default=16, ge=1, le=16)
    """Worked examples in the few-shot baselines, of mixed practised families."""
    margin: float = Field(default=0.0, ge=0.0, le=1.0)
    """An adapter is promoted when its mean score beats the serving one's by more than this."""


class ExecutionSettings(Section):
    """How much and how."""

    iterations: int = Field(default=1, ge=1)
    tasks_per_iteration: int = Field(default=990, ge=1)
    attempts: int = Field(default=2, ge=1, le=64)
    """Attempts per task (k)."""
    reflection: tuple[Question, ...] = ()
    """What the student is asked about each answer that it has given, one more turn each: `confidence`, `critique`."""
    tasks_in_flight: int = Field(default=40, ge=1)
    """Tasks that are worked on at once; bounds memory and the size of the batch."""
    deterministic: bool = False
    """One request at a time in a fixed order: slower; a resumed run then has the same content hashes."""
    on_error: Literal["stop", "continue"] = "stop"
    """What an error inside a handler does: stop the run, or give up that task and go on."""
    retries: int = Field(default=2, ge=0)
    """How often an attempt, or what else failed in passing (an engine died, a trainer was killed), is done again."""

    @field_validator("reflection")
    @classmethod
    def _each_question_once(cls, reflection: tuple[Question, ...]) -> tuple[Question, ...]:
        if len(set(reflection)) < len(reflection):
            raise ValueError("name each question once")
        return reflection


class LogSettings(Section):
    """Where the log is."""

    url: str | None = None
    """`postgresql://user:password@host:5432/database`; without it, log.db in the store."""

    @field_serializer("url")
    def _without_password(self, url: str | None) -> str | None:
        """RunStarted keeps the configuration, and what is in the log is there for ever."""
        from sqlalchemy import make_url

        return None if url is None else make_url(url)._replace(password=None).render_as_string()


class Configuration(Section):
    """The whole configuration of a run."""

    seed: int = Field(default=0, ge=0)
    """Every random choice derives from it."""
    models: ModelsSettings = ModelsSettings()
    tools: ToolsSettings = ToolsSettings()
    sandbox: SandboxSettings = SandboxSettings()
    curriculum: CurriculumSettings = CurriculumSettings()
    rewards: RewardsSettings = RewardsSettings()
    training: TrainingSettings = TrainingSettings()
    evaluation: EvaluationSettings = EvaluationSettings()
    execution: ExecutionSettings = ExecutionSettings()
    log: LogSettings = LogSettings()

    @model_validator(mode="after")
    def _no_clock_in_a_deterministic_run(self) -> "Configuration":
        own = [self.tools.of, *self.tools.domains.values()]
        bounds = [self.tools.calls_per_minute, *(one.calls_per_minute for of in own for one in of.values())]
        if self.execution.deterministic and any(bounds):
            raise ValueError("calls_per_minute depends on the clock: leave it out, or execution.deterministic")
        return self


def load_configuration(
    file: Path | None = None, overrides: Iterable[str] = (), environment: Mapping[str, str] | None = None
) -> Configuration:
    """The configuration from all its sources. Raises ConfigurationError with the path and the nearest valid name."""
    data: dict[str, Any] = _read_yaml(file) if file else {}
    for name, value in sorted((os.environ if environment is None else environment).items()):
        if name.startswith(ENVIRONMENT_PREFIX) and name not in NOT_SETTINGS:
            path = name[len(ENVIRONMENT_PREFIX) :].lower().split("__")
            _put(data, path, _parse_value(value, name), name)
    _override(data, overrides)
    return _with_known_names(data, str(file) if file else "configuration")


def changed_configuration(configuration: Configuration, overrides: Iterable[str]) -> Configuration:
    """The configuration with single keys set, each as `key=value`. Raises ConfigurationError."""
    data = configuration.model_dump(mode="json")
    _override(data, overrides)
    return _with_known_names(data, "--set")


def parse_configuration(data: Mapping[str, Any], source: str) -> Configuration:
    """A validated configuration, or ConfigurationError that names the first wrong key."""
    try:
        return Configuration.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        path = [str(part) for part in first["loc"]]
        where = ".".join(path) or "configuration"
        if first["type"] == "extra_forbidden":
            raise ConfigurationError(f"{source}: unknown key {where}{_nearest(path)}") from None
        given = f", not {first['input']!r}" if not isinstance(first["input"], dict) else ""
        message = first["msg"].removeprefix("Value error, ")
        raise ConfigurationError(f"{source}: {where}: {message}{given}") from None


def _with_known_names(data: Mapping[str, Any], source: str) -> Configuration:
    """A validated configuration in which limits are set for nothing but installed tools and task domains.

    Not so for what a log holds: a plug-in that is gone must not keep anybody from reading it.
    """
    configuration = parse_configuration(data, source)
    tools = configuration.tools
    keys: list[tuple[str, str, Iterable[str]]] = [
        ("tools.of", "agent0es.tools", tools.of),
        ("tools.domains", "agent0es.task_domains", tools.domains),
        *((f"tools.domains.{domain}", "agent0es.tools", of) for domain, of in tools.domains.items()),
    ]
    for section, group, given in keys:
        known = sorted(entry_points(group=group).names) if given else []
        for name in given:
            if name not in known:
                raise ConfigurationError(f"{source}: unknown key {section}.{name}{_closest(name, known)}")
    return configuration


def _override(data: dict[str, Any], overrides: Iterable[str]) -> None:
    for override in overrides:
        key, separator, value = override.partition("=")
        if not separator:
            raise ConfigurationError(f"--set {override}: write it as key=value, e.g. execution.attempts=4")
        _put(data, key.strip().split("."), _parse_value(value, key), f"--set {key}")


def _read_yaml(file: Path) -> dict[str, Any]:
    import yaml

    try:
        data = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{file}: {error.strerror or error}; name a readable YAML file") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        line = " ".join(str(error).split())
        raise ConfigurationError(f"{file}: not YAML: {line}") from None
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise ConfigurationError(f"{file}: the top level must be a mapping of sections, e.g. `execution:`")
    return data


def _parse_value(text: str, where: str) -> Any:
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        raise ConfigurationError(f"{where}: can't read the value {text!r}; quote it as in YAML") from None


def _put(data: dict[str, Any], path: list[str], value: Any, where: str) -> None:
    for part in path[:-1]:
        data = data.setdefault(part, {})
        if not isinstance(data, dict):
            raise ConfigurationError(f"{where}: {part} is a value, not a section")
    data[path[-1]] = value


def _nearest(path: list[str]) -> str:
    """`; did you mean …?` with the closest key of the section in which an unknown key stands."""
    section: type[BaseModel] = Configuration
    for part in path[:-1]:
        annotation = section.model_fields[part].annotation
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return ""
        section = annotation
    return _closest(path[-1], list(section.model_fields))


def _closest(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"; did you mean {close[0]}?" if close else f"; known keys: {', '.join(known)}"

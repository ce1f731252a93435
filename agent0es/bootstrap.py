"""The one place where configuration becomes objects and ports are plugged in."""

import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from agent0es import __version__, plugins
from agent0es.domain import events as ev
from agent0es.errors import ConfigurationError, RunNotFound, SandboxUnavailable, StoreError, UnknownName, nearest
from agent0es.log import EventLog, History, NewEvent, Recorded

if TYPE_CHECKING:  # most commands only look at the log, and start faster without the rest
    from agent0es.configuration import Configuration, ModelSettings
    from agent0es.domain.rewards import RewardComponent
    from agent0es.domain.run import RunState
    from agent0es.domain.task import Task
    from agent0es.handlers.base import Handler, Observer, Ports
    from agent0es.history.verification import Report
    from agent0es.models.base import ModelBackend
    from agent0es.provenance.retraction import Rebuild
    from agent0es.sandbox import IsolatedSandbox
    from agent0es.taskdomains import Domains
    from agent0es.tools import ToolResult
    from agent0es.tools.policy import Policy
    from agent0es.training.base import ProgressCallback

LOG_FILE = "log.db"
LOG_URL = "AGENT0ES_LOG__URL"
"""The environment's name for the setting `log.url`: commands that only read a store know no other configuration."""


def open_store(store: Path, *, create: bool = False, url: str | None = None) -> EventLog:
    """The log of a store, or the one at a URL: the one given, else that of `AGENT0ES_LOG__URL`.

    Raises StoreError in one line when it is missing, read-only or not a log, ConfigurationError for a bad URL.
    """
    url = url or os.environ.get(LOG_URL)
    if url and "://" not in url:  # without it, for it may hold a password
        raise ConfigurationError(
            f"log.url ({LOG_URL}) must be a URL such as sqlite:////folder/log.db or "
            "postgresql://user:password@host:5432/database"
        )
    if create:
        try:
            store.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"{store}: {error.strerror or error}; choose another folder with --store") from None
    return EventLog.open(url or store / LOG_FILE, read_only=not create)


def resolve_run(log: EventLog, wanted: str) -> str:
    """The full name of a run from a unique prefix of it, or `latest`."""
    if not wanted:
        raise RunNotFound("the run's name is empty; give a run's name, the start of one, or `latest`")
    runs = log.runs()
    if wanted == "latest" and runs:
        return runs[-1]
    found = [run for run in runs if run == wanted] or [run for run in runs if run.startswith(wanted)]
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(found[-5:])
        raise RunNotFound(f"{len(found)} runs begin with {wanted!r} in this store: {names}; write more of the name")
    if not runs:
        raise RunNotFound("there is no run in this store yet; start one with", see=("run",))
    near = nearest(wanted, [*runs, "latest"] if wanted.startswith("l") else runs)
    raise RunNotFound(f"there is no run {wanted!r} in this store; {near}. All runs", see=("runs",))


def new_run_name(log: EventLog) -> str:
    """A name for a run that starts now: the time, and a count where that is taken."""
    taken = log.runs()
    name = plain = datetime.now().strftime("%Y%m%d-%H%M%S")
    count = 1
    while name in taken:
        count += 1
        name = f"{plain}-{count}"
    return name


@dataclass(frozen=True, slots=True)
class Parts:
    """What a run is made with, for its first event."""

    weights: Mapping[str, str]
    """Model name to sha256 of its weights."""
    plugins: Mapping[str, str]
    """`<entry point group>:<name>` to package and version."""


NO_PARTS = Parts({}, {})
"""Of models without weights, and parts that were put together by hand."""


def start_run(log: EventLog, run: str, configuration: "Configuration", parts: Parts) -> None:
    """Write RunStarted. The caller holds the lease on the run."""
    started = ev.RunStarted(
        seed=configuration.seed,
        configuration=configuration.model_dump(mode="json"),
        code_version=__version__,
        weights=dict(parts.weights),
        plugins=dict(parts.plugins),
    )
    log.append([NewEvent(f"run/{run}", started)], handler="cli")


def start_rebuild(ports: "Ports", name: str | None) -> "Rebuild | None":
    """Choose what a tainted adapter's clean successor learns from. Writes DatasetBuilt, to which the handlers react.

    None when an earlier one that was cut off is to be resumed. The caller holds the lease on the run. Raises
    RetractionError.
    """
    from agent0es.handlers.train import build_dataset
    from agent0es.projections.state import state_at
    from agent0es.provenance.retraction import plan_rebuild, unfinished

    state = state_at(ports.log, ports.run)
    if unfinished(state):
        return None
    plan = plan_rebuild(state, ports.run, name)
    ports.log.append([build_dataset(ports, plan.role, plan.iteration, plan.adapter)], handler="cli")
    return plan


def fork_run(log: EventLog, run: str, parent: str, position: int, configuration: "Configuration", parts: Parts) -> None:
    """Write RunForked. The caller holds the lease on the run, and has asked `agent0es.history.forking` whether."""
    forked = ev.RunForked(
        parent=parent,
        position=position,
        seed=configuration.seed,
        configuration=configuration.model_dump(mode="json"),
        code_version=__version__,
        weights=dict(parts.weights),
        plugins=dict(parts.plugins),
    )
    log.append([NewEvent(f"run/{run}", forked)], handler="cli")


def configuration_of(log: EventLog, run: str) -> "Configuration":
    """The configuration that a run was started or forked with."""
    from agent0es.configuration import parse_configuration

    return parse_configuration(History.of(log, run).started.configuration, f"run {run}")


def held_out_task(log: EventLog, run: str, attempt: str) -> "Task":
    """The held-out problem of an attempt, remade from the run's configuration and seed: the log has its number only.

    Raises ConfigurationError where a task domain is gone, and UnknownName where the suite has no such problem now.
    """
    from agent0es.evaluation.suite import suite

    configuration = configuration_of(log, run)
    number = attempt.rpartition("/")[2].split(".")[0]  # 17, and 17.1 after a crash
    problems = suite(practised_domains(configuration), configuration.evaluation, configuration.seed)
    if not number.isdecimal() or int(number) >= len(problems):
        raise UnknownName(f"there is no held-out problem {number}; this version of agent0es makes {len(problems)}")
    return problems[int(number)].task


def load_rewards(weights: Mapping[str, float]) -> "dict[str, RewardComponent]":
    """The weighted reward components, from the entry point group `agent0es.rewards`. Raises ConfigurationError."""
    components = {name: plugins.load(plugins.REWARDS, name) for name in weights}
    for name, component in components.items():
        if not callable(component):
            raise plugins.broken(plugins.REWARDS, name, "is not a function of RewardInputs")
    return components


def practised_domains(configuration: "Configuration") -> "Domains":
    """A run's task domains; with `tools.describe` the student is told of the tools. Raises ConfigurationError."""
    from agent0es.agents.student import with_tools
    from agent0es.taskdomains import load_task_domains
    from agent0es.tools.registry import tool_classes

    domains = load_task_domains(configuration.curriculum.domains)
    if configuration.tools.describe:
        for domain in domains.values():
            names = configuration.tools.enabled or domain.tools
            domain.system = with_tools(domain.system, tool_classes(names).values())
    return domains


async def verify_run(log: EventLog, run: str, *, with_novelty: bool) -> "Report":
    """Recompute every decision of a run. Opens no port except, `with_novelty`, the embedder.

    Raises ConfigurationError where a plug-in that the run used is gone, because decisions are made with it.
    """
    from agent0es.history.novelties import Novelties
    from agent0es.history.verification import Rules, verify_decisions
    from agent0es.models.embedder import Embedder
    from agent0es.models.factory import chat_template

    configuration = configuration_of(log, run)
    if gone := plugins.gone(History.of(log, run).started.plugins):
        raise ConfigurationError(
            f"run {run} used {' and '.join(gone)}, not installed here; install it to verify the run"
        )
    models = configuration.models
    rules = Rules(
        domains=practised_domains(configuration),
        rewards=load_rewards(configuration.rewards.weights),
        templates={"teacher": chat_template(models.teacher.backend), "student": chat_template(models.student.backend)},
        novelties=Novelties(Embedder()) if with_novelty else None,
    )
    return await verify_decisions(log, run, rules)


async def call_by_hand(
    configuration: "Configuration", name: str, text: str, files: Mapping[str, str], domain: str | None
) -> "tuple[Policy, ToolResult]":
    """One call of a tool, enabled or not, under the policy that holds in a task domain, and that policy.

    Raises ConfigurationError or SandboxUnavailable.
    """
    from agent0es.tools import load_tools
    from agent0es.tools.policy import policy_of

    policy = policy_of(configuration.tools, name, domain or configuration.curriculum.domains[0])
    async with sandbox_of(configuration) as sandbox:
        [tool] = load_tools([name], sandbox).values()
        return policy, await tool.run(text, policy.limits, files)


def sandbox_of(configuration: "Configuration") -> "IsolatedSandbox":
    """The sandbox of the best tier that works here. Without one, tools are refused, unless the user has said
    `sandbox.allow_unsafe`. Raises SandboxUnavailable."""
    from agent0es.sandbox import open_sandbox

    settings = configuration.sandbox
    try:
        return open_sandbox(None if settings.tier == "auto" else settings.tier)
    except SandboxUnavailable:
        if settings.allow_unsafe:
            return open_sandbox("unsafe")
        raise


@asynccontextmanager
async def open_ports(
    store: Path, log: EventLog, run: str, configuration: "Configuration", on_training_progress: "ProgressCallback"
) -> "AsyncIterator[Ports]":
    """Everything that handlers may call, opened in order and closed in reverse.

    Raises ConfigurationError, ModelNotFound or SandboxUnavailable before anything has been written to the log.
    """
    from agent0es.configuration.secrets import text_with_secrets, with_secrets
    from agent0es.handlers.base import Ports
    from agent0es.models.deployments import Deployments
    from agent0es.models.embedder import Embedder
    from agent0es.models.embedding_cache import EMBEDDINGS_FILE
    from agent0es.models.factory import create_backend
    from agent0es.tools import VERIFIER_TOOLS, load_tools
    from agent0es.training.packed import PackedTrainer

    history = History.of(log, run) if run in log.runs() else History(log, ())
    rewards = load_rewards(configuration.rewards.weights)
    domains = practised_domains(configuration)
    if configuration.curriculum.freeform_share:
        for name, domain in domains.items():
            if domain.freeform is None:
                raise ConfigurationError(
                    f"curriculum.freeform_share: the teacher can't write tasks of {name}; leave that domain out"
                )
    teacher, student = configuration.models.teacher, configuration.models.student
    async with AsyncExitStack() as stack:
        sandbox = sandbox_of(configuration)
        stack.push_async_callback(sandbox.close)
        enabled = configuration.tools.enabled or [tool for domain in domains.values() for tool in domain.tools]
        tools = load_tools(dict.fromkeys((*enabled, *VERIFIER_TOOLS)), sandbox)

        def backend(role: str, settings: "ModelSettings") -> "ModelBackend":
            options = with_secrets(settings.options, f"models.{role}.options", os.environ)
            name = text_with_secrets(settings.name, f"models.{role}.name", os.environ)
            if configuration.execution.deterministic and settings.backend == "openvino":
                # The cache depends on what was asked before, and changes the last bits of what is written next.
                options.setdefault("prefix_cache", False)
            return create_backend(settings.backend, name, cache=store / "base", **options)

        student_model = backend("student", student)
        stack.push_async_callback(student_model.close)
        same = (teacher.backend, teacher.name, teacher.options) == (student.backend, student.name, student.options)
        teacher_model = student_model if same else backend("teacher", teacher)
        if not same:
            stack.push_async_callback(teacher_model.close)
        require("teacher", teacher_model, "structured_output")
        trainer = PackedTrainer(store / "base")
        student_deployments = Deployments(student_model, store, trainer.remake)
        teacher_deployments = student_deployments if same else Deployments(teacher_model, store, trainer.remake)
        embedder = Embedder(store / EMBEDDINGS_FILE)
        stack.callback(embedder.close)
        yield Ports(
            run=run,
            store=store,
            log=log,
            history=history,
            configuration=configuration.without_secrets(),
            domains=domains,
            models={"teacher": teacher_model, "student": student_model},
            tools=tools,
            rewards=rewards,
            embedder=embedder,
            trainer=trainer,
            deployments={"teacher": teacher_deployments, "student": student_deployments},
            on_training_progress=on_training_progress,
            tier=sandbox.tier,
        )


def require(role: str, model: "ModelBackend", capability: str) -> None:
    """Raise ConfigurationError now rather than in the middle of a run when a backend lacks what the run needs."""
    if not getattr(model.capabilities, capability):
        raise ConfigurationError(f"models.{role}: {model.name} has no {capability}, which this run needs")


async def check(store: Path, log: EventLog, configuration: "Configuration") -> Parts:
    """Open everything that a run needs and close it again, so that errors are reported before the run begins.

    Raises what `open_ports` raises, and ConfigurationError for a model that can't be trained, or served when it is.
    """
    from agent0es.training.base import why_not_trained

    models = configuration.models
    async with open_ports(store, log, "", configuration, lambda progress: None) as ports:
        for role in configuration.training.roles:
            if why := why_not_trained(ports.trainer, ports.models[role]):
                raise ConfigurationError(
                    f"models.{role}: {why}; choose another model, or leave {role} out of training.roles"
                )
        used: dict[plugins.Group, set[str]] = {
            plugins.MODELS: {models.teacher.backend, models.student.backend},
            plugins.TOOLS: set(ports.tools),
            plugins.TASK_DOMAINS: set(ports.domains),
            plugins.REWARDS: set(ports.rewards),
        }
        weights = {model.weights.name: model.weights.sha256 for model in ports.models.values() if model.weights}
        return Parts(weights, plugins.packages_of(used))


def handlers(ports: "Ports") -> "list[Handler]":
    """The reactions that make up the loop, in the order in which they react to the same event."""
    from agent0es.handlers.evaluate import Evaluate
    from agent0es.handlers.evaluate_teacher import EvaluateTeacher
    from agent0es.handlers.promote import Promote
    from agent0es.handlers.propose import Propose
    from agent0es.handlers.reward import Reward
    from agent0es.handlers.schedule import Schedule
    from agent0es.handlers.solve import Solve
    from agent0es.handlers.train import Train
    from agent0es.handlers.verify import Verify

    kinds: tuple[Callable[[Ports], Handler], ...] = (
        Schedule,
        Propose,
        Solve,
        Verify,
        Reward,
        Train,
        Evaluate,
        EvaluateTeacher,
        Promote,
    )
    return [kind(ports) for kind in kinds]


async def drive(ports: "Ports", observers: "Sequence[Observer]") -> "RunState":
    """Run the loop until the run is completed."""
    from agent0es.handlers.dispatcher import Dispatcher
    from agent0es.handlers.serving import serve
    from agent0es.projections.state import state_at

    async def record(events: Sequence[NewEvent], *, last: bool = False) -> list[Recorded]:
        return ports.log.append(events, handler="cli")

    state = state_at(ports.log, ports.run)
    if state.status != "completed":
        # An evaluated adapter may be promoted next, and nothing else would deploy it.
        evaluated = [name for name, adapter in state.adapters.items() if adapter.outcome == "evaluated"]
        await serve(ports, state, [*filter(None, state.serving.values()), *evaluated], record)
    dispatcher = Dispatcher(ports.log, ports.run, handlers(ports), ports.configuration.execution, observers)
    return await dispatcher.run()

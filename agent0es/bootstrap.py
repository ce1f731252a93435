"""The one place where configuration becomes objects and ports are plugged in. What is done with them is in `runs/`."""

import logging
import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent0es import plugins
from agent0es.errors import ConfigurationError, SandboxUnavailable, StoreError, UserError
from agent0es.log import EventLog, History

if TYPE_CHECKING:  # most commands only look at the log, and start faster without the rest
    from agent0es.configuration import Configuration, ModelSettings, TrainingSettings
    from agent0es.domain.events import Role
    from agent0es.domain.rewards import RewardComponent
    from agent0es.handlers.base import Handler, Ports
    from agent0es.models.base import ModelBackend
    from agent0es.models.library import ModelLibrary
    from agent0es.projections import Projections
    from agent0es.rollouts.toolbox import Toolbox
    from agent0es.sandbox import IsolatedSandbox
    from agent0es.taskdomains import Domains
    from agent0es.training.base import ProgressCallback, Trainer

LOG_FILE = "log.db"
WHICH_MODEL = ("backend", "name", "base_url", "api_key_env", "options")
"""Keys of `models.<role>` that say which model it is; the others, how it is asked."""
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
    log = EventLog.open(url or store / LOG_FILE, read_only=not create)
    if create and logging.getLogger("agent0es").hasHandlers():  # somebody reads lines; most commands write none
        from agent0es.history.log_lines import tell

        log.observe(tell)
    return log


@contextmanager
def open_tables(store: Path) -> "Iterator[tuple[EventLog, Projections]]":
    """The store's log, and tables that hold all of it."""
    from agent0es.projections import PROJECTIONS_FILE, Projections

    with open_store(store) as log, Projections.open(log, store / PROJECTIONS_FILE) as tables:
        tables.catch_up()
        yield log, tables


def load_rewards(weights: Mapping[str, float]) -> "dict[str, RewardComponent]":
    """The weighted reward components, from the entry point group `agent0es.rewards`. Raises ConfigurationError."""
    components = {name: plugins.load(plugins.REWARDS, name) for name in weights}
    for name, component in components.items():
        if not callable(component):
            raise plugins.broken(plugins.REWARDS, name, "is not a function of RewardInputs")
    return components


def load_plugin(group: plugins.Group, name: str) -> None:
    """Import a plug-in and look at it as a run would, without a model or a sandbox. Raises ConfigurationError in one
    line where it can't be used, NotInstalled where only an extra is missing."""
    from agent0es.models.factory import backend_class
    from agent0es.router.base import load_signals
    from agent0es.taskdomains import load_family, load_task_domain
    from agent0es.tools.registry import tool_classes
    from agent0es.training.methods import load_method

    load: Mapping[plugins.Group, Callable[[str], object]] = {
        plugins.MODELS: backend_class,
        plugins.TOOLS: lambda name: tool_classes([name]),
        plugins.TASK_DOMAINS: load_task_domain,
        plugins.FAMILIES: load_family,
        plugins.REWARDS: lambda name: load_rewards({name: 1.0}),
        plugins.METHODS: load_method,
        plugins.ROUTER_SIGNALS: lambda name: load_signals([name]),
    }
    load[group](name)


def practised_domains(configuration: "Configuration") -> "Domains":
    """A run's task domains, with what `models.student.prompt` and `trained_prompt` say that their students are told.
    Raises ConfigurationError."""
    from agent0es.agents.student_prompt import CALLING, CALLING_WITH_PROGRAMS, with_tools
    from agent0es.taskdomains import load_task_domains
    from agent0es.taskdomains.base import TaskDomain, Told
    from agent0es.tools.registry import tool_classes

    def told(domain: TaskDomain, prompt: str) -> Told:
        system = next((turn.content for turn in domain.guide if turn.role == "system"), domain.system)
        tools = tool_classes(configuration.tools.enabled or domain.tools).values()
        match prompt:
            case "guide":
                shown = tuple(turn for turn in domain.guide if turn.role != "system")
                return Told(with_tools(system, tools, CALLING_WITH_PROGRAMS), shown)
            case "tools":
                return Told(with_tools(domain.system, tools, CALLING), domain.shown)
            case _:
                return Told(domain.system, domain.shown)

    domains = load_task_domains(configuration.curriculum.domains, configuration.curriculum.families)
    student = configuration.models.student
    for domain in domains.values():
        before = told(domain, student.prompt)
        domain.trained = told(domain, student.trained_prompt) if student.trained_prompt else None
        domain.system, domain.shown = before.system, before.guide
    return domains


def domains_to_practise(configuration: "Configuration") -> "Domains":
    """The same for a run that is to begin. Raises ConfigurationError, too, for what these domains can't do."""
    from agent0es.agents.student_prompt import tools_shown
    from agent0es.taskdomains.base import Told

    domains, enabled = practised_domains(configuration), configuration.tools.enabled
    for name, domain in domains.items():
        if configuration.curriculum.freeform_share and domain.freeform is None:
            raise ConfigurationError(
                f"curriculum.freeform_share: the teacher can't write tasks of {name}; leave that domain out"
            )
        for key, said in (("prompt", Told(domain.system, domain.shown)), ("trained_prompt", domain.trained)):
            if said is None or getattr(configuration.models.student, key) != "guide":
                continue
            shown = tools_shown(said.system, said.guide)
            if missing := [tool for tool in shown if tool not in (enabled or domain.tools)]:
                raise ConfigurationError(
                    f"models.student.{key}: the guide of {name} calls {', '.join(missing)}, which tools.enabled leaves "
                    f"out; add it there, or set models.student.{key} to tools, which names what there is"
                )
    return domains


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


def model_of(role: "Role", settings: "ModelSettings", store: Path, deterministic: bool = False) -> "ModelBackend":
    """The model of a role. Nothing is loaded, and no server is asked. Raises ConfigurationError, ModelNotFound."""
    from agent0es.configuration.secrets import text_with_secrets
    from agent0es.models.factory import create_backend, has_prefix_cache

    options = _options_of(role, settings)
    if deterministic and has_prefix_cache(settings.backend):
        # The cache depends on what was asked before, and changes the last bits of what is written next.
        options.setdefault("prefix_cache", False)
    name = text_with_secrets(settings.name, f"models.{role}.name", os.environ)
    server = {"base_url": settings.base_url, "api_key_env": settings.api_key_env}
    return create_backend(settings.backend, name, cache=store / "base", **server, **options)


def charge(settings: "ModelSettings", model: "ModelBackend", log: EventLog, run: str) -> None:
    """Have a router reserve what it pays in this log, on behalf of this run."""
    if settings.backend == "router":
        from agent0es.router.backend import RouterBackend

        assert isinstance(model, RouterBackend), "the entry point makes one"
        model.charge(log, run)


def library_of(role: "Role", settings: "ModelSettings", store: Path) -> "ModelLibrary | None":
    """The models among which that of a role is; None where its backend can't tell. Raises as `model_of` does."""
    from agent0es.models import factory

    server = {"base_url": settings.base_url, "api_key_env": settings.api_key_env}
    return factory.library_of(settings.backend, cache=store / "base", **server, **_options_of(role, settings))


def _options_of(role: "Role", settings: "ModelSettings") -> dict[str, Any]:
    """What is the backend's own, with its secrets."""
    from agent0es.configuration.secrets import with_secrets

    for key in settings.options:
        if key in type(settings).model_fields and key != "api_key_env":  # which plug-ins may take as an option
            raise ConfigurationError(f"models.{role}.options.{key}: set models.{role}.{key} instead")
        if key == "cache":
            raise ConfigurationError(f"models.{role}.options.cache: that is a folder in the store; leave it out")
    return with_secrets(settings.options, f"models.{role}.options", os.environ)


def is_same_model(one: "ModelSettings", two: "ModelSettings") -> bool:
    """Whether one engine, or one server, answers both."""
    return all(getattr(one, key) == getattr(two, key) for key in WHICH_MODEL)


def trainer_of(store: Path, settings: "TrainingSettings") -> "Trainer":
    """What trains adapters. Raises ConfigurationError for a method that can't be used."""
    from agent0es.training.engines import ENGINES
    from agent0es.training.methods import load_method
    from agent0es.training.trainer import ProcessTrainer

    load_method(settings.method)
    return ProcessTrainer(ENGINES[settings.engine](), store / "base")


@asynccontextmanager
async def open_ports(
    store: Path, log: EventLog, run: str, configuration: "Configuration", on_training_progress: "ProgressCallback"
) -> "AsyncIterator[Ports]":
    """Everything that handlers may call, opened in order and closed in reverse.

    Raises ConfigurationError, ModelNotFound or SandboxUnavailable before anything has been written to the log.
    """
    from agent0es.handlers.base import Ports
    from agent0es.models.embedder import Embedder
    from agent0es.models.embedding_cache import EMBEDDINGS_FILE
    from agent0es.models.requirements import why_not

    history = History.of(log, run) if run in log.runs() else History(log, ())
    rewards = load_rewards(configuration.rewards.weights)
    begun = bool(history.segments)  # its settings stand, also those of before such a rule
    domains = practised_domains(configuration) if begun else domains_to_practise(configuration)
    teacher, student = configuration.models.teacher, configuration.models.student
    async with AsyncExitStack() as stack:
        toolbox = await stack.enter_async_context(open_toolbox(configuration, domains))
        deterministic = configuration.execution.deterministic
        with _said_of("student"):
            student_model = model_of("student", student, store, deterministic)
            stack.push_async_callback(student_model.close)
            student_model.capabilities  # noqa: B018 — a server is asked now
        same = is_same_model(teacher, student)
        with _said_of("teacher"):
            teacher_model = student_model if same else model_of("teacher", teacher, store, deterministic)
            if not same:
                stack.push_async_callback(teacher_model.close)
            teacher_model.capabilities  # noqa: B018
        for role, model in (("student", student_model), ("teacher", teacher_model)):
            charge(getattr(configuration.models, role), model, log, run)
        models: dict[Role, ModelBackend] = {"teacher": teacher_model, "student": student_model}
        if why := why_not(configuration, models):
            raise ConfigurationError(why)
        embedder = Embedder(store / EMBEDDINGS_FILE)
        stack.callback(embedder.close)
        yield Ports(
            run=run,
            store=store,
            log=log,
            history=history,
            configuration=configuration.without_secrets(),
            domains=domains,
            models=models,
            toolbox=toolbox,
            rewards=rewards,
            embedder=embedder,
            trainer=trainer_of(store, configuration.training),
            on_training_progress=on_training_progress,
        )


@asynccontextmanager
async def open_toolbox(configuration: "Configuration", domains: "Domains") -> "AsyncIterator[Toolbox]":
    """The tools of these domains, and those of verifiers, in the sandbox. Raises ConfigurationError,
    SandboxUnavailable."""
    from agent0es.rollouts.toolbox import Toolbox
    from agent0es.tools import VERIFIER_TOOLS, load_tools, run_program
    from agent0es.tools.policy import why_not_allowed

    sandbox = sandbox_of(configuration)
    try:
        enabled = configuration.tools.enabled or [tool for domain in domains.values() for tool in domain.tools]
        tools = load_tools(dict.fromkeys((*enabled, *VERIFIER_TOOLS)), sandbox)
        if why := why_not_allowed(configuration.tools, tools):
            raise ConfigurationError(why)
        yield Toolbox(tools, partial(run_program, sandbox), sandbox.tier)
    finally:
        await sandbox.close()


@asynccontextmanager
async def open_student(
    store: Path, configuration: "Configuration", domains: "Domains"
) -> "AsyncIterator[tuple[ModelBackend, Toolbox]]":
    """The student and its tools, for an evaluation by itself. No other model is opened. Raises as `open_ports` does."""
    from agent0es.models.requirements import why_not

    async with open_toolbox(configuration, domains) as toolbox:
        with _said_of("student"):
            model = model_of("student", configuration.models.student, store, configuration.execution.deterministic)
            try:
                if why := why_not(configuration, {"student": model}):  # a server is asked now
                    raise ConfigurationError(why)
                yield model, toolbox
            finally:
                await model.close()


@contextmanager
def _said_of(role: "Role") -> Iterator[None]:
    """What a backend says of `models.<role>` in here, said of this role."""
    try:
        yield
    except UserError as error:
        error.args = tuple(str(said).replace("models.<role>", f"models.{role}") for said in error.args)
        raise


def handlers(ports: "Ports") -> "list[Handler]":
    """The reactions that make up the loop, in the order in which they react to the same event."""
    from agent0es.handlers.evaluate import Evaluate
    from agent0es.handlers.evaluate_teacher import EvaluateTeacher
    from agent0es.handlers.promote import Promote
    from agent0es.handlers.propose import Propose
    from agent0es.handlers.reward import Reward
    from agent0es.handlers.schedule import Schedule
    from agent0es.handlers.serving import Serving
    from agent0es.handlers.solve import Solve
    from agent0es.handlers.train import Train
    from agent0es.handlers.verify import Verify
    from agent0es.rollouts.attempts import Attempts
    from agent0es.rollouts.executor import InProcess
    from agent0es.rollouts.verifying import VerifierCalls

    run, history, configuration, domains = ports.run, ports.history, ports.configuration, ports.domains
    retries, teacher = ports.retries, ports.models["teacher"]
    attempts = Attempts(run, history, retries)
    executor = InProcess(ports.models["student"], ports.toolbox)
    calls = VerifierCalls(run, history, ports.toolbox, retries)
    serving = Serving(run, ports.deployments)
    train = Train(
        run,
        ports.store,
        history,
        configuration,
        ports.models,
        ports.datasets,
        ports.trainer,
        retries,
        ports.on_training_progress,
    )
    return [
        Schedule(run, configuration, domains, serving),
        Propose(run, history, configuration, domains, teacher, ports.embedder, calls),
        Solve(run, configuration, domains, attempts, executor),
        Verify(run, configuration, domains, calls),
        Reward(run, configuration, ports.rewards),
        train,
        Evaluate(run, history, configuration, domains, retries, executor, calls, serving),
        EvaluateTeacher(run, history, configuration, domains, teacher, retries, serving),
        Promote(run, history, configuration, domains, serving),
    ]

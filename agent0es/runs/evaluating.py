"""Evaluate a model or an adapter by itself, outside any run: one way of answering, on a suite of problems.

An evaluation has a name, a lease and attempts as a run has, and is listed apart. The same command goes on where an
earlier one was cut off, and with a higher limit asks what is missing.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from agent0es import __version__, bootstrap, plugins
from agent0es.domain import events as ev
from agent0es.domain.names import EVALUATION, stream
from agent0es.domain.text import storable
from agent0es.errors import Agent0Error, ConfigurationError, ModelNotFound, UnknownName, UserError, nearest
from agent0es.log import EventLog, History, NewEvent
from agent0es.runs.finding import find_run
from agent0es.runs.settings import configuration_of
from agent0es.runs.tracing import Place

if TYPE_CHECKING:
    from agent0es.configuration import Configuration, TrainingSettings
    from agent0es.domain.adapter import Adapter
    from agent0es.models.base import ModelBackend
    from agent0es.runs.asking import Wanted
    from agent0es.taskdomains import Domains

ONE_TURN_TOKENS = 400
"""Least bound on the tokens of an answer in one turn, where the student's own is for short turns."""


class Watcher(Protocol):
    """Is told how an evaluation goes. The loop calls it, so each call should be short."""

    def opened(self, evaluation: str, continued: bool) -> None:
        """The model, the tools and the sandbox are there."""
        ...

    def answered(self, done: int, total: int, right: int, tokens: int) -> None:
        """So many answers were judged, also by earlier commands, of which some were right; `tokens` were written by
        this one."""
        ...


@dataclass(frozen=True, slots=True)
class Trained:
    """An adapter that is to answer."""

    run: str
    """Run that trained it."""
    name: str
    adapter: "Adapter"
    configuration: "Configuration"
    """That of the run."""


def trained(log: EventLog, adapter: Place) -> Trained:
    """The adapter of this name. Raises RunNotFound, UnknownName, UserError where it can't answer."""
    from agent0es.projections.state import state_at

    run, name = find_run(log, adapter.run or "latest"), adapter.name
    adapters = {known: one for known, one in state_at(log, run).adapters.items() if one.role == "student"}
    if name not in adapters:
        raise UnknownName(f"run {run} has no student's adapter {name!r}; {nearest(name, list(adapters))}")
    if adapters[name].trained is None:
        raise UserError(f"adapter {name} of run {run} was not trained ({adapters[name].outcome}), so it can't answer")
    return Trained(run, name, adapters[name], configuration_of(log, run))


def settings(
    adapter: Trained | None, file: Path | None, overrides: Sequence[str], model: str | None
) -> "Configuration":
    """The configuration to answer with: of the file, else that of the adapter's run, with single keys set.

    Raises ConfigurationError.
    """
    from agent0es.configuration import changed_configuration, load_configuration

    if adapter is None or file is not None:
        options = [] if model is None else [("--model", "models.student.name", model)]
        return load_configuration(file, overrides, options=options)
    named = [] if model is None else [f"models.student.name={model}"]
    return changed_configuration(adapter.configuration, [*overrides, *named])


def wanted(
    configuration: "Configuration",
    *,
    suite: str,
    file: Path | None,
    adapter: Trained | None,
    limit: int | None,
    samples: int,
    answer_format: ev.AnswerFormat,
    shots: int,
) -> "Wanted":
    """What a user wants to be evaluated. Raises UserError for a file that can't be read, a suite that is none, and more
    worked examples than there are."""
    from agent0es.evaluation.benchmarks import read_file
    from agent0es.evaluation.problems import kinds
    from agent0es.evaluation.problems import suite as built_in
    from agent0es.runs.asking import Wanted, worked_examples

    problems = built_in(suite) if file is None else read_file(file)
    most_shots = max(worked_examples(answer_format, *kind, shots) for kind in kinds(problems))
    if most_shots < shots:
        raise UserError(f"--shots {shots}: of worked examples for these problems there are {most_shots}; set it so")
    student = configuration.models.student
    most = student.max_tokens if answer_format == "tools" else max(student.max_tokens, ONE_TURN_TOKENS)
    domains = tuple(dict.fromkeys(problem.task.domain for problem in problems))
    curriculum = configuration.curriculum.model_copy(update={"domains": domains, "families": ()})
    training = configuration.training.model_copy(update={"roles": ()})
    return Wanted(
        suite=storable(suite if file is None else file.name if "." in file.name else f"./{file.name}"),
        problems=problems,
        limit=len(problems) if limit is None else min(limit, len(problems)),
        way=ev.Way(
            format=answer_format,
            shots=shots,
            adapter=None if adapter is None else adapter.name,
            adapter_run=None if adapter is None else adapter.run,
            samples=samples,
            temperature=0.0 if samples == 1 else student.temperature,
            max_tokens=most,
        ),
        configuration=configuration.model_copy(update={"curriculum": curriculum, "training": training}),
        adapter=None if adapter is None else adapter.adapter,
    )


async def evaluate(store: Path, log: EventLog, asked: "Wanted", watcher: Watcher) -> str:
    """Ask what is missing. Returns the name of the evaluation. Whoever cancels this may call it again, and it goes on.

    Raises what opening the model, the tools and the sandbox raises, ModelDoesNotAnswer, RunInUse, and the last error of
    an attempt that failed for good.
    """
    from agent0es.rollouts.retry import root_of
    from agent0es.runs.asking import Asking

    domains = bootstrap.practised_domains(asked.configuration)
    async with bootstrap.open_student(store, asked.configuration, domains) as (model, toolbox):
        if asked.adapter is not None and not model.capabilities.adapters:
            raise ConfigurationError(
                f"models.student: {model.name} can't answer with a trained adapter; leave --adapter out, or set "
                "models.student.backend to one that can"
            )
        await _see_that_it_answers(asked.configuration, model)
        begun = _beginning(asked, domains, model)
        known = _found(log, asked, begun)
        with _evaluation(log, asked, begun, known) as name:
            watcher.opened(name, known is not None)
            bootstrap.charge(asked.configuration.models.student, model, log, name)
            asking = Asking(name, History.of(log, name), asked, domains, model, toolbox)
            if asked.adapter is not None and asking.missing:
                await _serve(store, log, name, model, asked.adapter, asked.configuration.training)
            try:
                await asking.ask(watcher.answered)
            except ExceptionGroup as error:
                raise root_of(error) from error
    return name


def _beginning(asked: "Wanted", domains: "Domains", model: "ModelBackend") -> ev.EvaluationStarted:
    """The first event of such an evaluation."""
    from agent0es.models.requirements import weights_of
    from agent0es.runs.asking import prompts

    configuration = asked.configuration
    used: dict[plugins.Group, set[str]] = {
        plugins.MODELS: {configuration.models.student.backend},
        plugins.TASK_DOMAINS: set(configuration.curriculum.domains),
    }
    return ev.EvaluationStarted(
        suite=asked.suite,
        way=asked.way,
        seed=configuration.seed,
        configuration=configuration.without_secrets().model_dump(mode="json"),
        code_version=__version__,
        weights=weights_of({"student": model}),
        prompts=prompts(asked, domains),
        plugins=plugins.packages_of(used),
    )


def _found(log: EventLog, asked: "Wanted", begun: ev.EvaluationStarted) -> str | None:
    """The latest evaluation that was begun in the same way and with the same problems; None where there is none."""
    from agent0es.evaluation.problems import identity

    ours = [identity(problem.task) for problem in asked.problems]
    for name in reversed(log.evaluations()):
        started = History.of(log, name).started
        if not isinstance(started, ev.EvaluationStarted) or not _is_same(started, begun):
            continue
        theirs = {
            one.event.problem: identity(one.event.posed)
            for one in log.read(run=name, types=["ProblemAsked"])
            if isinstance(one.event, ev.ProblemAsked)
        }
        if all(number < len(ours) and ours[number] == its for number, its in theirs.items()):
            return name
    return None


def _is_same(one: ev.EvaluationStarted, other: ev.EvaluationStarted) -> bool:
    """Whether two beginnings are of the same evaluation; most of a configuration says nothing to answers. Pure."""

    def decisive(begun: ev.EvaluationStarted) -> list[object]:
        asked = begun.configuration
        settings = [asked["models"]["student"], asked["tools"], asked["curriculum"]["domains"]]
        return [begun.suite, begun.way, begun.seed, begun.weights, begun.prompts, *settings]

    return decisive(one) == decisive(other)


@contextmanager
def _evaluation(log: EventLog, asked: "Wanted", begun: ev.EvaluationStarted, known: str | None) -> Iterator[str]:
    """The evaluation to go on with, or a new one, which no other process can ask until the end of the block. All its
    problems up to the limit are in the log."""
    name = known or _new_name(log)
    with log.lease(name):
        new = [] if known else [NewEvent(stream("evaluation", name), begun)]
        there = {
            one.event.problem
            for one in log.read(run=name, types=["ProblemAsked"])
            if isinstance(one.event, ev.ProblemAsked)
        }
        for number, problem in enumerate(asked.problems[: asked.limit]):
            if number not in there:
                posed = ev.ProblemAsked(problem=number, source=problem.source, posed=problem.task)
                new.append(NewEvent(stream("problem", name, number), posed))
        if new:
            log.append(new, handler="cli")
        yield name


def _new_name(log: EventLog) -> str:
    """A name for an evaluation that starts now: the time, and a count where that is taken."""
    taken = log.evaluations()
    name = plain = datetime.now().strftime(f"{EVALUATION}%Y%m%d-%H%M%S")
    count = 1
    while name in taken:
        count += 1
        name = f"{plain}-{count}"
    return name


async def _see_that_it_answers(configuration: "Configuration", model: "ModelBackend") -> None:
    """Ask a student that is elsewhere a short question. Raises ModelDoesNotAnswer."""
    from agent0es.models.factory import is_elsewhere
    from agent0es.runs.models import first_answer, models_of

    for configured in models_of(configuration):
        if "student" in configured.roles and is_elsewhere(configured.settings.backend):
            await first_answer(configured, model)


async def _serve(
    store: Path, log: EventLog, name: str, model: "ModelBackend", adapter: "Adapter", training: "TrainingSettings"
) -> None:
    """Have the adapter answer. Raises ModelNotFound where it was trained on other weights, StoreError, and what the
    backend raises."""
    from agent0es.models.deployments import Deployments
    from agent0es.rollouts.retry import described

    assert adapter.trained is not None, "it was looked at when it was named"
    base = adapter.training.base_sha256 if adapter.training else None
    if model.weights is not None and base not in (None, model.weights.sha256):
        raise ModelNotFound(
            f"{model.weights.path}: its sha256 is {model.weights.sha256}, but {adapter.trained.adapter} was trained on "
            f"{base}; name that model with --model"
        )

    async def mended(which: str, error: Agent0Error) -> None:
        retried = ev.Retried(handler="serve", task=None, name=which, retry=1, error=described(error))
        log.append([NewEvent(stream("evaluation", name), retried)], handler="evaluate")

    await Deployments(model, store, bootstrap.trainer_of(store, training).remake).serve(adapter.trained, mended)

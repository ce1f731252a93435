"""Who may answer a question: the two models as this process can ask them, the local one with the adapter in use."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from agent0es import bootstrap
from agent0es.domain.adapter import TYPES, Adapters, follow, in_use
from agent0es.domain.names import ROUTES, stream
from agent0es.errors import ConfigurationError, UserError
from agent0es.log import EventLog
from agent0es.runs.settings import configuration_of

if TYPE_CHECKING:
    from agent0es.configuration import Configuration, RoutedModelSettings
    from agent0es.domain.adapter import Adapter
    from agent0es.domain.events import CandidateName
    from agent0es.models.base import ModelBackend
    from agent0es.rollouts.answering import Answerer
    from agent0es.taskdomains import TaskDomain

LOOK_SECONDS = 10.0
"""That a server may take to say what it calls its model, before the first question."""
TRAINED_WITH = ("prompt", "trained_prompt", "observations", "reminders", "stop", "max_tokens")
"""Settings of a student that its adapter was trained with."""


@dataclass(frozen=True, slots=True)
class InUse:
    """An adapter that a run promoted and that is in use there."""

    run: str
    name: str
    adapter: "Adapter"


class InUseNow:
    """Follows the log for the student's adapter in use of the run that was begun last and has one. A look reads what
    was appended since the one before."""

    def __init__(self, log: EventLog, weights_sha256: str) -> None:
        """Of adapters that were trained on these weights."""
        self._log, self._weights = log, weights_sha256
        self._position = 0
        self._adapters: dict[str, Adapters] = {}
        self._found: InUse | None = None

    def look(self) -> InUse | None:
        """The adapter as of now; None where no run has one."""
        head = self._log.head()
        if head == self._position:
            return self._found
        changed = False
        for recorded in self._log.read(types=TYPES, after=self._position, until=head):
            self._adapters[recorded.run] = follow(self._adapters.get(recorded.run, {}), recorded.event)
            changed = True
        self._position = head
        if changed:
            self._found = next(filter(None, map(self._of, reversed(self._log.runs()))), None)
        return self._found

    def _of(self, run: str) -> InUse | None:
        adapters = self._adapters.get(run, {})
        name = in_use(adapters, "student")
        if name is None or adapters[name].trained is None:
            return None
        training = adapters[name].training
        ours = training is not None and training.base_sha256 == self._weights
        return InUse(run, name, adapters[name]) if ours else None


def as_trained(log: EventLog, adapter: InUse, settings: "RoutedModelSettings") -> "RoutedModelSettings":
    """How an adapter is asked: in the words and the form in which its run had its student asked."""
    student = configuration_of(log, adapter.run).models.student
    return settings.model_copy(update={key: getattr(student, key) for key in TRAINED_WITH})


@dataclass(slots=True)
class _Asked:
    """A candidate, and how many questions may ask it now."""

    answerer: "Answerer"
    model: "ModelBackend | None"
    adapter: InUse | None = None
    questions: int = 0

    async def learn_name(self) -> None:
        """Call the model as its server does."""
        assert self.model is not None
        named = await asyncio.to_thread(_named, self.model, self.answerer.model)
        self.answerer = replace(self.answerer, model=named)


class Candidates:
    """Who may answer a question that is asked now. Nothing is loaded before it is asked.

    When a run promotes an adapter, the questions that are asked from then on are answered with it; those before end
    with the one that they began with, which is unloaded after the last of them.
    """

    def __init__(self, store: Path, log: EventLog, configuration: "Configuration") -> None:
        self._store, self._log, self._configuration = store, log, configuration
        self._following: InUseNow | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self._idle: list[ModelBackend] = []
        self._local = self._first()
        cloud = configuration.router.cloud
        self._cloud = None if cloud is None else self._candidate("cloud", cloud, *self._model("cloud", cloud), None)

    async def look(self) -> None:
        """Have servers say what they call their models. One that does not is called as in the settings until it is
        asked, and why it can't be is said then."""
        await asyncio.gather(*(self._look(one) for one in (self._local, self._cloud) if one is not None))

    async def _look(self, one: _Asked) -> None:
        if one.model is None:
            return
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                await _reached(one.model)
                await one.learn_name()
        except (TimeoutError, UserError):
            pass

    @contextmanager
    def __call__(self) -> "Iterator[Mapping[CandidateName, Answerer]]":
        """By name, in order of cost. They stay open for as long as the block lasts."""
        self._follow()
        local = self._local
        local.questions += 1
        both = [local] if self._cloud is None else [local, self._cloud]
        try:
            yield {one.answerer.name: one.answerer for one in both}
        finally:
            local.questions -= 1
            self._let_go(local)

    async def close(self) -> None:
        """Close the models; requests in flight fail."""
        for one in (self._local, self._cloud):
            if one is not None and one.model is not None:
                await one.model.close()
        await asyncio.gather(*self._closing, *(model.close() for model in self._idle))

    def _first(self) -> _Asked:
        settings = self._configuration.router.local
        model, problem = self._model("local", settings)
        weights = None if model is None or model.weights is None else model.weights.sha256
        if weights is not None:
            self._following = InUseNow(self._log, weights)
        adapter = None if self._following is None else self._following.look()
        return self._candidate("local", settings, model, problem, adapter)

    def _follow(self) -> None:
        if self._following is None:
            return
        known, now = self._local, self._following.look()
        if _place(now) == _place(known.adapter):
            return
        settings = self._configuration.router.local
        self._local = self._candidate("local", settings, *self._model("local", settings), now)
        self._local.answerer = replace(self._local.answerer, model=known.answerer.model)
        self._let_go(known)

    def _let_go(self, one: _Asked) -> None:
        """Unload a model that no question asks, and none will."""
        if one is self._local or one.questions or one.model is None:
            return
        try:
            closing = asyncio.get_running_loop().create_task(one.model.close())
        except RuntimeError:  # nobody was asked here, only looked at
            self._idle.append(one.model)
            return
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    def _model(
        self, name: "CandidateName", settings: "RoutedModelSettings"
    ) -> "tuple[ModelBackend | None, UserError | None]":
        """The model, with nothing opened; or why it can't even be named, which is said when it is asked."""
        try:
            with _said_of(name):
                deterministic = self._configuration.execution.deterministic
                return bootstrap.model_of("student", settings, self._store, deterministic), None
        except UserError as error:
            return None, error

    def _candidate(
        self,
        name: "CandidateName",
        settings: "RoutedModelSettings",
        model: "ModelBackend | None",
        problem: UserError | None,
        adapter: InUse | None,
    ) -> _Asked:
        from agent0es.agents.likeness import shelf_of
        from agent0es.models.factory import is_elsewhere
        from agent0es.rollouts.answering import Answerer
        from agent0es.router.metered import price_of

        if adapter is not None:
            settings = as_trained(self._log, adapter, settings)
        own = _asked_as(self._configuration, settings, trained=adapter is not None)
        lock, opened = asyncio.Lock(), False
        elsewhere = model is not None and is_elsewhere(settings.backend)

        async def open_it() -> "ModelBackend":
            nonlocal opened
            if model is None:
                assert problem is not None
                raise problem
            async with lock:
                if not opened:
                    with _said_of(name):
                        if elsewhere:
                            await _reached(model)
                        await asyncio.to_thread(_see_that_it_can, own, model)
                        if elsewhere:
                            await one.learn_name()
                        if adapter is not None:
                            await _serve(self._store, self._log, self._configuration, model, adapter)
                    opened = True
            return model

        @cache
        def domain(wanted: str) -> "TaskDomain":
            only = own.curriculum.model_copy(update={"domains": (wanted,), "families": ()})
            return bootstrap.practised_domains(own.model_copy(update={"curriculum": only}))[wanted]

        answerer = Answerer(
            name=name,
            settings=settings,
            model=settings.name if model is None or elsewhere else _named(model, settings.name),
            adapter=None if adapter is None else adapter.name,
            adapter_run=None if adapter is None else adapter.run,
            price=price_of(settings),
            domain=domain,
            shelf=cache(lambda wanted: shelf_of(domain(wanted))),
            open=open_it,
        )
        one = _Asked(answerer, model, adapter)
        return one


def _place(adapter: InUse | None) -> tuple[str, str] | None:
    return None if adapter is None else (adapter.run, adapter.name)


def _asked_as(configuration: "Configuration", settings: "RoutedModelSettings", *, trained: bool) -> "Configuration":
    """The configuration of a run whose student is this model."""
    models = configuration.models.model_copy(update={"student": settings})
    training = configuration.training.model_copy(update={"roles": ("student",) if trained else ()})
    return configuration.model_copy(update={"models": models, "training": training})


def _see_that_it_can(configuration: "Configuration", model: "ModelBackend") -> None:
    """Raises ConfigurationError where it can't do what is asked of it. A server is asked now."""
    from agent0es.models.requirements import why_not

    if why := why_not(configuration, {"student": model}):
        raise ConfigurationError(why)


async def _reached(model: "ModelBackend") -> None:
    """Raises ModelUnavailable where it can't be asked now. Here, for what is asked of a server in a thread is not
    cut off where time is up."""
    from agent0es.models.base import ModelUnavailable

    health = await model.health()
    if not health.ok:
        raise ModelUnavailable(health.detail)


async def _serve(
    store: Path, log: EventLog, configuration: "Configuration", model: "ModelBackend", adapter: InUse
) -> None:
    """Have the adapter answer."""
    from agent0es.domain import events as ev
    from agent0es.errors import Agent0Error
    from agent0es.log import NewEvent
    from agent0es.models.deployments import Deployments
    from agent0es.rollouts.retry import described

    assert adapter.adapter.trained is not None, "it is in use"

    async def mended(which: str, error: Agent0Error) -> None:
        retried = ev.Retried(handler="serve", task=None, name=which, retry=1, error=described(error))
        await log.append_async([NewEvent(stream("adapter", ROUTES, which), retried)], handler="router")

    trainer = bootstrap.trainer_of(store, configuration.training)
    await Deployments(model, store, trainer.remake).serve(adapter.adapter.trained, mended)


def _named(model: "ModelBackend", otherwise: str) -> str:
    """The model's name; that of the settings where only a server could tell, and does not."""
    try:
        return model.name
    except UserError:
        return otherwise


@contextmanager
def _said_of(name: str) -> Iterator[None]:
    """What is said of the student's model in here, said of this candidate."""
    try:
        yield
    except UserError as error:
        place = f"router.{name}"
        error.args = tuple(
            str(said).replace("models.<role>", place).replace("models.student", place) for said in error.args
        )
        raise

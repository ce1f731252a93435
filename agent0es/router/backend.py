"""The backend `router`: each request is answered by the local model, or, where that is unsure, by the one behind it.

What it decides from is the request alone: drafts of the local model and their tokens. It keeps no answers, because a
run wants each of its samples anew, and asks no model about its words. The model that answered stands in the completion.
"""

import asyncio
import math
import os
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from agent0es.configuration import RoutedModelSettings, RouterSettings
from agent0es.configuration.secrets import text_with_secrets, text_without_secrets
from agent0es.domain.events import CandidateName
from agent0es.domain.seeds import derive_seed
from agent0es.domain.text import one_line
from agent0es.errors import Agent0Error, ConfigurationError, LogError, StoreError, TransientError
from agent0es.log import EventLog
from agent0es.models.base import (
    Capabilities,
    Completion,
    Deployment,
    GenerationFailed,
    GenerationRequest,
    Health,
    ModelBackend,
    ModelUnavailable,
    RequestRefused,
    Weights,
    not_deployed,
)
from agent0es.models.factory import create_backend
from agent0es.models.waiting import side_by_side
from agent0es.router.base import Draft, Evidence, Signals, choose, load_signals, prior, values
from agent0es.router.budget import Budget, Purse
from agent0es.router.metered import Metered, Price, price_of

PASS_ON = (StoreError, LogError)


@dataclass(frozen=True, slots=True)
class _Asked:
    """One of the two models."""

    name: CandidateName
    settings: RoutedModelSettings
    model: ModelBackend
    price: Price | None


class RouterBackend:
    """Two models behind one name."""

    def __init__(self, name: str, settings: RouterSettings, local: ModelBackend, cloud: ModelBackend | None) -> None:
        """Raises ConfigurationError for a signal that can't be used."""
        self._settings, self._name = settings, name
        self._local = _Asked("local", settings.local, local, price_of(settings.local))
        self._cloud: _Asked | None = None
        if cloud is not None and settings.cloud is not None:
            self._cloud = _Asked("cloud", settings.cloud, cloud, price_of(settings.cloud))
        self._signals: Signals = load_signals(settings.signals)
        self._deployed: set[str] = set()
        self._budget: Budget | None = None
        self._run = name

    @classmethod
    def create(cls, name: str, *, cache: Path | None = None, **options: Any) -> "RouterBackend":
        """`options` are the keys of the section `router`; `name` is a name for it, and says nothing else.

        Raises ConfigurationError, and what making the two models raises.
        """
        try:
            settings = RouterSettings.model_validate(options)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise ConfigurationError(f"router.{where}: {one_line(first['msg'])}") from None

        def made(of: CandidateName, asked: RoutedModelSettings) -> ModelBackend:
            if asked.backend == "router":
                raise ConfigurationError(f"router.{of}.backend: a router can't ask itself; name another backend")
            server = {"base_url": asked.base_url, "api_key_env": asked.api_key_env}
            named = text_with_secrets(asked.name, f"router.{of}.name", os.environ)
            return create_backend(asked.backend, named, cache=cache, **server, **asked.options)

        cloud = None if settings.cloud is None else made("cloud", settings.cloud)
        return cls(f"router:{name}", settings, made("local", settings.local), cloud)

    def charge(self, log: EventLog, run: str) -> None:
        """What is paid is reserved in this log, on behalf of this run. Without it there is no budget beyond this
        process."""
        self._budget = Budget(log, self._settings.budget, run)

    @property
    def name(self) -> str:
        return self._name

    @cached_property
    def capabilities(self) -> Capabilities:
        """What both can do; of adapters what the local one can. A server is asked now."""
        local = self._local.model.capabilities
        if self._cloud is None:
            return local
        cloud = self._cloud.model.capabilities
        contexts = [one for one in (local.context, cloud.context) if one is not None]
        return Capabilities(
            logprobs=local.logprobs and cloud.logprobs,
            token_ids=False,  # of one vocabulary or another
            structured_output=local.structured_output and cloud.structured_output,
            adapters=local.adapters,
            prefill=local.prefill and cloud.prefill,
            sampling=local.sampling and cloud.sampling,
            seeds=local.seeds and cloud.seeds,
            context=min(contexts, default=None),
            priced=self._local.price is not None and self._cloud.price is not None,
        )

    @property
    def weights(self) -> Weights | None:
        return self._local.model.weights

    async def generate(self, requests: Sequence[GenerationRequest], adapter: str | None = None) -> list[Completion]:
        """As the protocol says. An adapter answers for the local model; where the other one answers, the completion
        says that it was without."""
        if adapter is not None and adapter not in self._deployed:
            raise not_deployed(adapter, sorted(self._deployed))
        return await side_by_side(self._one(request, adapter) for request in requests)

    async def _one(self, request: GenerationRequest, adapter: str | None) -> Completion:
        failures: dict[CandidateName, Agent0Error] = {}
        purse = Purse()
        drafts = await self._ask(self._local, self._drafts(request), adapter, purse, failures)
        chosen, sure = self._judge(request, drafts)
        enough = sure is not None and sure >= self._settings.confidence_threshold
        if self._cloud is not None and (chosen is None or not enough):
            answered = await self._ask(self._cloud, [request], None, purse, failures)
            chosen = answered[0] if answered else chosen
        if chosen is None:
            raise _failed(failures)
        able = self.capabilities
        return replace(
            chosen,
            logprobs=chosen.logprobs if able.logprobs else None,
            token_ids=chosen.token_ids if able.token_ids else None,
            cost_usd=purse.cost,
        )

    def _drafts(self, request: GenerationRequest) -> list[GenerationRequest]:
        """The request itself, and the same with other seeds."""
        sampled = request.temperature or self._local.settings.temperature
        return [
            request,
            *(
                replace(request, temperature=sampled, seed=derive_seed(request.seed, "draft", number))
                for number in range(1, self._settings.drafts)
            ),
        ]

    def _judge(
        self, request: GenerationRequest, completions: Sequence[Completion]
    ) -> tuple[Completion | None, float | None]:
        """The draft that most others agree with, and how likely it is right by the signals alone."""
        drafts = tuple(
            Draft(
                attempt=str(number),
                answer=one.text,
                key=" ".join(one.text.split()),
                confidence=None if one.mean_logprob is None else min(1.0, math.exp(one.mean_logprob)),
                observed=False,
                tool_errors=0,
            )
            for number, one in enumerate(completions)
        )
        chosen = choose(drafts)
        if chosen is None:
            return None, None
        question = request.messages[-1].content if request.messages else ""
        said = values(self._signals, Evidence(question, "", drafts, chosen))
        return completions[int(chosen.attempt)], prior(said, self._settings.signals)

    async def _ask(
        self,
        one: _Asked,
        requests: Sequence[GenerationRequest],
        adapter: str | None,
        purse: Purse,
        failures: dict[CandidateName, Agent0Error],
    ) -> list[Completion]:
        """Their completions; none where the model can't answer, and `failures` says why."""
        if self._budget is None:
            self.charge(EventLog.open(":memory:"), self._run)
        assert self._budget is not None, "it was made"
        metered = Metered(one.model, one.price, self._budget, self._run, one.name, purse)
        try:
            async with asyncio.timeout(self._settings.timeout_seconds):
                return await metered.generate(requests, adapter)
        except TimeoutError:
            seconds = self._settings.timeout_seconds
            failures[one.name] = GenerationFailed(f"gave no answer within {seconds:g} seconds (router.timeout_seconds)")
        except PASS_ON:
            raise
        except Agent0Error as error:
            failures[one.name] = error
        return []

    async def stream(self, request: GenerationRequest, adapter: str | None = None) -> AsyncIterator[str]:
        """The whole text: who answers is known at its end."""
        [completion] = await self.generate([request], adapter)
        yield completion.text

    async def health(self) -> Health:
        """It is well while one of the two is."""
        found = [await one.model.health() for one in (self._local, self._cloud) if one is not None]
        detail = "; ".join(one.detail for one in found)
        loading = next((one.loading for one in found if one.loading), "")
        return Health(any(one.ok for one in found), f"{self.name}: {detail}", loading=loading)

    async def deploy(self, deployment: Deployment) -> None:
        await self._local.model.deploy(deployment)
        self._deployed.add(deployment.name)

    async def retire(self, name: str) -> None:
        self._deployed.discard(name)
        await self._local.model.retire(name)

    async def close(self) -> None:
        for one in (self._local, self._cloud):
            if one is not None:
                await one.model.close()


def _failed(failures: dict[CandidateName, Agent0Error]) -> Agent0Error:
    """What is raised where nobody answered: worth another try if one of them is."""
    said = "; ".join(f"{name}: {one_line(text_without_secrets(str(error)))}" for name, error in failures.items())
    message = f"nobody could answer: {said}"
    errors = list(failures.values())
    if any(isinstance(error, TransientError) for error in errors):
        return GenerationFailed(message)
    if all(isinstance(error, RequestRefused) for error in errors):
        return RequestRefused(message)
    return ModelUnavailable(message)

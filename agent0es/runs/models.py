"""The models of a configuration, asked: does each answer, can it do what the run needs, how fast is it."""

import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from agent0es import bootstrap
from agent0es.domain.text import counted
from agent0es.domain.values import Role
from agent0es.errors import Agent0Error, ConfigurationError, UserError

if TYPE_CHECKING:
    from agent0es.configuration import Configuration, ModelSettings
    from agent0es.domain.prompt import Prompt
    from agent0es.models.base import Capabilities, Completion, GenerationRequest, ModelBackend
    from agent0es.taskdomains import Domains
    from agent0es.training.base import Trainer

__all__ = ["Capabilities", "Checked", "ConfiguredModel", "ModelDoesNotAnswer", "Speed", "bench", "check", "models_of"]

QUESTION = "Count from one to twenty in words, separated by commas."
FIRST_TOKENS, MORE_TOKENS = 16, 48
"""Asked for at most: to see that a model answers, and to see how fast it is."""
A_TURN = 64
"""Tokens that a chat template adds to a turn at most, guessed high: by its letters a prompt may be much shorter."""
SHORTER: "Mapping[Role, str]" = {
    "teacher": "max_tokens or curriculum.candidates",
    "student": "max_tokens, curriculum.demonstrations or evaluation.demonstrations",
}
"""What makes a role's prompts longer, and its answers."""

OnStep = Callable[[str], None]
"""Is told what is being done, in a few words."""


@dataclass(frozen=True, slots=True)
class ConfiguredModel:
    """A model that a configuration names, for one role or for both."""

    roles: tuple[Role, ...]
    settings: "ModelSettings"

    @property
    def place(self) -> str:
        """Backend, name and address."""
        where = f" at {self.settings.base_url}" if self.settings.base_url else ""
        return f"{self.settings.backend}, {self.settings.name}{where}"


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of asking a model."""

    model: ConfiguredModel
    answered: "Completion | None" = None
    """Its first answer; None where there is none."""
    first_seconds: float | None = None
    """To the end of that answer, what had to be loaded for it included."""
    capabilities: "Capabilities | None" = None
    tokens_per_second: float | None = None
    """Of one request alone, once it is loaded."""
    prompt_tokens: int | None = None
    """Of the longest prompt that the run begins an attempt or a proposal with."""
    problems: tuple[str, ...] = ()
    """Why a run can't start with it, a line each with what to do; empty where it can."""
    warnings: tuple[str, ...] = ()
    """What a run goes without, a line each."""


@dataclass(frozen=True, slots=True)
class Speed:
    """What a model wrote in one round of a measurement."""

    at_once: int
    """Requests side by side."""
    tokens: int
    seconds: float

    @property
    def tokens_per_second(self) -> float:
        return self.tokens / max(1e-6, self.seconds)


class ModelDoesNotAnswer(UserError):
    """A configured model gave no answer to a short question, so no run is started with it."""


def models_of(configuration: "Configuration") -> list[ConfiguredModel]:
    """The models of a configuration, each once."""
    teacher, student = configuration.models.teacher, configuration.models.student
    if bootstrap.is_same_model(teacher, student):
        return [ConfiguredModel(get_args(Role), student)]
    return [ConfiguredModel(("teacher",), teacher), ConfiguredModel(("student",), student)]


async def check(configuration: "Configuration", store: Path, on_step: OnStep) -> list[Checked]:
    """Ask each model of a configuration a short question, one model after the other; then one as long as the run's.

    Raises ConfigurationError for task domains that can't be used.
    """
    from agent0es.decisions.longest import longest_prompts

    domains = bootstrap.domains_to_practise(configuration)

    @cache
    def prompts(structured_output: bool) -> "Mapping[Role, Prompt]":
        return longest_prompts(configuration, domains, structured_output)

    return [await _check(configuration, model, prompts, store, on_step) for model in models_of(configuration)]


async def _check(
    configuration: "Configuration",
    model: ConfiguredModel,
    prompts: "Callable[[bool], Mapping[Role, Prompt]]",
    store: Path,
    on_step: OnStep,
) -> Checked:
    from agent0es.models.requirements import warnings

    deterministic = configuration.execution.deterministic
    try:
        backend = bootstrap.model_of(model.roles[0], model.settings, store, deterministic)
    except Agent0Error as error:
        return Checked(model, problems=(_said_of(model, str(error)),))
    try:
        on_step(f"asking {model.place}")
        begin = time.perf_counter()
        answered = await first_answer(model, backend)
        seconds = time.perf_counter() - begin
        on_step(f"measuring {model.place}")
        speed = await measure(model, backend, 1, MORE_TOKENS)
        on_step(f"asking {model.place} with the longest prompts")
        able, trainer = backend.capabilities, bootstrap.trainer_of(store, configuration.training)
        found = [line for role in model.roles for line in problems(configuration, role, backend, trainer)]
        found += [why] if "student" in model.roles and (why := why_alike(configuration)) else []
        first = prompts(able.structured_output)
        read = [await _read(configuration, model, backend, role, first[role]) for role in model.roles]
        found = found or [why for _, why in read if why is not None]
        longest = max((tokens for tokens, _ in read if tokens is not None), default=None)
        weaker = tuple(line for role in model.roles for line in warnings(configuration, role, backend))
        return Checked(model, answered, seconds, able, speed.tokens_per_second, longest, tuple(found), weaker)
    except ModelDoesNotAnswer as error:
        return Checked(model, problems=(str(error),))
    finally:
        await backend.close()


async def _read(
    configuration: "Configuration", model: ConfiguredModel, backend: "ModelBackend", role: Role, prompt: "Prompt"
) -> tuple[int | None, str | None]:
    """Of a role's longest prompt (its tokens, where the model can read it; why it can't, or has no room to answer).

    Raises ModelDoesNotAnswer.
    """
    from agent0es.models.base import RequestRefused

    most, context = getattr(configuration.models, role).max_tokens, backend.capabilities.context
    remedy = f"set {SHORTER[role]} lower, or its context higher"
    try:
        [answer] = await backend.generate([replace(_request(model, 0, FIRST_TOKENS), messages=prompt.messages)])
    except RequestRefused as error:
        return None, f"models.{role}: its longest prompt is refused: {_shown(role, str(error))}; {remedy}"
    except Agent0Error as error:
        raise ModelDoesNotAnswer(_said_of(model, str(error))) from error
    tokens = answer.usage.prompt
    if context is None or tokens + most <= context:
        return tokens, None
    return tokens, (
        f"models.{role}: its longest prompt has {counted(tokens, 'token')}, which with max_tokens {most} is more than "
        f"its context of {context}; {remedy}"
    )


def _surely_fits(prompt: "Prompt", most: int, context: int | None) -> bool:
    """Whether a prompt has room by its letters alone: a token has one byte at least."""
    longest = sum(len(message.content.encode()) + A_TURN for message in prompt.messages)
    return context is None or longest + most <= context


def problems(configuration: "Configuration", role: Role, model: "ModelBackend", trainer: "Trainer") -> Iterator[str]:
    """Why a run can't start with this model in this role, a line each with what to set."""
    from agent0es.models.factory import is_elsewhere
    from agent0es.models.requirements import refusals
    from agent0es.training.base import why_not_trained
    from agent0es.training.methods import load_method

    yield from refusals(configuration, role, model)
    if role not in configuration.training.roles or not model.capabilities.adapters:
        return
    if model.weights is None and is_elsewhere(getattr(configuration.models, role).backend):
        yield (
            f"models.{role}: the weights of {model.name} are the server's own, so nothing can be trained from them; "
            f"set models.{role}.options.weights to a GGUF file of the same model, or leave {role} out of training.roles"
        )
    elif role == "teacher" and load_method(configuration.training.method).learns == "pairs":
        yield (
            f"training.method: {configuration.training.method} learns from two attempts at one task, and a teacher "
            "makes one proposal to a request; set training.method to grpo or rft, or leave teacher out of "
            "training.roles"
        )
    elif why := why_not_trained(trainer, model, configuration.training):
        yield f"models.{role}: {why}; choose another model, or leave {role} out of training.roles"


def why_alike(configuration: "Configuration") -> str | None:
    """Why the attempts at a task can teach nothing by their differences, where the method learns from these. Pure."""
    from agent0es.training.methods import load_method

    method = configuration.training.method
    if "student" not in configuration.training.roles or load_method(method).learns not in ("pairs", "groups"):
        return None
    if configuration.execution.attempts == 1:
        return f"training.method: {method} compares attempts at the same task; set execution.attempts to 2 or more"
    if configuration.models.student.temperature == 0:
        return (
            f"training.method: {method} compares attempts at the same task, and at models.student.temperature 0 they "
            "are all the same; set it above 0"
        )
    return None


async def see_that_servers_answer(configuration: "Configuration", models: "Mapping[Role, ModelBackend]") -> None:
    """Ask each model that is elsewhere a short question, so that what is wrong with a server is said before a run
    begins or goes on. Models in this process have been looked at when they were opened; loading them twice would take
    long.

    Raises ModelDoesNotAnswer.
    """
    from agent0es.models.factory import is_elsewhere

    for model in models_of(configuration):
        if is_elsewhere(model.settings.backend):
            await first_answer(model, models[model.roles[0]])


async def see_that_prompts_fit(
    configuration: "Configuration", models: "Mapping[Role, ModelBackend]", domains: "Domains"
) -> None:
    """Ask each model the longest prompts that it may have no room for, which else would stop the run in its evaluation.
    Models in this process are loaded for that. A run that has begun is not asked: its settings stand, and where it
    meets such a prompt it says how to go on.

    Raises ModelDoesNotAnswer, ConfigurationError.
    """
    from agent0es.decisions.longest import longest_prompts

    for model in models_of(configuration):
        backend = models[model.roles[0]]
        able = backend.capabilities
        prompts = longest_prompts(configuration, domains, able.structured_output)
        for role in model.roles:
            if not _surely_fits(prompts[role], getattr(configuration.models, role).max_tokens, able.context):
                _, why = await _read(configuration, model, backend, role, prompts[role])
                if why is not None:
                    raise ConfigurationError(why)


async def first_answer(model: ConfiguredModel, backend: "ModelBackend") -> "Completion":
    """A short answer. Raises ModelDoesNotAnswer in one line: at once where nobody is there, without the tries that a
    request is worth in a run."""
    from agent0es.agents.student import STOP

    health = await backend.health()
    if not health.ok:
        raise ModelDoesNotAnswer(_said_of(model, health.detail))
    stop = (*(STOP if "student" in model.roles else ()), *model.settings.stop)  # as in a run: some models take none
    question = replace(_request(model, 0, FIRST_TOKENS), stop=stop)
    [completion] = await _answers(model, backend, [question])
    return completion


async def bench(
    model: ConfiguredModel, store: Path, numbers: tuple[int, ...], tokens: int, on_step: OnStep
) -> AsyncIterator[Speed]:
    """How much a model writes with these numbers of requests at once. Each writes at most so many tokens.

    Raises ModelDoesNotAnswer, and what opening a model raises.
    """
    backend = bootstrap.model_of(model.roles[0], model.settings, store)
    try:
        on_step(f"asking {model.place}")
        await first_answer(model, backend)
        for at_once in numbers:
            on_step(f"measuring {model.place}, {at_once} at once")
            yield await measure(model, backend, at_once, tokens)
    finally:
        await backend.close()


async def measure(model: ConfiguredModel, backend: "ModelBackend", at_once: int, tokens: int) -> Speed:
    """One round. Raises ModelDoesNotAnswer in one line."""
    requests = [_request(model, number, tokens) for number in range(1, at_once + 1)]
    begin = time.perf_counter()
    completions = await _answers(model, backend, requests)
    return Speed(at_once, sum(one.usage.written for one in completions), time.perf_counter() - begin)


async def _answers(
    model: ConfiguredModel, backend: "ModelBackend", requests: "list[GenerationRequest]"
) -> "list[Completion]":
    try:
        return await backend.generate(requests)
    except Agent0Error as error:
        raise ModelDoesNotAnswer(_said_of(model, str(error))) from error


def _said_of(model: ConfiguredModel, message: str) -> str:
    """A backend's message with the role that it is about."""
    role = f"models.{model.roles[0]}"
    return f"{role}: {_shown(model.roles[0], message).removeprefix(f'{role}: ')}"


def _shown(role: Role, message: str) -> str:
    """A backend's message to somebody who looks at a role's settings."""
    from agent0es.configuration.secrets import text_without_secrets

    return text_without_secrets(message).replace("models.<role>", f"models.{role}")


def _request(model: ConfiguredModel, number: int, tokens: int) -> "GenerationRequest":
    """A question of its own for each number, so that no cache knows it."""
    from agent0es.models import GenerationRequest, Message

    return GenerationRequest(
        (Message("user", f"{QUESTION} Begin with {number + 1}." if number else QUESTION),),
        max_tokens=tokens,
        temperature=model.settings.temperature,
        top_p=model.settings.top_p,
        seed=number,
    )

"""What a run asks of its models, compared with what they can do: once, when the run is configured."""

from collections.abc import Iterator, Mapping
from itertools import chain

from agent0es.configuration import Configuration
from agent0es.domain.events import Role
from agent0es.models.base import ModelBackend

Models = Mapping[Role, ModelBackend]


def why_not(configuration: Configuration, models: Models) -> str | None:
    """Why these models can't do this run, in one line with what to set; None where they can. Pure."""
    return next(chain.from_iterable(refusals(configuration, *each) for each in models.items()), None)


def weakened(configuration: Configuration, models: Models) -> list[str]:
    """What the run goes without because a model can't give it, a line each. Pure."""
    return list(chain.from_iterable(warnings(configuration, *each) for each in models.items()))


def refusals(configuration: Configuration, role: Role, model: ModelBackend) -> Iterator[str]:
    """All that a model can't do in its role in this run, a line each with what to set. Pure."""
    able, asked = model.capabilities, getattr(configuration.models, role)
    here = f"models.{role}: {model.name}"
    if able.context is not None and asked.max_tokens >= able.context:
        yield (
            f"{here} reads and writes {able.context} tokens in all, and models.{role}.max_tokens is "
            f"{asked.max_tokens}; set it lower"
        )
    if configuration.execution.deterministic and not able.seeds:
        yield f"{here} takes no seed, so a run can't be made again; set execution.deterministic to false"
    if role in configuration.training.roles and not able.adapters:
        others = [other for other in configuration.training.roles if other != role]
        yield f"{here} can't answer with a trained adapter; set training.roles to [{', '.join(others)}]"
    if role == "student" and not able.prefill and configuration.models.student.observations == "continued":
        yield (
            f"{here} can't continue a turn that has begun, which a student does after each tool call; set "
            "models.student.observations to turns"
        )


def warnings(configuration: Configuration, role: Role, model: ModelBackend) -> Iterator[str]:
    """What a run goes without because of this model in this role, a line each. Pure."""
    if role in configuration.training.roles and model.weights is None:
        yield f"{model.name} has no weights to train from, so the {role}'s training will fail"
    if role == "student" and not model.capabilities.logprobs:
        yield f"{model.name} gives no log-probabilities, so nobody knows how sure of its words the student is"
    if role == "teacher" and not model.capabilities.structured_output:
        yield (
            f"{model.name} can't be kept to a JSON schema, so it reads what a proposal must be, and some of the "
            "teacher's will be none"
        )
    if not model.capabilities.priced:
        yield f"{model.name} has a price that nobody here knows, so the log can't say what the {role}'s calls cost"
    if not model.capabilities.sampling and getattr(configuration.models, role).temperature > 0:
        yield f"{model.name} takes no temperature, so how much the {role} varies its words is not yours to set"


def weights_of(models: Models) -> dict[str, str]:
    """Model name to sha256 of its weights, of those that have any."""
    return {model.weights.name: model.weights.sha256 for model in models.values() if model.weights}


def changed_weights(begun: Mapping[str, str], models: Models) -> str | None:
    """Why these models can't go on with a run that was begun with other weights, of which it knows names and hashes;
    None where they are the same. Pure."""
    for model in models.values():
        if model.weights is None:
            continue
        name, found = model.weights.name, weights_of(models)[model.weights.name]
        if begun.get(name, found) != found:
            return (
                f"{model.weights.path}: its sha256 is {found}, but the run was begun with {name} of {begun[name]}; put "
                "that file back, or start another run"
            )
    return None

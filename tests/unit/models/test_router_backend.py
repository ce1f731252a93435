"""The router as a model backend: it keeps the port's contract, and says who answered."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from agent0es.configuration import load_configuration
from agent0es.domain.prompt import Message
from agent0es.errors import ConfigurationError
from agent0es.log import EventLog
from agent0es.models.artifacts import Artifacts
from agent0es.models.base import Deployment, GenerationFailed, GenerationRequest
from agent0es.models.factory import create_backend
from agent0es.router.backend import RouterBackend
from agent0es.testing import BackendContract

HERE = "tests.unit.models.test_router_backend"
ASK = GenerationRequest((Message("user", "What is 6 times 7?"),), 24)


def sure(request: GenerationRequest, adapter: str | None) -> str:
    if request.json_schema is not None:
        return '{"n": 7}'
    return (
        f"one, two, three, four, {request.seed if request.temperature else 'five'}, six, seven, eight, nine, ten " * 40
    )


def steady(request: GenerationRequest, adapter: str | None) -> str:
    return "The answer is 42"


def wavering(request: GenerationRequest, adapter: str | None) -> str:
    return f"The answer is {request.seed}"


def broken(request: GenerationRequest, adapter: str | None) -> str:
    raise GenerationFailed("engine gone")


def scripted(script: str, **settings: Any) -> Mapping[str, Any]:
    return {"backend": "scripted", "name": f"{HERE}:{script}", **settings}


def routed(local: str, cloud: str | None = None, **settings: Any) -> RouterBackend:
    paid = {"input_price": 1.0, "output_price": 10.0, "max_tokens": 24}
    options = {"local": scripted(local), **({"cloud": scripted(cloud, **paid)} if cloud else {}), **settings}
    made = create_backend("router", "both", **options)
    assert isinstance(made, RouterBackend)
    return made


class TestRouter(BackendContract):
    name = "router"
    model = "both"
    models = (f"scripted:{HERE}:sure",)
    options = {"local": scripted("sure"), "cloud": scripted("sure"), "drafts": 1, "confidence_threshold": 0.5}
    deployment = Deployment("student-1", Artifacts(Path("nowhere"), {}))


@pytest.mark.parametrize(
    ("local", "cloud", "who"),
    [
        ("steady", "steady", "steady"),
        ("wavering", "steady", "steady"),
        ("broken", "steady", "steady"),
        ("wavering", "broken", "wavering"),
        ("wavering", None, "wavering"),
    ],
)
async def test_who_answered_stands_in_the_completion(local: str, cloud: str | None, who: str) -> None:
    backend = routed(local, cloud, confidence_threshold=0.7)
    [completion] = await backend.generate([ASK])
    assert completion.model == f"scripted:{HERE}:{who}"
    if local == who != cloud:
        assert completion.cost_usd is not None


async def test_a_sure_local_model_costs_nothing_and_a_paid_one_is_settled_in_the_log() -> None:
    with EventLog.open(":memory:") as log:
        backend = routed("steady", "steady")
        backend.charge(log, "run-1")
        [completion] = await backend.generate([ASK])
        assert completion.cost_usd == 0.0 and log.head() == 0
        backend = routed("wavering", "steady", budget={"per_run": 0.01})
        backend.charge(log, "run-1")
        [completion] = await backend.generate([ASK])
        events = [one.event.type for one in log.read(stream="budget/routes/run-run-1")]
        assert completion.cost_usd and events == ["CostReserved", "CostSettled"]


async def test_where_nobody_answers_another_try_may_help() -> None:
    with pytest.raises(GenerationFailed, match="nobody could answer: local: engine gone; cloud: engine gone"):
        await routed("broken", "broken").generate([ASK])


def test_the_section_router_says_which_models_it_asks() -> None:
    settings = ["models.student.backend=router", "router.drafts=2", "router.local.name=other"]
    options = load_configuration(overrides=settings, environment={}).models.student.options
    assert (options["drafts"], options["local"]["name"]) == (2, "other")
    with pytest.raises(ConfigurationError, match=r"models\.student\.options: set the section router instead"):
        load_configuration(overrides=[*settings, "models.student.options.drafts=3"], environment={})
    with pytest.raises(ConfigurationError, match=r"router\.local\.backend: a router can't ask itself"):
        create_backend("router", "both", local={"backend": "router"})

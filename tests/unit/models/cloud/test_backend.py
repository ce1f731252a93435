"""What is sent to each provider's model, and what becomes of its answer."""

import asyncio
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

from agent0es.domain.prompt import Message
from agent0es.errors import ConfigurationError, ModelNotFound, NotInstalled, UserError
from agent0es.models.base import Completion, GenerationRequest
from agent0es.models.cloud import Cloud
from agent0es.models.cloud.backend import CloudBackend
from agent0es.models.factory import create_backend, library_of
from agent0es.testing.models import AS_JSON, EITHER, SCHEMA, ask
from tests.support.providers.serving import KEY
from tests.support.providers.there import VARIABLE, There, running

CHAT = GenerationRequest(
    (
        Message("system", "Be brief."),
        Message("user", "17 * 3?"),
        Message("assistant", "Action: python[17*3]"),
        Message("tool", "51"),
    ),
    max_tokens=40,
    temperature=0.7,
    top_p=0.9,
    seed=2**63,
    stop=("Observation:", "\n", "Question:"),
)


def answer(backend: CloudBackend, request: GenerationRequest = CHAT) -> Completion:
    async def one() -> Completion:
        [completion] = await backend.generate([request])
        await backend.close()
        return completion

    return asyncio.run(one())


def asked(provider: str, model: str, request: GenerationRequest = CHAT, **options: Any) -> tuple[Any, Completion]:
    """What a provider was sent, and the completion."""
    with running(provider) as there:
        completion = answer(there.backend(model, **options), request)
        [sent] = there.server.requests
        return sent.json, completion


def test_turns_settings_and_stop_strings_arrive() -> None:
    """A tool's turn is the user's; a stop string of white space is ours to cut at."""
    sent, completion = asked("openai", "gpt-4o-mini")
    assert [message["role"] for message in sent["messages"]] == ["system", "user", "assistant", "user"]
    assert sent["messages"][3]["content"] == "51"
    assert (sent["temperature"], sent["top_p"], sent["max_completion_tokens"]) == (0.7, 0.9, 40)
    assert sent["stop"] == ["Observation:", "Question:"] and sent["logprobs"] is True and "seed" not in sent
    assert completion.left_out == ("seed",)
    sent, _ = asked("google", "gemini-2.5-flash")
    assert [content["role"] for content in sent["contents"]] == ["user", "model", "user"]
    assert sent["generationConfig"]["stopSequences"] == ["Observation:", "Question:"]
    sent, _ = asked("cohere", "command-a-03-2025")
    assert (sent["temperature"], sent["p"]) == (0.7, 0.9)


@pytest.mark.parametrize(
    ("provider", "model", "options", "left_out"),
    [
        ("anthropic", "claude-haiku-4-5", {}, ("temperature", "top_p", "seed")),
        ("openai", "o4-mini", {}, ("temperature", "top_p", "seed")),
        ("openai", "gpt-5.5", {}, ("temperature", "top_p", "seed")),
        ("openai", "gpt-5.5", {"thinking": False}, ("seed",)),
        ("openai", "gpt-4o-mini", {"sampling": False, "logprobs": False}, ("temperature", "top_p", "seed")),
        ("google", "gemini-3.5-flash-lite", {}, ("temperature", "top_p", "seed")),
        ("google", "gemini-2.5-flash", {}, ("seed",)),
        ("cohere", "command-a-03-2025", {}, ("seed",)),
    ],
)
def test_what_a_model_does_not_take_is_not_sent_and_named(
    provider: str, model: str, options: dict[str, Any], left_out: tuple[str, ...]
) -> None:
    """The servers refuse what their models don't take. A greedy request names less, and sends no more."""
    _, completion = asked(provider, model, **options)
    assert completion.left_out == left_out
    _, greedy = asked(provider, model, replace(CHAT, temperature=0.0), **options)
    assert greedy.left_out == ()


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("anthropic", "claude-haiku-4-5"),
        ("anthropic", "claude-haiku-5-5"),
        ("google", "gemini-2.5-flash"),
        ("cohere", "command-a-reasoning-08-2025"),
    ],
)
def test_thinking_is_told_apart(provider: str, model: str) -> None:
    request = replace(ask(max_tokens=2000), temperature=0.0)
    _, completion = asked(provider, model, request, thinking="minimal")
    assert completion.thinking == " Let me count." and "Let me" not in completion.text
    assert completion.usage.written == 60 + 3, "what was thought counts"
    _, completion = asked(provider, model, request, thinking=False)
    assert completion.thinking is None and completion.usage.written == 60


@pytest.mark.parametrize("model", ["gpt-4o-mini", "gpt-5.5"])
def test_thinking_may_be_turned_off_where_there_is_none(model: str) -> None:
    sent, _ = asked("openai", model, thinking=False)
    assert sent.get("reasoning_effort") == (None if model == "gpt-4o-mini" else "none")


def test_a_text_is_cut_at_a_stop_string_that_was_not_sent() -> None:
    """With the tokens behind it."""
    with running("openai") as there:
        free = answer(there.backend(), ask(max_tokens=30))
        spaces = answer(there.backend(), ask(max_tokens=30, stop=(" ",)))
        reasoning = answer(there.backend("o4-mini"), ask(max_tokens=30, stop=("e",)))
    assert (spaces.text, spaces.finish_reason) == (free.text.split()[0], "stop")
    assert spaces.logprobs is not None and free.logprobs is not None
    assert spaces.logprobs == free.logprobs[:1] and spaces.usage.written == 1
    assert "e" not in reasoning.text and reasoning.finish_reason == "stop"


def test_a_stream_ends_before_a_stop_string(there: There) -> None:
    async def streamed(stop: tuple[str, ...]) -> str:
        backend = there.backend()
        text = "".join([piece async for piece in backend.stream(ask(stop=stop))])
        await backend.close()
        return text

    free = answer(there.backend(), ask()).text
    assert asyncio.run(streamed((", ", "never"))).partition(",")[0] != ""
    whole = asyncio.run(streamed(("never written",)))
    assert len(whole.split()) == len(free.split())


def test_what_an_answer_costs() -> None:
    """By genai-prices, in dollars for a million tokens: 0.15 read and 0.60 written, 1 and 5, 0.30 and 2.50."""
    for provider, model, read, written in (
        ("openai", "gpt-4o-mini", 0.15, 0.60),
        ("anthropic", "claude-haiku-4-5", 1.0, 5.0),
        ("google", "gemini-2.5-flash", 0.30, 2.50),
    ):
        _, completion = asked(provider, model)
        usage = completion.usage
        assert completion.cost_usd == pytest.approx((usage.prompt * read + usage.written * written) / 1e6)


def test_a_model_without_a_known_price_has_none() -> None:
    with running("cohere") as there:
        backend = there.backend("command-a-reasoning-08-2025")
        assert not backend.capabilities.priced and there.backend().capabilities.priced
        assert answer(backend).cost_usd is None


def test_which_models_there_are_and_what_they_cost() -> None:
    async def looked() -> None:
        library = library_of("cloud", api_key_env="ANY_NAME")
        assert library is not None
        listed = {model.name: model for model in await library.list()}
        assert {name.partition(":")[0] for name in listed} == {"anthropic", "openai", "google", "cohere"}
        haiku = listed["anthropic:claude-haiku-4-5"]
        assert (haiku.context, haiku.detail) == (200_000, "$1 read, $5 written, a million tokens each")
        shown = await library.show("openai:gpt-4o-mini")
        assert shown.properties["key"] == "OPENAI_API_KEY" and shown.properties["sampling"] is True
        with pytest.raises(ModelNotFound, match="PROVIDER:MODEL"):
            await library.show("bedrock:claude")
        with pytest.raises(UserError, match="nothing is to be fetched"):
            await library.pull("openai:gpt-4o-mini", lambda progress: None)
        with pytest.raises(UserError, match="nothing is to be deleted"):
            await library.remove("openai:gpt-4o-mini")

    asyncio.run(looked())


def test_what_models_can_do() -> None:
    with running("anthropic") as there:
        able = there.backend().capabilities
        assert (able.context, able.structured_output, able.prefill, able.seeds) == (200_000, True, False, False)
    with running("cohere") as there:
        assert not there.backend().capabilities.structured_output


def test_a_schema_is_sent_in_each_providers_words() -> None:
    request = ask("Give a number as JSON.", 60, json_schema=SCHEMA)
    sent, _ = asked("openai", "gpt-4o-mini", request)
    assert sent["response_format"]["type"] == "json_schema"
    sent, _ = asked("anthropic", "claude-haiku-4-5", request)
    assert sent["output_config"]["format"]["type"] == "json_schema"
    sent, _ = asked("google", "gemini-2.5-flash", request)
    assert sent["generationConfig"]["responseMimeType"] == "application/json"


def test_a_schema_that_is_no_objects_stands_within_one() -> None:
    """OpenAI takes no other; the answer is what was asked for, as a whole and as a stream."""
    request = ask(AS_JSON, 60, json_schema=EITHER)
    sent, completion = asked("openai", "gpt-4o-mini", request)
    assert sent["response_format"]["json_schema"]["schema"]["type"] == "object"
    assert completion.text == '{"n": 0}'
    assert completion.logprobs is None and completion.mean_logprob is not None, "its tokens wrote more than that"

    async def streamed(backend: CloudBackend) -> str:
        pieces = [piece async for piece in backend.stream(request)]
        await backend.close()
        return "".join(pieces)

    with running("openai") as there:
        assert asyncio.run(streamed(there.backend("gpt-4o-mini"))) == '{"n": 0}'


def test_the_key_is_read_when_it_is_needed(there: There, monkeypatch: pytest.MonkeyPatch) -> None:
    async def twice() -> None:
        backend = there.backend()
        await backend.generate([ask()])
        monkeypatch.setenv(VARIABLE, "sk-another-0123456789")
        with pytest.raises(Exception, match="holds a key that may do this"):
            await backend.generate([ask()])
        await backend.close()
        assert KEY not in repr(vars(backend)) and "sk-another" not in repr(vars(backend))

    asyncio.run(twice())


def test_limits_a_minute_are_kept(there: There) -> None:
    async def three() -> None:
        backend = there.backend(requests_per_minute=60, at_once=1)
        await backend.generate([ask(), ask(), ask()])
        await backend.close()

    asyncio.run(three())
    assert len(there.waited) == 2 and all(0 < seconds <= 2 for seconds in there.waited)


@pytest.mark.parametrize(
    ("name", "options", "error", "message"),
    [
        ("gpt-4o", {}, ModelNotFound, "a model is called PROVIDER:MODEL, one of anthropic:…"),
        ("bedrock:x", {}, ModelNotFound, "not 'bedrock:x'"),
        ("openai:", {}, ModelNotFound, "PROVIDER:MODEL"),
        ("openai:gpt-4o", {"thinkin": True}, ConfigurationError, "unknown option thinkin; there are: connect_seconds"),
        ("openai:gpt-4o", {"thinking": "hard"}, ConfigurationError, "cloud: thinking"),
        ("openai:gpt-4o", {"api_key_env": "NOT_SET"}, ConfigurationError, "NOT_SET is not set"),
    ],
)
def test_what_can_not_be_is_refused_in_one_line(
    name: str, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message) as raised:
        create_backend("cloud", name, **{"api_key_env": VARIABLE, **options})
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "variables"),
    [
        ("anthropic:claude-haiku-4-5", ["ANTHROPIC_API_KEY"]),
        ("openai:gpt-4o", ["OPENAI_API_KEY"]),
        ("google:gemini-2.5-flash", ["GOOGLE_API_KEY", "GEMINI_API_KEY"]),
        ("cohere:command-a-03-2025", ["CO_API_KEY", "COHERE_API_KEY"]),
    ],
)
def test_the_usual_variable_holds_the_key(name: str, variables: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in variables:
        monkeypatch.delenv(variable, raising=False)
    with pytest.raises(ConfigurationError, match=f"{variables[0]} is not set"):
        create_backend("cloud", name)
    monkeypatch.setenv(variables[-1], KEY)
    assert create_backend("cloud", name).name == name


def test_without_its_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "agent0es.models.cloud.backend", None)
    with pytest.raises(NotInstalled, match=r"needs the extra cloud: pip install '\.\[cloud\]'"):
        Cloud.create("openai:gpt-4o")


def test_nothing_of_it_is_imported_before_a_model_is_made() -> None:
    program = (
        "import sys, agent0es.models.cloud; assert not {'pydantic_ai', 'openai', 'genai_prices'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)

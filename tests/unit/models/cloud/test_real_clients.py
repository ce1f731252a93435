"""The providers' own client libraries, pointed at the servers of these tests, take their answers for the real thing.

With the strictest reading that each offers: none of them may find a field missing or of another kind.
"""

from collections.abc import Iterator
from typing import Any

import anthropic
import cohere
import openai
import pytest
from google import genai
from google.genai import errors, types

from agent0es.testing.models import SCHEMA
from tests.support.providers.serving import KEY
from tests.support.providers.there import There, running

ASKED = "Count from one to twelve."


@pytest.fixture
def there(request: pytest.FixtureRequest) -> Iterator[There]:
    with running(request.param) as started:
        yield started


def at(provider: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("there", [provider], indirect=True)


@at("openai")
def test_openai(there: There) -> None:
    client = openai.OpenAI(api_key=KEY, base_url=there.base_url, max_retries=0, _strict_response_validation=True)
    messages: list[Any] = [{"role": "user", "content": ASKED}]
    whole = client.chat.completions.create(
        model=there.model, messages=messages, max_completion_tokens=5, logprobs=True, temperature=0
    )
    [choice] = whole.choices
    assert choice.finish_reason == "length" and whole.usage is not None and whole.usage.completion_tokens == 5
    assert choice.logprobs is not None and choice.logprobs.content is not None
    assert "".join(one.token for one in choice.logprobs.content) == choice.message.content
    pieces = list(
        client.chat.completions.create(
            model=there.model,
            messages=messages,
            max_completion_tokens=5,
            temperature=0,
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    assert "".join(p.choices[0].delta.content or "" for p in pieces if p.choices) == choice.message.content
    assert pieces[-1].usage == whole.usage and pieces[-2].choices[0].finish_reason == "length"
    form: Any = {"type": "json_schema", "json_schema": {"name": "n", "strict": True, "schema": SCHEMA}}
    parsed = client.chat.completions.create(model=there.model, messages=messages, response_format=form)
    assert parsed.choices[0].finish_reason == "stop"
    stopped = client.chat.completions.create(model=there.model, messages=messages, stop=[", "], temperature=0)
    assert ", " not in (stopped.choices[0].message.content or ", ")
    assert there.model in [model.id for model in client.models.list()]
    with pytest.raises(openai.NotFoundError) as missing:
        client.chat.completions.create(model="gpt-9", messages=messages)
    assert missing.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError) as wrong:
        client.chat.completions.create(model="o4-mini", messages=messages, temperature=0.5)
    assert (wrong.value.code, wrong.value.param) == ("unsupported_parameter", "temperature")
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="sk-wrong").models.list()


@at("anthropic")
def test_anthropic(there: There) -> None:
    client = anthropic.Anthropic(api_key=KEY, base_url=there.base_url, max_retries=0, _strict_response_validation=True)
    messages: list[Any] = [{"role": "user", "content": ASKED}]
    whole = client.messages.create(model=there.model, max_tokens=5, messages=messages, system="Be brief.")
    [block] = whole.content
    assert block.type == "text" and whole.stop_reason == "max_tokens" and whole.usage.output_tokens == 5
    with client.messages.stream(model=there.model, max_tokens=5, messages=messages, system="Be brief.") as stream:
        assert "".join(stream.text_stream) == block.text
        final = stream.get_final_message()
    assert (final.stop_reason, final.usage.output_tokens, final.usage.input_tokens) == (
        whole.stop_reason,
        whole.usage.output_tokens,
        whole.usage.input_tokens,
    )
    with client.messages.stream(model="claude-haiku-5-5", max_tokens=20, messages=messages) as stream:
        kinds = [block.type for block in stream.get_final_message().content]
    assert kinds == ["thinking", "text"]
    stopped = client.messages.create(model=there.model, max_tokens=50, messages=messages, stop_sequences=[", "])
    assert (stopped.stop_reason, stopped.stop_sequence) == ("stop_sequence", ", ")
    assert there.model in [model.id for model in client.models.list()]
    with pytest.raises(anthropic.BadRequestError, match="temperature: Extra inputs are not permitted"):
        client.messages.create(model=there.model, max_tokens=5, messages=messages, extra_body={"temperature": 1.0})
    with pytest.raises(anthropic.NotFoundError, match="model: claude-9"):
        client.messages.create(model="claude-9", max_tokens=5, messages=messages)
    with pytest.raises(anthropic.AuthenticationError):
        client.with_options(api_key="sk-wrong").models.list()


@at("google")
def test_google(there: There) -> None:
    def client(key: str) -> genai.Client:
        return genai.Client(vertexai=False, api_key=key, http_options=types.HttpOptions(base_url=there.base_url))

    real = client(KEY)  # which closes its connections when nobody holds it
    models = real.models
    config = types.GenerateContentConfig(max_output_tokens=5, temperature=0, response_logprobs=True)
    whole = models.generate_content(model=there.model, contents=ASKED, config=config)
    [candidate] = whole.candidates or []
    assert candidate.finish_reason == types.FinishReason.MAX_TOKENS
    assert whole.usage_metadata is not None and whole.usage_metadata.candidates_token_count == 5
    assert candidate.logprobs_result is not None
    chosen = candidate.logprobs_result.chosen_candidates or []
    assert "".join(one.token or "" for one in chosen) == whole.text
    config = types.GenerateContentConfig(max_output_tokens=5, temperature=0)
    pieces = list(models.generate_content_stream(model=there.model, contents=ASKED, config=config))
    assert "".join(piece.text or "" for piece in pieces) == whole.text
    assert pieces[-1].candidates and pieces[-1].candidates[0].finish_reason == types.FinishReason.MAX_TOKENS
    thinking = types.GenerateContentConfig(thinking_config=types.ThinkingConfig(include_thoughts=True))
    thought = models.generate_content(model=there.model, contents=ASKED, config=thinking)
    assert [part.thought for part in thought.parts or []] == [True, True, True, None]
    assert f"models/{there.model}" in [model.name for model in models.list()]
    with pytest.raises(errors.ClientError, match="is not found for API version v1beta"):
        models.generate_content(model="gemini-9", contents=ASKED)
    with pytest.raises(errors.ClientError, match="API key not valid"):
        (wrong := client("wrong")).models.generate_content(model=there.model, contents=ASKED)
    del wrong


@at("cohere")
def test_cohere(there: There) -> None:
    def client(key: str) -> cohere.ClientV2:
        return cohere.ClientV2(key, base_url=there.base_url, log_warning_experimental_features=False, max_retries=0)

    asked: list[Any] = [{"role": "user", "content": ASKED}]
    whole = client(KEY).chat(model=there.model, messages=asked, max_tokens=5, temperature=0)
    assert whole.finish_reason == "MAX_TOKENS" and whole.usage is not None and whole.usage.tokens is not None
    assert whole.usage.tokens.output_tokens == 5
    [content] = whole.message.content or []
    assert isinstance(content, cohere.TextAssistantMessageResponseContentItem)
    events = list(client(KEY).chat_stream(model=there.model, messages=asked, max_tokens=5, temperature=0))
    kinds = [event.type for event in events if event.type != "message-start" or event.id]
    assert kinds == ["message-start", "content-start", *["content-delta"] * 5, "content-end", "message-end"]
    texts = [event.delta.message.content.text for event in events if event.type == "content-delta"]  # type: ignore[union-attr]
    assert "".join(text or "" for text in texts) == content.text
    reasoned = client(KEY).chat(model="command-a-reasoning-08-2025", messages=asked, max_tokens=20)
    assert [part.type for part in reasoned.message.content or []] == ["thinking", "text"]
    assert there.model in [model.name for model in client(KEY).models.list().models]
    with pytest.raises(cohere.NotFoundError, match="command-z"):
        client(KEY).chat(model="command-z", messages=asked)
    with pytest.raises(cohere.UnauthorizedError):
        client("wrong").chat(model=there.model, messages=asked)

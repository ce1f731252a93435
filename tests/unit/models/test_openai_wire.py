"""What a stream of chat completions comes to, read value by value."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent0es.models.base import Capabilities, GenerationFailed, GenerationRequest
from agent0es.models.http import ServerFault
from agent0es.models.openai_compatible.embeddings import vectors_of
from agent0es.models.openai_compatible.options import Kind
from agent0es.models.openai_compatible.wire import Said, body_of, call_text, cut, text_of, written
from agent0es.models.thinking import split_thinking
from agent0es.testing.models import ask


def said(*choices: dict[str, Any], usage: int | None = None) -> Said:
    reading = Said()
    for choice in choices:
        reading.take({"choices": [choice]})
    if usage is not None:
        reading.take({"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": usage}})
    return reading


def token(text: str, number: int | None = None, **more: Any) -> dict[str, Any]:
    return {"token": text, "logprob": -0.5, "bytes": list(text.encode()), "id": number, **more}


def piece(*tokens: dict[str, Any], ids: list[int] | None = None) -> dict[str, Any]:
    text = "".join(one["token"] for one in tokens)
    return {"delta": {"content": text}, "logprobs": {"content": list(tokens)}, "token_ids": ids}


@pytest.mark.parametrize(
    ("reading", "stop", "expected"),
    [
        # as llama-server gives them, with an id each
        (said(piece(token("a", 1)), piece(token(" b", 2)), usage=2), (), ((1, 2), (-0.5, -0.5), 2)),
        # the end of the turn is counted, and has no probability
        (said(piece(token("a", 1)), usage=2), (), ((1,), (-0.5,), 1)),
        # as vLLM gives them: ids beside, and several in a piece; what is in the stop string only was not written
        (said(piece(token("a"), token(" st"), token("op"), ids=[1, 2, 3]), usage=3), (" stop",), ((1,), (-0.5,), 1)),
        (said(piece(token("a"), token("bst"), token("op"), ids=[1, 2, 3]), usage=3), ("stop",),
         ((1, 2), (-0.5, -0.5), 2)),
        # pieces of the answer that nobody gave: then there are none, and the server's count holds
        (said(piece(token("{", 1)), usage=9), (), (None, None, 9)),
        (said({"delta": {"content": "a"}}, usage=4), (), (None, None, 4)),
        # a probability of no number
        (said(piece(token("a", 1, logprob=None)), usage=1), (), ((1,), None, 1)),
        # a character in several tokens
        (said(piece(token("\ufffd", 1, bytes=[226, 130])), piece(token("\ufffd", 2, bytes=[172])), usage=2), ("€",),
         ((), (), 0)),
        # nonsense in place of bytes
        (said(piece(token("a", 1, bytes=[999])), usage=1), (), ((1,), (-0.5,), 1)),
    ],
)  # fmt: skip
def test_tokens_are_given_where_they_are_all_that_was_written(reading: Said, stop: Any, expected: Any) -> None:
    assert written(reading, stop) == expected


def test_a_native_call_comes_in_pieces_and_becomes_text() -> None:
    reading = said(
        {"delta": {"content": "I compute."}},
        {"delta": {"tool_calls": [{"index": 1, "function": {"name": "math", "arguments": ""}}]}},
        {"delta": {"tool_calls": [{"index": 0, "function": {"name": "python", "arguments": '{"code": "pri'}}]}},
        {"delta": {"tool_calls": [{"index": 0, "function": {"arguments": 'nt(\\"é\\")"}'}}]}},
    )
    assert text_of(reading) == (
        'I compute.\n<tool_call>\n{"name": "python", "arguments": {"code": "print(\\"é\\")"}}\n</tool_call>\n'
        '<tool_call>\n{"name": "math", "arguments": {}}\n</tool_call>'
    )
    assert call_text("python", "not json") == '<tool_call>\n{"name": "python", "arguments": "not json"}\n</tool_call>'


@pytest.mark.parametrize(
    ("text", "thinking", "rest"),
    [
        ("yes", None, "yes"),
        ("<think>\nhm\n</think>\n\nyes", "hm", "yes"),
        ("hm, so\n</think>\n\nyes", "hm, so", "yes"),
        ("<think>\ncut off", "cut off", ""),
        ("<think></think>yes", "", "yes"),
        ("a <think> in the text", None, "a <think> in the text"),
    ],
)
def test_thinking_that_stands_in_the_text(text: str, thinking: str | None, rest: str) -> None:
    assert split_thinking(text) == (thinking, rest)


@given(st.text(), st.lists(st.text(max_size=3), max_size=4))
def test_the_text_ends_before_the_first_stop_string(text: str, stop: list[str]) -> None:
    kept, ended = cut(text, stop)
    assert text.startswith(kept) and ended == any(one and one in text for one in stop)
    assert not any(one and one in kept for one in stop)


def test_what_a_model_can_not_take_is_not_sent() -> None:
    able = Capabilities(prefill=False, sampling=False, seeds=False)
    request = ask(prefill="One", temperature=0.7, top_p=0.9, seed=3, json_schema={"type": "object"}, stop=("a",) * 9)
    body = body_of(request, "openai", able, {"model": "m"}, {"metadata": {}})
    assert body.keys() == {
        "model", "messages", "stream", "stream_options", "max_completion_tokens", "stop", "metadata",
    }  # fmt: skip
    assert [turn["role"] for turn in body["messages"]] == ["user"] and body["stop"] == ["a"]


def test_more_stop_strings_than_a_server_takes_are_cut_here() -> None:
    request = GenerationRequest(ask().messages, 8, stop=("a", "b", "c", "d", "e"))
    assert body_of(request, "other", Capabilities(), {}, {})["stop"] == ["a", "b", "c", "d"]
    assert body_of(request, "vllm", Capabilities(), {}, {})["stop"] == ["a", "b", "c", "d", "e"]


@pytest.mark.parametrize("kind", ["vllm", "sglang", "llama-server"])
def test_a_turn_that_has_begun_is_to_be_continued_and_not_given_back(kind: Kind) -> None:
    body = body_of(ask(prefill="Action:"), kind, Capabilities(prefill=True), {}, {})
    assert body["messages"][-1] == {"role": "assistant", "content": "Action:"}
    assert (body["continue_final_message"], body["add_generation_prompt"]) == (True, False)


@pytest.mark.parametrize(
    "value", [{"error": {"message": "no"}}, {"object": "error", "message": "no"}, {"choices": [7]}, 7]
)
def test_what_is_no_chunk_is_a_fault(value: Any) -> None:
    with pytest.raises(ServerFault):
        Said().take(value)


def test_vectors_come_in_the_order_of_the_texts() -> None:
    answer = {"data": [{"index": 1, "embedding": [3, 4]}, {"index": 0, "embedding": [1, 2]}]}
    assert [list(vector) for vector in vectors_of(answer, 2)] == [[1, 2], [3, 4]]
    for odd, count in (
        (answer, 3),
        ({"data": "none"}, 1),
        ({"data": [{"index": 0, "embedding": []}, {"index": 1, "embedding": [1]}]}, 2),
    ):
        with pytest.raises(GenerationFailed):
            vectors_of(odd, count)

"""What is said to an Ollama server, and how its words are read: no server is needed for either."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent0es.errors import ConfigurationError
from agent0es.models.http import Fault, ServerFault, options_of
from agent0es.models.http.faults import fault_of
from agent0es.models.ollama.api import line_of
from agent0es.models.ollama.faults import address_of, remedy
from agent0es.models.ollama.options import OllamaOptions
from agent0es.models.ollama.shown import facts_of, gives_logprobs, parameters_of, served_name, why_other_model
from agent0es.models.ollama.wire import (
    SEEDS,
    Chunk,
    Embedded,
    Progress,
    Said,
    Show,
    Tags,
    Wire,
    chat_body,
    completion_of,
    is_repeating,
)
from agent0es.testing.models import SCHEMA, ask


def body(request: Any = None, settings: Any = None, **options: Any) -> dict[str, Any]:
    return chat_body(request or ask(), "m", settings or OllamaOptions(), 4096, **options)


def test_what_the_server_would_choose_itself_is_always_said() -> None:
    said = body()
    assert (said["truncate"], said["shift"], said["think"], said["stream"]) == (False, False, False, True)
    assert said["options"]["num_ctx"] == 4096
    assert said["options"] | {"top_k": 0, "min_p": 0.0, "repeat_penalty": 1.0} == said["options"], (
        "the distribution is that of temperature and top_p alone, whatever the Modelfile says"
    )


def test_a_stop_string_does_not_replace_those_of_the_model() -> None:
    assert "stop" not in body(stop=("<|im_end|>",))["options"], "the server has the model's own"
    assert body(ask(stop=("\n",)), stop=("<|im_end|>", "\n"))["options"]["stop"] == ["\n", "<|im_end|>"]


def test_an_answer_that_repeats_itself_is_told_from_one_that_broke_off_in_thought() -> None:
    words = [f"word{number}" for number in range(40)]
    assert is_repeating([Chunk(message=Said(content=" ha")) for _ in words])
    assert is_repeating([Chunk(message=Said(thinking=" ha")) for _ in words])
    assert not is_repeating([Chunk(message=Said(content=word)) for word in words])
    assert not is_repeating([Chunk(message=Said(thinking=word)) for word in words])


@pytest.mark.parametrize("seed", [0, 7, SEEDS, 2**63 + 5])
def test_any_seed_is_one_that_llama_cpp_takes(seed: int) -> None:
    sent = body(ask(seed=seed))["options"]["seed"]
    assert 0 <= sent < 2**31 - 1 and sent == body(ask(seed=seed))["options"]["seed"]


def test_a_turn_that_has_begun_is_the_last_message() -> None:
    assert body(ask(prefill="One,"))["messages"][-1] == {"role": "assistant", "content": "One,"}
    assert [message["role"] for message in body()["messages"]] == ["user"]


def test_what_was_not_asked_for_is_not_said() -> None:
    assert not {"format", "logprobs", "keep_alive"} & set(body())
    settings = OllamaOptions(keep_alive=-1, think="high", top_k=20, num_gpu=99)
    said = body(ask(json_schema=SCHEMA), settings, logprobs=True)
    assert (said["format"], said["logprobs"], said["keep_alive"], said["think"]) == (SCHEMA, True, -1, "high")
    assert (said["options"]["top_k"], said["options"]["num_gpu"]) == (20, 99)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_ctx": 0}, "ollama: num_ctx: Input should be greater than or equal to 1"),
        ({"think": "a lot"}, "ollama: think"),
        ({"think": 1}, "ollama: think"),
        ({"keep_alive": ""}, "ollama: keep_alive"),
        ({"top_k": 0.5}, "ollama: top_k: Input should be a valid integer"),
        ({"min_p": "much"}, "ollama: min_p: Input should be a valid number"),
        ({"num_context": 4096}, "ollama: unknown option num_context; there are: .*num_ctx, think"),
    ],
)
def test_a_wrong_option_is_refused_in_one_line(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        options_of(OllamaOptions, "ollama", options)


def chunk(content: str = "", **fields: Any) -> Chunk:
    return Chunk.model_validate({"message": {"role": "assistant", "content": content}, **fields})


def tokens(*texts: str) -> list[dict[str, Any]]:
    return [{"token": text, "logprob": -0.5, "bytes": list(text.encode())} for text in texts]


END: dict[str, Any] = {"done": True, "done_reason": "stop", "prompt_eval_count": 9, "eval_count": 3}


def completion(*chunks: Chunk) -> Any:
    return completion_of(chunks, model="m", adapter=None, seconds=1.0)


def test_an_answer_is_its_pieces() -> None:
    told = completion(chunk("One", logprobs=tokens("One")), chunk(" two", logprobs=tokens(" two")), chunk(**END))
    assert (told.text, told.finish_reason, told.usage.prompt) == ("One two", "stop", 9)
    assert (told.logprobs, told.usage.written) == ((-0.5, -0.5), 2), "the token that ended the turn has none"


def test_log_probabilities_that_miss_a_token_are_only_good_for_a_mean() -> None:
    """The pieces of a letter that takes several tokens come as one text, with the last one's log-probability."""
    told = completion(chunk("≠ ", logprobs=tokens(" ")), chunk(**END))
    assert (told.logprobs, told.mean_logprob, told.usage.written) == (None, -0.5, 3)


def test_without_log_probabilities_the_server_counts() -> None:
    told = completion(chunk("One two"), chunk(**END | {"done_reason": "length"}))
    assert (told.logprobs, told.mean_logprob, told.usage.written, told.finish_reason) == (None, None, 3, "length")


def test_thoughts_are_no_part_of_the_text() -> None:
    thinks = {"message": {"role": "assistant", "content": "", "thinking": "Hm."}, "logprobs": tokens("<think>", "Hm.")}
    told = completion(Chunk.model_validate(thinks), chunk("Yes", logprobs=tokens("</think>", "Yes")), chunk(**END))
    assert (told.text, told.thinking, told.usage.written, len(told.logprobs)) == ("Yes", "Hm.", 4, 4)


def test_thoughts_that_the_server_left_in_the_text_are_taken_out() -> None:
    told = completion(chunk("<think>\nHm.\n</think>\n\nYes"), chunk(**END))
    assert (told.text, told.thinking) == ("Yes", "Hm.")


def test_a_native_call_of_a_tool_is_text() -> None:
    call = {"function": {"index": 0, "name": "python", "arguments": {"code": "print(1)"}}}
    said = {"message": {"role": "assistant", "content": "I see.", "tool_calls": [call, call]}}
    told = completion(Chunk.model_validate(said), chunk(**END))
    block = '<tool_call>\n{"name": "python", "arguments": {"code": "print(1)"}}\n</tool_call>'
    assert told.text == f"I see.\n{block}\n\n{block}\n"


@pytest.mark.parametrize("logprob", [float("nan"), float("inf"), 3.0, -float("inf")])
def test_no_log_probability_is_above_0_or_endless(logprob: float) -> None:
    text = json.dumps({"message": {"content": "a"}, "logprobs": [{"token": "a", "logprob": logprob}]})
    told = completion(Chunk.model_validate_json(text), chunk(**END))
    assert told.logprobs is not None and -9999.0 <= told.logprobs[0] <= 0


SHOWN = Show.model_validate(
    {
        "modelfile": '# Modelfile generated by "ollama show"\n# FROM qwen2.5:3b\n\nFROM /models/blobs/sha256-'
        + "ab" * 32
        + '\nTEMPLATE """{{ range .Messages }}\n{{ .Content }}{{ end }}"""\nSYSTEM You are Qwen.\n',
        "parameters": 'stop                           "<|im_start|>"\nstop                           "<|im_end|>"\n'
        "temperature                    0.7\nuse_mmap                       true\nnum_ctx                        4096",
        "template": "{% a Jinja template %}",
        "system": "You are Qwen.",
        "details": {"family": "qwen2", "parameter_size": "3.1B", "quantization_level": "Q4_K_M"},
        "model_info": {"general.architecture": "qwen2", "qwen2.context_length": 32768, "qwen2.block_count": 36},
        "capabilities": ["completion", "tools"],
    }
)


def test_what_a_server_shows_of_a_model() -> None:
    facts = facts_of("qwen2.5:3b", SHOWN)
    assert (facts.context, facts.label, facts.sha256) == (32768, "qwen2.5:3b:Q4_K_M", "ab" * 32)
    assert facts.stop == ("<|im_start|>", "<|im_end|>")
    assert facts.parameters["temperature"] == 0.7 and facts.parameters["use_mmap"] is True
    assert facts.made_with == {
        "template": "{{ range .Messages }}\n{{ .Content }}{{ end }}",
        "system": "You are Qwen.",
        "parameters": facts.parameters,
    }, "the Modelfile's template, not the GGUF's"


def test_a_quantization_in_the_name_is_not_said_twice() -> None:
    assert facts_of("qwen2.5:3b-instruct-q4_K_M", SHOWN).label == "qwen2.5:3b-instruct-q4_K_M"


def test_a_model_without_a_template_of_its_own_is_made_without_one() -> None:
    shown = SHOWN.model_copy(update={"modelfile": "FROM /x\nTEMPLATE {{ .Prompt }}\n", "system": ""})
    assert set(facts_of("m", shown).made_with) == {"parameters"}


def test_hostile_parameters_are_left_out() -> None:
    text = 'stop "a\\n"\nseed __import__("os").system("true")\nnum_ctx [1, 2]\nstop ("a", "b")\nx'
    assert parameters_of(text) == {"stop": ["a\n"]}


def test_weights_of_another_model_are_told_apart() -> None:
    facts = facts_of("qwen2.5:3b", SHOWN)
    same = {"general.architecture": "qwen2", "qwen2.block_count": 36}
    assert why_other_model(facts, same) is None
    assert why_other_model(facts, same | {"qwen2.block_count": 28}) == "its qwen2.block_count is 28, the server's 36"
    assert "architecture is llama" in str(why_other_model(facts, {"general.architecture": "llama"}))


def test_an_adapter_has_a_name_that_a_server_takes_and_that_tells_its_weights() -> None:
    assert served_name("student-1", "ab" * 32) == "agent0es/student-1:abababababababab"
    assert served_name("schüler 1", "ab" * 32) == "agent0es/sch-ler-1:abababababababab"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


def like(kind: type[Wire]) -> st.SearchStrategy[dict[str, Any]]:
    """Values with the names that the kind has."""
    return st.fixed_dictionaries({}, optional=dict.fromkeys(kind.model_fields, JSON))


@given(
    st.one_of(JSON, like(Chunk), like(Show), like(Progress)), st.sampled_from([Chunk, Show, Progress, Tags, Embedded])
)
def test_whatever_a_server_sends_is_read_or_said_to_be_wrong(value: Any, kind: type[Wire]) -> None:
    try:
        read = line_of(kind, value)
    except ServerFault as failed:
        assert failed.fault.words
        return
    if isinstance(read, Show):
        facts = facts_of("m", read)
        assert (facts.label and facts.context is None) or facts.context > 0
    if isinstance(read, Chunk):
        told = completion(read)
        assert told.usage.written >= 0 and all(-9999 <= one <= 0 for one in told.logprobs or ())


@given(like(Show), st.dictionaries(st.sampled_from(["general.architecture", "qwen2.context_length"]), JSON))
def test_no_metadata_of_a_model_breaks_anything(show: dict[str, Any], info: dict[str, Any]) -> None:
    try:
        read = line_of(Show, {**show, "model_info": info})
    except ServerFault:
        return
    facts = facts_of("m", read)
    why_other_model(facts, {"general.architecture": "qwen2", "qwen2.block_count": 28})
    assert facts.context is None or facts.context > 0


@pytest.mark.parametrize(
    ("version", "there"), [("0.12.11", True), ("0.12.10", False), ("0.0.0", True), ("1.0.0-rc1", True), ("odd", True)]
)
def test_which_servers_give_log_probabilities(version: str, there: bool) -> None:
    assert gives_logprobs(version) is there


LLAMA_CPP = json.dumps(
    {
        "error": {
            "code": 400,
            "message": "request (3031 tokens) exceeds the available context size (256 tokens), try increasing it",
            "type": "exceed_context_size_error",
        }
    }
)


@pytest.mark.parametrize(
    ("status", "said", "what"),
    [
        (400, LLAMA_CPP, "set models.<role>.options.num_ctx higher"),
        (400, "the input length exceeds the context length", "set models.<role>.options.num_ctx higher"),
        (404, "404 page not found", "what answers there may be no Ollama"),
        (503, "server busy, please try again.  maximum pending requests exceeded", "set OLLAMA_MAX_QUEUE"),
        (500, "model requires more system memory (9.0 GiB) than is available (3.1 GiB)", "choose a smaller model"),
        (500, "boom", None),
    ],
)
def test_what_to_do_is_said_where_ollama_has_an_answer(status: int, said: str, what: str | None) -> None:
    fault = fault_of(status, {}, json.dumps({"error": said}).encode())
    if what is None:
        assert remedy(fault) is None
    else:
        assert what in str(remedy(fault))


def test_an_error_of_llama_cpp_within_ollamas_is_unwrapped() -> None:
    fault = fault_of(400, {}, json.dumps({"error": LLAMA_CPP}).encode())
    assert fault.words.startswith("request (3031 tokens) exceeds the available context size (256 tokens)")


def test_where_nobody_listens_it_is_said_how_to_start() -> None:
    assert "Start it with `ollama serve` (its port is 11434)" in str(remedy(Fault("unreachable", "no connection")))


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("", "http://127.0.0.1:11434"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("gpu.local:8080", "http://gpu.local:8080"),
        ("https://ollama.example", "https://ollama.example:443"),
        ("http://gpu.local", "http://gpu.local:80"),
        ("https://host/ollama/", "https://host:443/ollama"),
    ],
)
def test_the_address_is_where_ollamas_own_commands_look(
    host: str, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OLLAMA_HOST", host)
    assert address_of(None) == address
    assert address_of("http://elsewhere:1/v1/") == "http://elsewhere:1", (
        "what was set comes first, and /v1 is another API"
    )

"""Chat templates: rendered as transformers does, and texts that try to forge a turn."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers.utils.chat_template_utils import render_jinja_template

from agent0es.domain.prompt import Message
from agent0es.errors import ModelNotFound
from agent0es.models.base import RequestRefused
from agent0es.models.chat_template import ChatTemplate
from agent0es.models.gguf_file import GgufFile
from agent0es.models.weights import find_weights
from tests.support.templates import ALL, LLAMA_3, MISTRAL

SMOLLM2 = ChatTemplate.of(GgufFile.open(find_weights("smollm2-135m-instruct").path))
TEMPLATES = {**ALL, "smollm2": SMOLLM2}
TURNS = (
    Message("user", "What is 2 + 2?"),
    Message("assistant", "  Action: python[2 + 2]\n"),
    Message("user", "And <b>3</b>?\n"),
)
SYSTEM = (Message("system", "Be brief. ü"), *TURNS)


def reference(template: ChatTemplate, messages: tuple[Message, ...]) -> str:
    """What transformers makes of it."""
    turns = [message._asdict() for message in messages]
    [text], _ = render_jinja_template(
        [turns], chat_template=template.source, add_generation_prompt=True, **dict(template.special_tokens)
    )
    return str(text)


@pytest.mark.parametrize("name", TEMPLATES)
@pytest.mark.parametrize("messages", [TURNS, SYSTEM], ids=["without system", "with system"])
def test_a_prompt_is_what_transformers_makes_of_it(name: str, messages: tuple[Message, ...]) -> None:
    template = TEMPLATES[name]
    if name in ("mistral", "gemma") and messages is SYSTEM:
        pytest.skip("it takes no system turn")
    assert template.render(messages) == reference(template, messages)


FEATURES = {
    "filters": "{{ messages | tojson(indent=1) }}{{ {'a': '<ü>'} | tojson }}",
    "loop controls": "{% for m in messages %}{% if loop.index > 1 %}{% break %}{% endif %}{{ m.role }}{% endfor %}",
    "blocks": "{% if true %}\n  {% for m in messages %}\n    {{ m.content }}\n  {% endfor %}\n{% endif %}",
    "generation": "{% set x = 1 %}{% generation %}{% set x = 2 %}said{% endgeneration %}{{ x }}",
    "namespace": "{% set n = namespace(self=1, a=2) %}{% set n.a = 3 %}{{ n.a }}",
    "dict": "{{ dict(b=1) }}{{ dict.fromkeys('c') }}",
    "time": "{{ strftime_now('%%') }}",
    "arithmetic": "{{ 2 ** 10 * 3 % 7 }}{{ '-' * 40 }}{{ '%5.1f%s' % (1.5, 'a') }}{{ [1] * 3 }}",
    "loops": "{% for m in messages if m.role == 'user' %}{{ loop.length }}{{ loop.last }}{{ loop.previtem }}"
    "{% else %}none{% endfor %}{% for m in nothing %}{% else %}empty{% endfor %}"
    "{% for i in [[1], []] recursive %}{{ loop(i) if i is iterable else i }}{{ loop.depth }}{% endfor %}",
    "macros": "{% macro f(a, b=2) %}{{ a }}{{ b }}{{ caller() if caller }}{% endmacro %}{{ f(1) }}"
    "{% call f(3) %}in{% endcall %}",
    "nothing given": "{{ tools is none }}{{ documents }}{{ add_generation_prompt }}",
}


@pytest.mark.parametrize("source", FEATURES.values(), ids=FEATURES)
def test_what_templates_may_use_is_there_as_in_transformers(source: str) -> None:
    template = ChatTemplate(source, ())
    assert template.render(TURNS) == reference(template, TURNS)


@pytest.mark.parametrize(
    "source",
    [
        "{{ messages.__class__.__mro__ }}",
        "{{ ''.__class__.__base__.__subclasses__() }}",
        "{{ dict.__call__.__globals__ }}",
        "{{ strftime_now.__globals__.datetime }}",
        "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
        "{{ lipsum.__globals__['os'] }}",
        "{% set n = namespace(__class__=1) %}{{ n }}",
        "{% set _ = messages.append(1) %}",
        "{% for i in range(10 ** 9) %}{% endfor %}",
        "{% for i in range(9 ** 5) %}{% for j in range(9 ** 5) %}{% endfor %}{% endfor %}",
        "{% for i in range(9 ** 5) %}{% for j in range(9 ** 5) if false %}{% endfor %}{% endfor %}",
        "{% for i in [1, 1] recursive %}{{ loop([1, 1]) }}{% endfor %}",
        "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}",
        "{{ 10 ** 10 ** 9 }}",
        "{{ 'a' * 10 ** 12 }}",
        "{{ '%0999999999d' % 1 }}",
        "{{ raise_exception('no') }}",
        "{% if %}",
        "{{ nothing.at.all }}",
        "{{ 1 + '' }}",
    ],
)
def test_a_template_that_breaks_out_or_breaks_down_is_refused_in_one_line(source: str) -> None:
    with pytest.raises(RequestRefused, match="its chat template can't be used: ") as refused:
        ChatTemplate(source, ()).render(TURNS)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "end"),
    [
        ("chatml", "<|im_end|>"),
        ("smollm2", "<|im_end|>"),
        ("zephyr", "</s>"),
        ("llama 2", " </s>"),
        ("llama 3", "<|eot_id|>"),
        ("gemma", "<end_of_turn>"),
        ("mistral", "</s>"),
        ("qwen2.5", "<|im_end|>"),
    ],
)
def test_the_end_of_a_turn_follows_from_the_template(name: str, end: str) -> None:
    assert TEMPLATES[name].end_of_turn == end


def test_a_turn_ends_too_where_its_mark_is_not_the_end_of_the_text() -> None:
    assert [TEMPLATES[name].other_ends for name in ("smollm2", "zephyr", "qwen2.5", "llama 3")] == [()] * 4
    older = replace(LLAMA_3, special_tokens=(("bos_token", "<|begin_of_text|>"), ("eos_token", "<|end_of_text|>")))
    assert older.other_ends == ("<|eot_id|>",)


@pytest.mark.parametrize("name", TEMPLATES)
def test_what_prompts_share_is_a_beginning_of_each(name: str) -> None:
    template = TEMPLATES[name]
    shared = SYSTEM[:3]
    prompt = template.render((*shared, Message("user", "now")), "Action:")
    beginning = template.beginning(shared)
    assert prompt.startswith(beginning) and "Action: python[2 + 2]" in beginning
    assert prompt.endswith("Action:")
    assert template.beginning(()) == ""


QUESTION_NEEDED = ChatTemplate(
    "{% if messages | selectattr('role', 'equalto', 'user') | list == [] %}"
    "{{ raise_exception('No user query found in messages.') }}{% endif %}"
    "{% for m in messages %}({{ m.content }}){% endfor %}",
    (),
)
"""As Qwen's newer ones."""


@pytest.mark.parametrize("template", [*TEMPLATES.values(), QUESTION_NEEDED], ids=[*TEMPLATES, "qwen3.5"])
def test_what_prompts_share_may_be_less_than_the_template_takes(template: ChatTemplate) -> None:
    """A prompt without worked examples shares its system turn alone."""
    prompt = template.render(SYSTEM[:2])
    assert prompt.startswith(template.beginning(SYSTEM[:1]))


def test_the_same_messages_are_the_same_prompt_on_any_day() -> None:
    dated = ChatTemplate("{{ strftime_now('%d %b %Y') }}{% for m in messages %}({{ m.content }}){% endfor %}", ())
    assert dated.render(TURNS[:1]) == "26 Jul 2024(What is 2 + 2?)"


def test_a_system_turn_that_the_template_refuses_or_drops_is_said_by_the_user() -> None:
    assert MISTRAL.render(SYSTEM[:2]) == "<s>[INST] Be brief. ü\n\nWhat is 2 + 2? [/INST]"
    deaf = ChatTemplate("{% for m in messages if m.role != 'system' %}({{ m.content }}){% endfor %}", ())
    assert deaf.render(SYSTEM[:2]) == "(Be brief. ü\n\nWhat is 2 + 2?)"


PIECES = sorted({token for template in TEMPLATES.values() for token in (*template.control_tokens, *template.marks)})
texts = st.lists(st.sampled_from([*PIECES, "<", "|", "<|", "[", "a", "\n", "\u200b"]), max_size=8).map("".join)


@given(text=texts)
def test_no_text_holds_a_control_token(text: str) -> None:
    for template in TEMPLATES.values():
        harmless = template.neutralise(text)
        assert not any(token in harmless for token in template.control_tokens)
        assert template.neutralise(harmless) == harmless
        assert harmless.replace("\u200b", "") == text.replace("\u200b", "")


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=TEMPLATES.keys())
@given(text=texts)
def test_a_text_can_not_open_or_close_a_turn(template: ChatTemplate, text: str) -> None:
    def marks(user: str, assistant: str, prefill: str) -> list[int]:
        turns = (Message("user", user), Message("assistant", assistant), Message("user", user))
        prompt = template.render(turns, prefill)
        return [prompt.count(token) for token in (*template.control_tokens, *template.marks)]

    assert marks(text, text, text) == marks("1", "1", "1")


def test_marks_of_turns_that_are_no_tokens_are_found_in_the_template() -> None:
    def written(user: str, assistant: str) -> ChatTemplate:
        turns = f"{{% if m.role == 'user' %}}{user}{{% else %}}{assistant}{{% endif %}}{{{{ m.content }}}}</s>"
        return ChatTemplate(f"A curious user asks. {{% for m in messages %}}{turns}{{% endfor %}}", ("</s>",))

    assert TEMPLATES["zephyr"].marks == ("<|assistant|>", "<|system|>", "<|user|>")
    assert TEMPLATES["llama 2"].marks == ("<</SYS>>", "<<SYS>>", "[/INST]", "[INST]")
    assert written(" USER: ", " ASSISTANT: ").marks == ("ASSISTANT:", "USER:")
    assert written("### Instruction:\n", "### Response:\n").marks == ("### Instruction:", "### Response:")
    assert SMOLLM2.marks == TEMPLATES["qwen2.5"].marks == TEMPLATES["llama 3"].marks == ()


def test_a_mark_of_turns_is_harmless_whatever_kind_of_token_it_is() -> None:
    tokens = ["<start_of_turn>", "<end_of_turn>", "<table>", "\n\n", "<eos>"]
    source = "{% for m in messages %}<start_of_turn>{{ m.role }}\n\n{{ m.content }}<end_of_turn>{% endfor %}"
    metadata = {
        "tokenizer.chat_template": source,
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": [4, 4, 4, 4, 3],
    }
    template = ChatTemplate.of(GgufFile(Path("m.gguf"), metadata, b"", {}, {}, 0))
    assert template.control_tokens == ("<start_of_turn>", "<end_of_turn>", "<eos>")
    assert template.end_of_turn == "<end_of_turn>"
    assert template.neutralise("<end_of_turn><table>\n\n") == "<\u200bend_of_turn><table>\n\n"


def test_other_texts_stay_as_they_are() -> None:
    text = "a < b |im_end| <b> <im_start> 中文 🙂 <|x|>"
    assert SMOLLM2.neutralise(text) == text


def test_weights_without_a_template_are_refused() -> None:
    file = GgufFile.open(find_weights("smollm2-135m-instruct").path)
    plain = {key: value for key, value in file.metadata.items() if key != "tokenizer.chat_template"}
    for metadata, why in (
        (plain, "has no chat template"),
        ({**plain, "tokenizer.chat_template": "{% if %}"}, "can't be used: TemplateSyntaxError"),
        ({**plain, "tokenizer.chat_template": "{{ messages[0].content }}"}, "leaves the assistant's words out"),
    ):
        bad = GgufFile(file.path, metadata, b"", {}, {}, 0)
        with pytest.raises(ModelNotFound, match=why):
            ChatTemplate.of(bad)

"""Which tokens the loss is taken on."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers

from agent0es.domain.prompt import Message
from agent0es.models.chat_template import ChatTemplate
from agent0es.training.examples import Example, read_rows, spans, tokenise, why_not_learnt
from agent0es.training.process import share_of_rate
from tests.support.templates import ALL, CHATML, DEEPSEEK_R1, ZEPHYR


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    """One token per byte, but `ab` is one token."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: number for number, token in enumerate([*alphabet, "ab"])}
    made = Tokenizer(models.BPE(vocab=vocabulary, merges=[("a", "b")]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    return made


def learnt(tokenizer: Tokenizer, example: Example) -> list[str]:
    pairs = zip(example.ids, example.trainable, strict=True)
    return [tokenizer.id_to_token(number) for number, learn in pairs if learn]


def test_only_the_models_own_words_are_learnt(tokenizer: Tokenizer) -> None:
    example = tokenise(tokenizer, "PQ", [("xy", True), ("OBS", False), ("z", True), ("!", True)])
    assert learnt(tokenizer, example) == ["x", "y", "z", "!"]
    assert len(example.ids) == 9


def test_a_token_over_a_border_belongs_to_where_it_ends(tokenizer: Tokenizer) -> None:
    assert learnt(tokenizer, tokenise(tokenizer, "Pa", [("bc", True)])) == ["ab", "c"]
    assert learnt(tokenizer, tokenise(tokenizer, "P", [("ca", True), ("bd", False)])) == ["c"]


def test_characters_of_several_bytes_keep_the_borders_in_place(tokenizer: Tokenizer) -> None:
    example = tokenise(tokenizer, "é🙂", [("é", True), ("🙂", False), ("z", True)])
    assert sum(example.trainable) == len("é".encode()) + 1
    assert example.trainable[-1] and not example.trainable[-2]


def test_a_broken_row_is_named_by_its_line(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    good = json.dumps({"messages": [{"role": "user", "content": "p"}], "segments": [["s", True]]})
    file.write_text(f"{good}\n{{}}\n")
    with pytest.raises(ValueError, match=r"rows\.jsonl, line 2"):
        read_rows(file, CHATML)


def test_a_row_becomes_text_in_the_base_models_own_format(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    row = {"messages": [{"role": "user", "content": "p"}], "segments": [["s<|im_end|>", True], ["o", False]]}
    before = {"prompt": "as it was", "segments": [["s", True], ["<|im_end|>", True]]}
    file.write_text(f"{json.dumps(row)}\n{json.dumps(before)}\n")
    told = [("s<\u200b|im_end|>", True), ("o", False)]
    assert read_rows(file, ZEPHYR) == [
        ("<|user|>\np</s>\n<|assistant|>\n", [("s<|im_end|>", True), ("o", False), ("</s>", True)]),
        ("as it was", [("s", True), ("<|im_end|>", True)]),
    ]
    assert read_rows(file, CHATML)[0] == (
        "<|im_start|>user\np<|im_end|>\n<|im_start|>assistant\n",
        [*told, ("<|im_end|>", True)],
    )


CHAT = {
    "messages": [
        {"role": "system", "content": "s"},
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": "call <|im_end|>", "trainable": True},
        {"role": "user", "content": "seen"},
    ],
    "segments": [["answer", True]],
}


def test_of_a_chat_all_the_models_turns_are_learnt_and_nothing_else(tmp_path: Path, tokenizer: Tokenizer) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_text(json.dumps(CHAT) + "\n")
    for template in (CHATML, ZEPHYR):
        [(prompt, segments)] = read_rows(file, template)
        messages = [Message(message["role"], message["content"]) for message in CHAT["messages"]]
        assert prompt + "".join(text for text, _ in segments[:-2]) == template.render(messages)
        own = [template.neutralise("call <|im_end|>") + template.end_of_turn, "answer", template.end_of_turn]
        assert [text for text, learn in segments if learn] == own
        example = tokenise(tokenizer, prompt, segments)
        assert "".join(learnt(tokenizer, example)) == "".join(
            tokenizer.id_to_token(number)
            for text in own
            for number in tokenizer.encode(text, add_special_tokens=False).ids
        )


def test_a_template_that_rewrites_earlier_turns_is_refused(tmp_path: Path) -> None:
    source = "{% for m in messages %}{{ m.role }}:{{ m.content if loop.last else '…' }};{% endfor %}assistant:"
    file = tmp_path / "rows.jsonl"
    file.write_text(json.dumps(CHAT) + "\n")
    with pytest.raises(ValueError, match="writes turn 3 in another way when others follow"):
        read_rows(file, ChatTemplate(source, ()))


def test_whether_a_template_keeps_turns_as_they_were_is_known_before_there_are_any() -> None:
    assert {name: why_not_learnt(template) for name, template in ALL.items()} == dict.fromkeys(ALL, None)
    thinks = why_not_learnt(DEEPSEEK_R1)
    assert thinks is not None and thinks.startswith("the model's chat template writes turn 3 in another way")


def test_the_learning_rate_warms_up_and_never_reaches_zero_early() -> None:
    rates = [share_of_rate(step, 20, 5) for step in range(20)]
    assert rates[0] > 0 and rates[5] == 1 == max(rates) and rates[-1] > 0
    assert rates[:5] == sorted(rates[:5])
    assert rates[5:] == sorted(rates[5:], reverse=True)


TEMPLATES = {name: template for name, template in ALL.items() if name != "gemma"}
"""Without the one that takes no system turn."""
WORDS = st.text(st.sampled_from("ab \n<|>#:"), min_size=1, max_size=12).map(str.strip).filter(bool)


@given(st.sampled_from(sorted(TEMPLATES)), st.lists(st.tuples(WORDS, WORDS), max_size=3), WORDS)
def test_the_pieces_of_a_chat_are_what_its_model_reads(name: str, calls: list[tuple[str, str]], answer: str) -> None:
    template = TEMPLATES[name]
    messages = [Message("system", "s"), Message("user", "q")]
    for said, seen in calls:
        messages += [Message("assistant", said), Message("user", seen)]
    pieces = spans(messages, range(2, len(messages), 2), template)
    assert "".join(text for text, _ in pieces) == template.render(messages)
    ends = [template.neutralise(said) + template.end_of_turn for said, _ in calls]
    assert [text for text, learn in pieces if learn] == ends

"""Prompts of before: read back into turns, and written again byte for byte."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent0es.domain.prompt import Message, Part, Prompt
from agent0es.log.upcasting_prompts import CONTROL_TOKENS, as_before, broken, prompt_of
from agent0es.models.chat_template import ChatTemplate
from agent0es.models.gguf_file import GgufFile
from agent0es.models.weights import find_weights

SMOLLM2 = ChatTemplate.of(GgufFile.open(find_weights("smollm2-135m-instruct").path))
SHARED = (
    "<|im_start|>system\nSolve the task.<|im_end|>\n"
    "<|im_start|>user\nWhat is 1 + 1?<|im_end|>\n<|im_start|>assistant\nAction: python[1 + 1]\nAnswer: 2<|im_end|>\n"
)
OWN = "<|im_start|>user\nWhat is 17 * 25?<|im_end|>\n<|im_start|>assistant\n"
TURNS = (
    Part(role="system", text="Solve the task."),
    Part(role="user", text="What is 1 + 1?"),
    Part(text="Action: python[1 + 1]\nAnswer: 2"),
)
ASKED = Part(role="user", text="What is 17 * 25?")


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        ((SHARED, OWN), Prompt(opening=TURNS, turns=(ASKED,))),
        (
            (SHARED, OWN, "Action:"),
            Prompt(opening=TURNS, turns=(ASKED,), prefill=(Part(text="Action:", trainable=True),)),
        ),
        (
            (SHARED, OWN, "Action: python[17*25]\n", "Observation: 425<\u200b|im_end|>\n", "Answer:"),
            Prompt(
                opening=TURNS,
                turns=(ASKED,),
                prefill=(
                    Part(text="Action: python[17*25]\n", author="model", trainable=True),
                    Part(text="Observation: 425<|im_end|>\n", author="tool"),
                    Part(text="Answer:", trainable=True),
                ),
            ),
        ),
        ((SHARED + OWN,), Prompt(turns=(*TURNS, ASKED))),
        (("", SHARED + OWN), Prompt(turns=(*TURNS, ASKED))),
        (("Another format: ", "17 * 25?"), Prompt(turns=(Part(role="user", text="Another format: 17 * 25?"),))),
        ((), Prompt(turns=(Part(role="user", text=""),))),
    ],
)
def test_a_students_prompt_is_read_back(pieces: tuple[str, ...], expected: Prompt) -> None:
    prompt = Prompt.model_validate(prompt_of(pieces, None))
    assert prompt == expected
    if pieces and pieces[-1] != "17 * 25?":
        assert as_before(prompt.messages, prompt.begun) == "".join(pieces)
        assert SMOLLM2.render(prompt.messages, prompt.begun) == "".join(pieces)


def test_what_a_student_is_asked_about_is_its_own_word() -> None:
    asked = "<|im_start|>user\nHow likely?<|im_end|>\n<|im_start|>assistant\n"
    prompt = Prompt.model_validate(prompt_of((SHARED, asked, "Confidence:"), "confidence"))
    assert [part.author for part in prompt.opening] == ["harness", "harness", "model"]
    assert prompt.prefill == (Part(text="Confidence:"),)


texts = st.lists(st.sampled_from([*CONTROL_TOKENS, "<", "a", "\n", "ü", "assistant\n"]), max_size=6).map("".join)
messages = st.lists(
    st.builds(Message, st.sampled_from(["system", "user", "assistant"]), texts), min_size=1, max_size=5
).map(lambda rest: (Message("system", "s"), *rest))


@given(messages=messages, shared=st.integers(0, 5), begun=st.lists(texts, max_size=3))
def test_every_prompt_is_written_again_byte_for_byte(
    messages: tuple[Message, ...], shared: int, begun: list[str]
) -> None:
    head = as_before(messages)
    cut = len(as_before(messages[: min(shared, len(messages) - 1)])) - len("<|im_start|>assistant\n")
    pieces = (head[:cut], head[cut:], *map(broken, begun))
    prompt = Prompt.model_validate(prompt_of(pieces, None))
    assert prompt.messages == messages
    assert prompt.begun == "".join(begun)
    assert as_before(prompt.messages, prompt.begun) == SMOLLM2.render(prompt.messages, prompt.begun)
    assert as_before(prompt.messages, "".join(begun)) == head + broken("".join(begun))

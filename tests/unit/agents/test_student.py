"""The student's turn: given what the model wrote, what it means and what it is asked next."""

import math

import pytest

from agent0es.agents.student import NO_CALLS_LEFT, UNREADABLE, Transcript
from agent0es.domain.prompt import Part
from agent0es.models.base import Completion, Usage
from agent0es.tools.base import ToolResult


def wrote(text: str, logprob: float = -0.1) -> Completion:
    return Completion(text, "stop", Usage(5, 2), "m", None, 0.1, token_ids=(1, 2), logprobs=(logprob, logprob))


def said(transcript: Transcript) -> list[str]:
    return [part.text for part in transcript.prefill]


def printed(output: str, status: str = "ok") -> ToolResult:
    return ToolResult(
        status=status,  # type: ignore[arg-type]
        output=output,
        exit_code=0,
        stdout_bytes=len(output),
        stderr_bytes=0,
        wall_seconds=0.01,
        cpu_seconds=0.01,
        peak_memory_mb=10.0,
        tier="test",
    )


def test_an_action_is_run_and_its_result_is_put_before_the_model() -> None:
    transcript, action = Transcript().read(wrote("Action: python[17*25]\n"))
    assert action is not None and (action.tool, action.input) == ("python", "17*25")
    assert transcript.observe(printed("425"), last_call=False).prefill == (
        Part(text="Action: python[17*25]\n", author="model", trainable=True),
        Part(text="Observation: 425\n", author="tool"),
    )


def test_the_answer_after_it_ends_the_attempt() -> None:
    transcript, _ = Transcript().read(wrote("Action: python[17*25]\n"))
    transcript, action = transcript.observe(printed("425"), last_call=False).read(wrote("Answer: 425"))
    assert action is None
    solution = transcript.solution()
    assert (solution.answer, solution.tool_calls, solution.tool_errors, solution.observed) == ("425", 1, 0, True)
    assert 0.9 < solution.confidence < 0.91


def test_words_put_into_the_students_mouth_become_part_of_its_turn() -> None:
    transcript, action = Transcript(lead="Action: python[").read(wrote("17*25]\n"))
    assert action is not None and action.input == "17*25"
    assert said(transcript) == ["Action: python[17*25]\n"]


def test_an_answer_written_before_the_observation_is_a_guess_and_is_dropped() -> None:
    transcript, action = Transcript().read(wrote("Action: python[17*25]\nAnswer: 400"))
    assert action is not None
    assert transcript.answer is None
    assert said(transcript) == ["Action: python[17*25]\n"]


def test_after_the_last_allowed_call_the_student_is_led_to_its_answer() -> None:
    transcript, _ = Transcript().read(wrote("Action: python[1]\n"))
    led = transcript.observe(printed("1"), last_call=True)
    assert led.prefill[-1] == Part(text="Answer:", trainable=True)
    answered, action = led.read(wrote(" 1"))
    assert action is None and answered.answer == "1"


def test_another_action_in_place_of_the_answer_is_not_run_any_more() -> None:
    transcript, _ = Transcript().read(wrote("Action: python[1]\n"))
    _, action = transcript.observe(printed("1"), last_call=True).read(wrote(" Action: python[2]"))
    assert action is None


def test_a_failed_call_is_counted() -> None:
    transcript, _ = Transcript().read(wrote("Action: python[1/0]\n"))
    observed = transcript.observe(printed("ZeroDivisionError: division by zero", "error"), last_call=False)
    assert (observed.calls, observed.errors) == (1, 1)


def test_nothing_at_all_is_an_attempt_without_an_answer() -> None:
    transcript, action = Transcript().read(wrote(""))
    assert action is None and transcript.solution().answer is None


def test_how_sure_it_was_follows_from_the_tokens_or_their_mean_and_is_unknown_without() -> None:
    def sure(*completions: Completion) -> float | None:
        transcript = Transcript()
        for completion in completions:
            transcript, _ = transcript.read(completion)
        return transcript.solution().confidence

    def without(written: int, mean: float | None) -> Completion:
        return Completion("2", "stop", Usage(5, written), "m", None, 0.1, mean_logprob=mean)

    assert sure(wrote("2", -0.1), wrote("2", -0.3)) == round(math.exp(-0.2), 4)
    assert sure(without(3, -0.1), without(1, -0.5)) == round(math.exp(-0.2), 4), "each token has the mean"
    assert sure(without(2, None)) is sure(wrote("2"), without(2, None), wrote("2")) is None
    assert sure(without(0, None)) == 0.0, "nothing was written"


PROGRAM = "Thought: I add.\nAction: python\n```python\na = 17\nprint(a * 25)\n```"
CHAT = Transcript(in_turns=True, reminders=1)


def test_in_a_chat_a_call_is_a_turn_of_the_model_and_its_result_one_of_the_user() -> None:
    transcript, action = CHAT.read(wrote(PROGRAM + "\n"))
    assert action is not None and (action.tool, action.input) == ("python", "a = 17\nprint(a * 25)")
    seen = transcript.observe(printed("425"), last_call=False)
    assert seen.turns == (
        Part(text=PROGRAM, author="model", trainable=True),
        Part(role="user", text="Observation: 425", author="tool"),
    )
    assert seen.prefill == ()
    done, action = seen.read(wrote("Answer: 425"))
    assert action is None and not done.again
    assert done.answer == "425" and done.turns[-1].text == "Answer: 425"


def test_a_call_that_failed_is_read_but_not_learnt_and_its_mending_is() -> None:
    failed, _ = CHAT.read(wrote("Action: python[1/0]"))
    mended, _ = failed.observe(printed("ZeroDivisionError", "error"), last_call=False).read(
        wrote("Action: python[1/2]")
    )
    done, _ = mended.observe(printed("0.5"), last_call=False).read(wrote("Answer: 0.5"))
    assert [turn.trainable for turn in done.turns] == [False, False, True, False, True]


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        (f"{PROGRAM}\nObservation: 425\nAnswer: 400", PROGRAM),
        (f"{PROGRAM}\nAnswer: 400", PROGRAM),
        (f"{PROGRAM}\n\nAction: math\n```\n1 + 1\n```", PROGRAM),
        ("Action: python[1]\r\nAction: python[2]\r\n", "Action: python[1]"),
        (
            '<tool_call>\n{"name": "python", "arguments": {"code": "1"}}\n</tool_call>\n'
            '<tool_call>\n{"name": "python", "arguments": {"code": "2"}}\n</tool_call>',
            '<tool_call>\n{"name": "python", "arguments": {"code": "1"}}\n</tool_call>',
        ),
        (
            "<think>Easy: Action?</think>\n```python\n1\n```\nSo it is 1.",
            "<think>Easy: Action?</think>\n```python\n1\n```",
        ),
        ("done</think>\npython[1]\nAnswer: 1", "done</think>\npython[1]"),
    ],
)
def test_what_was_written_after_the_first_call_was_a_guess_and_is_cut_off(words: str, kept: str) -> None:
    transcript, action = CHAT.read(wrote(words))
    assert action is not None
    assert transcript.turns[-1].text == kept


def test_after_the_last_call_a_chat_is_told_in_words() -> None:
    transcript, _ = CHAT.read(wrote(PROGRAM))
    last = transcript.observe(printed("425"), last_call=True)
    assert last.turns[-1].text == f"Observation: 425\n{NO_CALLS_LEFT}"
    more, action = last.read(wrote(PROGRAM))
    assert action is None and more.again and more.turns[-1].text == NO_CALLS_LEFT
    done, action = more.read(wrote(PROGRAM))
    assert action is None and not done.again and done.answer is None


def test_words_without_call_and_answer_are_asked_for_one_of_them_as_often_as_is_set() -> None:
    asked, action = CHAT.read(wrote("I would multiply."))
    assert action is None and asked.again
    assert [(turn.role, turn.text, turn.trainable) for turn in asked.turns] == [
        ("assistant", "I would multiply.", False),
        ("user", UNREADABLE, False),
    ]
    assert not asked.read(wrote("I really would."))[0].again
    nothing, _ = CHAT.read(wrote(""))
    assert nothing.again and nothing.turns == (), "an empty turn is none, and is asked for once more"
    assert not nothing.read(wrote(""))[0].again

"""What a student says of its own answer, and what is made of it."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent0es.agents.confidence import LEADS, QUESTIONS, parse_confidence, parse_critique, reflection, stated
from agent0es.agents.student import Transcript, own_words
from agent0es.domain.prompt import Part
from agent0es.domain.task import Question


@pytest.mark.parametrize(
    ("text", "confidence"),
    [
        ("85", 0.85),
        (" 85.\n", 0.85),
        ("85%", 0.85),
        ("I am 90 % sure.", 0.9),
        ("Confidence: 90 percent", 0.9),
        ("0.85", 0.85),
        ("Confidence: 0,85", 0.85),
        ("1.0", 1.0),
        ("1", 0.01),
        ("0", 0.0),
        ("100", 1.0),
        ("8/10", 0.8),
        ("I'd say 7.5 out of 10.", 0.75),
        ("**95**", 0.95),
        ("My answer has 2 steps, so I am 80% sure", 0.8),
        ("Confidence: high", 0.85),
        ("Very likely.", 0.9),
        ("I'm not sure", 0.3),
        ("I am sure", 0.9),
        ("unlikely", 0.2),
        ("120", None),
        ("-5", None),
        ("1200%", None),
        ("8/0", None),
        ("The answer is a prime.", None),
        ("", None),
    ],
)
def test_reads_how_sure_a_student_says_it_is(text: str, confidence: float | None) -> None:
    assert parse_confidence(text) == (None if confidence is None else pytest.approx(confidence))


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        ("Yes", True),
        ("yes, each step follows", True),
        ("**No**, 17 * 25 is 425.", False),
        ("The answer is correct.", True),
        ("The answer is not correct.", False),
        ("This isn't right", False),
        ("The answer is incorrect", False),
        ("The answer doesn't fit the question", False),
        ("Wrong: yes and no", False),
        ("I noticed nothing", None),
        ("", None),
    ],
)
def test_reads_whether_a_student_stands_by_its_answer(text: str, verdict: bool | None) -> None:
    assert parse_critique(text) is verdict


@given(st.text(max_size=100) | st.from_regex(r"[0-9./,%\- outf]{0,30}"))
def test_never_raises(text: str) -> None:
    confidence = parse_confidence(text)
    assert confidence is None or 0.0 <= confidence <= 1.0
    parse_critique(text)


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_question_comes_after_what_the_student_said(question: Question) -> None:
    answered = Transcript(steps=(own_words("Answer: 425"),))
    prompt = reflection("You solve tasks.", "17 * 25?", answered, question)
    said = [message.content for message in prompt.messages]
    assert said == ["You solve tasks.", "17 * 25?", "Answer: 425", QUESTIONS[question]]
    assert prompt.begun == LEADS[question]
    assert [part.author for part in prompt.opening] == ["harness", "harness", "model"]


def test_in_a_chat_the_question_follows_all_turns_and_begins_no_reply() -> None:
    steps = (own_words("Action: python[17*25]"), Part(role="user", text="Observation: 425", author="tool"))
    answered = Transcript(steps=(*steps, own_words("Answer: 425")), in_turns=True)
    prompt = reflection("You solve tasks.", "17 * 25?", answered, "confidence")
    assert [message.role for message in prompt.messages] == ["system", "user", "assistant", "user", "assistant", "user"]
    assert prompt.begun == ""


@pytest.mark.parametrize(
    ("question", "text", "confidence"),
    [
        ("confidence", "90", 0.9),
        ("confidence", "Yes", None),
        ("critique", " Yes", 0.9),
        ("critique", "No", 0.1),
        ("critique", "90", None),
    ],
)
def test_a_reply_is_a_confidence_a_yes_or_no_by_how_likely_the_word_was(
    question: Question, text: str, confidence: float | None
) -> None:
    found = stated(question, text, math.log(0.8))
    assert found == (None if confidence is None else pytest.approx(confidence))


def test_without_log_probabilities_a_yes_or_no_is_taken_at_its_word() -> None:
    assert (stated("critique", "Yes", 0.0), stated("critique", "No", 0.0)) == (1.0, 0.0)

"""Contamination: which texts are the same problem, and which only look alike."""

import pytest

from agent0es.evaluation.overlap import leaks

STORY = "A baker makes 12 trays with 8 rolls each and sells 70 of them. How many rolls are left in the evening?"


@pytest.mark.parametrize(
    ("seen", "kind"),
    [
        (STORY, "same"),
        (STORY.upper().replace(".", " ."), "same"),  # layout and case say nothing
        ("Here: " + STORY, "nearly the same"),
        (STORY.replace("baker", "cook").replace("evening", "end"), "nearly the same"),  # retold
        (STORY.replace("12", "15"), None),  # another problem of the same kind
        (STORY.replace("sells 70 of them", "sells 70 of them to 3 friends"), None),
        ("Ann has 12 apples, 8 pears and 70 plums. How many fruits has she?", None),  # the same numbers alone
        ("", None),
    ],
)
def test_a_retold_problem_is_a_leak_and_one_with_other_values_is_none(seen: str, kind: str | None) -> None:
    found = leaks({17: STORY}, {"12/3": seen})
    assert [(leak.problem, leak.seen_in, leak.kind) for leak in found] == ([(17, "12/3", kind)] if kind else [])


def test_quoted_words_are_values_too() -> None:
    problem = "Reverse the word 'stream' and write it in capital letters."
    assert leaks({0: problem}, {"1/0": problem.replace("stream", "window")}) == []
    assert leaks({0: problem}, {"1/0": problem.replace("Reverse", "Turn round")})[0].kind == "nearly the same"


def test_without_any_value_more_of_the_words_must_agree() -> None:
    problem = "Write a function that returns the longest word of a sentence, the first one of several"
    other = "Write a function that returns the longest word of a sentence in lower case letters and without spaces"
    assert leaks({0: problem}, {"1/0": other}) == []


def test_the_most_similar_text_is_named() -> None:
    nearly = STORY.replace("baker", "cook")
    assert leaks({0: STORY}, {"1/0": nearly, "2/0": STORY})[0].seen_in == "2/0"
    assert leaks({0: "8"}, {"1/0": "8", "2/0": "9"})[0].seen_in == "1/0"  # a text of one word

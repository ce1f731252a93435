"""A problem that was learnt is found, also when it was written a little otherwise; its siblings are not."""

import random
import string

import pytest

from agent0es.evaluation.contamination import OVERLAP, find_leaks

NATALIA = (
    "Natalia sold clips to 48 of her friends in April, and then she sold half as many clips in May. "
    "How many clips did Natalia sell altogether in April and May?"
)


def overlaps(learnt: str, asked: str) -> list[tuple[float, bool]]:
    return [(leak.overlap, leak.same) for leak in find_leaks({"1/0": learnt}, {"7": asked})]


@pytest.mark.parametrize(
    ("learnt", "asked"),
    [
        (NATALIA, NATALIA),
        (NATALIA.upper().replace(" ", "\n "), NATALIA),
        ("What is 1,000 times 3?", "what is 1000 times 3"),
        ("Compute “5!”.", "Compute 5!"),
        ("ｘ + 1", "x + 1"),
        ("It costs $2.50, or 5% of £ 50.", "It costs 2.50 dollars, or 5 percent of 50 pounds."),
        ("Of sixty-five geese three are white.", "Of 65 geese 3 are white."),
    ],
)
def test_the_same_text_is_found_in_any_case_white_space_and_marks(learnt: str, asked: str) -> None:
    assert overlaps(learnt, asked) == [(1.0, True)]


@pytest.mark.parametrize(
    "learnt",
    [
        NATALIA.replace("Natalia sold", "Natalia has sold"),
        NATALIA.replace("altogether ", ""),
        "Here is a task for you. " + NATALIA,
        NATALIA + " Then divide by 7, and add 12 to it.",
        NATALIA.replace("altogether ", "") + " Answer with 1 number.",
        NATALIA.replace("Natalia sold", "Natalia has sold").replace("48", "forty-eight"),
    ],
)
def test_a_text_with_a_few_other_words_is_found(learnt: str) -> None:
    [(overlap, same)] = overlaps(learnt, NATALIA)
    assert overlap >= OVERLAP and not same


@pytest.mark.parametrize(
    ("learnt", "asked"),
    [
        (NATALIA.replace("48", "50"), NATALIA),
        (NATALIA.replace("half as many", "3 more"), NATALIA),
        ("What is the gcd of 48 and 36?", "What is the gcd of 36 and 48?"),
        ("Compute 12 * 7 + 3 * 9.", "Compute 12 * 7."),
        ("What is the product of 12 and 30?", "What is the sum of 12 and 30?"),
        ("Is p & q -> r a tautology?", "Is p | q -> r a tautology?"),
        ("What is 5?", "What is 5!?"),
        (
            "Sort [3, 1, 2, 7, 9] from the smallest number to the largest.",
            "Sort [3, 1, 2, 7] from the smallest number to the largest.",
        ),
        ("Count the vowels (aeiou) in 'carpet'.", "Count the vowels (aeiou) in 'leather'."),
        (
            "Spell this word backward (example: sun -> nus): filmy",
            "Spell this word backward (example: sun -> nus): tie",
        ),
        ("", NATALIA),
        (NATALIA, ""),
    ],
)
def test_another_problem_in_the_same_words_is_not(learnt: str, asked: str) -> None:
    assert overlaps(learnt, asked) == []


def test_findings_name_source_and_problem_in_their_order() -> None:
    learnt = {"12/0": "Add 1 and 2", "12/1": "Nothing of the kind", "3/0": "add 1 and 2."}
    asked = {"b": "Add 3 and 4", "a": "Add 1 and 2"}
    assert [(leak.source, leak.problem) for leak in find_leaks(learnt, asked)] == [("12/0", "a"), ("3/0", "a")]


def test_hostile_texts_take_no_longer_than_their_length() -> None:
    """Fifty thousand characters of each kind, against one another: quadratic work would take minutes."""
    rng = random.Random(0)
    letters = "".join(rng.choice(string.ascii_letters + " ") for _ in range(50_000))
    texts = {
        "commas": "1," * 25_000,
        "digits": "1" * 50_000,
        "marks": "!" * 50_000,
        "letters": letters,
        "nul": "\0 \ud800",
    }
    found = {(leak.source, leak.problem) for leak in find_leaks(texts, texts)}
    assert found == {(name, name) for name in texts}

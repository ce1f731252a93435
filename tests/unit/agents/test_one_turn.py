"""Answers in one turn: what the words of a model hold, strictly and leniently."""

import contextlib
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent0es.agents.one_turn import answer_of, examples, guide, lenient_answer, program_of, strict_answer
from agent0es.agents.worked_examples import FUNCTIONS, STORIES, Worked
from agent0es.taskdomains import load_task_domain


@pytest.mark.parametrize(
    ("words", "strict", "lenient"),
    [
        ("3 + 4 = 7\nAnswer: 7", "7", "7"),
        ("**Answer:** 7", "7", "7"),
        ("### Final Answer: 7 ###\n", "7 ###", "7"),
        ("Answer: 5\nNo, wait.\nAnswer: 7", "7", "7"),  # what is said last counts
        ("Answer:\n7", None, "7"),
        ("The answer: 7", None, "7"),  # not at the beginning of the line
        ("So she has 1,234.50 dollars left.", None, "1234.50"),
        ("It is \\boxed{\\frac{3}{4}} of 12.", None, "\\frac{3}{4}"),
        ("It is \\boxed{3 of 12.", None, "12"),  # never closed
        ("from -3 to 5-2", None, "2"),
        ("a half, 1/2.", None, "1/2"),
        ("I don't know.", None, None),
        ("x2 and y3", None, None),  # names are no numbers
        ("", None, None),
    ],
)
def test_answers_in_words(words: str, strict: str | None, lenient: str | None) -> None:
    assert strict_answer(words) == strict
    assert lenient_answer(words, function=False) == lenient


FENCED = "Sure:\n```python\nprint(6 * 7)\n```\nIt prints 42.\n```\n42\n```"


@pytest.mark.parametrize(
    ("words", "program"),
    [
        (FENCED, "print(6 * 7)"),
        ("~~~py\nprint(1)\n~~~", "print(1)"),
        ("```python\nprint('cut off'", "print('cut off'"),
        ('```python\ns = """\n```\n"""\nprint(1)\n```', 's = """'),  # a fence ends at the first line that is one
        ("print(6 * 7)", None),
        ("```python\n\n```", None),
    ],
)
def test_the_program_is_the_first_block(words: str, program: str | None) -> None:
    assert program_of(words) == program


def test_what_counts_depends_on_what_was_asked_for() -> None:
    assert answer_of("program", False, FENCED, "42\n") == "42"
    assert answer_of("program", False, FENCED, None) is None  # it failed
    assert answer_of("cot", False, f"{FENCED}\nAnswer: 41", None) == "41"
    assert answer_of("cot", True, "I use a loop.\n```\ndef f(x):\n    return x\n```", None) == "def f(x):\n    return x"
    assert lenient_answer("def f(x): return x", function=True) == "def f(x): return x"
    assert lenient_answer("I can't.", function=True) is None


@settings(max_examples=60)
@given(st.text(alphabet="`~\n Answer:*\\boxed{}0123456789.,/-python", max_size=300), st.booleans())
def test_no_words_are_too_strange_to_be_read(words: str, function: bool) -> None:
    for way in ("cot", "program"):
        answer = answer_of(way, function, words, words)
        assert answer is None or answer.strip()
    assert lenient_answer(words, function) != ""


@pytest.mark.parametrize("worked", STORIES, ids=lambda one: one.answer)
def test_our_worked_examples_are_right(worked: Worked) -> None:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(worked.program, {})
    assert printed.getvalue().strip() == worked.answer


def test_our_worked_functions_do_what_their_texts_say() -> None:
    names: dict[str, object] = {}
    for worked in FUNCTIONS:
        exec(worked.program, names)
    checks = ["longest_run('abbbc') == 3", "longest_run('') == 0", "overlap([3, 1, 3, 2], [2, 3]) == [3, 2]"]
    checks += ["grade(55, [20, 50, 80]) == 2", "initials('ada king') == 'A.K.'"]
    assert [check for check in checks if not eval(check, names)] == []


def test_worked_examples_look_as_the_answer_is_to_look() -> None:
    math, logic = load_task_domain("math"), load_task_domain("logic")
    told = guide("cot", examples(math, False, 2))
    assert [turn.role for turn in told] == ["user", "assistant"] * 2
    assert strict_answer(told[1].content) == STORIES[0].answer
    assert (
        program_of(guide("program", examples(math, False, 1))[1].content)
        == f"# {STORIES[0].thinking}\n{STORIES[0].program}"
    )
    assert examples(math, True, 3) == list(FUNCTIONS[:3])
    assert all(one.question and one.answer for one in examples(logic, False, 3))  # of its families

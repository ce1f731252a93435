"""A law of the math verifier: what is around an answer changes nothing, whatever kind of answer it is."""

import re
from collections.abc import Callable
from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from agent0es.domain.task import Verification
from agent0es.taskdomains.math.verifier import judge
from tests.support.math_answers import Case, labelled, task_of

Decoration = Callable[[str], str]

DECORATIONS: dict[str, Decoration] = {
    "bold": lambda text: f"**{text}**",
    "italic": lambda text: f"*{text}*",
    "underlined": lambda text: f"__{text}__",
    "code": lambda text: f"`{text}`",
    "block": lambda text: f"```\n{text}\n```",
    "dollars": lambda text: f"${text}$",
    "two dollars": lambda text: f"$${text}$$",
    "brackets": lambda text: rf"\({text}\)",
    "boxed": lambda text: rf"\boxed{{{text}}}",
    "text": lambda text: rf"\text{{{text}}}",
    "quotes": lambda text: f'"{text}"',
    "single quotes": lambda text: f"'{text}'",
    "tag": lambda text: f"<answer>{text}</answer>",
    "heading": lambda text: f"#### {text}",
    "label": lambda text: f"Answer: {text}",
    "bold label": lambda text: f"**Final Answer:** {text}",
    "sentence": lambda text: f"The answer is {text}.",
    "blanks": lambda text: f"  {text}\u00a0 ",
    "unseen": lambda text: f"\ufeff{text}\u200b",
    "stop": lambda text: f"{text}.",
    "comma": lambda text: f"{text},",
}
MARKS = re.compile(r"[$`*_\"'<>#]|\\[(\[]|^=|\.\.|\\[lcd]?dots|…|[.,]$|\u200b")
"""An answer with these in it may be meant otherwise with a decoration around it."""
PLAIN = [case for case in labelled() if not MARKS.search(case.answer) and "\n" not in case.answer]


def outcome(answer: str, case: Case) -> bool | str | None:
    """The judgement, or the program that makes it."""
    judged = judge(answer, case.task)
    return judged.correct if isinstance(judged, Verification) else judged.input


def decorated(text: str, names: tuple[str, ...]) -> str:
    for name in names:
        text = DECORATIONS[name](text)
    return text


def test_no_decoration_of_a_labelled_answer_changes_its_judgement() -> None:
    """Each answer with a quarter of the decorations in turn."""
    changed = [
        (name, case.answer, case.task.reference)
        for index, case in enumerate(PLAIN)
        for name in list(DECORATIONS)[index % 4 :: 4]
        if outcome(decorated(case.answer, (name,)), case) != outcome(case.answer, case)
    ]
    assert len(PLAIN) > 500
    assert changed == []


@given(
    case=st.sampled_from(PLAIN), names=st.sampled_from(list(permutations(("boxed", "dollars", "bold", "sentence"), 3)))
)
def test_nor_do_several_around_each_other(case: Case, names: tuple[str, ...]) -> None:
    assert outcome(decorated(case.answer, names), case) == outcome(case.answer, case)


@given(given=st.integers(-(10**6), 10**6), true=st.integers(-(10**6), 10**6), name=st.sampled_from(sorted(DECORATIONS)))
def test_a_whole_number_is_right_only_when_equal_under_every_decoration(given: int, true: int, name: str) -> None:
    case = Case(given == true, str(given), task_of(str(true)))
    assert outcome(DECORATIONS[name](case.answer), case) is case.label
    assert outcome(DECORATIONS[name](str(true)), case) is True

"""What small models write, and what the parser makes of it."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent0es.agents.react import Action, Turn, parse

ONE = "17*25"

# (what the model wrote, inputs of its python calls, its answer)
READ = [
    ("Action: python[17*25]", [ONE], None),
    ("Action: python[17*25]\n", [ONE], None),
    ("Action:python[17*25]", [ONE], None),
    ("Action: Python[17*25]", [ONE], None),
    ("action: python[17*25]", [ONE], None),
    ("ACTION: python [17*25]", [ONE], None),
    ("Action：python[17*25]", [ONE], None),
    ("Action python[17*25]", [ONE], None),
    ("Action 1: python[17*25]", [ONE], None),
    ("**Action:** python[17*25]", [ONE], None),
    ("- Action: `python[17*25]`", [ONE], None),
    ("> Action: python[17*25].", [ONE], None),
    ("python[17*25]", [ONE], None),
    ("I will use python[17*25]", [ONE], None),
    ("Action: python(17*25)", [ONE], None),
    ("Action: python 17*25", [ONE], None),
    ("Action: python: 17*25", [ONE], None),
    ("Action: python\nAction Input: 17*25", [ONE], None),
    ("Action: python\nInput: 17*25\nObservation: 425", [ONE], None),
    ("Action: python\n17*25\n\nAnswer: 425", [ONE], "425"),
    ("Action: python[sum([1,2,3])]", ["sum([1,2,3])"], None),
    ("Action: python[[1,2,3][0]]", ["[1,2,3][0]"], None),
    ("Action: python['a]b'.upper()]", ["'a]b'.upper()"], None),
    ('Action: python["[".join("ab")]', ['"[".join("ab")'], None),
    ("Action: python['it\\'s ]']", ["'it\\'s ]'"], None),
    ("Action: python[don't]", ["don't"], None),
    ("Action: python[don't] and it's", ["don't"], None),
    ('Action: python["""a]\nb"""]', ['"""a]\nb"""'], None),
    ('Action: python[print("Answer: 5")]', ['print("Answer: 5")'], None),
    ("Action: python[x = [1,2]\nfor i in x:\n    print(i)]", ["x = [1,2]\nfor i in x:\n    print(i)"], None),
    ("Action: python[17*25", [ONE], None),
    ("Action: python[sum([1,2,3]", ["sum([1,2,3]"], None),
    ("Action: python[17*25\nAnswer: 425", [ONE], "425"),
    ("Action: python[\nx = 3\nprint(x)", ["x = 3\nprint(x)"], None),
    ("```python\n17*25\n```", [ONE], None),
    ("```py\n17*25", [ONE], None),
    ("```python 17*25```", [ONE], None),
    ("Thought: easy\n```\n17*25\n```\n", [ONE], None),
    ("Action:\n```python\n17*25\n```\nAnswer: 425", [ONE], "425"),
    ("Action: python\n```\n17*25\n```", [ONE], None),
    ("```\nAction: python[17*25]\nAnswer: 425\n```", [ONE], "425"),
    ("```python\npython[17*25]\n```", [ONE], None),
    ('{"tool": "python", "input": "17*25"}', [ONE], None),
    ('Action: {"tool": "python", "input": "17*25"}', [ONE], None),
    ('```json\n{"tool": "python", "input": "17*25"}\n```', [ONE], None),
    ('<tool_call>{"name": "python", "arguments": {"code": "17*25"}}</tool_call>', [ONE], None),
    (
        '<tool_call>\n{"name": "python", "arguments": "{\\"code\\": \\"17*25\\"}"}\n</tool_call>\nAnswer: 425',
        [ONE],
        "425",
    ),
    ('{"function": {"name": "python", "arguments": {"x": "17*25"}}}', [ONE], None),
    ('Action: python\nAction Input: {"code": "17*25"}', [ONE], None),
    ("Action: python[1]\nAction: python[2]\nAction: python[3]", ["1", "2", "3"], None),
    ("Thought: multiply. Action: python[17*25] Answer: 425", [ONE], "425"),
    ("Answer: 425", [], "425"),
    ("answer : 425", [], "425"),
    ("Answer:\n425", [], "425"),
    ("Final Answer: **425**", [], "425"),
    ("### Answer: `425`", [], "425"),
    ("Answer: 425\n\nQuestion: 1+1?\nAnswer: 2", [], "425"),
    ("Answer: 425\nAction: python[1]", [], "425"),
    ("Answer: 425 because", [], "425 because"),
    ("Observation: 425\nAnswer: 425", [], "425"),
    ('{"answer": 425}', [], "425"),
    ("Answer:", [], None),
    ("Answer: \nAction: python[17*25]", [ONE], None),
    ("Action:", [], None),
    ("Action: python[", [], None),
    ("Action: python[]", [], None),
    ("Action: think about it", [], None),
    ('{"tool": "python", "input": "17*2', [], None),
    ("```text\n17*25\n```\nAnswer: 425", [], "425"),
    ("", [], None),
]


@pytest.mark.parametrize(("text", "inputs", "answer"), READ)
def test_reads_what_models_write(text: str, inputs: list[str], answer: str | None) -> None:
    turn = parse(text)

    assert list(turn.actions) == [Action("python", one) for one in inputs]
    assert turn.answer == answer


def test_keeps_thoughts_apart_from_calls() -> None:
    turn = parse("First I multiply.\nThought: then I add.\nAction: python[17*25]\n")

    assert turn == Turn("First I multiply.\nthen I add.", (Action("python", ONE),), None, ())


def test_says_what_it_ignored_in_one_short_line_each() -> None:
    turn = parse("Action: dance\nObservation: 425\nAnswer: 425\n" + "and so on\n" * 50)

    assert turn.ignored[:2] == ("Action: dance", "Observation: 425")
    assert turn.ignored[2].startswith("and so on and so on")
    assert all(len(line) <= 80 and "\n" not in line for line in turn.ignored)


def test_names_any_tool_after_action_but_only_known_ones_without() -> None:
    assert parse("Action: search[Paris]").actions == (Action("search", "Paris"),)
    assert parse("values[0] is first").actions == ()
    assert parse("shell[ls]", tools=("shell",)).actions == (Action("shell", "ls"),)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                "Action:",
                "Answer:",
                " python",
                "[",
                "]",
                "```",
                "\n",
                "'",
                '"',
                "{",
                "}",
                '{"tool":"python","input":"1"}',
            ]
        )
        | st.text(max_size=5),
        max_size=40,
    ).map("".join)
)
def test_never_raises(text: str) -> None:
    turn = parse(text)

    assert all(action.input for action in turn.actions)
    assert turn.answer != ""


MEGABYTE = 1_000_000
HOSTILE = [
    "[", "{", '{"', '{"a":', '{"\n', "Action: python[", "Action: python[\n", "Action: python['", 'Action: python["\\',
    "Action: python['''\n", "python[1]\n", "python[\n", "Action:\n", "Action: python\n\n", "Answer", "Thought: ",
    "```\n", "```text\nAction: a\n", "```\nAction: x\n", "<tool_call>\n", '{"tool":"a","input":"', "x. Action", "\t>",
    " ", "\n", "*", "a. python[ ", "1", "Action Input:\n",
]  # fmt: skip


def test_takes_linear_time() -> None:
    started = time.perf_counter()
    for piece in HOSTILE:
        parse(piece * (MEGABYTE // len(piece)))

    assert time.perf_counter() - started < 0.25 * len(HOSTILE)

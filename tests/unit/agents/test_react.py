"""What small models write, and what the parser makes of it."""

import json
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
    ("The product is 425. **Answer:** 425", [], "425"),
    ("So **Final Answer: 425**", [], "425"),
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

# (whose way to write it is, what was written, inputs of the python calls, the answer)
DIALECTS = [
    (
        "two tool_calls",
        '<tool_call>\n{"name": "python", "arguments": {"code": "1+1"}}\n</tool_call>\n'
        '<tool_call>\n{"name": "python", "arguments": {"code": "2+2"}}\n</tool_call>',
        ["1+1", "2+2"],
        None,
    ),
    ("toolcall cut", '<tool_call>\n{"name": "python", "arguments": {"code": "17*25"}}', ["17*25"], None),
    ("toolcall halfjson", '<tool_call>\n{"name": "python", "arguments": {"code": "17*2', [], None),
    (
        "qwen3 coder xml",
        "<tool_call>\n<function=python>\n<parameter=code>\n17*25\n</parameter>\n</function>\n</tool_call>",
        ["17*25"],
        None,
    ),
    ("llama31 function", '<function=python>{"code": "17*25"}</function>', ["17*25"], None),
    ("llama python_tag", "<|python_tag|>17*25<|eom_id|>", ["17*25"], None),
    ("llama json params", '{"type": "function", "name": "python", "parameters": {"code": "17*25"}}', ["17*25"], None),
    ("mistral", '[TOOL_CALLS] [{"name": "python", "arguments": {"code": "17*25"}}]', ["17*25"], None),
    ("mistral2", '[TOOL_CALLS]python{"code": "17*25"}', ["17*25"], None),
    (
        "anthropic",
        '<function_calls>\n<invoke name="python">\n'
        '<parameter name="code">17*25</parameter>\n</invoke>\n</function_calls>',
        ["17*25"],
        None,
    ),
    ("xml tool/input", "<tool>python</tool>\n<input>17*25</input>", ["17*25"], None),
    ("xml name", "<python>17*25</python>", ["17*25"], None),
    ("xml action", "<action>python[17*25]</action>", ["17*25"], None),
    ("xml tool_code", "<tool_code>\n17*25\n</tool_code>", ["17*25"], None),
    ("xml code", "<code>\n17*25\n</code>", ["17*25"], None),
    ("xml answer", "<answer>425</answer>", [], "425"),
    ("think", "<think>\nMaybe Answer: 5? No, Action: python[9]\n</think>\nAction: python[17*25]", ["17*25"], None),
    ("think cut", "<think>\nMaybe Answer: 5? No", [], None),
    ("think answer", "<think>17*25=425</think>\n\nAnswer: 425", [], "425"),
    ("json list", '[{"name": "python", "arguments": {"code": "17*25"}}]', ["17*25"], None),
    ("json action langchain", '```json\n{\n  "action": "python",\n  "action_input": "17*25"\n}\n```', ["17*25"], None),
    ("json final answer", '```json\n{"action": "Final Answer", "action_input": "425"}\n```', [], "425"),
    ("json single quotes", "{'tool': 'python', 'input': '17*25'}", ["17*25"], None),
    ("json trailing comma", '{"tool": "python", "input": "17*25",}', ["17*25"], None),
    ("json in text", 'I will call the tool: {"tool": "python", "input": "17*25"}', ["17*25"], None),
    (
        "fence in Action Input",
        "Action: python\nAction Input:\n```python\nx = 17\nprint(x*25)\n```\nObservation: 425",
        ["x = 17\nprint(x*25)"],
        None,
    ),
    ("tool_code fence", "```tool_code\nprint(17*25)\n```", ["print(17*25)"], None),
    ("tilde fence", "~~~python\n17*25\n~~~", ["17*25"], None),
    ("action brackets fence", "Action: python[```python\n17*25\n```]", ["17*25"], None),
    ("action bold", "**Action**: python[17*25]", ["17*25"], None),
    ("action arrow", "Action -> python[17*25]", ["17*25"], None),
    ("action equals", "Action = python[17*25]", ["17*25"], None),
    ("action step", "Step 1: Action: python[17*25]", ["17*25"], None),
    ("action called", "Action: Use python[17*25]", ["17*25"], None),
    ("action call the", "Action: call python with 17*25", [], None),
    ("action curly", "Action: python{17*25}", ["17*25"], None),
    ("action angle", "Action: <python>17*25</python>", ["17*25"], None),
    ("Tool:", "Tool: python\nInput: 17*25", ["17*25"], None),
    ("Tool Input", "Tool: python\nTool Input: 17*25", ["17*25"], None),
    ("Code:", "Thought: compute\nCode:\n```py\nprint(17*25)\n```<end_code>", ["print(17*25)"], None),
    ("answer no colon", "Answer 425", [], "425"),
    ("Final Answer no colon", "Final Answer 425", [], "425"),
    ("answer is", "The answer is 425.", [], "425"),
    ("answer is colon", "The final answer is: 425", [], "425"),
    ("answer boxed", "So we get $\\boxed{425}$.", [], "425"),
    ("answer boxed2", "Answer: $\\boxed{\\frac{1}{2}}$", [], "$\\boxed{\\frac{1}{2}}$"),
    ("answer dash", "Answer - 425", [], "425"),
    ("answer bold head", "**Answer**\n425", [], "425"),
    ("answer head", "## Answer\n\n425", [], "425"),
    (
        "answer fence code",
        "Answer:\n```python\ndef f(x):\n    return x + 1\n\nprint(f(1))\n```",
        [],
        "def f(x):\n    return x + 1\n\nprint(f(1))",
    ),
    (
        "answer fence code same",
        "Answer: ```python\ndef f(x):\n    return x + 1\n```\nDone.",
        [],
        "def f(x):\n    return x + 1",
    ),
    ("answer fence cut", "Answer:\n```python\ndef f(x):\n    return x", [], "def f(x):\n    return x"),
    ("answer fence value", "Answer:\n```\n425\n```", [], "425"),
    (
        "final fence",
        "Thought: done\nFinal Answer:\n\n```py\n"
        "import math\n\ndef f(x):\n    # Answer: no\n    return math.sqrt(x)\n```\nThis works.",
        [],
        "import math\n\ndef f(x):\n    # Answer: no\n    return math.sqrt(x)",
    ),
    (
        "answer code no fence",
        "Answer:\ndef f(x):\n    if x:\n        return 1\n\n    return x + 1\nThis is it.",
        [],
        "def f(x):\n    if x:\n        return 1\n\n    return x + 1",
    ),
    (
        "answer intro fence",
        "Answer: Here is the code:\n```python\ndef f(x):\n    return x\n```",
        [],
        "def f(x):\n    return x",
    ),
    ("special token", "Answer: 425<|im_end|>\n<|im_start|>user\nnext", [], "425"),
    ("special token 2", "Answer: 425</s>", [], "425"),
    ("eot", "Action: python[17*25]<|eot_id|>", ["17*25"], None),
    ("answer then obs", "Action: python[17*25]\nObservation: 425\nThought: done\nAnswer: 425", ["17*25"], "425"),
    (
        "answer proof multi",
        "Answer:\n1. P premise\n2. Q premise\n3. P & Q  and-intro 1,2",
        [],
        "1. P premise\n2. Q premise\n3. P & Q  and-intro 1,2",
    ),
    ("half bracket", "Action: python[math.gcd(48", ["math.gcd(48"], None),
    (
        "gpt-oss",
        '<|channel|>commentary to=functions.python <|constrain|>json<|message|>{"code": "17*25"}<|call|>',
        ["17*25"],
        None,
    ),
    ("gpt-oss final", "<|channel|>final<|message|>Answer: 425", [], "425"),
    (
        "deepseek",
        "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>python\n"
        '```json\n{"code": "17*25"}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜>',
        ["17*25"],
        None,
    ),
    (
        "openai tool_calls",
        '{"tool_calls": [{"id": "1", "type": "function", "function": '
        '{"name": "python", "arguments": "{\\"code\\": \\"17*25\\"}"}}]}',
        ["17*25"],
        None,
    ),
    ("deepseek 3.1", '<｜tool▁call▁begin｜>python<｜tool▁sep｜>{"code": "17*25"}<｜tool▁call▁end｜>', ["17*25"], None),
    (
        "kimi",
        "<|tool_calls_section_begin|><|tool_call_begin|>functions.python:0<|tool_call_argument_begin|>"
        '{"code": "17*25"}<|tool_call_end|><|tool_calls_section_end|>',
        ["17*25"],
        None,
    ),
    ("mistral3", '[TOOL_CALLS]python[ARGS]{"code": "17*25"}', ["17*25"], None),
    (
        "glm",
        "<tool_call>python\n<arg_key>code</arg_key>\n<arg_value>17*25</arg_value>\n</tool_call>",
        ["17*25"],
        None,
    ),
    ("print in text", "Let me run `python[17*25]` now.", ["17*25"], None),
]


@pytest.mark.parametrize(("text", "inputs", "answer"), READ)
def test_reads_what_models_write(text: str, inputs: list[str], answer: str | None) -> None:
    turn = parse(text)

    assert list(turn.actions) == [Action("python", one) for one in inputs]
    assert turn.answer == answer


@pytest.mark.parametrize(("text", "inputs", "answer"), [row[1:] for row in DIALECTS], ids=[row[0] for row in DIALECTS])
def test_reads_the_dialects_of_larger_models(text: str, inputs: list[str], answer: str | None) -> None:
    turn = parse(text)

    assert list(turn.actions) == [Action("python", one) for one in inputs]
    assert turn.answer == answer


MANY = "def f(x):\n    # Answer: no\n    return x * 2\n\n\nprint(f(21))"

# (what the model wrote, inputs of its python calls, its answer)
OVER_LINES = [
    ("Action: python\nAction Input: a = 6\nb = 7\nprint(a * b)", ["a = 6\nb = 7\nprint(a * b)"], None),
    (f"Action: python\nAction Input:\n{MANY}\n", [MANY], None),
    (f"Action: python\nAction Input: {MANY}\nObservation: 41", [MANY], None),
    (f"Action: python\nAction Input: {MANY}\n\nThought: it is so\nFinal Answer: 42", [MANY], "42"),
    (f"Action: python\nInput: {MANY}\n**Final Answer:** 42", [MANY], "42"),
    (f"Action: python: {MANY}", [MANY], None),
    (f"Action: python:\n{MANY}\nAction: python[1]", [MANY, "1"], None),
    (f"Action: python\n{MANY}\nAnswer: 42", [MANY], "42"),
    (f"Action: python\nAction Input:\n```python\n{MANY}\n```\nAnswer: 42", [MANY], "42"),
    (f"Action: python\nAction Input: ```\n{MANY}\n```", [MANY], None),
    (f"Action: python\nAction Input: this code:\n```py\n{MANY}\n```", [MANY], None),
    ("Action: python\nAction Input: x = [\n1,\n2\n]\nx[0]", ["x = [\n1,\n2\n]\nx[0]"], None),
    ("Action: python\nAction Input: x = '''\nThe end\n42\n'''\nx", ["x = '''\nThe end\n42\n'''\nx"], None),
    ("Action: python\nAction Input:\n    x = 1\n    if x:\n        x = 2", ["x = 1\nif x:\n    x = 2"], None),
    # what stands below a one-line input and is none of it
    ("Action: python\nAction Input: 17*25\nThe result is 425.", [ONE], None),
    ("Action: python\nAction Input: 17*25\nso it is 425", [ONE], None),
    ("Action: python\nAction Input: 17*25\n425", [ONE], None),
    ("Action: python\nAction Input: 17*25\n```\n", [ONE], None),
    ("Action: python\nAction Input: 17*25\n\nQuestion: 1+1?", [ONE], None),
    ("Action: python\nAction Input: 17*25\n</tool_call>", [ONE], None),
    ("Action: python, Action Input: 17*25", [ONE], None),
    ("Action: python\nAction Input: `17*25`", [ONE], None),
    ("Action: python\nAction Input: print(1)\nObservation", ["print(1)"], None),
]

NAMED_ALONE = [
    (f"Action: {name}\nAction Input: {given}", [ONE], None)
    for name in ('"python"', "'python'", "[python]", "python.", "python,", "python()", "python tool", "the python tool")
    for given in (ONE, f'"{ONE}"')
] + [("Action: python\nAction Input: 'a b'", ["'a b'"], None), ("Action: snake tool\nAnswer: 3", [], "3")]

# (what the model wrote, its calls, its answer)
NO_CALLS = [
    ("Finish[42]", [], "42"),
    ("Action: Finish[42]", [], "42"),
    ("Action: finish(42)", [], "42"),
    ("Action: Finish['it is ]']", [], "it is ]"),
    ("Action: Finish[[1, 2]]", [], "[1, 2]"),
    ("Action: Finish\nAction Input: 42", [], "42"),
    ("Action: finish\n42", [], "42"),
    ("Action: finish\nThe answer is 42.", [], "42"),
    ("Action: finish", [], None),
    ("Action: Final Answer: 42", [], "42"),
    ("Action: Final Answer\nFinal Answer: 42", [], "42"),
    ("final_answer(42)", [], "42"),
    ("```py\nfinal_answer('42')\n```", [], "42"),
    ('{"action": "finish", "action_input": "42"}', [], "42"),
    ("Action: answer_question[42]", [("answer_question", "42")], None),
    ("Action: python[17*25]\nFinish[400]", [("python", ONE)], "400"),
    ("Action: None\nAction Input: None\nFinal Answer: 8", [], "8"),
    ("Action: None\nThe answer is 8.", [], "8"),
    ("Action: none\nAction Input: none\nThe answer is 8.", [], "8"),
    ("Action: None", [], None),
    ("Action: none needed\nAnswer: 8", [], "8"),
    ("Action: N/A\nAnswer: 8", [], "8"),
    ("Action: python\nAction Input: None\nFinal Answer: 8", [], "8"),
    ("Action: search[Paris]", [("search", "Paris")], None),
    ("Action: search[Paris]\nAnswer: Rome", [], "Rome"),
    ("Action: search\nAction Input: Paris\nFinal Answer: Rome", [], "Rome"),
    ("Action: search[Paris]\nAction: python[1]\nAnswer: Rome", [("python", "1")], "Rome"),
    ('{"name": "Alice"}', [], None),
    ('{"name": "Alice", "code": "X1"}\nAnswer: Alice', [], "Alice"),
    ('The record {"name": "Alice", "query": "x"} says so.\nAnswer: Alice', [], "Alice"),
    ('{"name": "Alice", "age": 3}\nThe answer is 3.', [], "3"),
]

# (what the model wrote, inputs of its python calls, its answer)
THOUGHT_BEFORE = [
    ("Maybe Answer: 5. Action: python[9]\n</think>\nAction: python[17*25]", [ONE], None),
    ("I wonder. Answer: 5 </think> Answer: 6", [], "6"),
    ("Answer: 5\n</thinking>\n\nFinal Answer: 6", [], "6"),
    ("so\n</think>\nno\n</think>\nAnswer: 6", [], "6"),
    ("</think>Answer: 6", [], "6"),
    ("a</think>Answer: 6\n</think>", [], "6"),
    ("<think>a</think>Answer: 6", [], "6"),
    ("Answer: 5</think>", [], None),
    ("Action: python[print('</think>')]", ["print('</think>')"], None),
]

FENCES = [
    ("````python\nx = 1\n```\ny = 2\n````\nAnswer: 1", ["x = 1\n```\ny = 2"], "1"),
    ('```python\nx = """\n```\n1\n```\n"""\n```\nAnswer: 1', ['x = """\n```\n1\n```\n"""'], "1"),
    ("1. First\n  ```python\n  if x:\n      y = 1\n  ```\nAnswer: 1", ["if x:\n    y = 1"], "1"),
    ("```python\nx = '''\n```\nAnswer: 1", ["x = '''"], "1"),
    ("~~~\n17*25\n~~~\nAnswer: 1", [ONE], "1"),
]


# (what the model wrote, inputs of its python calls, its answer)
STEPS_AND_LONE_TAGS = [
    ("1. Thought: multiply\n2. Action: python[17*25]\n3. Observation: 425\n4. Answer: 425", ["17*25"], "425"),
    ("1) Action: python\n2) Action Input: 17*25", ["17*25"], None),
    ("**1. Action:** python[17*25]", ["17*25"], None),
    ("Action: python\nAction Input: x = 1\n2. Answer: 5", ["x = 1"], "5"),
    ("Answer:\n1. p premise\n2. q premise", [], "1. p premise\n2. q premise"),
    ("Action: <python>\nAction Input: 17*25\nObservation: 425", ["17*25"], None),
    ("Action: <python>\n17*25\nAnswer: 425", ["17*25"], "425"),
    ("Action: <python>\na = 17\n\nThe b = 25\n</python>", ["a = 17\n\nThe b = 25"], None),
    ("Action: <python>17*25</python>", ["17*25"], None),
    ("Action: <python>[17*25]\nObservation: 425", ["17*25"], None),
    ("Action: <python>[17, 25][0]</python>", ["[17, 25][0]"], None),
    ("Action: <python>[17,\n25][0]</python>", ["[17,\n25][0]"], None),
]


@pytest.mark.parametrize(
    ("text", "inputs", "answer"), OVER_LINES + NAMED_ALONE + THOUGHT_BEFORE + FENCES + STEPS_AND_LONE_TAGS
)
def test_inputs_over_lines_thoughts_without_a_beginning_and_fences_in_fences(
    text: str, inputs: list[str], answer: str | None
) -> None:
    turn = parse(text)

    assert [action.input for action in turn.actions] == inputs
    assert {action.tool for action in turn.actions} <= {"python"}
    assert turn.answer == answer


@pytest.mark.parametrize(("text", "calls", "answer"), NO_CALLS)
def test_what_looks_like_a_call_and_is_none(text: str, calls: list[tuple[str, str]], answer: str | None) -> None:
    turn = parse(text)

    assert [(action.tool, action.input) for action in turn.actions] == calls
    assert turn.answer == answer


def test_a_shells_here_document_belongs_to_its_input() -> None:
    lines = "cat > a.txt <<'EOF'\nThis is text\n\n5\nEOF\nls -la"
    turn = parse(f"Action: shell\nAction Input: {lines}\nObservation: x", tools=("shell",))
    assert turn.actions == (Action("shell", lines),)


LINE = st.from_regex(r"[a-z]{1,5}( = |\()[a-z0-9]{1,5}\)?", fullmatch=True) | st.sampled_from(
    ["", "    y = 1", "# Answer"]
)


@given(st.lists(LINE, min_size=1, max_size=8), st.sampled_from(["Action Input: ", "Action Input:\n", "Input:\n\n"]))
def test_an_input_over_lines_comes_whole(lines: list[str], lead: str) -> None:
    code = "\n".join(["x = 0", *lines, "z = 0"])
    for end in ("", "\nObservation: 1", "\n\nThought: so", "\nFinal Answer: 3", "\nAction: python[1]"):
        assert parse(f"Thought: now\nAction: python\n{lead}{code}{end}").actions[0] == Action("python", code)


@given(
    st.text(st.characters(exclude_characters="<", exclude_categories=["Cs"]), max_size=30),
    st.sampled_from(["\ud83d", "\udc00", "\0"]),
)
def test_what_is_read_can_be_stored(text: str, half: str) -> None:
    for written in (json.dumps({"answer": text + half}), json.dumps({"tool": "python", "input": half + text})):
        turn = parse(written)
        said = (turn.answer or "") + "".join(action.input for action in turn.actions)
        assert "\ufffd" in said and "\0" not in said
        said.encode()


def test_what_is_thought_is_neither_done_nor_answered() -> None:
    turn = parse("<think>\nMaybe Answer: 5? No, Action: python[9]\n</think>\nAnswer: 425")
    assert turn == Turn("Maybe Answer: 5? No, Action: python[9]", (), "425", ())


@pytest.mark.parametrize(
    ("text", "ignored"),
    [
        (
            '<tool_call>\n{"name": "python", "arguments": {"code": "17*2',
            '{"name": "python", "arguments": {"code": "17*2',
        ),
        ("Action: call python with 17*25", "call python with 17*25"),
        ("Answer: 425<|im_end|>\n<|im_start|>user\nnext", "<|im_start|>user next"),
        ("Answer:\n```python\nx = 1\n```\nThis works.", "This works."),
    ],
)
def test_what_is_not_read_is_said(text: str, ignored: str) -> None:
    assert parse(text).ignored == (ignored,)


CODE = ["def f(x):", "    return x", "", "# Answer: no", "import math", "print(f(1))", "x = [1, 2]", "@cache"]


@given(
    st.lists(st.sampled_from(CODE), min_size=1, max_size=8), st.sampled_from(["Answer:\n", "Answer: ", "Answer:\n\n"])
)
def test_a_fenced_answer_comes_whole(lines: list[str], lead: str) -> None:
    code = "\n".join(["y = 0", *lines, "z = 0"])
    assert parse(f"Thought: done\n{lead}```python\n{code}\n```\nThat is all.").answer == code


def test_keeps_thoughts_apart_from_calls() -> None:
    turn = parse("First I multiply.\nThought: then I add.\nAction: python[17*25]\n")

    assert turn == Turn("First I multiply.\nthen I add.", (Action("python", ONE),), None, (), 60)


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
                "<think>",
                "</think>",
                "<tool_call>",
                "<function=python>",
                "<parameter=x>",
                "<answer>",
                "<tool>",
                "<input>",
                "<|channel|>x<|message|>",
                "<|python_tag|>",
                "[TOOL_CALLS]",
                "\\boxed{",
                "answer is ",
                "def f(x):\n  ",
                "Action Input:",
                "Finish[",
                "None",
                "<<EOF\n",
                "'''",
                "````",
                "\ud83d",
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


HOSTILE = [
    "[", "{", '{"', '{"a":', '{"\n', "Action: python[", "Action: python[\n", "Action: python['", 'Action: python["\\',
    "Action: python['''\n", "python[1]\n", "python[\n", "Action:\n", "Action: python\n\n", "Answer", "Thought: ",
    "```\n", "```text\nAction: a\n", "```\nAction: x\n", "<tool_call>\n", '{"tool":"a","input":"', "x. Action", "\t>",
    " ", "\n", "*", "a. python[ ", "1", "Action Input:\n",
    "<think>\n", "<think>\n</think>\n", "<function=python>\n", "<tool>python\n", "<tool>\n", "<input>", "<|a|>",
    "[TOOL_CALLS]",
    "<|channel|>a<|message|>\n", "</s>\n", "</s> ", "[{", '{"a":1,}\n', "\\boxed{", "answer is", "~~~\n",
    "Answer\n", "<parameter ",
    "Action: python\nAction Input: a\n", "Action: python\nAction Input: (\n", "```\n'''\n```\n", "```\n\"\"\"\n",
    "   ```\n", "</think>", "</think> a", "<think></think>", "Finish[", "Action: finish\n", "Action: none\n", "<<a\n",
    "[TOOL_CALLS]a[ARGS]",
    "Action: a python(\n", "Action: {'\n", "<｜a｜>",
]  # fmt: skip


LONG, LONGER = 20_000, 80_000
"""Characters; what is beyond 100,000 is cut off."""
TRIES = 8


@pytest.mark.parametrize("piece", HOSTILE)
def test_takes_linear_time(piece: str) -> None:
    """Four times the text takes four times the work, not sixteen. Only one run's own CPU time counts, and what a busy
    machine adds to it goes away in one of several tries."""

    def seconds(length: int) -> float:
        text = piece * (length // len(piece))
        begin = time.thread_time()
        parse(text)
        return time.thread_time() - begin

    short = long = float("inf")
    for _ in range(TRIES):
        short, long = min(short, seconds(LONG)), min(long, seconds(LONGER))
        if long < 8 * short + 0.001:
            return
    pytest.fail(f"{LONG} characters take {short:.4f} s, {LONGER} of them {long:.4f} s")

"""The patterns that a turn is read by, and where brackets, strings and pieces of code end.

Every repetition is bounded, so that matching takes constant time at each position.
"""

import re

WORD = r"final answer|answer|thought|observation|action input|tool input|action|input|tool"
COLON = r"[ \t]{0,3}[0-9]{0,2}[ \t]{0,3}[*_]{0,3}[ \t]{0,3}[:：][*_]{0,3}"
MARKER = re.compile(rf"(?P<word>{WORD}){COLON}", re.IGNORECASE)
MARKER_LINE = re.compile(rf"^[ \t>*#_-]{{0,8}}(?:{WORD}){COLON}", re.IGNORECASE | re.MULTILINE)
ACTION_WITHOUT_COLON = re.compile(r"action[ \t]{1,3}(?=[a-z_]\w{0,31}[ \t]{0,3}[\[(:])", re.IGNORECASE)
ANSWER_WITHOUT_COLON = re.compile(
    r"(?:final )?answer[*_]{0,3}(?:[ \t]{0,3}$|[ \t]{1,3}[-–=]?[ \t]{0,3}(?=[-0-9$\\(\[{]))",
    re.IGNORECASE | re.MULTILINE,
)
SENTENCE = re.compile(r"(?<![^\W_])answer is:?[ \t]{1,3}([^\n]{1,80})", re.IGNORECASE)
MIDDLE_OF_LINE = re.compile(
    r"(?<=[\s.!?;,)`:])(?:(?:Final Answer|Answer|Action|Observation)[ \t]{0,3}:|(?:python|math)\["
    r"|<(?:tool_call|function=|answer>|python>)|\{[ ]{0,2}\"(?:tool|name|action|function)\"[ ]{0,2}:)"
)
NAME = re.compile(r"[A-Za-z_][\w-]{0,31}")
LANGUAGE = re.compile(r"```+[ \t]{0,3}([A-Za-z_0-9+-]{0,20})")
TILDES = re.compile(r"^~~~", re.MULTILINE)
END_OF_TURN = re.compile(r"<\|(?:im_end|eot_id|eom_id|endoftext|end|call|return)\|>|</s>(?=[ \n]{0,8}(?:\Z|<))")
TAG = re.compile(
    r"<(?P<close>/?)(?P<name>[A-Za-z_][\w-]{0,31})"
    r"(?:(?:=|[ ]name=)[\"']?(?P<value>[A-Za-z_][\w.-]{0,31})[\"']?)?[ ]?>|<\|(?P<token>[a-z_]{1,24})\|>"
)
CHANNEL = re.compile(
    r"<\|channel\|>[a-z]{1,16}(?:[ ]to=(?:functions\.)?(?P<tool>\w{1,32}))?[ a-z]{0,16}"
    r"(?:<\|constrain\|>\w{0,16})?<\|message\|>"
)
TOOL_TOKEN = re.compile(r"(?:<｜[^｜\n]{1,30}｜>){1,2}function<｜[^｜\n]{1,30}｜>(?P<tool>\w{1,32})")
PARAMETER = re.compile(r"<parameter[ =][^>\n]{0,60}>")
CODE_START = re.compile(r"(?:def|class|import|from|async|@)[ \w(]")
CODE_LINE = re.compile(
    r"[ \t]*$|[ \t]+\S|[@#)\]}]|(?:def|class|import|from|async|for|while|if|elif|else|with|try|except|finally|return)\b"
    r"|[A-Za-z_][\w.]{0,60}[ \t]{0,3}(?:=|\()"
)
NUMBERED = re.compile(r"[ \t]{0,4}[0-9]{1,3}[.):][ \t]")
DECORATION = " \t>*#_-•"
CODE_TAGS = {"code": "python", "tool_code": "python", "execute": "python"}
THINKING_TAGS = ("think", "thinking", "thought", "reasoning")
ANSWER_TAGS = ("answer", "final_answer")
CALL_TAGS = ("function", "invoke", "tool_use")
"""Tags that name the tool: `<function=python>`, `<invoke name="python">`."""
NAME_TAGS = ("tool", "tool_name")
INPUT_TAGS = ("input", "tool_input", "action_input", "arguments", "parameters")
CLOSING = {"[": "]", "(": ")", "{": "}"}


def closing(text: str, opening: int, stop: int, strings: bool) -> int | None:
    """Position of the bracket that closes the one at `opening`, before `stop`; brackets in strings do not count."""
    left, right = text[opening], CLOSING[text[opening]]
    depth, at = 0, opening
    no_string_until = {"'": -1, '"': -1}
    while at < stop:
        character = text[at]
        if character == left:
            depth += 1
        elif character == right:
            depth -= 1
            if depth == 0:
                return at
        elif strings and character in no_string_until and at > no_string_until[character]:
            end = end_of_string(text, at, stop)
            if end is None:  # an apostrophe; so is every other one on this line, or this would take quadratic time
                line = text.find("\n", at, stop)
                no_string_until[character] = line if line >= 0 else stop
            else:
                at = end
        at += 1
    return None


def end_of_string(text: str, start: int, stop: int) -> int | None:
    """Position of the last quote of the string that starts here; None when it does not end on its line."""
    quote = text[start]
    if text.startswith(quote * 3, start):
        end = text.find(quote * 3, start + 3, stop)
        return end + 2 if end >= 0 else None
    at = start + 1
    while at < stop and text[at] != "\n":
        if text[at] == "\\":
            at += 1
        elif text[at] == quote:
            return at
        at += 1
    return None


def unfenced(text: str) -> str:
    """What is inside the fence, where the whole text is one."""
    stripped = text.strip()
    opening = LANGUAGE.match(stripped)
    if opening is None:
        return text
    return stripped[opening.end() :].removesuffix("```")


def block_end(text: str, start: int, line_end: int) -> int:
    """End of an answer that begins with this line: of its code or its numbered lines, else of the line."""
    line = text[start:line_end]
    if CODE_START.match(line):
        belongs = CODE_LINE
    elif NUMBERED.match(line) and line.lstrip().startswith("1"):
        belongs = NUMBERED
    else:
        return line_end
    end = line_end
    while end < len(text):
        following = text.find("\n", end + 1)
        following = len(text) if following < 0 else following
        if not belongs.match(text[end + 1 : following]) or MARKER_LINE.match(text[end + 1 : following]):
            break
        end = following
    return end


def said_in_passing(said: str) -> str | None:
    """An answer in a sentence: `the answer is 425`, or the last `\\boxed{425}`; None without one."""
    boxed = said.rfind("\\boxed{")
    if boxed >= 0:
        brace = boxed + len("\\boxed")
        end = closing(said, brace, min(len(said), brace + 2000), strings=False)
        return None if end is None else said[brace + 1 : end].strip() or None
    sentence = SENTENCE.search(said)
    return None if sentence is None else sentence[1].strip().rstrip(".").strip("*` ") or None

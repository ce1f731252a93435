"""The patterns that a turn is read by, and where brackets, strings and pieces of code end.

Every repetition is bounded, so that matching takes constant time at each position.
"""

import re

WORD = r"final answer|answer|thought|observation|action input|tool input|action|input|tool"
COLON = r"[ \t]{0,3}[0-9]{0,2}[ \t]{0,3}[*_]{0,3}[ \t]{0,3}[:：][*_]{0,3}"
STEP = r"(?:[0-9]{1,2}[.)][ \t]{1,3})?[*_]{0,3}"
"""The number of a step before its marker: `2. Action: …`."""
MARKER = re.compile(rf"(?P<word>{WORD}){COLON}", re.IGNORECASE)
NUMBERED_MARKER = re.compile(rf"{STEP}(?=(?:{WORD}){COLON})", re.IGNORECASE)
MARKER_LINE = re.compile(rf"^[ \t>*#_-]{{0,8}}{STEP}(?:{WORD}){COLON}", re.IGNORECASE | re.MULTILINE)
ACTION_WITHOUT_COLON = re.compile(r"action[ \t]{1,3}(?=[a-z_]\w{0,31}[ \t]{0,3}[\[(:])", re.IGNORECASE)
ANSWER_WITHOUT_COLON = re.compile(
    r"(?:final )?answer[*_]{0,3}(?:[ \t]{0,3}$|[ \t]{1,3}[-–=]?[ \t]{0,3}(?=[-0-9$\\(\[{]))",
    re.IGNORECASE | re.MULTILINE,
)
SENTENCE = re.compile(r"(?<![^\W_])answer is:?[ \t]{1,3}([^\n]{1,80})", re.IGNORECASE)
AFTER_INPUT = re.compile(
    rf"^(?:[ ]{{0,3}}(?:[>*_-]{{1,4}}[ \t]?|##{{1,5}}[ \t]){{0,2}}{STEP}(?:{WORD}){COLON})",
    re.IGNORECASE | re.MULTILINE,
)
"""A marker below an input. A line with one `#` or a deeper indent is a comment or a field of the input itself."""
NOT_INPUT = re.compile(
    r"```|</|<\||Observation[ \t]{0,8}$|-?[0-9][0-9.,]{0,40}%?[ \t]{0,8}$"
    r"|(?!(?:True|False|None)\b)[A-Z][a-z'’]{0,20},?[ ]{1,3}[A-Za-z0-9(\"'`]"
    r"|(?:so|thus|therefore|this|that|the|it|now|we|hence|finally)\b,?[ ]{1,3}[a-z0-9]"
    r"|(?:Question|Note|Explanation|Output|Result|Problem|Task|Solution|Step[ ]?[0-9]{1,3})[ ]?:"
)
"""A line below an input that is none of it: a fence, a tag, a lone number, a sentence."""
HERE_DOCUMENT = re.compile(r"<<-?[ ]?['\"]?(\w{1,40})['\"]?")
QUOTES = re.compile(r"\"\"\"|'''")
LONE_END_OF_THOUGHT = re.compile(r"(?<![\"'`])</?(think|thinking|thought|reasoning)>", re.IGNORECASE)
MIDDLE_OF_LINE = re.compile(
    r"(?<=[\s.!?;,)`:])(?:[*_]{0,3}(?:Final Answer|Answer|Action|Observation)[*_]{0,3}[ \t]{0,3}:|(?:python|math)\["
    r"|<(?:tool_call|function=|answer>|python>)|\{[ ]{0,2}\"(?:tool|name|action|function)\"[ ]{0,2}:)"
)
CLOSED_AROUND = re.compile(r"(?:\s{0,4}(?:</[\w:.-]{1,32}>|`(?!`)|\]))+")
"""What may stand directly behind a call because it was opened before it."""
ANGLES = re.compile(r"<(?P<tool>[A-Za-z_][\w-]{0,31})>(?=\[)")
"""`<python>[17*25]`: the name stands as in a template, unless the tag is closed further on."""
FINAL_NAME = re.compile(r"(?:final[ _]answer|finish|answer)(?![\w-])", re.IGNORECASE)
NAME = re.compile(r"[A-Za-z_][\w-]{0,31}")
NAMED_ALONE = re.compile(
    r"(?:(?:use|using|call|the)[ \t]{1,3}){0,2}[\[<\"'`]?(?P<tool>[A-Za-z_][\w-]{0,31})[\]>\"'`]?"
    r"(?:[ \t]{1,3}(?:tool|function))?(?:\(\))?[.,;]?[ \t]{0,8}$",
    re.IGNORECASE | re.MULTILINE,
)
"""A line that names a tool and nothing else: `"python"`, `[python]`, `the python tool`, `python()`."""
SIGN_OF_CODE = re.compile(r"[-+*/=(]")
LANGUAGE = re.compile(r"```+[ \t]{0,3}([A-Za-z_0-9+-]{0,20})")
TILDES = re.compile(r"^~~~(?=[ \t]{0,3}[A-Za-z_0-9+-]{0,20}[ \t]{0,8}$)", re.MULTILINE)
END_OF_TURN = re.compile(r"<\|(?:im_end|eot_id|eom_id|endoftext|end|call|return)\|>|</s>(?=[ \n]{0,8}(?:\Z|<))")
TAG = re.compile(
    r"<(?P<close>/?)(?P<name>[A-Za-z_][\w-]{0,31})"
    r"(?:(?:=|[ ]name=)[\"']?(?P<value>[A-Za-z_][\w.-]{0,31})[\"']?)?[ ]?>|<\|(?P<token>[a-z_]{1,24})\|>"
)
CHANNEL = re.compile(
    r"<\|channel\|>[a-z]{1,16}(?:[ ]to=(?:functions\.)?(?P<tool>\w{1,32}))?[ a-z]{0,16}"
    r"(?:<\|constrain\|>\w{0,16})?<\|message\|>"
)
TOOL_TOKENS = (
    CHANNEL,
    re.compile(r"(?:<｜[^｜\n]{1,30}｜>){1,2}function<｜[^｜\n]{1,30}｜>(?P<tool>\w{1,32})"),
    re.compile(r"(?:<｜[^｜\n]{1,30}｜>){1,2}(?P<tool>\w{1,32})<｜tool▁sep｜>"),
    re.compile(
        r"(?:<\|tool_calls_section_begin\|>)?<\|tool_call_begin\|>(?:functions\.)?(?P<tool>\w{1,32})(?::[0-9]{1,4})?"
        r"<\|tool_call_argument_begin\|>"
    ),
    re.compile(r"\[TOOL_CALLS\](?P<tool>\w{1,32})\[ARGS\]"),
    re.compile(r"<tool_call>(?P<tool>\w{1,32})\s{0,4}<arg_key>\w{1,32}</arg_key>\s{0,4}<arg_value>"),
)
"""How chat formats name the tool before its input: gpt-oss, DeepSeek in two versions, Kimi, Mistral, GLM."""
INPUT_BESIDE = re.compile(r",[ \t]{0,3}(?:(?:action|tool) )?input(?=[ \t]{0,3}[:：])", re.IGNORECASE)
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
LONGEST_QUOTED = 4000
"""Characters in which triple quotes that are open at a fence's end are looked for."""


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


def input_end(text: str, start: int, stop: int) -> int:
    """End of an input that begins with this line: before a line that is none of it, at `stop` at the latest.

    Inside brackets, triple quotes and here-documents every line belongs to it.
    """
    quote: str | None = None
    document: str | None = None
    depth, at = 0, start
    while at < stop:
        end = text.find("\n", at, stop)
        end = stop if end < 0 else end
        line = text[at:end]
        inside = quote or document or depth > 0
        if at > start and not inside and NOT_INPUT.match(line):
            return at
        if document is not None:
            document = None if line.strip() == document else document
        else:
            quote = open_quotes(line, quote)
            depth = max(0, depth + sum(line.count(left) - line.count(right) for left, right in CLOSING.items()))
            begun = HERE_DOCUMENT.search(line)
            document = begun[1] if begun is not None and quote is None else None
        at = end + 1
    return stop


def open_quotes(text: str, quote: str | None) -> str | None:
    """The triple quotes that are open after a text, where `quote` was open before it; None for none."""
    for found in QUOTES.finditer(text):
        if quote is None:
            quote = found[0]
        elif quote == found[0]:
            quote = None
    return quote


def indent(text: str, at: int) -> int:
    """How many spaces stand between the beginning of a line and this place, at most 8; 0 where something else does."""
    before = text[max(0, at - 8) : at]
    left = before.rstrip(" \t")
    return len(before) - len(left) if left.endswith("\n") or (len(before) == at and not left) else 0


def fence_close(text: str, opening: int, body: int) -> int:
    """Start of the line that closes the fence which opens here; the text's end where there is none.

    It has as many backticks, no deeper an indent, and stands in no triple quotes as long as these are closed later.
    """
    run = text[opening : opening + 20]
    ticks = len(run) - len(run.lstrip("`"))
    closing_line = re.compile(rf"\n[ \t]{{0,{indent(text, opening)}}}`{{{ticks}}}")
    quote, at, first = None, body, -1
    while (found := closing_line.search(text, at)) is not None:
        quote = open_quotes(text[at : found.start()], quote)
        if quote is None:
            return found.start() + 1
        first = found.start() + 1 if first < 0 else first
        if found.start() - first > LONGEST_QUOTED:
            break
        at = found.end()
    return first if first >= 0 else len(text)


def without_thought(text: str) -> tuple[str, str]:
    """What stands before an end of thought that never began, and the rest; all of it is rest where there is none."""
    cut, end = 0, len(text.rstrip())
    for tag in LONE_END_OF_THOUGHT.finditer(text):
        if not tag[0].startswith("</") or (cut and tag.end() >= end):
            break
        cut = tag.end()
    return text[:cut], text[cut:]


def quoted(text: str) -> bool:
    """Whether all of it is in one pair of quotes."""
    return len(text) > 2 and text[0] == text[-1] and text[0] in "'\"" and text[0] not in text[1:-1]


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

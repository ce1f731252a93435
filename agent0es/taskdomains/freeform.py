"""Tasks that a teacher writes itself: a text, and a reference that can be run. All of it is checked first."""

import ast
import re
from collections.abc import Mapping, Set
from decimal import Decimal
from itertools import count

from agent0es.domain.task import Task
from agent0es.taskdomains.base import Draft, Freeform, NeedsCall
from agent0es.taskdomains.numbers import read_number

SHORTEST, LONGEST = 12, 400
"""Characters of a task's text."""
LONGEST_ANSWER = 100
NUMBER = re.compile(r"(?<![\w.])[0-9]+(?:_[0-9]+)*(?:\.[0-9]+)?")
"""In an expression, where `1_000` is a thousand."""
RANGE_END = re.compile(r"range\((?:[^(),]*,)?\s*([0-9]+)\s*[,)]")
"""`range(1, 11)`: its last number is one less."""
TOLD = re.compile(r"(?<![\w.])(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]+)?(?: ?(?:%|per ?cent\b))?")
"""In a text: `1,000` is a thousand, or a list without spaces; `15%` is a share."""
WITH_UNIT = re.compile(r"([$€£¥₹]?)([+-]?[0-9][0-9.,_]*)( ?(?:%|°|[A-Za-z]).*)?")
"""`$5`, `50%`, `12 cm`."""
DATE_OR_TIME = re.compile(r"[0-9]+(?:[-:][0-9]+)+")
TWO_WAYS = re.compile(r"[+-]?[0-9]+(?:[.,][0-9]+){2,}")
"""`1.234,5`, `1,23,456`: as some countries write numbers, or a list. What is a number is not meant."""
ROUNDED = re.compile(r"(?<![\w.])(?:3\.14|2\.71)[0-9]*")
"""Pi and e, cut off: what is computed with them is no exact answer."""
LOST_BACKSLASH = re.compile(r"[\a\b\f\v]|\t(?=an|au|ext|heta|imes)")
"""What JSON makes of `\\frac` and `\\times` where the backslash is not doubled."""


def family_of(domain: str) -> str:
    """The name under which a domain's freeform tasks are counted."""
    return f"{domain}_freeform"


def expression_freeform(domain: str, system: str, *, above_zero: bool = False) -> Freeform:
    """Freeform tasks whose reference is a Python expression: `{"task": "What is 3 + 4?", "expression": "3 + 4"}`.
    `above_zero`: whether other answers show that a task means nothing, as change of -250 euros does."""

    def example(task: Task) -> Mapping[str, str] | None:
        tool, _, expression = task.reference_action.partition("[")
        shown = {"task": task.description, "expression": expression[:-1]}
        # A teacher that is shown what would be refused writes such tasks.
        return shown if tool == "python" and isinstance(draft(shown), Draft) else None

    def draft(fields: Mapping[str, str]) -> Draft | str:
        text, expression = " ".join(fields["task"].split()), fields["expression"].strip()
        if wrong := wrong_text(fields["task"], text):
            return wrong
        used = set(map(Decimal, NUMBER.findall(expression)))  # by value: 2.50 is 2.5
        used |= {Decimal(end) - 1 for end in RANGE_END.findall(expression)}  # `range(1, 11)` goes to 10
        missing = sorted(number for number in set(TOLD.findall(text)) if not _is_used(number, used))
        if missing:
            return f"the expression leaves out {', '.join(missing)[:40]}"
        if (rounded := ROUNDED.search(expression)) and rounded[0] not in text:
            return f"the expression takes {rounded[0]} for a number that the text does not name"
        if not NUMBER.search(expression) and not re.search(r"['\"\[]", expression):
            return "the expression has no value of its own"
        return Draft(text, NeedsCall("python", expression))

    def task(draft: Draft, output: str, difficulty: float) -> Task | str:
        answer = output.strip()
        if answer in ("", "None", "(no output)") or "\n" in answer or len(answer) > LONGEST_ANSWER:
            return f"the expression prints {answer[:40]!r}, which is no answer"
        if TWO_WAYS.fullmatch(answer) and read_number(answer) is None:
            return f"the expression prints {answer[:40]!r}, which can be read as a number or as a list"
        if above_zero and ((value := read_number(answer)) is None or value <= 0):
            return f"the expression prints {answer[:40]!r}, and the answer of a story is a number above zero"
        if answer.strip("'\"") == draft.reference.input.strip("'\""):
            return "the expression is its own answer"
        return Task(
            domain=domain,
            family=family_of(domain),
            parameters={},
            wording=0,
            description=draft.description,
            reference=answer,
            reference_action=f"python[{draft.reference.input}]",
            difficulty=difficulty,
        )

    return Freeform(
        system=system,
        fields={"task": LONGEST, "expression": 160},
        example=example,
        draft=draft,
        task=task,
        answer=lambda made: made.reference,
        mutants=lambda made: mutants(made.reference),
    )


def wrong_text(written: str, text: str) -> str | None:
    """What is wrong with a task's text, as it was written and as it is kept; None where nothing is."""
    if not SHORTEST <= len(text) <= LONGEST:
        return f"the task has {len(text)} characters"
    if lost := LOST_BACKSLASH.search(written):
        return f"the task lost a backslash before {written[lost.end() :][:20]!r}: in JSON it is written twice"
    return None


def _is_used(told: str, used: Set[Decimal]) -> bool:
    """Whether an expression with these numbers makes use of one that the text tells."""
    number = told.rstrip(" %percnt")
    if number != told:
        share = Decimal(number.replace(",", "")) / 100
        return bool({share * 100, share, 1 - share, 1 + share} & used)  # 15% off is times 0.85
    if Decimal(number.replace(",", "")) in used:
        return True
    return "," in number and all(Decimal(item) in used for item in number.split(","))


def mutants(answer: str) -> tuple[str, ...]:
    """Answers that look like this one and are wrong."""
    if answer in ("True", "False"):
        return ("False" if answer == "True" else "True",)
    if re.fullmatch(r"[+-]?[0-9]+", answer):
        return str(int(answer) + 1), str(int(answer) * 10 + 7), str(-int(answer) - 1)
    if re.fullmatch(r"[+-]?[0-9]+\.[0-9]+", answer):
        value = float(answer)
        near = f"{value + 0.01 * (1 + abs(value)):.6g}"  # not so near that a verifier may take it for a rounded answer
        return near, str(value + 1)
    written = WITH_UNIT.fullmatch(answer)
    number = written and read_number(written[2])
    if written and number is not None:
        plain = re.sub("[,_]", "", written[2]).rstrip(".")
        return tuple(f"{written[1]}{other}{written[3] or ''}" for other in mutants(plain))
    if DATE_OR_TIME.fullmatch(answer):
        return (f"{answer[:-1]}{(int(answer[-1]) + 1) % 10}",)
    try:
        literal: object = ast.literal_eval(answer)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        literal = None
    if isinstance(literal, list | tuple):
        turned = literal[::-1]
        return repr(type(literal)([*literal, 7])), *([repr(turned)] if turned != literal else [])
    if isinstance(literal, set | dict) and literal:  # as text: the order of a set is not the same in every process
        other = next(number for number in count(7) if number not in literal)
        return (f"{answer.rstrip()[:-1]}, {other if isinstance(literal, set) else f'{other}: 7'}}}",)
    longer = f"{answer}x"
    turned_word = answer[::-1]  # `boB` is Bob to a verifier
    return (longer, turned_word) if turned_word.lower() != answer.lower() else (longer,)

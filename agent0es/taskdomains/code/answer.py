"""The code in an answer: what a model wrote is prose, fences and Python, in any order. Read here and never run."""

import ast
import builtins
import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from agent0es.taskdomains.code import source

OPENING = re.compile(
    r"(?P<fence>`{3,10}|~{3,10})[ \t]{0,8}"
    r"(?:(?:\{\.?[\w.+-]{0,30}\}|[\w.+-]{0,30})[ \t]{0,8}\n|(?:python3?|py|text|output)\b[ \t]{0,8})?",
    re.IGNORECASE,
)
CODE_START = re.compile(r"(?:def|class|import|from|async|@)[ \w(]|[A-Za-z_]\w{0,40} ?=")
MOST_FENCES, MOST_CLOSINGS, MOST_LINES = 12, 8, 30
"""Bounds on how often an answer is given to Python's parser."""
INVISIBLE = "\ufeff\u200b\u2060"
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom, ast.Assign)


class Ambiguous(Exception):
    """The answer can be read in two ways."""


def code_of(answer: str, function: str | None = None) -> str:
    """The code in an answer: what defines the function, and before it what other fences define for it.

    Where no function is named, or nothing defines it: all of the answer if that is Python, else its first fence, else
    all of it. Raises Ambiguous where two fences define the function and not alike.
    """
    text = textwrap.dedent(answer.replace("\r\n", "\n").strip(INVISIBLE + "\n")).strip(INVISIBLE + " \t\n")
    if _tree(text, function) is not None:
        return text
    fenced = list(islice(_fenced(text), MOST_FENCES))
    if (found := _of_fences(fenced, function)) is not None:
        return found
    unusual = [text.strip("`").strip(), _plain(text), text.replace("\xa0", " "), *_in_prose(text)]
    tried = _in_prose(_outside(text, fenced)) if fenced and function is not None else [] if fenced else unusual
    found = next((code for code in tried if _tree(code, function) is not None), None)
    return found or (fenced[0] if fenced else unusual[0])


def text_of(answer: str) -> str:
    """What stands in the first fence, or all of it: of a text that is no code."""
    opening = OPENING.search(answer)
    if opening is None:
        return answer
    end = answer.find(opening["fence"], opening.end())
    return answer[opening.end() : end if end >= 0 else len(answer)]


def _tree(code: str, function: str | None) -> ast.Module | None:
    """The syntax tree of code that is Python and defines the function; None for any other text."""
    try:
        tree = source.parsed(code)
    except (MemoryError, RecursionError):
        return None
    if isinstance(tree, str) or not tree.body:
        return None
    return tree if function is None else source.named(tree, function)


def _fenced(text: str) -> Iterator[str]:
    """What stands in each fence. A fence ends where what it holds is Python, or else at its first possible end: in a
    docstring or a string of the code others may stand."""
    at = 0
    while (opening := OPENING.search(text, at)) is not None:
        found = islice(re.finditer(re.escape(opening["fence"]), text[opening.end() :]), MOST_CLOSINGS)
        ends = [(opening.end() + end.start(), opening.end() + end.end()) for end in found] + [(len(text), len(text))]
        bodies = [_plain(text[opening.end() : stop]) for stop, _ in ends]
        chosen = next((i for i, body in enumerate(bodies) if _tree(body, None) is not None), 0)
        yield bodies[chosen]
        at = ends[chosen][1]


def _plain(body: str) -> str:
    body = textwrap.dedent(body.strip("\n")).strip()
    if not body.startswith(">>> "):
        return body
    prompted = (line for line in body.split("\n") if line.startswith((">>>", "...")))  # and not what it printed
    return "\n".join(line[4:] for line in prompted)


def _of_fences(fenced: Sequence[str], function: str | None) -> str | None:
    """The fence that defines the function, after those that define names which it needs."""
    if function is None:
        return None
    trees = [_tree(code, function) for code in fenced]
    defining = [i for i, tree in enumerate(trees) if tree is not None]
    if not defining:
        return None
    if len({source.canonical(fenced[i]) for i in defining}) > 1:
        raise Ambiguous(f"it defines {function} in {len(defining)} ways")
    chosen = defining[0]
    tree = trees[chosen]
    assert tree is not None
    helpers = _helpers([code for i, code in enumerate(fenced) if trees[i] is None], tree)
    return "\n\n".join([*helpers, fenced[chosen]])


def _helpers(others: Iterable[str], tree: ast.Module) -> list[str]:
    """Those of the other fences that define a name which the code uses and nobody else defines."""
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    missing = used - _names(tree) - set(dir(builtins))
    found = []
    for code in others:
        other = _tree(code, None)
        if other is not None and missing & _names(other) and all(isinstance(one, DEFINITIONS) for one in other.body):
            missing -= _names(other)
            found.append(code)
    return found


def _names(tree: ast.Module) -> set[str]:
    return set().union(*map(source.bound_names, tree.body))


def _outside(text: str, fenced: Sequence[str]) -> str:
    """The lines that stand in no fence: the code, where the fences hold an example or one of them never began."""
    for body in filter(None, fenced):
        text = text.replace(body, "")
    return "\n".join(line for line in text.split("\n") if not line.lstrip().startswith(("```", "~~~")))


def _in_prose(text: str) -> Iterator[str]:
    """Code with sentences before and after it, without a fence: from its first line to each possible last one."""
    lines = text.split("\n")
    first = next((i for i, line in enumerate(lines) if CODE_START.match(line.lstrip())), None)
    if first is not None:
        for last in range(len(lines), max(first, len(lines) - MOST_LINES), -1):
            yield textwrap.dedent("\n".join(lines[first:last])).strip()

"""The command line reads options, asks and prints: it holds no SQL, and asks the tables only what a user typed."""

import ast
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from agent0es import cli

FILES = sorted(Path(cli.__file__).parent.glob("*.py"))
SQL = re.compile(r"^\s*(SELECT|WITH|INSERT|UPDATE|DELETE|CREATE|ATTACH|PRAGMA|COPY)\b|\b(FROM|WHERE|BY)\s+\w")
"""How a statement begins, or the clauses in one; a help text may say SELECT."""
ASKING = {"query", "arrow", "execute"}


def texts(tree: ast.AST) -> Iterator[ast.Constant]:
    """The texts of a module that are not docstrings, and not the query of a command that a message suggests."""
    passed: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr):
            passed.add(node.value)
        elements = [*node.elts] if isinstance(node, ast.Tuple) else [*node.args] if isinstance(node, ast.Call) else []
        for word, after in pairwise(elements):
            if isinstance(word, ast.Constant) and word.value == "sql":
                passed.add(after)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in passed:
            yield node


def sql_in(source: str) -> list[str]:
    return [node.value for node in texts(ast.parse(source)) if SQL.search(node.value)]


def asked_in(source: str) -> list[str]:
    calls = (node.func for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    return [call.attr for call in calls if isinstance(call, ast.Attribute) and call.attr in ASKING]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_no_file_holds_sql(file: Path) -> None:
    source = file.read_text()
    assert sql_in(source) == []
    assert asked_in(source) == (["query"] if file.name == "sql.py" else [])


def test_what_would_be_found() -> None:
    assert sql_in('"""SELECT in a docstring"""\nask("FROM runs")\n') == ["FROM runs"]
    assert set(sql_in("ask(f'SELECT {column}')\nask('x WHERE run = $run')\n")) == {"SELECT ", "x WHERE run = $run"}
    assert sql_in('command(store, "sql", "FROM runs")\nhint = ("sql", "FROM tasks")\n') == []
    assert asked_in("tables.query(text)\nquery(text)\n") == ["query"]

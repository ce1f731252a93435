"""Running commands inside the test's process."""

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from agent0es.cli.main import cli


def invoke(store: Path, *arguments: str) -> Result:
    """A command on a store; an error stays in `exception`."""
    return CliRunner().invoke(cli, [*arguments, "--store", str(store)])


def answer(store: Path, *arguments: str) -> str:
    """What a command writes to standard output, when it works."""
    result = invoke(store, *arguments)
    assert result.exception is None, result.exception
    return result.stdout


def json_answer(store: Path, *arguments: str) -> Any:
    """The one JSON object that a command writes."""
    return json.loads(answer(store, *arguments, "--json"))


def json_answers(store: Path, *arguments: str) -> list[Any]:
    """The JSON objects that a command writes, one a line."""
    return [json.loads(line) for line in answer(store, *arguments, "--json").splitlines()]

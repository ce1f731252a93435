"""`agent0es verify`: a task domain's verifier by hand, on one answer or many. Nothing is written to a store."""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from agent0es.cli.output import json_line, json_option, printable, write_lines
from agent0es.files import read_text

if TYPE_CHECKING:
    from agent0es.domain.task import Verification
    from agent0es.runs.judging import Question

WRONG, UNDECIDED = 1, 3
"""Exit codes."""


@click.command("verify")
@click.argument("domain", required=False)
@click.option("--reference", metavar="TEXT", help="The right answer, as the domain writes it.")
@click.option(
    "--task", "task_file", type=click.Path(path_type=Path), metavar="FILE", help="JSON of a task, with its files."
)
@click.option("--answer", metavar="TEXT", help="The answer to judge.")
@click.option(
    "--batch", type=click.Path(path_type=Path), metavar="FILE", help="Many answers as JSON lines; - is standard input."
)
@json_option
def verify_command(
    domain: str | None,
    reference: str | None,
    task_file: Path | None,
    answer: str | None,
    batch: Path | None,
    as_json: bool,
) -> None:
    """Judge an answer with a task domain's verifier, as a run would.

    The verdict is correct, wrong or undecided, with the reason. Code runs in the sandbox. A line of --batch is an
    object with domain (or DOMAIN for all), reference or task, answer, and optionally files (path to text: the working
    directory at the end). The verdicts are JSON lines in the same order.

    Exit code: 0 correct, 1 wrong, 3 undecided, 2 for a mistake in the input. For a batch: 0 if all are correct, else 1
    if one is wrong, else 3.
    """
    from agent0es.runs.judging import Reader, read_json

    reader = Reader(domain)
    if batch is not None:
        if (reference, task_file, answer) != (None, None, None):
            raise click.UsageError("--batch takes no --reference, --task or --answer: each line has its own")
        questions = reader.lines(read_text(batch), batch)
    else:
        if domain is None:
            raise click.UsageError("name the DOMAIN, e.g. math")
        if (reference is None) == (task_file is None):
            raise click.UsageError("give either --reference TEXT or --task FILE")
        if answer is None:
            raise click.UsageError("give --answer TEXT")
        about = {"reference": reference} if task_file is None else {"task": read_json(read_text(task_file), task_file)}
        questions = [reader.question({"domain": domain, "answer": answer, **about}, task_file or "verify")]
    sys.exit(asyncio.run(_judge_all(questions, as_json or batch is not None)))


async def _judge_all(questions: "Sequence[Question]", as_json: bool) -> int:
    """Print each verdict when those before it are there, and return the exit code."""
    from agent0es.runs.judging import judge

    verdicts = set()
    async for found in judge(questions):
        verdicts.add(found.correct)
        write_lines([json_line(found.model_dump())] if as_json else _shown(found))
    if False in verdicts:
        return WRONG
    return UNDECIDED if None in verdicts else 0


def _shown(found: "Verification") -> list[str]:
    """A judgement for a person."""
    word = {True: "correct", False: "wrong", None: "undecided"}[found.correct]
    lines = [f"{word}: {printable(found.explanation)}"]
    lines.append(f"score {found.score:g}, confidence {found.confidence:g}, by {found.method}")
    if len(found.breakdown) > 1:
        lines += [f"  {printable(part)}: {score:g}" for part, score in found.breakdown.items()]
    return lines

"""The tables of labelled answers, `tests/data/math_*.txt`, and a way to judge their many symbolic answers at once.

    python -m tests.support.math_answers [FILE …]

prints each answer that is not judged as labelled, and how many wrong answers are accepted and right ones are not.
"""

import asyncio
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from agent0es.domain.program import Program
from agent0es.domain.task import Submission, Task, Verification
from agent0es.sandbox import TierName, open_sandbox
from agent0es.taskdomains.base import NeedsCall
from agent0es.taskdomains.math import MathDomain
from agent0es.tools import ToolLimits, run_program

TABLES = sorted(Path(__file__).parents[1].joinpath("data").glob("math_*.txt"))
LABELS = {"+": True, "-": False, "?": None}
BATCH = 48
BATCH_PROGRAM = """
import io, json, sys
from {name} import main as one
def main():
    for data in json.loads(sys.stdin.buffer.read()):
        sys.stdin = io.TextIOWrapper(io.BytesIO(data.encode()))
        one()
"""


@dataclass(frozen=True)
class Case:
    label: bool | None
    """Right, wrong, or None for an answer that must stay undecided."""
    answer: str
    task: Task


def task_of(reference: str, action: str = "", description: str = "", family: str = "any") -> Task:
    return Task(
        domain="math",
        family=family,
        parameters={},
        wording=0,
        description=description,
        reference=reference,
        reference_action=action,
        difficulty=0.0,
    )


def labelled(tables: Sequence[Path] = TABLES) -> list[Case]:
    """The tables, top to bottom. `\\u{200b}` stands for a character that can't be seen."""
    cases = []
    task = task_of("")
    text = "\n".join(table.read_text(encoding="utf-8") for table in tables)
    for line in re.sub(r"\\u\{(\w+)\}", lambda found: chr(int(found[1], 16)), text).split("\n"):
        if line.startswith("  "):
            cases.append(Case(LABELS[line[2]], line[4:].replace(" ⏎ ", "\n"), task))
        elif line and not line.startswith("#"):
            rest, _, description = line.partition(" # ")
            reference, _, action = rest.partition(" @ ")
            task = task_of(reference, action, description)
    return cases


async def judge_all(pairs: Sequence[tuple[str, Task]], tier: TierName | None = None) -> list[Verification]:
    """Judge answers with the real sandbox, many to a call: a batch is one program that is given the data of all."""
    domain = MathDomain()
    first = [domain.judge(Submission(answer), task) for answer, task in pairs]
    groups: dict[Program, list[tuple[int, str]]] = {}
    for index, found in enumerate(first):
        if isinstance(found, NeedsCall):
            assert found.program is not None
            groups.setdefault(found.program, []).append((index, found.input))
    sandbox = open_sandbox() if tier is None else open_sandbox(tier)
    limits = ToolLimits(timeout_seconds=60, output_limit_bytes=1 << 16)
    judged = [found if isinstance(found, Verification) else None for found in first]
    for one, calls in groups.items():
        several = BATCH_PROGRAM.format(name=one.name)
        program = Program(name="several", source=json.dumps({**one.modules, "several": several}))
        for start in range(0, len(calls), BATCH):
            batch = calls[start : start + BATCH]
            data = json.dumps([data for _, data in batch])
            result = await run_program(sandbox, program, data, limits, input_limit_bytes=4 << 20)
            assert result.status == "ok", result.output
            for (index, _), line in zip(batch, result.output.splitlines(), strict=True):
                answer, task = pairs[index]
                judged[index] = domain.conclude("ok", line, Submission(answer), task)
    await sandbox.close()
    return [found for found in judged if found is not None]


def main() -> int:
    cases = labelled([Path(name) for name in sys.argv[1:]] or TABLES)
    found = asyncio.run(judge_all([(case.answer, case.task) for case in cases]))
    pairs = list(zip(cases, found, strict=True))
    for case, one in pairs:
        if one.correct is not case.label:
            print(f"{case.answer!r} for {case.task.reference!r}: {one.correct}, not {case.label}: {one.explanation}")
    accepted = sum(one.correct is True for case, one in pairs if case.label is not True)
    right = [one.correct for case, one in pairs if case.label]
    print(f"{len(cases)} answers: {accepted} of {len(cases) - len(right)} that are not right are accepted;")
    print(
        f"of {len(right)} right ones {right.count(None)} are undecided and {right.count(False)} called wrong "
        f"({100 * (1 - right.count(True) / len(right)):.2f}%)"
    )
    return 1 if accepted else 0


if __name__ == "__main__":
    sys.exit(main())

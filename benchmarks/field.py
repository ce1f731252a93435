"""Runs cases from the field on the real verifiers (with the sandbox) and on the reader of ReAct text.

    python benchmarks/field.py FILE.jsonl …

A line is one case: `where` names what is tested, `input` what it gets, `expected` the right result, and `kind`, which
is only shown, the sort of case.

    where                              input                        expected
    verify DOMAIN                      reference, answer            true: correct; false: wrong; null: undecided;
                                                                    "not true": wrong or undecided;
                                                                    "not false": correct or undecided
    agents.react.parse(text, (tools))  a text that a model wrote    actions: [tool, input] each; answer: a text or null

Prints each case with another result, then how many were right. The exit code is 1 when one was not.
"""

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agent0es.agents.react import parse

ACCEPTED = {
    "true": {True},
    "false": {False},
    "null": {None},
    '"undecided"': {None},
    '"not true"': {False, None},
    '"not false"': {True, None},
    '"true or undecided"': {True, None},
}
"""What is expected, as JSON, and the judgements that are right then."""
SHOWN = 160


def verdicts(cases: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The judgements of cases of `verify DOMAIN`, as `agent0es verify --batch` prints them."""
    if not cases:
        return []
    lines = [json.dumps({"domain": case["where"].split()[1], **case["input"]}) for case in cases]
    ran = subprocess.run(
        [sys.executable, "-m", "agent0es", "verify", "--batch", "-"],
        input="\n".join(lines),
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    judged = [json.loads(line) for line in ran.stdout.splitlines()]
    if len(judged) != len(cases):
        raise SystemExit(f"agent0es verify ended after {len(judged)} of {len(cases)} cases: {ran.stderr.strip()}")
    return judged


def turn(case: dict[str, Any]) -> dict[str, Any]:
    """What the reader makes of a text: the calls, and the answer."""
    said = parse(case["input"], tuple(re.findall(r'"(\w+)"', case["where"])))
    return {"actions": [[action.tool, action.input] for action in said.actions], "answer": said.answer}


def complaints(cases: Sequence[dict[str, Any]]) -> list[str]:
    """The cases that come out otherwise than expected, a line each."""
    asked = [case for case in cases if case["where"].startswith("verify ")]
    found = []
    for case, judged in zip(asked, verdicts(asked), strict=True):
        if judged["correct"] not in ACCEPTED[json.dumps(case["expected"])]:
            found.append(_line(case, f"{judged['correct']}, {judged['explanation']}"))
    for case in cases:
        if case["where"].startswith("agents.react.parse") and (read := turn(case)) != case["expected"]:
            found.append(_line(case, json.dumps(read)))
    return found


def _line(case: dict[str, Any], came_out: str) -> str:
    given = json.dumps(case["input"])
    return (
        f"{case['where']}, {case.get('kind', '')}: {given[:SHOWN]}\n"
        f"    expected {json.dumps(case['expected'])[:SHOWN]}, came out {came_out[:SHOWN]}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE.jsonl")
    cases = [
        json.loads(line)
        for file in parser.parse_args().files
        for line in file.read_text(encoding="utf-8").splitlines()
        if line.strip()
    ]
    unknown = sorted({case["where"] for case in cases if not re.match(r"verify |agents\.react\.parse", case["where"])})
    if unknown:
        raise SystemExit(f"nothing is known that is called {', '.join(unknown)}")
    wrong = complaints(cases)
    print("\n".join([*wrong, f"{len(cases) - len(wrong)} of {len(cases)} right"]))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

"""Whether the labels of a store's tasks are right: each against the family's reference action, another computation.

    python benchmarks/labels.py --store STORE [RUN ...] [--json]

The action runs in the sandbox, as a student's call does, and the domain's verifier compares what it prints with the
label. Tasks without such an action (freely written ones, and those whose answer is a function) are counted apart.
"""

import argparse
import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from in_pieces import Row, rows

from agent0es import bootstrap
from agent0es.configuration import load_configuration
from agent0es.decisions.verify import judged
from agent0es.domain import events as ev
from agent0es.domain.names import stream
from agent0es.domain.task import Submission, Task
from agent0es.rollouts.toolbox import Limits
from agent0es.taskdomains import load_task_domain
from agent0es.taskdomains.base import NeedsCall
from agent0es.tools.base import ToolResult


def tasks_of(store: Path, run: str) -> list[Task]:
    """The proposals of a run that became tasks."""
    return [Task.model_validate(e["content"]["proposal"]) for e in rows("events", store, run, "--type", "TaskProposed")]


async def check(tasks: Sequence[Task]) -> list[tuple[Task, str]]:
    """The tasks with `right`, `wrong`, `undecided` or `no action`."""
    domains = {name: load_task_domain(name) for name in dict.fromkeys(task.domain for task in tasks)}
    configuration = load_configuration(environment={})
    found: list[tuple[Task, str]] = []
    async with bootstrap.open_toolbox(configuration, domains) as toolbox:

        async def call(needed: NeedsCall, purpose: ev.ToolPurpose) -> ToolResult:
            limits = Limits.of(domains[task.domain], configuration.tools)
            asked = toolbox.requested(limits, "label", "label", needed, purpose)
            result, _ = await toolbox.call(limits, stream("attempt", "labels", "label"), asked, needed.files)
            return result

        for task in tasks:
            tool, _, expression = task.reference_action.partition("[")
            if tool not in toolbox.tools:
                found.append((task, "no action"))
                continue
            printed = await call(NeedsCall(tool, expression[:-1], task.files), "verification")
            verdict = await judged(domains[task.domain], Submission(printed.output.strip()), task, call)
            found.append((task, {True: "right", False: "wrong", None: "undecided"}[verdict.correct]))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="*", metavar="RUN", help="the default is the latest")
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    told: list[Row] = []
    for run in options.runs or ["latest"]:
        found = asyncio.run(check(tasks_of(options.store, run)))
        others = [
            {"family": task.family, "task": task.description, "label": task.reference, "found": how}
            for task, how in found
            if how not in ("right", "no action")
        ]
        told.append({"run": run, "tasks": len(found), **Counter(how for _, how in found), "others": others})
    if options.json:
        print(json.dumps(told))
        return
    for one in told:
        counts = ", ".join(f"{one[how]} {how}" for how in ("right", "wrong", "undecided", "no action") if how in one)
        print(f"run {one['run']}: {one['tasks']} tasks, {counts}")
        for other in one["others"]:
            print(f"  {other['found']}: {other['family']}: {other['task']} — label {other['label']}")


if __name__ == "__main__":
    main()

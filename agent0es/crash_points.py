"""Named places in the code at which a test kills the process, to see that a resumed run loses nothing.

`AGENT0ES_CRASH_AT=append.committed` in the environment kills with SIGKILL at the first passing of that place,
`AGENT0ES_CRASH_AT=append.committed:40` at the fortieth, `:40:alone` kills a child without its parent. Without the
variable nothing happens. A kill anywhere else has the same effect as at one of these: here a mistake in the order of
writing would show.
"""

import os
import signal
from collections import Counter

VARIABLE = "AGENT0ES_CRASH_AT"

POINTS = {
    "append.before": "An append was asked for; nothing of it was written.",
    "append.transaction": "The rows of an append are written, and not committed.",
    "append.committed": "An append is in the log; whoever waits for it was not told.",
    "handler.unmarked": "What a handler recorded is in the log; its cause is not marked as handled.",
    "tool.ran": "A tool call ran in the sandbox; there is no ToolCalled.",
    "dataset.written": "The file of a dataset is written; there is no DatasetBuilt.",
    "training.step": "The trainer is about to make another step.",
    "training.checkpoint": "A checkpoint of a training is written beside its place and not yet in it.",
    "adapter.written": "The trainer has written the adapter; it is not merged.",
    "merge.tensor": "The trainer is about to write another tensor of the merged weights.",
    "adapter.trained": "The trainer is done; there is no AdapterTrained.",
    "evaluation.answered": "All problems are answered; there is no AdapterEvaluated, or EvaluationCompleted.",
    "checkpoint.draft": "A checkpoint, or its key, is written beside its place and not yet in it.",
    "route.attempted": "An attempt at a question to the router is in the log with its end; the answer is not.",
    "budget.reserved": "What a paid request may cost is reserved in the log; the request was not made.",
    "projection.batch": "A batch of events is in the tables; neither that nor their position is committed.",
}
"""Every point, and how far things are there."""

_passed: Counter[str] = Counter()


def reach(point: str, *, with_parent: bool = False) -> None:
    """Kill this process here if the environment says so.

    `with_parent` is for a child process: its end alone would be a failure that the parent reports, and no crash.
    """
    wanted = os.environ.get(VARIABLE)
    if wanted is None:
        return
    name, passing, alone = [*wanted.split(":"), "", ""][:3]
    if name != point:
        return
    _passed[point] += 1
    if _passed[point] == int(passing or 1):
        for process in (*([os.getppid()] if with_parent and not alone else []), os.getpid()):
            os.kill(process, signal.SIGKILL)

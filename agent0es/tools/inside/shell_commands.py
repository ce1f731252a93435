"""Inside the sandbox: `ls`, `grep` and their like on texts that standard input brings; nothing is opened or started.

Standard input is `{"stages": [{"command", "options", "operands"}, …], "files": {path: text}}`.
"""

import json
import sys

from agent0es.tools.inside.shell_searches import diff, find, grep, ls
from agent0es.tools.inside.shell_texts import cat, cut, echo, head, nl, pwd, sort, tail, tr, uniq, wc
from agent0es.tools.inside.shell_tree import ShellError, Tree

COMMANDS = {f.__name__: f for f in (cat, cut, diff, echo, find, grep, head, ls, nl, pwd, sort, tail, tr, uniq, wc)}


def main() -> None:
    """Print what comes out of the last command. Raises ShellError."""
    job = json.loads(sys.stdin.buffer.read())
    tree = Tree(job["files"])
    text: str | None = None
    found = True
    for stage in job["stages"]:
        command, words = stage["command"], stage["operands"]
        operands = [word["text"] for word in words] if command in ("tr", "echo") else tree.expand(words)
        try:
            text, found = COMMANDS[command](tree, stage["options"], operands, text), True
        except SystemExit:  # grep that finds nothing; what comes after it reads nothing
            text, found = "", False
    sys.stdout.write(text or "")
    if not found:
        raise ShellError(f"{job['stages'][-1]['command']}: nothing found")

"""Programs for the sandbox, run in this test's own environment."""

import subprocess
import sys

from agent0es.domain.program import Program

LOADER = """
import json, sys, types
first, modules = sys.argv[1], json.loads(sys.argv[2])
for name, text in modules.items():
    module = sys.modules[name] = types.ModuleType(name)
    exec(compile(text, name, "exec"), module.__dict__)
    above, _, last = name.rpartition(".")
    setattr(sys.modules.setdefault(above, types.ModuleType(above)), last, module)
sys.modules[first].main()
"""


def printed(program: Program, data: str, *options: str) -> str:
    """What the program prints about the data; `options` are those of the interpreter."""
    command = [sys.executable, *options, "-c", LOADER, program.name, program.source]
    return subprocess.run(command, input=data, capture_output=True, text=True, check=True, timeout=60).stdout

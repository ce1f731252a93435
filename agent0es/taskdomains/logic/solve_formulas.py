"""Inside the sandbox: whether formulas have a model, in SMT-LIB that the verifier wrote itself."""

import json
import sys

MILLISECONDS = 3000


def solve(text: str) -> str:
    """`sat`, `unsat` or `unknown`; `unknown` too where the solver is not there."""
    try:
        import z3
    except ImportError:
        return "unknown"
    solver = z3.Solver()
    solver.set("timeout", MILLISECONDS)
    try:
        solver.from_string(text)
        return str(solver.check())
    except z3.Z3Exception:
        return "unknown"


def main() -> None:
    """Print what comes of `{"text": …}`."""
    print(solve(**json.loads(sys.stdin.buffer.read())))

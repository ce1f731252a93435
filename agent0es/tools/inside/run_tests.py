"""Inside the sandbox: run a plain assert script, or pytest and unittest files, on a solution.

Standard input is in two parts. The first, with the solution, is read before the solution's process is made; the second,
with the tests, afterwards, unbuffered, so that they never were in memory that the solution can see. Test files are gone
from the disk again before the solution's first line runs.
"""

import ast
import builtins
import contextlib
import io
import json
import os
import shutil
import sys
import time
import types
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from agent0es.tools.inside.codec import scratch
from agent0es.tools.inside.solution_link import Solution, start


def read_exactly(size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = os.read(0, size - len(data))
        if not piece:
            raise EOFError("standard input ends too early")
        data += piece
    return data


def read_part() -> Any:
    return json.loads(read_exactly(int(read_exactly(8), 16)))


class Channel:
    """The way out, whatever happens to standard output."""

    number = 1

    def keep(self) -> None:
        self.number = os.dup(1)
        os.set_inheritable(self.number, False)

    def report(self, **line: object) -> None:
        os.write(self.number, json.dumps(line).encode() + b"\n")


channel = Channel()


class Given:
    """The suite's files as they were given: the solution, which runs beside the tests, may write where they lie."""

    def __init__(self, folder: str, files: Mapping[str, str]) -> None:
        self.contents = {os.path.join(folder, name): text.encode() for name, text in files.items()}
        self.open: Any = open
        setattr(builtins, "open", self.read)  # noqa: B010
        setattr(io, "open", self.read)  # noqa: B010

    def read(
        self,
        file: Any,
        mode: str = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
        closefd: bool = True,
        opener: Any = None,
    ) -> Any:
        """`open` for the tests: of a given file they read what was given, whatever stands on the disk by now."""
        path = os.path.abspath(os.fsdecode(file)) if isinstance(file, (str, bytes, os.PathLike)) else ""
        if path in self.contents and not set(mode) & set("wax+"):
            raw = io.BytesIO(self.contents[path])
            return raw if "b" in mode else io.TextIOWrapper(raw, encoding or "utf-8", errors, newline)
        if path in self.contents:
            del self.contents[path]  # the tests' own from now on
        return self.open(file, mode, buffering, encoding, errors, newline, closefd, opener)

    def restore(self) -> None:
        """Put back what was changed, for readers that do not use `open`."""
        for path, content in self.contents.items():
            try:
                with self.open(path, "rb") as file:
                    unchanged = file.read(len(content) + 1) == content and not os.path.islink(path)
            except OSError:
                unchanged = False
            if not unchanged:
                shutil.rmtree(path) if os.path.isdir(path) and not os.path.islink(path) else None
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)
                os.makedirs(os.path.dirname(path), exist_ok=True)
                with self.open(path, "wb") as file:
                    file.write(content)


def describe(error: BaseException) -> str:
    try:
        text = str(error).strip()
    except BaseException:  # noqa: BLE001
        text = ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    name = type(error).__name__
    return f"{name}: {lines[0]}"[:300] if lines else name


def run_script(text: str, solution: Solution, seconds: float, given: Given) -> None:
    """Each top-level assert is a test, and each function test_* without arguments."""
    names: dict[str, Any] = {"__name__": "tests", "solution": solution.module(), **solution.names}
    sys.modules["solution"] = names["solution"]
    solution.opened = True
    tests = []
    for node in ast.parse(text).body:
        code = compile(ast.Module([node], []), "tests.py", "exec")
        title = f"line {node.lineno}"
        if isinstance(node, ast.Assert):
            tests.append(title)
            one(title, partial(exec, code, names), solution, seconds, given)
            continue
        # Only what fails of the rest counts, as a test that is not passed.
        error = attempt(partial(exec, code, names), solution, seconds, given)
        if error is not None:
            tests.append(title)
            channel.report(test=title, outcome="failed", why=describe(error))
    for name, found in list(names.items()):
        if name.startswith("test") and isinstance(found, types.FunctionType):
            tests.append(name)
            one(name, found, solution, seconds, given)
    channel.report(tests=tests)


def attempt(run: Callable[[], object], solution: Solution, seconds: float, given: Given) -> BaseException | None:
    """The error of a run; None where there is none."""
    given.restore()
    solution.link.deadline = time.monotonic() + seconds
    try:
        run()
    except BaseException as error:  # noqa: BLE001
        return error
    return None


def one(title: str, run: Callable[[], object], solution: Solution, seconds: float, given: Given) -> None:
    printed = io.StringIO()
    solution.leaned.clear()
    with contextlib.redirect_stdout(printed):
        error = attempt(run, solution, seconds, given)
    outcome = {"outcome": "passed"} if error is None else {"outcome": "failed", "why": describe(error)}
    channel.report(test=title, printed=printed.getvalue()[:300], leaned=sorted(solution.leaned), **outcome)


class Plugin:
    """Says what pytest found and what came of it; opens the solution only when everything is collected."""

    def __init__(self, folder: str, names: list[str], solution: Solution, seconds: float, given: Given) -> None:
        self.folder, self.test_files, self.solution, self.seconds, self.given = folder, names, solution, seconds, given
        self.broken: list[tuple[str, str]] = []
        self.outcomes: dict[str, dict[str, str]] = {}

    def pytest_collectreport(self, report: Any) -> None:
        if report.failed:
            line = [part.strip() for part in str(report.longreprtext).splitlines() if part.strip()]
            self.broken.append((report.nodeid or "collection", line[-1][:300] if line else "can't be collected"))

    def pytest_collection_finish(self, session: Any) -> None:
        tests = [item.nodeid for item in session.items]
        channel.report(tests=[*tests, *(name for name, _ in self.broken)])
        for name, why in self.broken:
            channel.report(test=name, outcome="failed", why=why)
        for name in self.test_files:
            os.unlink(os.path.join(self.folder, name))
        self.solution.opened = True

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self.given.restore()
        self.solution.leaned.clear()
        self.solution.link.deadline = time.monotonic() + self.seconds

    def pytest_runtest_logreport(self, report: Any) -> None:
        name = report.nodeid
        known = self.outcomes.setdefault(name, {"outcome": "passed", "why": "", "printed": ""})
        if report.when == "call":
            known["printed"] = report.capstdout[:300]
        if report.outcome != "passed" and known["outcome"] == "passed":
            known.update(outcome=report.outcome, why=self.reason(report))
        if hasattr(report, "wasxfail"):
            known.update(outcome="skipped", why="expected to fail")

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        known = self.outcomes.get(nodeid, {"outcome": "failed", "why": "no outcome"})
        channel.report(test=nodeid, leaned=sorted(self.solution.leaned), **known)

    @staticmethod
    def reason(report: Any) -> str:
        if report.outcome == "skipped":
            return "skipped"
        crash = getattr(report.longrepr, "reprcrash", None)
        text = crash.message if crash is not None else str(report.longrepr)
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return lines[0][:300] if lines else "failed"


def run_pytest(files: Mapping[str, str], solution: Solution, seconds: float) -> None:
    sys.path.append("/packages")
    sys.modules["solution"] = solution.module()
    import tempfile

    folder = tempfile.mkdtemp(prefix="tests-")
    for name, text in files.items():
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    os.chdir(folder)
    null = scratch()
    for target in (0, 1, 2):
        os.dup2(null, target)
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    os.environ["COLUMNS"] = "200"
    os.devnull = os.path.join(folder, ".null")  # pytest opens it for writing, and not every tier lets it
    with open(os.devnull, "w", encoding="utf-8"):
        pass
    from _pytest._py import error as py_error
    from _pytest._py import path as py_path

    # pytest's own py.py is a file beside its packages, and only packages are in the sandbox.
    sys.modules["py"] = types.ModuleType("py")
    sys.modules["py"].__dict__.update(error=py_error, path=py_path)
    sys.modules.update({"py.error": py_error, "py.path": py_path})
    import pytest

    tests = [name for name in files if is_suite(name)]
    data = {name: text for name, text in files.items() if name not in tests}
    plugin = Plugin(folder, tests, solution, seconds, Given(folder, data))
    settings = os.path.join(folder, "pytest.ini")
    with open(settings, "w", encoding="utf-8") as file:
        file.write("[pytest]\n")
    options = ["--noconftest", "-c", settings, "--rootdir", folder, "-p", "no:cacheprovider", "-p", "no:faulthandler"]
    options += ["--import-mode=importlib", "--capture=sys", "--continue-on-collection-errors"]
    ended = pytest.main([*options, "--tb=short", "-q", *tests], plugins=[plugin])
    if ended not in (0, 1, 2, 5):  # 2: something could not be collected, which counts as a test that fails
        raise RuntimeError(f"pytest ended with {ended}")
    shutil.rmtree(folder, ignore_errors=True)


def is_suite(name: str) -> bool:
    """A file that pytest collects."""
    base = name.rpartition("/")[2]
    return base.endswith(".py") and (base.startswith("test_") or base.endswith("_test.py"))


def run() -> None:
    public = read_part()
    for name, text in public["files"].items():
        os.makedirs(os.path.dirname(os.path.abspath(name)), exist_ok=True)
        with open(name, "w", encoding="utf-8") as file:
            file.write(text)
    sys.path.append(os.getcwd())
    solution = Solution(public["solution"], *start(public["solution"]))
    sys.path.pop()
    secret = read_part()
    if "script" in secret:
        given = Given(os.getcwd(), {name: text for name, text in public["files"].items() if not name.endswith(".py")})
        run_script(secret["script"], solution, secret["seconds_each"], given)
    else:
        run_pytest(secret["files"], solution, secret["seconds_each"])


def main() -> None:
    """Report a line of JSON for each test, then `{"done": true}` or what went wrong."""
    sys.dont_write_bytecode = True
    sys.set_int_max_str_digits(0)  # time is limited anyway
    channel.keep()
    try:
        run()
        channel.report(done=True)
    except BaseException as error:  # noqa: BLE001  standard error may be closed by now
        channel.report(error=describe(error))
    os._exit(0)

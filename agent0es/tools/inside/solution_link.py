"""Inside the sandbox: the solution in a process of its own, which the tests call as if it were a module.

The process with the tests never runs a line of the solution, and the one with the solution never holds a test. What the
solution gives back is plain data, rebuilt here, or a reference to an object that stays there; an object of the solution
is equal to another such object at most, never to data. A list, dictionary or set that is passed is passed back.
"""

import ast
import builtins
import ctypes
import io
import json
import os
import select
import signal
import sys
import time
import types
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn

from agent0es.tools.inside.codec import NotPlain, decode, encode, same, scratch
from agent0es.tools.inside.remote import OPERATIONS, Remote

MESSAGE_BYTES = 1 << 20
PLAIN_CONTAINERS = (list, dict, set)
SOLUTION_FILE = "solution.py"
Message = dict[str, Any]
"""JSON."""


class SolutionGone(BaseException):
    """The solution's process has ended, or does not answer. No Exception, so that `raises(Exception)` is not met."""


class Link:
    """One end of the pipes: asks, and answers what it is asked while it waits."""

    def __init__(self, reading: int, writing: int, answer: Callable[[Message], Message]) -> None:
        self.reading, self.writing, self.answer = reading, writing, answer
        self.deadline: float | None = None

    def send(self, message: Message) -> None:
        data = json.dumps(message).encode()
        data = b"%08x" % len(data) + data
        while data:
            data = data[os.write(self.writing, data) :]

    def take(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            if self.deadline is not None:
                left = self.deadline - time.monotonic()
                if left <= 0 or not select.select([self.reading], [], [], left)[0]:
                    raise TimeoutError
            piece = os.read(self.reading, min(65536, size - len(data)))
            if not piece:
                raise EOFError
            data += piece
        return data

    def receive(self) -> Any:
        size = int(self.take(8), 16)
        if not 0 <= size <= MESSAGE_BYTES:
            raise EOFError
        return json.loads(self.take(size))

    def ask(self, message: Message) -> Any:
        """The reply to a question; what the other side asks meanwhile is answered."""
        self.send({"ask": message})
        while True:
            received = self.receive()
            if "ask" not in received:
                return received
            self.send(self.answer(received["ask"]))


# --- the side of the solution -----------------------------------------------------------------------------------------


def serve(reading: int, writing: int, solution: str) -> NoReturn:
    """Be the solution: load it on the first question and answer until the pipe is closed."""
    objects: dict[int, object] = {}
    module = types.ModuleType("solution")

    def reference(value: object) -> Message:
        objects[id(value)] = value
        return {"r": id(value)}

    def callback(number: int) -> Callable[..., Any]:
        def call(*args: object) -> Any:
            reply = link.ask({"callback": number, "args": [encode(arg, reference) for arg in args]})
            if "raised" in reply:
                raise RuntimeError(reply["raised"])
            return decode(reply["value"], special)

        return call

    def special(data: Message) -> Any:
        [(kind, inner)] = data.items()
        if kind == "r":
            return objects[inner]
        if kind == "g":
            return getattr(module, inner)
        if kind == "l":
            return callback(inner)
        raise ValueError(kind)

    def do(question: Message) -> Message:
        on: Any = decode(question["on"], special)
        args: list[Any] = [decode(arg, special) for arg in question.get("args", ())]
        keywords = {key: decode(arg, special) for key, arg in question.get("keywords", {}).items()}
        what = question["do"]
        if what == "call":
            value: Any = on(*args, **keywords)
        elif what == "get":
            value = on
        elif what == "attribute":
            value = getattr(on, args[0])
        elif what == "set":
            setattr(on, args[0], args[1])
            value = None
        elif what == "bool":
            value = bool(on)
        elif what == "equal":
            value = bool(on == args[0])
        elif what == "instance":
            value = isinstance(args[0], on)
        elif what in OPERATIONS or what in ("__lt__", "__le__", "__gt__", "__ge__"):
            method = getattr(type(on), what, None)
            if method is None:
                raise TypeError(f"a {type(on).__name__} has no {what}")
            value = method(on, *args)
        else:
            raise ValueError(what)
        return {
            "value": encode(value, reference),
            "args": [encode(arg, reference) if type(arg) in PLAIN_CONTAINERS else None for arg in args],
        }

    def answer(question: Message) -> Message:
        sys.stdout = sys.stderr = io.StringIO()
        try:
            if not module.__dict__.get("__loaded__"):
                sys.modules["solution"] = module
                module.__dict__["__loaded__"] = True
                exec(compile(solution, SOLUTION_FILE, "exec", dont_inherit=True), module.__dict__)
            reply = do(question)
        except BaseException as error:  # noqa: BLE001
            try:
                text, args = str(error)[:500], encode(error.args)
            except BaseException:  # noqa: BLE001
                text, args = "", None
            reply = {"raised": text, "kinds": [kind.__name__ for kind in type(error).__mro__], "args": args}
        return {**reply, "printed": sys.stdout.getvalue()[:10000] if isinstance(sys.stdout, io.StringIO) else ""}

    link = Link(reading, writing, answer)
    while True:
        received = link.receive()
        link.send(answer(received["ask"]))


def start(solution: str) -> tuple[int, int, int]:
    """Fork the process that will hold the solution, before anything is known that it must not know.

    It forks again for the solution, and once more when that process has ended, after saying so.
    Returns (pid, reading, writing).
    """
    # Nobody may look into this process through /proc, whatever runs beside it.
    if ctypes.CDLL(None, use_errno=True).prctl(4, 0, 0, 0, 0) != 0:
        raise OSError("prctl")
    there_reading, writing = os.pipe()
    reading, there_writing = os.pipe()
    pid = os.fork()
    if pid:
        os.close(there_reading)
        os.close(there_writing)
        return pid, reading, writing
    try:
        null = scratch()
        for stream, target in ((there_reading, 60), (there_writing, 61), (null, 0), (null, 1), (null, 2)):
            os.dup2(stream, target)
        os.closerange(3, 60)
        sys.stdin = io.StringIO()
        child = 0

        def stop(*_: object) -> None:
            if child:
                os.kill(child, signal.SIGKILL)

        signal.signal(signal.SIGUSR1, stop)
        while True:
            child = os.fork()
            if child == 0:
                serve(60, 61, solution)
            status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            data = json.dumps({"gone": status}).encode()
            os.write(61, b"%08x" % len(data) + data)
    finally:
        os._exit(1)


# --- the side of the tests --------------------------------------------------------------------------------------------


class Solution:
    """The solution as the tests see it. Its process is asked from `open` on, and not while tests are collected."""

    def __init__(self, source: str, pid: int, reading: int, writing: int) -> None:
        self.pid = pid
        self.link = Link(reading, writing, self.answer)
        self.opened = self.dead = False
        self.callbacks: list[Callable[..., Any]] = []
        self.exceptions: dict[str, type[Exception]] = {}
        self.leaned: set[str] = set()  # of the test that runs: where it believes what objects of the solution say
        self.names: dict[str, Any] = {}
        try:
            tree = ast.parse(source)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            tree = ast.Module([], [])
        for node in tree.body:
            self._define(node)

    def _define(self, node: ast.stmt) -> None:
        """The names that a statement at the top of the source makes."""
        for inner in ast.walk(node) if isinstance(node, (ast.If, ast.Try, ast.With, ast.For)) else [node]:
            if isinstance(inner, (ast.FunctionDef, ast.AsyncFunctionDef)):
                self.names[inner.name] = Remote(self, {"g": inner.name})
            elif isinstance(inner, ast.ClassDef):
                self.names[inner.name] = self._exception(inner) or Remote(self, {"g": inner.name})
            elif isinstance(inner, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
                for target in ast.walk(inner):
                    if isinstance(target, ast.Name) and isinstance(target.ctx, ast.Store):
                        self.names[target.id] = Remote(self, {"g": target.id})
            elif isinstance(inner, (ast.Import, ast.ImportFrom)):
                for alias in inner.names:
                    name = (alias.asname or alias.name).partition(".")[0]
                    self.names[name] = Remote(self, {"g": name})

    def _exception(self, node: ast.ClassDef) -> type[Exception] | None:
        """A class for an exception of the solution, so that tests can expect it; None for any other class."""
        for base in node.bases:
            name = base.id if isinstance(base, ast.Name) else ""
            parent = self.exceptions.get(name) or getattr(builtins, name, None)
            if isinstance(parent, type) and issubclass(parent, Exception):
                self.exceptions[node.name] = type(node.name, (parent,), {})
                return self.exceptions[node.name]
        return None

    def module(self) -> types.ModuleType:
        """What `import solution` gives."""
        module = types.ModuleType("solution")
        module.__dict__.update(self.names)
        module.__dict__["__all__"] = [name for name in self.names if not name.startswith("_")]
        return module

    def answer(self, question: Message) -> Message:
        """The solution calls a function that a test has passed to it."""
        try:
            called = self.callbacks[question["callback"]]
            value = called(*(decode(arg, self.special) for arg in question["args"]))
            return {"value": encode(value, self.send)}
        except Exception as error:  # noqa: BLE001
            return {"raised": f"{type(error).__name__}: {error}"[:500]}

    def special(self, data: Message) -> Remote:
        if isinstance(data.get("r"), int):
            return Remote(self, {"r": data["r"]})
        raise ValueError("unreadable")

    def send(self, value: object) -> Any:
        if isinstance(value, Remote):
            return object.__getattribute__(value, "_target")
        if callable(value):
            self.callbacks.append(value)
            return {"l": len(self.callbacks) - 1}
        raise TypeError(f"a {type(value).__name__} can't be passed to the solution")

    def ask(self, what: str, on: object, *args: object, **keywords: object) -> Any:
        if not self.opened:
            raise RuntimeError("the solution can't be used while tests are collected")
        question = {
            "do": what,
            "on": on,
            "args": [encode(arg, self.send) for arg in args],
            "keywords": {key: encode(arg, self.send) for key, arg in keywords.items()},
        }
        reply = self._exchange(question)
        printed = reply.get("printed")
        if isinstance(printed, str) and printed:
            sys.stdout.write(printed)
        if "raised" in reply:
            raise self._error(reply)
        try:
            changed = self._pass_back(args, reply.get("args") or ())
            value = decode(reply["value"], self.special)
            if changed and value is not None:  # `f(x) == sorted(x)` compares with what is left of x
                self.leaned.add("arguments that it changed")
            return value
        except (NotPlain, KeyError, TypeError, ValueError, RecursionError) as error:
            raise SolutionGone(f"the solution's answer can't be read: {error}") from None

    def _exchange(self, question: Message) -> Message:
        if self.dead:
            raise SolutionGone("the solution's process does not answer any more")
        try:
            reply = self.link.ask(question)
        except TimeoutError:
            os.kill(self.pid, signal.SIGUSR1)
            self.link.deadline = time.monotonic() + 5
            try:
                while "gone" not in self.link.receive():
                    pass
            except (EOFError, OSError, ValueError, TypeError, RecursionError):
                self.dead = True
            raise SolutionGone("the solution does not answer in time") from None
        except (EOFError, OSError, ValueError, TypeError, KeyError, RecursionError):
            self.dead = True  # nobody knows any more where an answer begins
            raise SolutionGone("the solution's answer can't be read") from None
        if not isinstance(reply, dict) or "gone" in reply:
            raise SolutionGone("the solution ended its process")
        return reply

    def _pass_back(self, args: Sequence[Any], changed: Iterable[object]) -> bool:
        """Lists, dictionaries and sets as the solution has left them; whether one is another now."""
        different = False
        for passed, after in zip(args, changed, strict=False):
            if type(passed) in PLAIN_CONTAINERS and after is not None:
                new: Any = decode(after, self.special)
                if type(new) is type(passed) and not same(new, passed):
                    different = True
                    passed.clear()
                    passed.extend(new) if isinstance(passed, list) else passed.update(new)
        return different

    def _error(self, reply: Message) -> Exception:
        """The exception that the solution raised, as one of the built-in kinds or of its own."""
        kinds = [kind for kind in reply.get("kinds") or () if isinstance(kind, str)]
        text = reply["raised"] if isinstance(reply["raised"], str) else ""
        for name in kinds:
            kind = self.exceptions.get(name) or getattr(builtins, name, None)
            if isinstance(kind, type) and issubclass(kind, Exception) and kind is not Exception:
                try:
                    args: Any = decode(reply["args"])
                    return kind(*args)
                except (TypeError, NotPlain):
                    return kind(text) if not issubclass(kind, UnicodeError) else ValueError(text)
        if kinds[:1] == ["Exception"]:
            return Exception(text)
        return RuntimeError(f"{kinds[0] if kinds else 'something'}: {text}")

"""How things are named: each kind of name is written and read here, and nowhere else.

Names that somebody chose, of runs, adapters and plug-ins, become folders in the store, parts of stream names and words
on a terminal, so there is one rule for all of them, checked where a name enters; paths from the log are made here.

Names within a run: `12/3` is attempt 3 at task 12, `eval/base-zero-shot/17` an answer to held-out problem 17, either
with `.1` behind it when it was made again after it was cut off; `12/draft-0` is what a teacher wrote first for task 12.
An evaluation by itself, `eval-20260131-120000`, stands where a run does: `eval/cot/17` is its first answer to problem
17, `eval/cot@2/17` the second.
All that a router does stands under one name where a run does, `routes`: `route-20260131-120000-3f9a1c/local-0` is the
local model's first attempt at that question. So do the alerts of a store, `alerts`, and its schedules, `schedules`.
A call is named after the attempt that it belongs to: `12/3#1` is the student's first, `12/3#v` the verifier's. A stream
is `<kind>/<run>/<name>`. In SQL the same is read by the macros of `projections/names.sql`.
"""

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Literal

from agent0es.errors import StoreError

LONGEST_NAME = 64
NAME_RULE = f"a name is at most {LONGEST_NAME} letters, digits, '.', '_' and '-', and begins with a letter or digit"

_NAME = re.compile(rf"[^\W_][\w.-]{{0,{LONGEST_NAME - 1}}}")

BASELINE = "base-"
"""What the names of arms without an adapter begin with."""

EVALUATION = "eval-"
"""What the names of evaluations begin with, and those of no run."""

ROUTES = "routes"
"""Stands where a run does for all that the router does in a store. It is no run."""

ALERTS = "alerts"
"""Stands where a run does for the alerts of a store."""

SCHEDULES = "schedules"
"""Stands where a run does for the schedules of a store and their jobs."""

NO_RUNS = (ROUTES, ALERTS, SCHEDULES)
"""What stands where a run does and is none, but for evaluations."""

ToolPurpose = Literal["solution", "second_instance", "verification", "reference", "repetition"]
Examination = Literal["eval", "eval-teacher"]
"""What is evaluated: a student's answers to held-out problems, or a teacher's proposals."""


def is_name(text: str) -> bool:
    """Whether a text may name a run, an adapter, a plug-in or a dataset. Letters of any script are letters."""
    return _NAME.fullmatch(text) is not None and len(text.encode("utf-8", "replace")) <= 3 * LONGEST_NAME


def is_adapter_name(text: str) -> bool:
    """Whether a person may give a new adapter this name: it names an arm of evaluations too, as `base-few-shot` does,
    and stands in names of attempts, where a number is a task and a dot counts repetitions."""
    return is_name(text) and text[0].isalpha() and "." not in text and not text.startswith(BASELINE)


def is_evaluation(run: str) -> bool:
    """Whether what stands where a run does is an evaluation by itself."""
    return run.startswith(EVALUATION)


def sample_arm(way: str, sample: int) -> str:
    """The arm of the answers to a problem that are the `sample`-th, from 0: `cot`, then `cot@2`."""
    return way if sample == 0 else f"{way}@{sample + 1}"


def sample_of(arm: str) -> int:
    """Which sample an arm is of, from 0."""
    number = arm.partition("@")[2]
    return int(number) - 1 if number.isdecimal() else 0


def adapter_name(role: str, iteration: int) -> str:
    """Of the adapter that an iteration trains: `student-1`."""
    return f"{role}-{iteration}"


def rebuilt_name(role: str, iteration: int, count: int = 1) -> str:
    """Of the adapter that takes the place of a tainted one: `student-1-clean`, then `student-1-clean-2`."""
    return f"{adapter_name(role, iteration)}-clean{'' if count == 1 else f'-{count}'}"


def requested_name(role: str, iteration: int, method: str, count: int = 1) -> str:
    """Of the adapter that is asked for after a run: `student-1-rft`, then `student-1-rft-2`."""
    plain = "".join(c if c.isalnum() or c in "-_" else "-" for c in method)[: LONGEST_NAME // 2]
    return f"{adapter_name(role, iteration)}-{plain}{'' if count == 1 else f'-{count}'}"


def is_relative(path: str) -> bool:
    """Whether a path stays in the folder that it is relative to."""
    parts = PurePosixPath(path).parts
    return bool(parts) and "\0" not in path and not path.startswith("/") and ".." not in parts


def in_store(store: Path, *parts: str) -> Path:
    """The file or folder of the store that the log names. Raises StoreError for one that would lie elsewhere."""
    for part in parts:
        if not is_relative(part):
            raise StoreError(f"the log names {part[:100]!r}, which is not a path in the store; it comes from elsewhere")
    return store.joinpath(*parts)


@dataclass(frozen=True, slots=True)
class Practised:
    """An attempt at a task: `12/3`, or `12/3.1`."""

    task: int
    number: int
    """Which of the task's attempts, from 0."""
    retry: int = 0
    """How often it was begun before."""

    def __str__(self) -> str:
        return f"{self.task}/{self.number}{_again(self.retry)}"


@dataclass(frozen=True, slots=True)
class Examined:
    """An answer in an evaluation: `eval/base-zero-shot/17`, or `eval/base-zero-shot/17.1`."""

    kind: Examination
    arm: str
    """Way of answering: a baseline, or an adapter."""
    problem: int
    retry: int = 0
    """How often it was begun before."""

    def __str__(self) -> str:
        return f"{self.kind}/{self.arm}/{self.problem}{_again(self.retry)}"


@dataclass(frozen=True, slots=True)
class Draft:
    """A freeform proposal for a task, under which the calls that check it are kept: `12/draft-0`."""

    task: int
    number: int
    """Which of the teacher's tries, from 0."""

    def __str__(self) -> str:
        return f"{self.task}/draft-{self.number}"


@dataclass(frozen=True, slots=True)
class Routed:
    """An attempt at a question that the router was asked: `route-20260131-120000-3f9a1c/local-0`."""

    route: str
    candidate: str
    """Who answers."""
    number: int
    """Which of its attempts, from 0."""

    def __str__(self) -> str:
        return f"{self.route}/{self.candidate}-{self.number}"


AttemptName = Practised | Examined | Draft | Routed

_ATTEMPT = re.compile(
    r"(?P<task>\d+)/(?:(?P<number>\d+)(?:\.(?P<retry>\d+))?|draft-(?P<draft>\d+))"
    r"|(?P<kind>eval|eval-teacher)/(?P<arm>[^/]+)/(?P<problem>\d+)(?:\.(?P<again>\d+))?"
    r"|(?P<route>route-[a-z0-9-]+)/(?P<candidate>[a-z]+)-(?P<which>\d+)",
    re.ASCII,
)


@lru_cache(10_000)
def read_attempt(name: str) -> AttemptName | None:
    """What an attempt's name says; None for one that agent0es does not give."""
    found = _ATTEMPT.fullmatch(name)
    if found is None:
        return None
    kind: Examination | None = found["kind"]  # type: ignore[assignment]  # the pattern has no other
    if kind is not None:
        return Examined(kind, found["arm"], int(found["problem"]), int(found["again"] or 0))
    if found["route"] is not None:
        return Routed(found["route"], found["candidate"], int(found["which"]))
    if found["draft"] is not None:
        return Draft(int(found["task"]), int(found["draft"]))
    return Practised(int(found["task"]), int(found["number"]), int(found["retry"] or 0))


def task_of(name: str) -> int | None:
    """The task that an attempt or a draft is of; None for an answer in an evaluation or a route."""
    known = read_attempt(name)
    return known.task if isinstance(known, Practised | Draft) else None


def problem_of(name: str, kind: Examination) -> int | None:
    """The held-out problem, or the request to a teacher, that an attempt of an evaluation answers; else None."""
    known = read_attempt(name)
    return known.problem if isinstance(known, Examined) and known.kind == kind else None


def again(name: str, retry: int) -> str:
    """The name under which an attempt is made for the `retry`-th time again: `12/3.1` for `12/3`."""
    return f"{name}{_again(retry)}"


def begun_as(name: str) -> str:
    """The name under which an attempt was first begun: `12/3` for `12/3.1`. A name without repetitions is its own."""
    known = read_attempt(name)
    return str(replace(known, retry=0)) if isinstance(known, Practised | Examined) else name


def _again(retry: int) -> str:
    return f".{retry}" if retry else ""


LETTERS: dict[ToolPurpose, str] = {
    "solution": "",
    "verification": "v",
    "second_instance": "s",
    "reference": "r",
    "repetition": "d",
}
"""What a call is for, as it stands in its name."""


@dataclass(frozen=True, slots=True)
class CallName:
    """A tool call: `12/3#1` is the student's first, `12/3#v` a verifier's, `12/3#v2` its second."""

    attempt: str
    purpose: ToolPurpose
    number: int
    """Which call of its purpose in the attempt, from 1."""

    def __str__(self) -> str:
        letter = LETTERS[self.purpose]
        return f"{self.attempt}#{letter}{'' if letter and self.number == 1 else self.number}"


_CALL = re.compile(r"(?P<attempt>.+)#(?P<letter>[vsrd]?)(?P<number>\d*)", re.ASCII | re.DOTALL)


def read_call(name: str) -> CallName | None:
    """What a call's name says; None for one that agent0es does not give."""
    found = _CALL.fullmatch(name)
    if found is None or not (found["letter"] or found["number"]):
        return None
    [purpose] = [purpose for purpose, letter in LETTERS.items() if letter == found["letter"]]
    return CallName(found["attempt"], purpose, int(found["number"] or 1))


@dataclass(frozen=True, slots=True)
class Stream:
    """Where events of one thing stand in order: `task/<run>/12`, or `run/<run>` of the run as a whole."""

    kind: str
    """run, task, attempt or adapter; evaluation or problem; route or budget; service."""
    run: str
    name: str = ""

    def __str__(self) -> str:
        return f"{self.kind}/{self.run}/{self.name}" if self.name else f"{self.kind}/{self.run}"


def stream(kind: str, run: str, name: str | int = "") -> str:
    """The name of a stream."""
    return str(Stream(kind, run, str(name)))


@lru_cache(10_000)
def read_stream(text: str) -> Stream | None:
    """What a stream's name says; None when it is not one of a run: `<kind>/<run>` or `<kind>/<run>/<name>`."""
    kind, _, rest = text.partition("/")
    run, slash, name = rest.partition("/")
    return Stream(kind, run, name) if kind and is_name(run) and bool(slash) == bool(name) else None

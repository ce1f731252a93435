"""What a warm worker is told when it starts, and what it is asked for a call."""

from types import CodeType
from typing import Literal, TypedDict

LIMIT, DENIED = 70, 77
"""Exit statuses of a call that ran into a limit, and of one that did what it may not. A program can use them too, to
its own harm alone."""

Modules = list[tuple[str, CodeType]]
"""(name, code) of a program's modules, in the order in which they are run."""


class Settings(TypedDict):
    """For all calls."""

    tier: Literal["full", "kernel", "unsafe"]
    prefix: str
    """Of the names of folders in /tmp, where each call has none of its own."""
    preload: tuple[str, ...]
    """Modules to import before the first call."""
    packages: dict[str, str]
    """Name to path of what can be imported beside the standard library."""
    readable: list[str]
    writable: list[str]
    environment: dict[str, str]
    proc: bool
    """Whether a call may have a /proc of its own."""
    may_read: bool
    """Whether root reads what its permission bits keep from others."""
    seccomp: bytes
    """The filter; empty for none."""
    announce: bool
    listener_by: int
    """The descriptor by which the filter's listener is handed out."""
    not_supported: list[int]
    socketpair: int | None
    socket_buffer: int


class Asked(TypedDict):
    """For one call."""

    uid: int | None
    program: tuple[str, Modules] | None
    """Name of the module that begins, and all of them."""
    argv: list[str]
    files: dict[str, bytes]
    collect: bool
    rlimits: list[tuple[int, int]]
    timeout_seconds: float
    memory_bytes: int
    processes: int
    disk_bytes: int
    inodes: int


class Report(TypedDict, total=False):
    """How a call ended, as its supervisor saw it; only `failure` where it could not be set up."""

    failure: str
    status: int
    """As `wait` gives it."""
    ending: str
    refused: list[int]
    """Numbers of system calls."""
    wall_seconds: float
    cpu_seconds: float
    peak_bytes: float
    files: list[tuple[str, int, str, int]]
    """(path, bytes, sha256, bytes that are sent or -1)."""

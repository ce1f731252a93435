"""Standard input, output and error as they really are: closed, full, or in an encoding that lacks characters."""

import errno
import faulthandler
import io
import os
import sys
from contextlib import suppress
from typing import Any

import click

from agent0es.cli.output import printable

BROKEN_PIPE = 141
"""Exit code when the reader has closed the pipe, as in a shell: 128 and the number of SIGPIPE."""
LONGEST_LINE = 1000
"""Characters of an error; of a longer one the middle is left out."""


def prepare() -> None:
    """Make errors of standard output readable, and replace streams that were closed.

    A character that standard output lacks is shown as an escape. What is written to a closed standard output fails, as
    on a full disk; what is written to a closed standard error is gone; a closed standard input is empty. Without this
    their numbers would go to the next files that are opened. Where a library dies in its native code, which has no
    exception, standard error says in which line of ours.
    """
    if sys.stdin is None:
        sys.stdin = os.fdopen(os.open(os.devnull, os.O_RDONLY))
    number = os.open(os.devnull, os.O_RDONLY) if sys.stdout is None else 1
    if sys.stdout is sys.__stdout__:
        encoding = "utf-8" if sys.stdout is None else sys.stdout.encoding
        output = io.BufferedWriter(_Output(number, "w", closefd=False))
        sys.stdout = io.TextIOWrapper(output, encoding, errors="backslashreplace", line_buffering=os.isatty(number))
    if sys.stderr is None:
        sys.stderr = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
    elif not faulthandler.is_enabled():
        faulthandler.enable(2)


def complain(text: str) -> None:
    """One line to standard error, not too long to read."""
    line = printable(text)
    if len(line) > LONGEST_LINE:
        line = f"{line[: LONGEST_LINE * 2 // 3]} … {line[-LONGEST_LINE // 4 :]}"
    with suppress(OSError):  # nobody is left to be told
        click.echo(f"agent0es: {line}", err=True)


class _Output(io.FileIO):
    """Standard output. A closed pipe ends the command quietly; other errors say what can't be written."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            # What is left in the buffers goes nowhere, so that Python does not try again at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.fileno())
            if error.errno == errno.EPIPE:
                raise SystemExit(BROKEN_PIPE) from None
            remedy = f"{error.strerror}; send it to another place"
            raise OSError(error.errno, remedy, "standard output") from None

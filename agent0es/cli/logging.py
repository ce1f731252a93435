"""The options of all commands that say what the program's own log has, and where it is written."""

import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

LEVELS = ("debug", "info", "warning", "error")
FORMATS = ("text", "json")


def logging_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--log-level`, `--log-file` and `--log-format`."""
    for option in reversed(
        (
            click.option(
                "--log-level",
                type=click.Choice(LEVELS, case_sensitive=False),
                help="Write a line for each event that is as grave, to standard error.  [with --log-file: info]",
            ),
            click.option(
                "--log-file", type=click.Path(path_type=Path), metavar="FILE", help="Add them to a file instead."
            ),
            click.option(
                "--log-format", type=click.Choice(FORMATS), default="text", show_default=True, help="Text, or JSON."
            ),
        )
    ):
        command = option(command)
    return command


def begin_logging(ctx: click.Context, level: str | None, file: Path | None, form: str) -> None:
    """Have events of this process written as lines until the command ends. Raises StoreError for a file that can't be
    written."""
    from agent0es.errors import StoreError
    from agent0es.history.log_lines import LOGGER, JsonLines, TextLines

    handler: logging.Handler
    if file is None:
        handler = logging.StreamHandler(sys.stderr)
    else:
        try:
            handler = logging.FileHandler(file, encoding="utf-8")
        except OSError as error:
            raise StoreError(f"--log-file {file}: {error.strerror or error}; name another file") from None
    handler.setFormatter(JsonLines() if form == "json" else TextLines())
    logger = logging.getLogger(LOGGER)
    logger.addHandler(handler)
    logger.setLevel((level or "info").upper())
    logger.propagate = False

    def end() -> None:
        logger.removeHandler(handler)
        handler.close()

    ctx.call_on_close(end)

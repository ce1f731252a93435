"""The shell of `agent0es sql`: statements up to their semicolon, with a history, on a terminal."""

import os
import re
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from agent0es.cli.output import write_lines, write_table
from agent0es.cli.streams import complain
from agent0es.errors import UserError

HISTORY_LINES = 1000

QUOTED = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|/\*.*?\*/|\$\$.*?\$\$", re.DOTALL)
"""What may hold a semicolon that ends nothing."""

HELP = (
    "A statement ends with a semicolon and is one SELECT in DuckDB's dialect. Each sees the latest state of the log.",
    ".tables           every table and what it holds",
    ".schema [TABLE]   the columns of a table, or of all, and what they mean",
    ".quit             leave, like Ctrl-D",
)


def shell(answer: Callable[[str], None]) -> None:
    """Read statements from the terminal and answer each, until the end. An error ends only its statement."""
    history = _history()
    write_lines(["Type .help for help, .quit to leave."])
    pending = ""
    while True:
        try:
            line = input("   ...> " if pending else "agent0es> ")
        except KeyboardInterrupt:
            pending = ""
            write_lines([""])
            continue
        except EOFError:
            write_lines([""])
            if pending.strip():
                complain("the last statement has no semicolon at its end and was not run")
            break
        except UnicodeDecodeError:
            complain("the line is not UTF-8 text")
            pending = ""
            continue
        if not pending and line.strip().startswith("."):
            if line.split()[0] in (".quit", ".exit"):
                break
            _command(line.split())
            continue
        pending = f"{pending}\n{line}" if pending else line
        if complete(pending):
            try:
                answer(pending)
            except UserError as error:
                complain(str(error))
            except KeyboardInterrupt:
                write_lines([""])
            pending = ""
        elif not pending.strip():
            pending = ""
    _save(history)


def complete(text: str) -> bool:
    """Whether a semicolon ends the text: one outside of quotes and comments."""
    bare = QUOTED.sub(" ", text).rstrip()
    return bare.endswith(";") and not any(opening in bare for opening in ("'", '"', "/*", "$$"))


def _command(words: list[str]) -> None:
    from agent0es.projections.catalogue import catalogue

    match words:
        case [".tables"]:
            write_table(("table", "meaning"), [(table.name, table.meaning) for table in catalogue()])
        case [".schema", *names]:
            known = [table.name for table in catalogue()]
            for name in names:
                if name not in known:
                    complain(f"there is no table {name}; there are: {', '.join(known)}")
            for table in catalogue():
                if not names or table.name in names:
                    rows = [(column.name, column.type, column.meaning) for column in table.columns]
                    write_table(("column", "type", "meaning"), rows, f"{table.name}: {table.meaning}")
        case [".help"]:
            write_lines(HELP)
        case _:
            complain(f"there is no {words[0]}; type .help")


def _history() -> Path:
    """Where lines are kept, as the XDG directories have it; what is there is read."""
    import readline

    folder = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    path = folder / "agent0es" / "sql_history"
    readline.set_history_length(HISTORY_LINES)
    with suppress(OSError):  # there is none yet
        readline.read_history_file(path)
    return path


def _save(path: Path) -> None:
    import readline

    with suppress(OSError):  # a home that can't be written keeps no history
        path.parent.mkdir(parents=True, exist_ok=True)
        readline.write_history_file(path)

"""Names and paths that somebody else chose.

The name of a run, an adapter or a plug-in becomes a folder in the store, a part of stream names and a word on a
terminal. So there is one rule for all of them, checked where a name enters; paths from the log are made here.
"""

import re
from pathlib import Path, PurePosixPath

from agent0es.errors import StoreError

LONGEST_NAME = 64
NAME_RULE = f"a name is at most {LONGEST_NAME} letters, digits, '.', '_' and '-', and begins with a letter or digit"

_NAME = re.compile(rf"[^\W_][\w.-]{{0,{LONGEST_NAME - 1}}}")


def is_name(text: str) -> bool:
    """Whether a text may name a run, an adapter, a plug-in or a dataset. Letters of any script are letters."""
    return _NAME.fullmatch(text) is not None and len(text.encode("utf-8", "replace")) <= 3 * LONGEST_NAME


def is_adapter_name(text: str) -> bool:
    """Whether a person may give a new adapter this name: it names an arm of evaluations too, as `base-few-shot` does,
    and stands in names of attempts, where a number is a task and a dot counts repetitions."""
    return is_name(text) and text[0].isalpha() and "." not in text and not text.startswith("base-")


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

"""Idempotency keys: a write that is sent again with its key is not done again, but answered as it was.

A key is a file in the store, so it holds when the service is killed in between. Then nobody knows whether the write was
done, and that is said.
"""

import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agent0es.errors import Agent0Error, UserError
from agent0es.files import replacing

FOLDER = Path("service") / "keys"
KEPT_SECONDS = 24 * 3600
LONGEST = 255
Answer = dict[str, Any]


class KeyInUse(UserError):
    """The write with this key is being done, or nobody knows whether it was."""


class KeyMisused(UserError):
    """Another write had this key."""


def once(store: Path, key: str | None, what: object, act: Callable[[], Answer]) -> tuple[Answer, bool]:
    """Do a write, or give the answer that it had; and whether it is that of before.

    `what` is the write, as a value of JSON. Raises KeyInUse, KeyMisused, and what `act` raises; then the key is free.
    """
    if key is None:
        return act(), False
    folder = store / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    _forget(folder)
    file = folder / f"{_sha256(key)}.json"
    claim = {"what": _sha256(json.dumps(what, sort_keys=True)), "answer": None}
    try:
        with file.open("x", encoding="utf-8") as new:
            json.dump(claim, new)
    except FileExistsError:
        return _earlier(file, claim["what"]), True
    try:
        answer = act()
    except Agent0Error:
        file.unlink(missing_ok=True)
        raise
    with replacing(file) as out:
        out.write(json.dumps({**claim, "answer": answer}).encode())
    return answer, False


def _earlier(file: Path, what: object) -> Answer:
    try:
        known = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):  # it is being written, or was just given up
        known = {"what": what, "answer": None}
    if known["what"] != what:
        raise KeyMisused("this Idempotency-Key was sent with another request; take a new one")
    if known["answer"] is None:
        raise KeyInUse(
            "a request with this Idempotency-Key is being answered, or was when the service was killed; see what was "
            "done, and take a new one if nothing was"
        )
    answer: Answer = known["answer"]
    return answer


def _forget(folder: Path) -> None:
    """Delete keys that nobody will send again."""
    for file in folder.glob("*.json"):
        if time.time() - file.stat().st_mtime > KEPT_SECONDS:
            file.unlink(missing_ok=True)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()

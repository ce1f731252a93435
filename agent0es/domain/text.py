"""Text from a model, made such that a log and an embedder can take it, and shown in one line; counts in words."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime

UNSTORABLE = re.compile("[\ud800-\udfff\0]")
"""Halves of a pair that stand alone have no UTF-8 form, and some databases hold no NUL."""

JUDGED = {True: "right", False: "wrong", None: "undecided"}
"""What a verdict is called: `correct` of a verification, None where it could not be judged."""

LEFT_OUT = {
    "alike": "of groups that were all rewarded alike",
    "alone": "with no other to make a pair with",
    "band": "of tasks outside training.band",
    "cap": "over the share of their task or family",
    "doubtful": "doubtful tasks (all attempts contradict the teacher's own label)",
    "duplicate": "near-duplicates",
    "lucky": "right by luck",
    "not_novel": "under curriculum.novelty_bar",
    "reward": "rewarded less than the mean of their family",
    "rolled_back": "sampled by an adapter that was rolled back",
    "stale": "sampled by an adapter before the last one",
    "tainted": "sampled by an adapter that learnt from what was retracted",
    "undecided": "that nobody could judge",
    "unsampled": "without drawn tokens and their log-probabilities in the log",
}
"""What the reasons are called for which DatasetBuilt leaves examples out."""


def left_out(reasons: Mapping[str, int]) -> str:
    """What a dataset left out, and why, in one line; empty where that is nothing."""
    return ", ".join(f"{count} {LEFT_OUT.get(reason, reason)}" for reason, count in reasons.items())


def storable(text: str) -> str:
    """The text with U+FFFD in place of each character that can't be stored. JSON such as `"\\ud83d"` holds those."""
    return text if text.isascii() and "\0" not in text else UNSTORABLE.sub("\ufffd", text)


def one_line(text: str, most: int = 200) -> str:
    """Hostile text as one printable line of at most `most` characters."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return line if len(line) <= most else line[: most - 1] + "…"


def counted(count: int, one: str, many: str = "") -> str:
    """`1 task`, `2 tasks`; `many` is the plural where that is not `one` with an s."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def iso(time: float) -> str:
    """A Unix time in seconds as ISO 8601 in UTC, to the second: 2026-01-31T12:30:00Z."""
    return datetime.fromtimestamp(time, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")

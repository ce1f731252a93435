"""Checkpoints of a store's log: notes of its size and hash, kept elsewhere, with which a later log is compared."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Literal, NamedTuple

from agent0es.errors import StoreError
from agent0es.log import ChainReport, EventLog, checkpoint
from agent0es.log.checkpoint import Checkpoint, Key, origin_of
from agent0es.log.transfer import verify_export
from agent0es.runs.scheduling import EXPORTS

LARGEST_NOTE = 8192
"""Bytes of a checkpoint; what is larger in the folder of exports is something else."""


def known_checkpoint(file: Path, key: Path | None, store: Path) -> Checkpoint:
    """An earlier checkpoint, its signature checked when it has one or when a key is given. Raises StoreError."""
    note = checkpoint.read_note(file)
    if key is not None or checkpoint.is_signed(note):
        read = checkpoint.read_key(key or checkpoint.public_file(store / checkpoint.KEY_FILE))
        checkpoint.verify_signature(note, read, file)
    return checkpoint.parse_checkpoint(note, file)


class Signer(NamedTuple):
    """A key that signs."""

    key: Key
    made: Path | None
    """Its file, where it was made just now."""


def signing_key(file: Path | None, store: Path) -> Signer:
    """The key in a file, or the store's own, which is made on first use. Raises StoreError for a public one."""
    own = store / checkpoint.KEY_FILE
    if file is None and not own.exists():
        return Signer(checkpoint.make_key(own), own)
    key = checkpoint.read_key(file or own)
    if key.private is None:
        raise StoreError(f"{file}: is a public key, which can't sign; name the private one with --key")
    return Signer(key, None)


def note_of(report: ChainReport, signer: Signer | None) -> str:
    """The checkpoint of a log that was verified, as a text to keep."""
    return report.checkpoint.text if signer is None else checkpoint.sign(report.checkpoint.text, signer.key)


class Kept(NamedTuple):
    """A checkpoint in the store's folder of exports."""

    file: Path
    written: float
    """Seconds since 1970."""
    checkpoint: Checkpoint
    signature: Literal["valid", "none", "wrong"]
    """Whether the store's key signed it."""
    agrees: bool
    """Whether the log holds the event that it ends with, as it was then. All before it is a matter of verifying."""


def kept(log: EventLog, store: Path, most: int) -> list[Kept]:
    """The checkpoints that lie in the store's folder of exports, the latest first; at most so many."""
    return list(islice(_kept(log, store), most))


def _kept(log: EventLog, store: Path) -> Iterator[Kept]:
    folder = store / EXPORTS
    files = [] if not folder.is_dir() else [(file.stat(), file) for file in folder.iterdir() if file.is_file()]
    for known, file in sorted(files, key=lambda one: (one[0].st_mtime, one[1].name), reverse=True):
        if known.st_size > LARGEST_NOTE:
            continue
        try:
            note = checkpoint.read_note(file)
            found = checkpoint.parse_checkpoint(note, file)
        except StoreError:  # another export
            continue
        yield Kept(file, known.st_mtime, found, _signature(note, file, store), _agrees(log, found))


def _signature(note: str, file: Path, store: Path) -> Literal["valid", "none", "wrong"]:
    if not checkpoint.is_signed(note):
        return "none"
    try:
        checkpoint.verify_signature(
            note, checkpoint.read_key(checkpoint.public_file(store / checkpoint.KEY_FILE)), file
        )
    except StoreError:
        return "wrong"
    return "valid"


def _agrees(log: EventLog, found: Checkpoint) -> bool:
    first, last = (next(log.raw(after=at - 1, until=at), None) for at in (1, found.size))
    if first is None or last is None:
        return False
    return (origin_of(first.chain_hash), last.chain_hash) == (found.origin, found.root)


def verified_export(file: Path) -> ChainReport:
    """The report of an exported log that may be imported. Raises StoreError when it was altered."""
    report = verify_export(file)
    if not report.ok:
        raise StoreError(f"{file}: {report.finding}; nothing was imported. Export the log again")
    return report

"""Checkpoints of a store's log: notes of its size and hash, kept elsewhere, with which a later log is compared."""

from pathlib import Path
from typing import NamedTuple

from agent0es.errors import StoreError
from agent0es.log import ChainReport, checkpoint
from agent0es.log.checkpoint import Checkpoint, Key
from agent0es.log.transfer import verify_export


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


def verified_export(file: Path) -> ChainReport:
    """The report of an exported log that may be imported. Raises StoreError when it was altered."""
    report = verify_export(file)
    if not report.ok:
        raise StoreError(f"{file}: {report.finding}; nothing was imported. Export the log again")
    return report

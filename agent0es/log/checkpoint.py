"""Checkpoints: one line that stands for all of a log, to be kept where the log's owner can't change it.

The form is that of transparency logs: a C2SP tlog-checkpoint (origin, size, root) inside a C2SP signed note. The root
is the chain hash of the last event, in base64. Keys are written as Go's `note` package writes them, so that its tools
can check what is signed here:

    agent0es/6f1c0c5d0c6a2f0e
    1234
    WJgzmpSfq6YDuHyPcHg3lFEXY6gQbQ9v2RPdbMgNEUk=

    — agent0es x08go/ZJkuBS9UG…
"""

import base64
import binascii
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agent0es.crash_points import reach
from agent0es.errors import StoreError
from agent0es.files import replacing

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

KEY_FILE = "checkpoint.key"
"""In the store. The public key lies beside it with `.pub` after its name."""

SIGNER = "agent0es"
_PRIVATE = "PRIVATE+KEY+"
_ED25519 = b"\x01"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The first `size` events of a log, in one hash."""

    origin: str
    """Names the log by the hash of its first event, wherever it lies."""
    size: int
    root: str
    """Chain hash of the event at position `size`, as hex."""

    @property
    def text(self) -> str:
        """What is signed: three lines."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(bytes.fromhex(self.root)).decode()}\n"


def origin_of(first_hash: str) -> str:
    """The name of the log that begins with the event of this chain hash."""
    return f"{SIGNER}/{first_hash[:16]}"


@dataclass(frozen=True, slots=True)
class Key:
    """An Ed25519 key; with the public half alone one can check but not sign."""

    name: str
    public: "Ed25519PublicKey"
    private: "Ed25519PrivateKey | None" = None

    @property
    def id(self) -> bytes:
        """Four bytes that tell keys apart."""
        return hashlib.sha256(f"{self.name}\n".encode() + _ED25519 + self.public.public_bytes_raw()).digest()[:4]

    @property
    def public_text(self) -> str:
        """What others need to check signatures: `name+id+key`."""
        return self._text(self.public.public_bytes_raw())

    @property
    def private_text(self) -> str:
        assert self.private is not None
        return _PRIVATE + self._text(self.private.private_bytes_raw())

    def _text(self, data: bytes) -> str:
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(_ED25519 + data).decode()}"


def sign(text: str, key: Key) -> str:
    """The text as a signed note."""
    assert key.private is not None
    signature = base64.b64encode(key.id + key.private.sign(text.encode())).decode()
    return f"{text}\n— {key.name} {signature}\n"


def verify_signature(note: str, key: Key, source: object) -> None:
    """Raise StoreError unless one of the note's signatures is the key's and fits its text."""
    from cryptography.exceptions import InvalidSignature

    text, _, signatures = note.partition("\n\n")
    for line in signatures.splitlines():
        _dash, _, rest = line.partition(" ")
        name, _, encoded = rest.partition(" ")
        try:
            data = base64.b64decode(encoded, validate=True)
        except binascii.Error:
            continue
        if name == key.name and data[:4] == key.id:
            try:
                key.public.verify(data[4:], f"{text}\n".encode())
            except InvalidSignature:
                break
            return
    raise StoreError(f"{source}: the checkpoint has no valid signature by {key.public_text}; don't trust it")


def parse_checkpoint(note: str, source: object) -> Checkpoint:
    """The checkpoint in a note, signed or not. Raises StoreError."""
    text, _, _signatures = note.partition("\n\n")
    lines = text.splitlines()
    try:
        origin, size, root = lines[:3]
        checkpoint = Checkpoint(origin, int(size), base64.b64decode(root, validate=True).hex())
        if not (size.isascii() and size.isdecimal() and origin and len(checkpoint.root) == 64):
            raise ValueError
    except ValueError:
        raise StoreError(f"{source}: this is not a checkpoint; it should have lines of origin, size and root") from None
    return checkpoint


def is_signed(note: str) -> bool:
    return "\n\n— " in note


def read_note(file: Path) -> str:
    """Text of a small file. Raises StoreError."""
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise StoreError(f"{file}: can't be read ({reason}); name another file") from None


def read_key(file: Path) -> Key:
    """A key, private or public. Raises StoreError."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

    text = read_note(file).strip()
    try:
        name, _id, encoded = text.removeprefix(_PRIVATE).split("+", 2)
        data = base64.b64decode(encoded, validate=True)
        if data[:1] != _ED25519:
            raise ValueError
        if text.startswith(_PRIVATE):
            private = Ed25519PrivateKey.from_private_bytes(data[1:])
            key = Key(name, private.public_key(), private)
        else:
            key = Key(name, Ed25519PublicKey.from_public_bytes(data[1:]))
        if key.id.hex() != _id:
            raise ValueError
    except ValueError:
        raise StoreError(
            f"{file}: this is not a key for checkpoints; name one that `log checkpoint --sign` made"
        ) from None
    return key


def make_key(file: Path) -> Key:
    """A new key in a file that only its owner may read, and its public half beside it. Raises StoreError."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    private = Ed25519PrivateKey.generate()
    key = Key(SIGNER, private.public_key(), private)
    write_file(public_file(file), key.public_text + "\n")
    write_file(file, key.private_text + "\n", mode=0o600)
    return key


def public_file(file: Path) -> Path:
    return file.with_name(file.name + ".pub")


def write_file(file: Path, text: str, *, mode: int = 0o644) -> None:
    """Write a file in full or not at all; it is on the disk when this returns. Raises StoreError."""
    with replacing(file, mode=mode) as output:
        output.write(text.encode())
        output.flush()
        reach("checkpoint.draft")

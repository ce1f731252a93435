from pathlib import Path

import pytest

from agent0es.errors import StoreError
from agent0es.log.checkpoint import (
    Checkpoint,
    is_signed,
    make_key,
    parse_checkpoint,
    public_file,
    read_key,
    sign,
    verify_signature,
    write_file,
)

CHECKPOINT = Checkpoint("agent0es/0123456789abcdef", 12, "ab" * 32)

# From the documentation of Go's golang.org/x/mod/sumdb/note, whose form this is.
PRIVATE = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
PUBLIC = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
SIGNATURE = "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
SIGNED = f"{TEXT}\n— PeterNeumann {SIGNATURE}\n"


def test_keys_and_notes_are_those_of_the_standard(tmp_path: Path) -> None:
    (tmp_path / "private").write_text(PRIVATE)
    (tmp_path / "public").write_text(PUBLIC + "\n")
    private, public = read_key(tmp_path / "private"), read_key(tmp_path / "public")
    assert private.private_text == PRIVATE
    assert private.public_text == public.public_text == PUBLIC
    assert public.private is None
    assert sign(TEXT, private) == SIGNED
    verify_signature(SIGNED, public, "note")


def test_a_checkpoint_is_written_and_read(tmp_path: Path) -> None:
    assert CHECKPOINT.text == "agent0es/0123456789abcdef\n12\n" + "q6ur" * 10 + "q6s=\n"
    assert parse_checkpoint(CHECKPOINT.text, "file") == CHECKPOINT
    assert not is_signed(CHECKPOINT.text)
    key = make_key(tmp_path / "key")
    note = sign(CHECKPOINT.text, key)
    assert is_signed(note)
    assert parse_checkpoint(note, "file") == CHECKPOINT
    verify_signature(note, read_key(tmp_path / "key"), "file")
    verify_signature(note + "— somebody else+more\n", read_key(public_file(tmp_path / "key")), "file")


def test_a_key_is_for_its_owner_only(tmp_path: Path) -> None:
    key = make_key(tmp_path / "key")
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    assert public_file(tmp_path / "key").read_text() == key.public_text + "\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["key", "key.pub"]
    assert read_key(tmp_path / "key").public_text == key.public_text


def test_a_signature_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    key, other = make_key(tmp_path / "key"), make_key(tmp_path / "other")
    note = sign(CHECKPOINT.text, key)
    refused = [
        (note.replace("\n12\n", "\n11\n"), key),
        (note, other),
        (CHECKPOINT.text, key),
        (note.replace("— agent0es ", "— somebody "), key),
        (note[:-20] + "\n", key),
        (note.replace("— agent0es ", "— agent0es !"), key),
    ]
    for text, signer in refused:
        with pytest.raises(StoreError, match="has no valid signature by agent0es"):
            verify_signature(text, signer, "file")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "one line",
        "a\n1\n",
        "a\n-1\nq6s=\n",
        "a\n1\nq6s=\n",
        "a\none\nq6s=\n",
        "\n1\n" + CHECKPOINT.text[-45:],
        "a\n1\n!\n",
    ],
)
def test_what_is_no_checkpoint_is_told(text: str) -> None:
    with pytest.raises(StoreError, match="file: this is not a checkpoint"):
        parse_checkpoint(text, "file")


@pytest.mark.parametrize(
    "text", ["", "a+b", PUBLIC[:-4], PUBLIC.replace("c74f20a3", "c74f20a4"), PRIVATE[:-8], "a+b+AAAA"]
)
def test_what_is_no_key_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "key").write_text(text)
    with pytest.raises(StoreError, match="this is not a key for checkpoints"):
        read_key(tmp_path / "key")
    with pytest.raises(StoreError, match="No such file"):
        read_key(tmp_path / "none")
    (tmp_path / "binary").write_bytes(b"\xff")
    with pytest.raises(StoreError, match="it is not text"):
        read_key(tmp_path / "binary")


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_file(tmp_path / "file", "old")

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(StoreError, match="file: No space left on device"):
        write_file(tmp_path / "file", "new")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("file", "old")]

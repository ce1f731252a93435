"""`agent0es log`: verify the log, make checkpoints of it, export and import it."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from agent0es.cli.output import json_line, json_option, printable, store_option, write_lines
from agent0es.domain.text import counted

if TYPE_CHECKING:
    from agent0es.log import ChainReport

FOUND = 1
"""Exit code when the log has been altered."""


@click.group("log")
def log_group() -> None:
    """Verify, sign, export and import the log."""


key_option = click.option(
    "--key", type=click.Path(path_type=Path), metavar="FILE", help="The key.  [default: checkpoint.key in the store]"
)


@log_group.command("verify")
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Compare the log with this earlier checkpoint.",
)
@key_option
@click.option(
    "--export", type=click.Path(path_type=Path), metavar="FILE", help="Verify an exported file instead of the store."
)
@store_option
@json_option
def verify_command(checkpoint: Path | None, key: Path | None, export: Path | None, store: Path, as_json: bool) -> None:
    """Recompute every hash, to find out if the log has been altered.

    If it has, the first bad position is shown and the exit code is 1. It takes a checkpoint to find out that the end
    was cut off or that everything was rewritten.
    """
    from agent0es.bootstrap import open_store
    from agent0es.log.transfer import verify_export
    from agent0es.runs.checkpoints import known_checkpoint

    known = None if checkpoint is None else known_checkpoint(checkpoint, key, store)
    if export is not None:
        report = verify_export(export, known)
    else:
        with open_store(store) as log:
            report = log.verify(known)
    _tell(report, as_json)
    if not report.ok:
        sys.exit(FOUND)


@log_group.command("checkpoint")
@click.option("--sign", is_flag=True, help="Sign it with Ed25519; the key is made on first use.")
@key_option
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="File to write; default: standard output."
)
@store_option
@json_option
def checkpoint_command(sign: bool, key: Path | None, output: Path | None, store: Path, as_json: bool) -> None:
    """Verify the log and write a checkpoint of it.

    A checkpoint has the log's origin, size and root hash. Keep checkpoints and the public key
    where those who can change the log can't change them.
    """
    from agent0es.bootstrap import open_store
    from agent0es.log.checkpoint import public_file, write_file
    from agent0es.runs.checkpoints import note_of, signing_key

    with open_store(store) as log:
        report = log.verify()
    if not report.ok:
        _tell(report, as_json)
        sys.exit(FOUND)
    signer = signing_key(key, store) if sign or key is not None else None
    if signer is not None and signer.made is not None:
        made = f"Created the key {signer.made}; keep a copy of {public_file(signer.made)} elsewhere"
        click.echo(printable(made), err=True)
    note = note_of(report, signer)
    if output is not None:
        write_file(output, note)
    if as_json:
        values = {"origin": report.checkpoint.origin, "size": report.events, "root": report.chain_hash}
        write_lines([json_line({**values, "public_key": signer.key.public_text if signer else None, "note": note})])
    elif output is None:
        write_lines(note.splitlines())
    else:
        click.echo(printable(f"Checkpoint of {counted(report.events, 'event')} in {output}"), err=True)


@log_group.command("export")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE", required=True, help="File to write.")
@store_option
@json_option
def export_command(output: Path, store: Path, as_json: bool) -> None:
    """Export the log as JSON lines that verify without the database."""
    from agent0es.bootstrap import open_store

    with open_store(store) as log:
        report = log.export(output)
    _tell(report, as_json)


@log_group.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@store_option
@json_option
def import_command(file: Path, store: Path, as_json: bool) -> None:
    """Import an exported log into an empty store.

    It is verified first, and its hashes stay the same.
    """
    from agent0es.bootstrap import open_store
    from agent0es.runs.checkpoints import verified_export

    report = verified_export(file)  # before a store is made
    with open_store(store, create=True) as log:
        log.load(file, report)
    _tell(report, as_json)


def _tell(report: "ChainReport", as_json: bool) -> None:
    if as_json:
        values = {"ok": report.ok, "events": report.events, "texts": report.texts, "head": report.chain_hash}
        write_lines([json_line({**values, "first_bad": report.first_bad, "problem": report.problem or None})])
    elif report.ok:
        holds = f"{counted(report.events, 'event')} and {counted(report.texts, 'text')}"
        write_lines([f"ok: {holds}, last hash {report.chain_hash}"])
    else:
        write_lines([printable(f"The log has been altered: {report.finding}")])

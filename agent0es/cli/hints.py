"""Commands that messages suggest: they name the store in use, so that they can be pasted."""

import os
import shlex
from pathlib import Path

import click

DEFAULT_STORE = Path("store")
STORE_VARIABLE = "AGENT0ES_STORE"
_STORE = "agent0es.store"


def command(store: Path, *words: str) -> str:
    """`agent0es` with the words and the store in use, quoted for a shell."""
    return shlex.join(("agent0es", *words, *store_words(store)))


def store_words(store: Path) -> tuple[str, ...]:
    """The option that names the store; nothing where a command without it finds the same one."""
    usual = Path(os.environ.get(STORE_VARIABLE) or DEFAULT_STORE)
    return () if store == usual else ("--store", str(store))


def remember_store(ctx: click.Context, param: click.Parameter, store: Path) -> Path:
    """Callback of `--store`: later errors can name it."""
    ctx.meta[_STORE] = store
    return store


def store_in_use(ctx: click.Context) -> Path:
    """The store that the command was given."""
    found: Path = ctx.meta.get(_STORE, DEFAULT_STORE)
    return found

"""Lines that commands about a run show first: an adapter in use that was trained on something bad."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from agent0es.cli.hints import command
from agent0es.cli.listing import folded
from agent0es.cli.output import printable

if TYPE_CHECKING:
    from agent0es.provenance.standing import Status


def taint(run: str, tainted: Iterable[str], status: "Status", store: Path) -> Iterator[str]:
    """What to say of each tainted adapter in use. Commands are not folded."""
    rebuild = command(store, "train", run, "--without-retracted")
    wait = "" if status == "completed" else " when the run is completed"
    for adapter in tainted:
        yield from folded(
            printable(
                f"WARNING: run {run} uses {adapter}, which was trained on what was retracted since. "
                f"Rebuild it{wait} with:"
            ),
            2,
        )
        yield printable(f"  {rebuild}")


def next_step(run: str, status: "Status", store: Path) -> Iterator[str]:
    """The command that resumes or starts a run; nothing for one that is completed or running."""
    words = {"interrupted": "Resume it with", "failed": "Resume it with", "not started": "Start it with"}
    if status in words:
        yield printable(f"{words[status]}: {command(store, 'run', '--resume', run)}")

"""`agent0es adapters`: what was trained, in files for other programs."""

from pathlib import Path

import click

from agent0es.cli.output import json_line, json_option, printable, store_option, write_lines
from agent0es.runs.exporting import FORMS, Form


@click.group("adapters")
def adapters_group() -> None:
    """Take trained adapters elsewhere."""


@adapters_group.command("export")
@click.argument("adapter", metavar="ADAPTER")
@click.option("--run", default=None, metavar="RUN", help="The run: its name or a prefix of it.  [default: latest]")
@click.option("--to", "form", type=click.Choice(FORMS), required=True, help="The form to write.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, metavar="FILE", help="File, or folder for peft."
)
@json_option
@store_option
def export_command(adapter: str, run: str | None, form: Form, output: Path, as_json: bool, store: Path) -> None:
    """Write a trained adapter for another program.

    ADAPTER is a name such as student-1; RUN/student-1 names the run too. merged-q8_0 and merged-f16 are one GGUF file
    with the base in it, for Ollama, LM Studio or llama.cpp. lora-gguf goes beside the base in llama.cpp, peft in
    transformers and vLLM.
    """
    from agent0es.bootstrap import open_store
    from agent0es.runs.exporting import export_adapter
    from agent0es.runs.finding import find_run
    from agent0es.runs.tracing import place

    named = place(adapter)
    if named.run is not None and run is not None:
        raise click.UsageError(f"{adapter!r} and --run both name a run; leave one out")
    with open_store(store) as log:
        found = find_run(log, named.run or run or "latest")
        size = export_adapter(log, store, found, named.name, form, output)
    if as_json:
        told = {"adapter": named.name, "run": found, "form": form, "path": str(output), "bytes": size}
        write_lines([json_line(told)])
    else:
        click.echo(printable(f"{named.name} of run {found} as {form} in {output}, {size / 1e6:.1f} MB"), err=True)

"""`agent0es export`: data of the log in files for other programs."""

import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from agent0es.cli.arguments import run_argument
from agent0es.cli.exit_codes import INTERRUPTED
from agent0es.cli.output import json_line, json_option, printable, say_waiting, store_option, write_lines
from agent0es.domain.text import counted, left_out
from agent0es.files import replacing
from agent0es.runs.exporting import FORMS, MODELFILE, Form
from agent0es.runs.exporting_datasets import FORMATS, Format

if TYPE_CHECKING:
    from agent0es.domain.values import Role
    from agent0es.runs.exporting_metrics import Target


@click.group("export")
def export_group() -> None:
    """Export data of the log for other programs."""


@export_group.command("trajectories")
@run_argument
@store_option
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="File to write; default: standard output."
)
@click.option(
    "--include-retracted", is_flag=True, help="Include what was retracted; `retracted` is true in those records."
)
def trajectories_command(run: str, store: Path, output: Path | None, include_retracted: bool) -> None:
    """Export the rewarded attempts of a run as JSON lines.

    RUN is a run's name, a prefix of it, or `latest`, the default. A line has task, solution, verification, rewards and
    timestamp. A fork's past comes first. Attempts at held-out problems and what was retracted are left out.
    """
    from agent0es.bootstrap import open_store
    from agent0es.log import History
    from agent0es.projections.trajectories import trajectories
    from agent0es.runs.finding import find_run

    with open_store(store) as log:
        lines = map(json_line, trajectories(History.of(log, find_run(log, run)), include_retracted=include_retracted))
        if output is None:
            write_lines(lines)
            return
        count = 0
        with replacing(output) as file:
            for line in lines:
                file.write(line.encode() + b"\n")
                count += 1
        click.echo(printable(f"{counted(count, 'trajectory', 'trajectories')} in {output}"), err=True)


@export_group.command("traces")
@run_argument
@store_option
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="File to write; default: standard output."
)
@click.option("--endpoint", metavar="URL", help="Post them to a collector, e.g. http://127.0.0.1:4318/v1/traces.")
def traces_command(run: str, store: Path, output: Path | None, endpoint: str | None) -> None:
    """Export a run as traces of OpenTelemetry.

    One trace for each task and each held-out answer.

    RUN is a run's name, a prefix of it, or `latest`, the default. A line is one export request of OTLP in JSON. What
    models wrote is left out.
    """
    from agent0es.bootstrap import open_store
    from agent0es.runs.exporting_traces import requests, send

    with open_store(store) as log:
        found = requests(log, run)
        if endpoint is not None:
            count = send(found, endpoint)
            click.echo(printable(f"{counted(count, 'span')} sent to {endpoint}"), err=True)
        elif output is None:
            write_lines(map(json_line, found))
        else:
            with replacing(output) as file:
                for request in found:
                    file.write(json_line(request).encode() + b"\n")


@export_group.command("metrics")
@run_argument
@store_option
@click.option("--tensorboard", "folder", type=click.Path(path_type=Path), metavar="DIR", help="Write event files here.")
@click.option("--mlflow", "uri", metavar="URI", help="Write to this server or database of MLflow.")
@click.option("--follow", is_flag=True, help="Write what comes, too, until the run is completed or Ctrl-C is pressed.")
def metrics_command(run: str, store: Path, folder: Path | None, uri: str | None, follow: bool) -> None:
    """Show a run's curves in TensorBoard or MLflow.

    RUN is a run's name, a prefix of it, or `latest`, the default. There is what a training tells as it goes, the
    practice of each iteration, held-out scores with their intervals, and the configuration. What is there already is
    left out, so the command can be repeated.
    """
    from agent0es.bootstrap import open_tables
    from agent0es.runs.exporting_metrics import export
    from agent0es.runs.finding import find_run

    if (folder is None) == (uri is None):
        raise click.UsageError("give either --tensorboard DIR or --mlflow URI")
    with open_tables(store) as (log, tables), _target(folder, uri) as target:
        name = find_run(log, run)

        count, interrupted = 0, False
        try:
            for written in export(log, tables, name, target, follows=follow, idle=lambda: say_waiting(name)):
                count += written
        except KeyboardInterrupt:
            interrupted = True
        write_lines([printable(f"{counted(count, 'new figure')} of run {name} in {target}")])
    if interrupted:
        sys.exit(INTERRUPTED)


@contextmanager
def _target(folder: Path | None, uri: str | None) -> "Iterator[Target]":
    if folder is not None:
        from agent0es.runs.exporting_to_tensorboard import TensorBoard

        with TensorBoard(folder) as target:
            yield target
    elif uri is not None:
        from agent0es.runs.exporting_to_mlflow import MLflow

        yield MLflow(uri)


@export_group.command("dataset")
@run_argument
@click.option("--adapter", metavar="ADAPTER", help="What this adapter learnt.")
@click.option("--role", type=click.Choice(["student", "teacher"]), help="What it would learn.  [default: student]")
@click.option(
    "--iteration", type=click.IntRange(min=1), metavar="N", help="… of the practice up to here.  [default: the last]"
)
@click.option("--format", "form", type=click.Choice(FORMATS), required=True, help="The shape of a row.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, metavar="FILE", help="FILE.jsonl or FILE.parquet."
)
@json_option
@store_option
def dataset_command(
    run: str,
    adapter: str | None,
    role: "Role | None",
    iteration: int | None,
    form: Format,
    output: Path,
    as_json: bool,
    store: Path,
) -> None:
    """Export what can be learnt from a run, for other trainers.

    RUN is a run's name, a prefix of it, or `latest`, the default. The formats are those of TRL's trainers; trajectories
    are those of `export trajectories`. Each row names the run, the task and the attempt that it is made of.
    """
    from agent0es.bootstrap import open_store
    from agent0es.runs.exporting_datasets import export_dataset
    from agent0es.runs.finding import find_run

    if adapter is not None and (role is not None or iteration is not None):
        raise click.UsageError("--adapter says whose dataset it is; leave --role and --iteration out")
    with open_store(store) as log:
        found = find_run(log, run)
        done = export_dataset(log, found, form, output, adapter=adapter, role=role or "student", iteration=iteration)
    if as_json:
        write_lines([json_line(done)])
        return
    rows, tasks = counted(done["rows"], "row"), counted(done["tasks"], "task")
    click.echo(printable(f"{rows} of {tasks} as {form} in {output}"), err=True)
    if done["left_out"]:
        click.echo(printable(f"Left out: {left_out(done['left_out'])}"), err=True)


@export_group.command("adapter")
@click.argument("adapter", metavar="ADAPTER")
@click.option("--run", default=None, metavar="RUN", help="The run: its name or a prefix of it.  [default: latest]")
@click.option("--to", "form", type=click.Choice(FORMS), required=True, help="The form to write.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FILE",
    help="File, or folder for peft and ollama.",
)
@json_option
@store_option
def adapter_command(adapter: str, run: str | None, form: Form, output: Path, as_json: bool, store: Path) -> None:
    """Write a trained adapter for another program.

    ADAPTER is a name such as student-1; RUN/student-1 names the run too. merged-q8_0 and merged-f16 are one GGUF file
    with the base in it, for LM Studio or llama.cpp. lora-gguf goes beside the base in llama.cpp, peft in transformers
    and vLLM. ollama is a folder of which `ollama create` makes a model that is asked as in the run. A card says where
    it comes from: README.md in the folder, or FILE.md beside the file.
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
        done = export_adapter(log, store, found, named.name, form, output)
    create = shlex.join(("ollama", "create", done.model, "-f", str(output / MODELFILE))) if done.model else None
    if as_json:
        told = {"adapter": named.name, "run": found, "form": form, "path": str(output), "bytes": done.size}
        write_lines([json_line(told | ({"create": create} if create else {}))])
    else:
        size = f"{done.size / 1e6:.1f} MB"
        click.echo(printable(f"{named.name} of run {found} as {form} in {output}, {size}"), err=True)
        if create:
            click.echo(printable(f"Make a model of it: {create}"), err=True)

"""`agent0es config`: the settings in effect and where each comes from, their schema, and the reference page."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from agent0es.cli.output import json_line, printable, store_option, write_lines

if TYPE_CHECKING:
    from agent0es.configuration import Configuration


@click.group("config")
def config_group() -> None:
    """Show the settings: values, sources, schema and meaning."""


@config_group.command("show")
@click.argument("run", required=False)
@store_option
@click.option(
    "--config", "config_file", type=click.Path(path_type=Path), metavar="FILE", help="YAML file; configs/ has examples."
)
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Set one key, e.g. execution.attempts=6.")
@click.option("--json", "as_json", is_flag=True, help="JSON instead of YAML.")
def show_command(
    run: str | None, store: Path, config_file: Path | None, overrides: tuple[str, ...], as_json: bool
) -> None:
    """Print the settings of the next run, or those of RUN, as YAML.

    --config reads this YAML. A comment names the source of each value that isn't a default: the file and line, the
    variable, the option, the run. Secrets are shown as ***.
    """
    from agent0es.configuration import loaded
    from agent0es.configuration.reference import as_yaml
    from agent0es.errors import ConfigurationError
    from agent0es.runs.settings import not_default

    if run is None:
        configuration, given = loaded(config_file, overrides)
        notes = {path: source.name for path, source in given.sources.items()}
    else:
        if config_file is not None or overrides:
            raise ConfigurationError("config show RUN shows what the run was started with; remove --config and --set")
        name, configuration = _of_run(store, run)
        notes = dict.fromkeys(not_default(configuration), f"run {name}")
    data = configuration.model_dump(mode="json")
    if as_json:
        sources = {".".join(path): note for path, note in notes.items()}
        write_lines([json_line({"configuration": data, "sources": sources})])
    else:
        write_lines(as_yaml(data, {path: printable(note) for path, note in notes.items()}))


@config_group.command("schema")
def schema_command() -> None:
    """Print the JSON schema of the settings, for editors."""
    from agent0es.configuration import Configuration

    write_lines(json.dumps(Configuration.model_json_schema(), indent=2).split("\n"))


@config_group.command("reference")
def reference_command() -> None:
    """Print docs/settings.md: every key, its default and meaning."""
    from agent0es.configuration.reference import reference

    write_lines(reference().splitlines())


def _of_run(store: Path, wanted: str) -> "tuple[str, Configuration]":
    from agent0es.bootstrap import open_store
    from agent0es.runs.finding import find_run
    from agent0es.runs.settings import configuration_of

    with open_store(store) as log:
        run = find_run(log, wanted)
        return run, configuration_of(log, run)

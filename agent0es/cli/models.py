"""`agent0es models`: which models there are, whether those of a configuration answer, and how fast they are."""

import asyncio
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agent0es.cli.model_reports import facts, named_lines, report, sized
from agent0es.cli.output import (
    json_line,
    json_option,
    printable,
    store_option,
    terminal_width,
    write_lines,
    write_table,
)

if TYPE_CHECKING:
    from agent0es.cli.meters import Meter
    from agent0es.configuration import Configuration
    from agent0es.runs.libraries import Place, PullProgress

MB = 1e6


def configured(function: Callable[..., None]) -> Callable[..., None]:
    """`--store`, and `--config` and `--set`, of which the command gets the `configuration`."""

    @store_option
    @click.option(
        "--config", "config_file", type=click.Path(path_type=Path), metavar="FILE", help="YAML file with settings."
    )
    @click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Set one key; repeatable.")
    @wraps(function)
    def run(config_file: Path | None, overrides: tuple[str, ...], **others: Any) -> None:
        from agent0es.configuration import load_configuration

        function(configuration=load_configuration(config_file, overrides), **others)

    return run


def placed(function: Callable[..., None]) -> Callable[..., None]:
    """`--backend` and `--base-url`, of which the command gets the `place`; None without them."""

    @click.option("--backend", metavar="NAME", help="This backend, in place of those of the configuration.")
    @click.option("--base-url", metavar="URL", help="Where its server is, if not at its usual place.")
    @wraps(function)
    def run(backend: str | None, base_url: str | None, **others: Any) -> None:
        from agent0es.errors import ConfigurationError
        from agent0es.runs.libraries import Place

        if backend is None and base_url is not None:
            raise ConfigurationError("--base-url needs --backend, e.g. --backend ollama")
        function(place=None if backend is None else Place(backend, base_url), **others)

    return run


@click.group("models")
def models_group() -> None:
    """List, fetch, show, delete and check models."""


@models_group.command("list")
@configured
@placed
@json_option
def list_command(configuration: "Configuration", store: Path, place: "Place | None", as_json: bool) -> None:
    """List the models that there are to choose from.

    Those at the backends of the configuration, and the embedded ones. The exit code is 2 when a backend can't be asked.
    """
    from agent0es.runs.libraries import shelves

    found = asyncio.run(shelves(configuration, store, place))
    for shelf in found:
        place_of = {"backend": shelf.backend, "base_url": shelf.base_url}
        if as_json:
            write_lines(json_line({**place_of, **facts(model)}) for model in shelf.models)
        elif shelf.problem is None:
            rows = [(model.name, model.here, sized(model.size), model.context, model.detail) for model in shelf.models]
            title = f"{shelf.backend} at {shelf.base_url}" if shelf.base_url else shelf.backend
            write_table(("name", "here", "size", "context", "detail"), rows, title)
    problems = [shelf.problem for shelf in found if shelf.problem is not None]
    for problem in problems:
        click.echo(printable(problem), err=True)
    sys.exit(2 if problems else 0)


@models_group.command("pull")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@configured
@placed
@json_option
def pull_command(
    names: tuple[str, ...], configuration: "Configuration", store: Path, place: "Place | None", as_json: bool
) -> None:
    """Fetch models; without a name those of the configuration.

    What is there already is not fetched again, and one that was cut off goes on where it can. The exit code is 2 when
    one can't be fetched.
    """
    from agent0es.configuration.secrets import text_without_secrets
    from agent0es.errors import Agent0Error
    from agent0es.runs.libraries import library_for
    from agent0es.runs.models import models_of

    failed: list[Agent0Error] = []
    for name in names or dict.fromkeys(model.settings.name for model in models_of(configuration)):
        try:
            model, library = library_for(configuration, store, place, name)
            with _metered(as_json) as meter:
                meter.show(f"fetching {printable(name)}", 0, None, "")
                asyncio.run(library.pull(name, _shown_by(meter)))
        except Agent0Error as error:
            failed.append(error)  # the others are fetched all the same
            continue
        if as_json:
            write_lines([json_line({"name": name, "backend": model.settings.backend})])
        else:
            write_lines([f"{name} is there ({model.settings.backend})"])
    for other in failed[:-1]:
        click.echo(printable(text_without_secrets(str(other))), err=True)
    if failed:
        raise failed[-1]


@models_group.command("show")
@click.argument("name")
@configured
@placed
@json_option
def show_command(name: str, configuration: "Configuration", store: Path, place: "Place | None", as_json: bool) -> None:
    """Show what is known of a model."""
    from agent0es.runs.libraries import library_for

    model, library = library_for(configuration, store, place, name)
    shown = asyncio.run(library.show(name))
    told = {"backend": model.settings.backend, **facts(shown.model)}
    told |= {key: value for key, value in shown.properties.items() if key not in told}
    write_lines([json_line(told)] if as_json else named_lines({**told, "size": sized(shown.model.size)}))


@models_group.command("rm")
@click.argument("name")
@configured
@placed
@click.option("--yes", is_flag=True, help="Don't ask.")
def rm_command(name: str, configuration: "Configuration", store: Path, place: "Place | None", yes: bool) -> None:
    """Delete a model's files, for all who use them."""
    from agent0es.runs.libraries import library_for

    model, library = library_for(configuration, store, place, name)
    asyncio.run(library.removable(name))  # what can't be deleted is said before anybody is asked
    if not yes:
        click.confirm(f"Delete {printable(name)} ({model.settings.backend})?", abort=True, err=True)
    asyncio.run(library.remove(name))
    write_lines([f"{name} is deleted ({model.settings.backend})"])


@models_group.command("check")
@configured
@json_option
def check_command(configuration: "Configuration", store: Path, as_json: bool) -> None:
    """Ask each model of the configuration whether it answers.

    A short question shows what it can do, and how fast it is. The exit code is 2 when a run could not start; each
    problem says how to mend it.
    """
    from agent0es.runs.models import check

    with _metered(as_json) as meter:
        found = asyncio.run(check(configuration, store, lambda what: meter.show(printable(what), 0, None, "")))
    can_start = not any(one.problems for one in found)
    if as_json:
        write_lines(json_line(report(one)) for one in found)
    else:
        from agent0es.cli.model_reports import lines

        for one in found:
            write_lines(lines(one, terminal_width()))
        write_lines(["A run can start." if can_start else "A run can't start."])
    sys.exit(0 if can_start else 2)


@models_group.command("bench")
@configured
@click.option("--at-once", default="1,8,32", show_default=True, metavar="N,N", help="Requests at once, in each round.")
@click.option("--tokens", type=click.IntRange(1, 4096), default=48, show_default=True, help="Most tokens an answer.")
@json_option
def bench_command(configuration: "Configuration", store: Path, at_once: str, tokens: int, as_json: bool) -> None:
    """Measure the tokens a second of each model of the configuration.

    Where tokens are paid for, these are, too.
    """
    from agent0es.runs.models import bench, models_of

    rounds = _numbers(at_once)
    rows: list[dict[str, Any]] = []

    async def measure(meter: "Meter") -> None:
        for model in models_of(configuration):
            settings = model.settings
            async for speed in bench(
                model, store, rounds, tokens, lambda what: meter.show(printable(what), 0, None, "")
            ):
                figures = {"at_once": speed.at_once, "tokens": speed.tokens, "seconds": round(speed.seconds, 3)}
                rate = round(speed.tokens_per_second, 1)
                rows.append({"model": settings.name, "backend": settings.backend, **figures, "tokens_per_second": rate})

    with _metered(as_json) as meter:
        asyncio.run(measure(meter))
    if as_json:
        write_lines(map(json_line, rows))
    else:
        write_table(list(rows[0]), [list(row.values()) for row in rows])


def _numbers(text: str) -> tuple[int, ...]:
    """The numbers in `1,8,32`. Raises ConfigurationError."""
    from agent0es.errors import ConfigurationError

    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and len(part) < 5 and 0 < int(part) <= 1024 for part in parts):
        raise ConfigurationError("--at-once: write numbers from 1 to 1024 with commas between, e.g. 1,8,32")
    return tuple(map(int, parts))


@contextmanager
def _metered(as_json: bool) -> "Iterator[Meter]":
    """Says on standard error what is being done; nothing where JSON is written."""
    from rich.console import Console

    from agent0es.cli.meters import meter_for

    meter = meter_for(Console(stderr=True), lambda text: click.echo(text, err=True), as_json)
    try:
        yield meter
    finally:
        meter.close()


def _shown_by(meter: "Meter") -> "Callable[[PullProgress], None]":
    """A bar in MB for each part of a pull, with its rate."""
    what, began, base, last = "", 0.0, 0, -1

    def show(progress: "PullProgress") -> None:
        nonlocal what, began, base, last
        now = time.monotonic()
        if progress.what != what:
            what, began, base, last = progress.what, now, progress.done, -1
        done, total = round(progress.done / MB), None if progress.total is None else round(progress.total / MB)
        if done == last:
            return
        last = done
        note = f"{(progress.done - base) / max(1e-3, now - began) / MB:.1f} MB/s" if progress.done > base else ""
        meter.show(printable(what), done, total, note)

    return show

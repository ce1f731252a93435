"""A configuration from its sources, from a log, or from another one.

Later sources win: defaults, the file, `AGENT0ES_<SECTION>__<KEY>` in the environment, `--set section.key=value`.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from agent0es import crash_points, plugins
from agent0es.configuration.messages import dotted, explain, section_at
from agent0es.configuration.settings import Configuration
from agent0es.configuration.sources import Given, KeyPath, Option, Source
from agent0es.errors import ConfigurationError

NOT_SETTINGS = {"AGENT0ES_STORE", crash_points.VARIABLE}
"""Variables with the prefix that are not part of the configuration."""


def load_configuration(
    file: Path | None = None,
    overrides: Iterable[str] = (),
    environment: Mapping[str, str] | None = None,
    options: Iterable[Option] = (),
) -> Configuration:
    """The configuration from all its sources. Raises ConfigurationError that names the wrong key."""
    return loaded(file, overrides, environment, options)[0]


def loaded(
    file: Path | None = None,
    overrides: Iterable[str] = (),
    environment: Mapping[str, str] | None = None,
    options: Iterable[Option] = (),
) -> tuple[Configuration, Given]:
    """The configuration, and what each source said. Raises ConfigurationError as `load_configuration` does."""
    chosen = os.environ if environment is None else environment
    variables = {name: text for name, text in chosen.items() if name not in NOT_SETTINGS}
    given = Given.collect(file, variables, overrides, options, _is_section)
    return _with_known_names(given, "configuration"), given


def changed_configuration(configuration: Configuration, overrides: Iterable[str]) -> Configuration:
    """The configuration with single keys set, each as `key=value`. Raises ConfigurationError."""
    given = Given(configuration.model_dump(mode="json"))
    given.override(overrides, _is_section)
    return _with_known_names(given, "--set")


def parse_configuration(data: Mapping[str, Any], source: str) -> Configuration:
    """A validated configuration, or ConfigurationError that names the first wrong key.

    A missing plug-in does not matter here: a log can be read without it.
    """
    return _parse(Given(dict(data)), source)


def _parse(given: Given, otherwise: str) -> Configuration:
    """`otherwise` names the source of what comes from none of them."""
    try:
        return Configuration.model_validate(given.data)
    except ValidationError as error:
        first = error.errors()[0]
        path = tuple(str(part) for part in first["loc"])
        source = (given.source_of(path) if path else None) or Source(otherwise)
        raise ConfigurationError(explain(dict(first), source, Configuration)) from None


def _with_known_names(given: Given, otherwise: str) -> Configuration:
    """A validated configuration that names only installed plug-ins. They are not imported for that."""
    configuration = _parse(given, otherwise)
    models, tools = configuration.models, configuration.tools
    named: list[tuple[KeyPath, plugins.Group, Iterable[str]]] = [
        (("models", "teacher", "backend"), plugins.MODELS, [models.teacher.backend]),
        (("models", "student", "backend"), plugins.MODELS, [models.student.backend]),
        (("curriculum", "domains"), plugins.TASK_DOMAINS, configuration.curriculum.domains),
        (("curriculum", "families"), plugins.FAMILIES, configuration.curriculum.families),
        (("tools", "enabled"), plugins.TOOLS, tools.enabled or ()),
        (("rewards", "weights"), plugins.REWARDS, configuration.rewards.weights),
        (("tools", "of"), plugins.TOOLS, tools.of),
        (("tools", "domains"), plugins.TASK_DOMAINS, tools.domains),
        *((("tools", "domains", domain), plugins.TOOLS, of) for domain, of in tools.domains.items()),
    ]
    known: dict[plugins.Group, list[str]] = {}
    for path, group, names in named:
        for name in names:
            if (source := given.source_of((*path, name))) is None:
                continue  # a default, or what a run was started with
            if group not in known:
                known[group] = plugins.installed(group)
            if name not in known[group]:
                raise ConfigurationError(f"{_said(source, path)}: {plugins.unknown(group, name, known[group])}")
    return configuration


def _said(source: Source, path: KeyPath) -> str:
    return source.name if source.path[: len(path)] == path else f"{source.name}: {dotted(path)}"


def _is_section(path: KeyPath) -> bool:
    return section_at(path, Configuration) is not None

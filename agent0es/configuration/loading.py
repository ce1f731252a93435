"""A configuration from its sources, from a log, or from another one.

Later sources win: defaults, the file, `AGENT0ES_<SECTION>__<KEY>` in the environment, `--set section.key=value`.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from agent0es import crash_points, plugins
from agent0es.configuration.keys import keys_in
from agent0es.configuration.messages import NEVER_SHOWN, dotted, explain, section_at
from agent0es.configuration.secrets import variable_of
from agent0es.configuration.settings import Configuration
from agent0es.configuration.sources import Given, KeyPath, Option, Source
from agent0es.errors import ConfigurationError

SERVICE_TOKEN = "AGENT0ES_SERVICE_TOKEN"
"""What clients of the service show may stand in this variable."""
JOB = "AGENT0ES_JOB"
"""Which job of a schedule a process belongs to."""
NOT_SETTINGS = {JOB, "AGENT0ES_STORE", SERVICE_TOKEN, crash_points.VARIABLE}
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
    _refuse_keys(given)
    return _with_known_names(given, "configuration"), given


def changed_configuration(configuration: Configuration, overrides: Iterable[str]) -> Configuration:
    """The configuration with single keys set, each as `key=value`. A learning rate is a method's: with another one it
    is the new one's own, unless it is set too. Raises ConfigurationError."""
    given = Given(configuration.model_dump(mode="json"))
    given.override(overrides, _is_section)
    _refuse_keys(given)
    changed = _with_known_names(given, "--set")
    if changed.training.method == configuration.training.method or given.source_of(("training", "learning_rate")):
        return changed
    return changed.model_copy(update={"training": changed.training.model_copy(update={"learning_rate": None})})


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
        (("router", "local", "backend"), plugins.MODELS, [configuration.router.local.backend]),
        (("router", "cloud", "backend"), plugins.MODELS, [one.backend for one in [configuration.router.cloud] if one]),
        (("router", "signals"), plugins.ROUTER_SIGNALS, configuration.router.signals),
        (("curriculum", "domains"), plugins.TASK_DOMAINS, configuration.curriculum.domains),
        (("curriculum", "families"), plugins.FAMILIES, configuration.curriculum.families),
        (("tools", "enabled"), plugins.TOOLS, tools.enabled or ()),
        (("rewards", "weights"), plugins.REWARDS, configuration.rewards.weights),
        (("training", "method"), plugins.METHODS, [configuration.training.method]),
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


def _refuse_keys(given: Given) -> None:
    """Raises ConfigurationError for the key of a service in a file or an option, which others may read, and for one
    that the log would keep, wherever it comes from. It names the variable to use."""
    for path, variable, masked in keys_in(given.data):
        source = given.source_of(path)
        if source is None or path[:2] == NEVER_SHOWN or (masked and (source.is_variable or path[2:] == ("base_url",))):
            continue  # from the log, where a mask stands for it; from the environment; or what is refused as it is
        role = path[:2] if path[0] in ("models", "router") and len(path) > 2 else None
        if masked and variable is None and role is not None and path[2] in ("options", "name"):
            use = f"set the environment variable {variable_of('.'.join(path))} instead"
        else:
            variable = variable or "MY_API_KEY"
            use = f"export it as {variable}" + (f", and set {dotted(role)}.api_key_env to {variable}" if role else "")
        raise ConfigurationError(f"{_said(source, path)} holds what looks like a key, which a log would keep: {use}")


def _said(source: Source, path: KeyPath) -> str:
    return source.name if source.path[: len(path)] == path else f"{source.name}: {dotted(path)}"


def _is_section(path: KeyPath) -> bool:
    return section_at(path, Configuration) is not None

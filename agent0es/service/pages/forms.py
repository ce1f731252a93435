"""Forms made from the configuration's JSON schema, and what somebody wrote into them. Pure."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

IMPORTANT = (
    "execution.iterations",
    "execution.tasks_per_iteration",
    "execution.attempts",
    "curriculum.domains",
    "models.student.name",
    "training.roles",
    "seed",
)
"""Keys that a form begins with; the others are folded away by section."""


@dataclass(frozen=True, slots=True)
class Field:
    """A key of the configuration, as a line of a form."""

    key: str
    help: str
    default: str
    """As JSON, which is YAML too."""
    choices: tuple[str, ...]
    """Where there are few."""


def fields(schema: Mapping[str, Any], defaults: Mapping[str, Any]) -> list[Field]:
    """Every key, in the order of the schema; `defaults` are values in effect."""
    return list(_fields(schema, schema.get("$defs", {}), defaults, ""))


def _fields(
    section: Mapping[str, Any], defs: Mapping[str, Any], defaults: Mapping[str, Any], prefix: str
) -> Iterator[Field]:
    for name, described in section["properties"].items():
        inner = _section(described, defs)
        value = defaults.get(name)
        if inner is not None and isinstance(value, Mapping):
            yield from _fields(inner, defs, value, f"{prefix}{name}.")
        else:
            choices = tuple(json.dumps(choice) for choice in described.get("enum", ()))
            told = " ".join(described.get("description", "").split())
            yield Field(f"{prefix}{name}", told, json.dumps(value), choices)


def _section(described: Mapping[str, Any], defs: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The model that a property refers to, where it is one with properties of its own."""
    found = described.get("$ref", "").rpartition("/")[2]
    inner: Mapping[str, Any] = defs.get(found, {})
    return inner if "properties" in inner else None


def by_section(known: Iterable[Field]) -> tuple[list[Field], dict[str, list[Field]]]:
    """The important ones in their order, and the others under their section."""
    found = {field.key: field for field in known}
    first = [found[key] for key in IMPORTANT if key in found]
    rest: dict[str, list[Field]] = {}
    for key, field in found.items():
        if key not in IMPORTANT:
            rest.setdefault(key.partition(".")[0], []).append(field)
    return first, rest


def changed(given: Mapping[str, str], known: Iterable[Field]) -> list[str]:
    """KEY=VALUE for each key that was given another value than its default."""
    defaults = {field.key: field.default for field in known}
    return [
        f"{key}={value.strip()}"
        for key, value in given.items()
        if key in defaults and value.strip() not in ("", defaults[key])
    ]


def lines(text: str) -> list[str]:
    """KEY=VALUE, one a line."""
    return [line.strip() for line in text.splitlines() if line.strip()]

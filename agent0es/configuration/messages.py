"""Messages about a wrong setting: where it was given, its key as the user wrote it, what it must be.

A pydantic error becomes one line. Long values are cut, and secrets are not shown.
"""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel

from agent0es.configuration.keys import looks_like_a_key
from agent0es.configuration.secrets import MASK, is_secret, variable_of
from agent0es.configuration.sources import KeyPath, Source, short

NEVER_SHOWN = ("log", "url")
"""A URL may hold a password, and in one that can't be read it may be anywhere."""

_LORA = {name: (f"training.{name}",) for name in ("peft_method", "rank", "alpha", "target_modules", "dropout")}
ELSEWHERE: Mapping[KeyPath, Sequence[str]] = {
    ("peft",): [key for keys in _LORA.values() for key in keys],
    **{("peft", name.removeprefix("peft_")): keys for name, keys in _LORA.items()},
}
"""Keys of other implementations of Agent0 to ours, where the names are not near enough."""


def explain(error: Mapping[str, Any], source: Source, model: type[BaseModel]) -> str:
    """One line for one entry of `ValidationError.errors()`."""
    path = tuple(str(part) for part in error["loc"])
    kind = error["type"]
    if kind == "extra_forbidden":
        return unknown_key(path, source, model)
    problem = _problem(kind, error.get("ctx", {}), error["input"], error["msg"])
    hidden = path[:2] == NEVER_SHOWN or any(map(is_secret, path))
    given = "" if hidden or isinstance(error["input"], dict) else f", not {_shown(error['input'])}"
    if kind == "value_error":
        named = source.path[: len(path)] == path  # by the source, perhaps with more
        return f"{source.name}: {problem}" if named else f"{_about(path, source)}: {problem}"
    return f"{_about(path, source)} {problem}{given}"


def unknown_key(path: KeyPath, source: Source, model: type[BaseModel]) -> str:
    """The message about an unknown key, with the nearest known one."""
    wanted = source.path if source.path[: len(path)] == path else path
    said = source.name if wanted == source.path else f"{source.name}: {dotted(path)}"
    near = nearest(wanted, model)
    if near:
        return (
            f"{said}: unknown key; did you mean {' or '.join(map(variable_of, near) if source.is_variable else near)}?"
        )
    section = section_at(path[:-1], model)
    known = "" if section is None else f"; known keys{_of(path[:-1])}: {', '.join(section.model_fields)}"
    return f"{said}: unknown key{known}"


def nearest(wanted: KeyPath, model: type[BaseModel]) -> list[str]:
    """The keys that may have been meant: the wrong name corrected in its section, else keys of that name elsewhere."""
    if wanted in ELSEWHERE:
        return list(ELSEWHERE[wanted])
    for i, part in enumerate(wanted):
        section = section_at(wanted[:i], model)
        if section is not None and part not in section.model_fields:
            cutoff = 0.7 if len(wanted) == 1 else 0.6  # a name alone may be of a key rather than of a section
            close = difflib.get_close_matches(part[:60], section.model_fields, n=1, cutoff=cutoff)
            right = (*wanted[:i], *close, *wanted[i + 1 :])
            if close and _is_key(right, model):
                return [".".join(right)]
            break
    keys = list(keys_of(model))
    names = {key.rpartition(".")[2] for key in keys}
    close = difflib.get_close_matches(wanted[-1][:60], sorted(names), n=1, cutoff=0.8)
    return [key for key in keys if close and key.rpartition(".")[2] == close[0]]


def _is_key(path: KeyPath, model: type[BaseModel]) -> bool:
    section = section_at(path[:-1], model)
    return section is None or path[-1] in section.model_fields


def keys_of(model: type[BaseModel], outer: str = "") -> Iterator[str]:
    """Every key with the sections that it stands in, in order."""
    for name, field in model.model_fields.items():
        inner = section_of(field.annotation)
        if inner is None:
            yield outer + name
        else:
            yield from keys_of(inner, f"{outer}{name}.")


def section_at(path: KeyPath, model: type[BaseModel]) -> type[BaseModel] | None:
    """The section at this path; None for a value and for an unknown path."""
    annotation: Any = model
    for part in path:
        annotation = _plain(annotation)
        section = section_of(annotation)
        if section is not None:
            if part not in section.model_fields:
                return None
            annotation = section.model_fields[part].annotation
        elif get_origin(annotation) is dict:
            annotation = get_args(annotation)[1]
        else:
            return None
    return section_of(_plain(annotation))


def section_of(annotation: Any) -> type[BaseModel] | None:
    """The annotation, if it is that of a section."""
    return annotation if isinstance(annotation, type) and issubclass(annotation, BaseModel) else None


def dotted(path: KeyPath) -> str:
    """The path as a user writes it, cut."""
    return short(".".join(path))


def _plain(annotation: Any) -> Any:
    """The annotation without `| None`."""
    if get_origin(annotation) in (Union, UnionType):
        kinds = [kind for kind in get_args(annotation) if kind is not NoneType]
        return kinds[0] if len(kinds) == 1 else annotation
    return annotation


def _about(path: KeyPath, source: Source) -> str:
    """The first words of a message about a key."""
    return source.name if path == source.path else f"{source.name}: {dotted(path)}"


def _shown(value: Any) -> str:
    """A value as YAML has it, cut."""
    match value:
        case None:
            return "empty"
        case bool():
            return str(value).lower()
        case str() if looks_like_a_key(value):
            return MASK
        case _:
            return short(repr(value))


def _of(path: KeyPath) -> str:
    return f" of {dotted(path)}" if path else ""


def _problem(kind: str, limits: Mapping[str, Any], given: Any, otherwise: str) -> str:
    """What is wrong with a value, to follow its key: `must be at least 1`."""
    match kind:
        case "greater_than_equal":
            return f"must be at least {limits['ge']:g}"
        case "greater_than":
            return f"must be more than {limits['gt']:g}"
        case "less_than_equal":
            return f"must be at most {limits['le']:g}"
        case "less_than":
            return f"must be less than {limits['lt']:g}"
        case "int_type" | "int_parsing" | "int_from_float" | "int_parsing_size":
            return "must be a whole number"
        case "float_type" | "float_parsing":
            return "must be a number"
        case "finite_number":
            return "must be a finite number"
        case "bool_type" | "bool_parsing":
            return "must be true or false"
        case "string_type":
            return "must be a text" if given is None else "must be a text, in quotes where it looks like something else"
        case "literal_error":
            return _choice(limits["expected"], given)
        case "tuple_type":
            example = given if isinstance(given, str) and given and len(given) <= 30 else "python"
            return f"expects a list, e.g. [{example}]"
        case "dict_type":
            return "expects keys with values, e.g. {name: value}"
        case "model_type" | "model_attributes_type":
            return "is a section: set its keys, e.g. execution.attempts"
        case "too_short":
            return f"must name at least {limits['min_length']}"
        case "value_error":
            return str(limits["error"]) if "error" in limits else otherwise
        case _:
            return f"is wrong ({otherwise})"


def _choice(expected: str, given: Any) -> str:
    """What pydantic writes as `'a', 'b' or 'c'`, with the nearest."""
    names = [name.strip().strip("'") for name in expected.replace(" or ", ", ").split(",")]
    near: Sequence[str] = (
        difflib.get_close_matches(given[:60], names, n=1, cutoff=0.5) if isinstance(given, str) else ()
    )
    hint = f" (did you mean {near[0]}?)" if near else ""
    return f"must be {names[0]}{hint}" if len(names) == 1 else f"must be one of {', '.join(names)}{hint}"

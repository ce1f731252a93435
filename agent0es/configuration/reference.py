"""The settings as people read them: the reference page, made from the models, and a configuration as YAML."""

import json
from collections.abc import Iterator, Mapping
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from agent0es.configuration.messages import section_at, section_of
from agent0es.configuration.secrets import variable_of
from agent0es.configuration.settings import Configuration
from agent0es.configuration.sources import KeyPath

WIDTH = 100
"""Characters of a line of YAML, where its value is a list."""
NO_KEYS = ("true", "false", "yes", "no", "on", "off", "null")
"""What YAML does not read as text."""
LONGEST_DEFAULT = 110
"""Characters of a default that the reference page shows."""

INTRODUCTION = f"""# Settings

Made by `agent0es config reference` from the models in `agent0es/configuration/settings.py`; change it there.

A later source wins: the defaults, the file that `--config` names, the environment, `--set`. The key
`execution.attempts` is `execution:` and under it `attempts:` in YAML, `{variable_of("execution.attempts")}` in the
environment, and `--set execution.attempts=4` on the command line. Values are written as in YAML: `[math, logic]` is a
list, `null` is no value. `--iterations`, `--tasks` and `--domains` are short for keys of `execution` and `curriculum`.
Unknown keys and keys given twice are refused; so are aliases and tags of YAML.

A run keeps the configuration that it was started with; `agent0es run --resume` uses that one, and `agent0es fork --set`
changes keys after an event. `configs/default.yaml` has every key with its default.

```sh
agent0es config show --config configs/default.yaml --set execution.attempts=4
agent0es config show latest
```

## Secrets

The key of a server is in an environment variable, and `models.<role>.api_key_env` says in which one. A variable
`NAME_FILE` with the path of a file that holds the key does as well.

```yaml
models:
  student:
    api_key_env: MY_API_KEY
```

A configuration that holds a key itself is refused, with the variable to use: what stands under a name that says so
(`api_key`, `token`, `password`, `secret`, `Authorization`, `key`, …, at any depth of `models.*.options`), a password
in a URL, and whatever looks like a key (`sk-…`, `Bearer …`, a long random word). What a backend's own option needs
comes from the environment, too:

```yaml
models:
  student:
    options:
      password_env: MY_PASSWORD  # the backend gets password, with what is in $MY_PASSWORD
```

or from the variable that sets the key, such as `{variable_of("models.student.options.password")}`.
The log has `***` instead of such a value, so it must be in the environment again when the run is resumed or forked;
the message says which variable is missing. `log.url` is kept without its password; commands that read a log take it
from `{variable_of("log.url")}`. What an older version wrote into a log stays there: change such a password.
"""


def reference() -> str:
    """The reference page as Markdown."""
    return "\n".join([INTRODUCTION, *_section(Configuration(), ())])


def as_yaml(data: Mapping[str, Any], notes: Mapping[KeyPath, str], path: KeyPath = ()) -> Iterator[str]:
    """Lines of YAML that read back as the same, with a note as a comment at the end of a key's line.

    Nothing in it but a note's text can hold a character that is not printable.
    """
    indent = "  " * len(path)
    for name, value in data.items():
        here = (*path, name)
        note = f"  # {notes[here]}" if here in notes else ""
        key = name if name.isidentifier() and name.lower() not in NO_KEYS else json.dumps(name)
        if isinstance(value, Mapping) and value:
            yield f"{indent}{key}:{note}"
            yield from as_yaml(value, notes, here)
        else:
            first, *rest = _wrapped(value, f"{indent}{key}: ")
            yield first + note
            yield from rest


def _wrapped(value: Any, lead: str) -> list[str]:
    """A value behind its key; a long list over several lines."""
    text = lead + json.dumps(value)
    if len(text) <= WIDTH or not isinstance(value, list):
        return [text]
    lines, indent = [lead + "["], " " * (len(lead) - len(lead.lstrip()) + 2)
    line = indent
    for item in value:
        shown = json.dumps(item) + ", "
        if len(line) + len(shown) > WIDTH and line != indent:
            lines.append(line.rstrip())
            line = indent
        line += shown
    return [*lines, line.rstrip().removesuffix(","), indent[2:] + "]"]


def _section(section: BaseModel, path: KeyPath, description: str = "") -> Iterator[str]:
    """A heading, what the section is, a table of its keys, and the sections in it."""
    rows, inner = [], []
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            inner.append((value, (*path, name), field.description or ""))
            continue
        if value is None and (optional := section_at((name,), type(section))) is not None:
            inner.append((optional(), (*path, name), field.description or ""))
        text = " ".join((field.description or "").split()).replace("|", "\\|")
        rows.append(f"| `{name}` | {_default(field, value)} | {_kind(field)} | {text} |")
        if (own := _in_dict(field.annotation)) is not None:
            inner.append((own, (*path, name, "TOOL") if name == "of" else (*path, name, "DOMAIN", "TOOL"), ""))
    if path:
        yield f"## {'.'.join(path)}\n"
        yield f"{' '.join((description or type(section).__doc__ or '').split())}\n"
    if rows:
        yield from ("## Top level\n",) if not path else ()
        yield from ("| key | default | values | meaning |", "|---|---|---|---|", *rows, "")
    for one, where, description in inner:
        if where[-2:] == ("DOMAIN", "TOOL"):
            yield f"## {'.'.join(where)}\n\nThe same keys as `tools.of.TOOL`, for one tool in one task domain.\n"
        else:
            yield from _section(one, where, description)


def _in_dict(annotation: Any) -> BaseModel | None:
    """The section that a mapping of sections has under each of its keys."""
    while get_origin(annotation) is dict:
        annotation = get_args(annotation)[1]
        if (section := section_of(annotation)) is not None:
            return section()
    return None


def _default(field: FieldInfo, value: Any) -> str:
    """A default as YAML has it."""
    text = json.dumps(field.default if isinstance(field.default, str) else _plain(value))
    return f"`{text}`" if len(text) <= LONGEST_DEFAULT else "see `configs/default.yaml`"


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _kind(field: FieldInfo) -> str:
    """What a value can be, in words."""
    bounds = {}
    for constraint in field.metadata:
        for name in ("ge", "gt", "le", "lt", "min_length"):
            if (bound := getattr(constraint, name, None)) is not None:
                bounds[name] = bound
    words = {"ge": "from {:g}", "gt": "over {:g}", "le": "to {:g}", "lt": "under {:g}", "min_length": "not empty"}
    within = [words[name].format(bound) for name, bound in bounds.items()]
    kinds = get_args(field.annotation) if get_origin(field.annotation) in (Union, UnionType) else (field.annotation,)
    named = " or ".join(_named(kind) for kind in kinds if kind is not NoneType)
    return ", ".join([named, *within, *(["or `null`"] if NoneType in kinds else [])])


def _named(annotation: Any) -> str:
    match get_origin(annotation):
        case origin if origin is Literal:
            return " or ".join(f"`{name}`" for name in get_args(annotation))
        case origin if origin is tuple:
            inner = get_args(annotation)[0]
            return "list of texts" if inner is str else f"list of {_named(inner)}"
        case origin if origin is dict:
            inner = get_args(annotation)[1]
            return "keys with numbers" if inner is float else "keys with values"
        case _:
            plain = {int: "whole number", float: "number", bool: "`true` or `false`", str: "text"}
            return plain.get(annotation, "keys with values")

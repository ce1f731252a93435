"""Where settings come from: a YAML file, the environment, options of the command line.

Only the form is checked here: size and depth, no aliases, no key twice, text that can be stored.
`agent0es.configuration` checks the keys.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent0es.configuration.secrets import ENVIRONMENT_PREFIX, is_secret
from agent0es.errors import ConfigurationError

if TYPE_CHECKING:
    import yaml

MOST_BYTES = 256 * 1024
"""Size of a file or a value."""
DEEPEST = 20
"""Values within values."""
LONGEST_NUMBER = 100
"""Characters of a number, or of anything else that is not text."""
TEXT = "tag:yaml.org,2002:str"
NO_SETTINGS = ("timestamp", "value", "merge")
"""What YAML 1.1 makes of some texts, and what no setting is: dates, `=`, `<<`."""
SHOWN = 60
"""Characters of a foreign text that a message shows."""

KeyPath = tuple[str, ...]
"""A key with the sections that it stands in."""


Option = tuple[str, str, Any]
"""An option of the command line that sets a key: its name, e.g. `--tasks`, the dotted key, and the value."""

IsSection = Callable[[KeyPath], bool]
"""Whether there is a section at this path."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where the value of a key was given."""

    name: str
    """In the user's own words: `my.yaml, line 3`, `AGENT0ES_SEED`, `--set seed`, `--tasks`."""
    path: KeyPath = ()
    """The key that the name contains; empty for a file."""
    is_variable: bool = False
    """Whether it is a variable of the environment."""


@dataclass(slots=True)
class Given:
    """What all sources give; a later one wins."""

    data: dict[str, Any] = field(default_factory=dict)
    sources: dict[KeyPath, Source] = field(default_factory=dict)
    """Path to the last source, for every value and section that was given."""

    @classmethod
    def collect(
        cls,
        file: Path | None,
        variables: Mapping[str, str],
        overrides: Iterable[str],
        options: Iterable[Option],
        is_section: IsSection,
    ) -> "Given":
        """What all sources give, later ones winning: file, environment, `--set key=value`, other options.

        Only variables with the prefix count. Raises ConfigurationError in one line.
        """
        given = cls()
        if file is not None:
            read_file(file, given)
        for name, text in sorted(variables.items()):
            if name.startswith(ENVIRONMENT_PREFIX):
                _check_text(name, "the environment")
                path = tuple(name[len(ENVIRONMENT_PREFIX) :].lower().split("__"))
                source = Source(short(name), path, is_variable=True)
                given.put(path, read_value(text, path[-1], source.name), source, is_section)
        given.override(overrides, is_section)
        for name, key, value in options:
            path = tuple(key.split("."))
            given.put(path, value, Source(name, path), is_section)
        return given

    def override(self, overrides: Iterable[str], is_section: IsSection) -> None:
        """Set single keys, each as `key=value`. Raises ConfigurationError."""
        for override in overrides:
            key, separator, text = override.partition("=")
            if not separator:
                raise ConfigurationError(f"--set {short(override)}: write it as key=value, e.g. execution.attempts=4")
            _check_text(key, "--set")
            path = tuple(key.strip().split("."))
            source = Source(f"--set {short(key)}", path)
            self.put(path, read_value(text, path[-1], source.name), source, is_section)

    def source_of(self, path: KeyPath) -> Source | None:
        """The source of the value at this path, or of something in it, or of the nearest value around it."""
        if path not in self.sources:
            for known, source in self.sources.items():
                if known[: len(path)] == path:
                    return source
        for length in range(len(path), 0, -1):
            if path[:length] in self.sources:
                return self.sources[path[:length]]
        return None

    def put(self, path: KeyPath, value: Any, source: Source, is_section: IsSection) -> None:
        """Set one key. A mapping for a section sets the keys in it, and leaves the others of the section unchanged.

        Raises ConfigurationError where a part of the path is a value.
        """
        if isinstance(value, dict) and is_section(path):
            self.sources.setdefault(path, source)
            for key, inner in value.items():
                self.put((*path, key), inner, source, is_section)
            return
        data = self.data
        for i, part in enumerate(path[:-1], 1):
            if data.get(part) is None:
                data[part] = {}
            data = data[part]
            if not isinstance(data, dict):
                raise ConfigurationError(f"{source.name}: {'.'.join(path[:i])} is a value, not a section")
        data[path[-1]] = value
        for known in [known for known in self.sources if known[: len(path)] == path]:
            del self.sources[known]
        self.sources[path] = source


def read_file(file: Path, given: Given) -> None:
    """Read a YAML file, each key with its line. Raises ConfigurationError in one line."""
    try:
        with file.open("rb") as stream:
            raw = stream.read(MOST_BYTES + 1)
        text = raw.decode("utf-8")
    except OSError as error:
        raise ConfigurationError(f"{file}: {error.strerror or error}; name a readable YAML file") from None
    except (UnicodeDecodeError, ValueError) as error:  # a NUL in the path is a ValueError
        raise ConfigurationError(f"{file}: not YAML in UTF-8: {short(str(error))}") from None
    data, lines = _read(text, str(file), "not YAML")
    if data is None:
        return
    if not isinstance(data, dict):
        raise ConfigurationError(f"{file}: the top level must be a mapping of sections, e.g. `execution:`")
    given.data = data
    given.sources = {path: Source(f"{file}, line {line}") for path, line in lines.items() if path}


def read_value(text: str, key: str, where: str) -> Any:
    """A value of an option or a variable, written as in YAML. A secret is taken literally unless it is in quotes,
    brackets or braces.

    Raises ConfigurationError in one line.
    """
    secret = is_secret(key)
    try:
        value, _ = _read(text, where, "can't read the value")
    except ConfigurationError:
        if secret and len(text) <= MOST_BYTES:
            _check_text(text, where)
            return text
        raise
    plain = secret and text[:1] not in ("'", '"', "[", "{")
    return text if plain else value


def short(text: str, most: int = SHOWN) -> str:
    """The text on one line, cut."""
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"


def _check_text(text: str, where: str) -> None:
    """Refuse a lone surrogate: a byte that is not UTF-8, or half of a character."""
    try:
        text.encode()
    except UnicodeEncodeError:
        shown = short(text.encode("utf-8", "backslashreplace").decode())
        raise ConfigurationError(f"{where}: {shown!r} is not valid text; write it in UTF-8") from None


def _read(text: str, where: str, wrong: str) -> tuple[Any, dict[KeyPath, int]]:
    """The value and the line of each key in it. Raises ConfigurationError that begins with `where`."""
    import yaml

    if len(text) > MOST_BYTES:
        raise ConfigurationError(f"{where}: longer than {MOST_BYTES // 1024} KB; shorten it")
    _check_text(text, where)
    try:
        loader = _loader()(text)
        try:
            node = loader.get_single_node()
            lines: dict[KeyPath, int] = {}
            _check(node, (), where, lines)
            return (None if node is None else loader.construct_document(node)), lines
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        line = "" if error.problem_mark is None else f", line {error.problem_mark.line + 1}"
        raise ConfigurationError(f"{where}: {wrong}: {error.problem or error.context}{line}") from None
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # impossible numbers and dates
        raise ConfigurationError(f"{where}: {wrong}: {short(str(error), 120)}") from None


def _check(node: "yaml.Node | None", path: KeyPath, where: str, lines: dict[KeyPath, int]) -> None:
    """Refuse a key that is given twice, and note the line of each."""
    import yaml

    if isinstance(node, yaml.ScalarNode):
        if node.tag == TEXT:
            _check_text(node.value, where)
        elif len(node.value) > LONGEST_NUMBER:
            line = node.start_mark.line + 1
            raise ConfigurationError(f"{where}, line {line}: a number of more than {LONGEST_NUMBER} digits")
    elif isinstance(node, yaml.SequenceNode):
        for i, item in enumerate(node.value):
            _check(item, (*path, str(i)), where, lines)
    elif isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode) or key.tag != TEXT:
                shown = key.value if isinstance(key, yaml.ScalarNode) else "a list or mapping"
                raise ConfigurationError(f"{where}, line {line}: a key must be a text, not {short(shown)}")
            name = key.value
            _check_text(name, where)
            dotted = short(".".join((*path, name)))
            if name in seen:
                raise ConfigurationError(f"{where}: {dotted} is given twice, in line {seen[name]} and line {line}")
            seen[name] = line
            lines[(*path, name)] = line
            _check(value, (*path, name), where, lines)


def _loader() -> "type[yaml.SafeLoader]":
    """PyYAML's safe loader, limited in depth, without tags and aliases, which make much of little."""
    import yaml

    class Loader(yaml.SafeLoader):
        yaml_implicit_resolvers = {  # noqa: RUF012 — the library's way of giving them
            first: [(tag, pattern) for tag, pattern in resolvers if tag.rpartition(":")[2] not in NO_SETTINGS]
            for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
        }
        depth = 0

        def compose_node(self, parent: Any, index: Any) -> Any:
            event = self.peek_event()  # type: ignore[no-untyped-call]
            if isinstance(event, yaml.AliasEvent):
                raise self.refusal(f"*{short(event.anchor or '')} is an alias; write the value out")
            if event.tag is not None:
                raise self.refusal(f"{short(event.tag)} is a tag; write the value without it")
            self.depth += 1
            if self.depth > DEEPEST:
                raise self.refusal(f"nested more than {DEEPEST} levels deep")
            node = super().compose_node(parent, index)
            self.depth -= 1
            return node

        def refusal(self, problem: str) -> yaml.MarkedYAMLError:
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            return yaml.composer.ComposerError(None, None, problem, mark)

    return Loader

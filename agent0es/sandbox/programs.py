"""Programs made of modules that lie beside us: their texts, read once, and nothing of them imported.

A module that runs in the sandbox is an ordinary one, with types and tests. It imports the standard library, packages
that are there inside (`tiers.PACKAGES`), and modules of its own package that do the same, by `from … import …`.
"""

import ast
import importlib.util
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from agent0es.domain.program import Program

MAIN = "main"


@cache
def program_of(name: str) -> Program:
    """The program that begins with the module of this name (`package.module`), and all that it imports of its package.

    Raises ValueError where there is no such module, where it has no function `main`, or where modules import each other
    in a circle.
    """
    texts: dict[str, str] = {}
    _collect(name, texts, ())
    if not any(
        MAIN in (getattr(node, "name", ""), getattr(node, "asname", "")) for node in ast.walk(ast.parse(texts[name]))
    ):
        raise ValueError(f"{name} has no function {MAIN}, with which a program for the sandbox begins")
    return Program(name=name, source=json.dumps(texts, ensure_ascii=False))


def _collect(name: str, texts: dict[str, str], importers: tuple[str, ...]) -> None:
    """Add a module's text after those of what it imports."""
    if name in importers:
        raise ValueError(f"a program's modules import each other in a circle: {' → '.join((*importers, name))}")
    if name in texts:
        return
    spec = importlib.util.find_spec(name)
    if spec is None or not (spec.origin or "").endswith(".py") or spec.submodule_search_locations is not None:
        raise ValueError(f"{name} is no module of Python text, which a program for the sandbox is made of")
    text = Path(str(spec.origin)).read_text(encoding="utf-8")
    package = name.partition(".")[0]
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == package:
            for other in _modules(node.module or "", [alias.name for alias in node.names]):
                _collect(other, texts, (*importers, name))
    texts[name] = text


def _modules(module: str, names: Sequence[str]) -> list[str]:
    """The modules that `from module import names` needs: itself, or those in it where it is a package."""
    spec = importlib.util.find_spec(module)
    inside = spec is not None and spec.submodule_search_locations is not None
    return [f"{module}.{name}" for name in names] if inside else [module]

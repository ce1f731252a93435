"""What a worker does once, before the first call: what can be imported, and what is slow the first time."""

import importlib
from collections.abc import Iterator, Mapping, Sequence
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from typing import Any


class Packages:
    """Imports the packages that are listed, and nothing that lies beside them."""

    def __init__(self, packages: Mapping[str, str]) -> None:
        self.packages = packages

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: object = None) -> ModuleSpec | None:
        place = self.packages.get(name)
        if path is not None or place is None:
            return None
        if place.endswith(".py"):
            return spec_from_file_location(name, place)
        return spec_from_file_location(name, f"{place}/__init__.py", submodule_search_locations=[place])

    def find_distributions(self, context: Any) -> Iterator[Any]:
        from importlib.metadata import PathDistribution
        from pathlib import Path

        wanted = None if context.name is None else context.name.lower().replace("-", "_").replace(".", "_")
        for name, place in self.packages.items():
            if name.endswith(".dist-info") and wanted in (None, name.lower().partition("-")[0]):  # before the version
                yield PathDistribution(Path(place))


def warm(modules: Sequence[str]) -> None:
    """Import, and do once what is slow the first time: the import alone leaves 50 ms and more for the first call."""
    for name in modules:
        importlib.import_module(name)
    if "sympy" in modules:
        import sympy
        from sympy.parsing import sympy_parser

        x = sympy.Symbol("x")
        sympy.factor(x**2 - 5 * x + 6)
        sympy.solve(x**2 - 4, x)
        sympy.integrate(sympy.sin(x) * x, x)
        sympy.limit(sympy.sin(x) / x, x, 0)
        str(sympy.expand((x + 1) ** 3)), sympy.simplify(sympy.sin(x) ** 2 + sympy.cos(x) ** 2)
        sympy_parser.parse_expr("2x + 1", transformations="all")

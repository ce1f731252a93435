"""A program of ours that runs in the sandbox: known by its hash, and given what is hostile as data."""

import hashlib
import json
from functools import cached_property

from agent0es.domain.values import Value


class Program(Value):
    """One or several modules, kept as one text: the log stores it once by its hash, however often it is called."""

    name: str
    """The module that begins: its function `main` is called."""
    source: str
    """The modules as a JSON object, name to text, each after those that it imports."""

    @cached_property
    def sha256(self) -> str:
        """Hash of the source."""
        return hashlib.sha256(self.source.encode()).hexdigest()

    @cached_property
    def modules(self) -> dict[str, str]:
        """Name to text of each module, in the order in which they are run. Raises ValueError for no such source."""
        read = json.loads(self.source)
        if not isinstance(read, dict) or self.name not in read or not all(isinstance(t, str) for t in read.values()):
            raise ValueError(f"the source of the program {self.name} is not a JSON object of modules with it in it")
        return read

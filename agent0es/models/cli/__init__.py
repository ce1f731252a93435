"""Any command as a model: what it is given on standard input (`dialect.py`), and how it is run (`processes.py`)."""

from agent0es.models.cli.backend import CliBackend

__all__ = ["CliBackend"]

"""What a retraction reaches."""

from collections.abc import Iterable


def covers(what: str, source: str) -> bool:
    """Whether retracting `what` retracts `source`; both are a task's number or an attempt's name.

    A task stands for all its attempts; an attempt for itself alone, so a teacher's row on the task stays.
    """
    return source == what or source.startswith(f"{what}/")


def any_covered(what: str, sources: Iterable[str]) -> bool:
    """Whether retracting `what` retracts one of the sources."""
    return any(covers(what, source) for source in sources)

"""Times that a model's server was asked in vain: how it went, kept in the meta of the event that followed."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from agent0es.domain.task import Scalar
from agent0es.domain.text import one_line

Seconds = Annotated[float, Field(ge=0, lt=2**36, allow_inf_nan=False)]


@dataclass(frozen=True, slots=True)
class Try:
    """Once that a server was asked and did not answer as it should."""

    what: str
    """What was asked for, e.g. `POST /v1/chat/completions`."""
    ended: Seconds
    """When it ended: Unix time in seconds."""
    status: int | None
    """The HTTP status; None where there was none."""
    fault: str
    """What went wrong, in words without secrets. Hostile where the server says it."""
    waited: Seconds
    """Seconds of pause before the next try; 0 after the last one."""


_TRIES = TypeAdapter(tuple[Try, ...])


def as_measured(tries: Sequence[Try]) -> dict[str, Scalar]:
    """The entry `tries` of an event's meta, which holds flat values: a list as JSON. Nothing without tries."""
    return {"tries": _TRIES.dump_json(tuple(tries)).decode()} if tries else {}


def read_measured(measured: Mapping[str, Scalar]) -> list[dict[str, Any]]:
    """The tries that an event's meta holds, as values of JSON; none where that is not what this package writes."""
    try:
        found = _TRIES.validate_json(str(measured.get("tries", "[]")))
    except ValidationError:
        return []
    return [{**asdict(one), "what": one_line(one.what), "fault": one_line(one.fault)} for one in found]

"""Traces of a run for a collector of OpenTelemetry."""

from collections.abc import Iterable, Iterator
from typing import Any

from agent0es.errors import UserError
from agent0es.log import EventLog, History
from agent0es.runs.finding import find_run
from agent0es.runs.settings import configuration_of

WAIT_SECONDS = 30.0


def requests(log: EventLog, wanted: str) -> Iterator[dict[str, Any]]:
    """The run's export requests, its past included. Raises RunNotFound."""
    from agent0es.provenance import traces

    run = find_run(log, wanted)
    return traces.requests(History.of(log, run).read(), run, configuration_of(log, run).models.student.backend)


def send(found: Iterable[dict[str, Any]], endpoint: str) -> int:
    """Post them. Returns how many spans were taken. Raises UserError where the collector does not take them."""
    import httpx

    from agent0es.configuration.secrets import url_without_secrets

    count, shown = 0, url_without_secrets(endpoint)
    with httpx.Client(timeout=WAIT_SECONDS) as client:
        for request in found:
            try:
                answer = client.post(endpoint, json=request)
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                raise UserError(
                    f"--endpoint {shown}: {type(error).__name__}; is a collector listening there?"
                ) from None
            if not answer.is_success:
                raise UserError(f"--endpoint {shown}: status {answer.status_code}; {count} spans were taken before")
            count += sum(len(scope["spans"]) for one in request["resourceSpans"] for scope in one["scopeSpans"])
    return count

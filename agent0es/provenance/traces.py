"""A run as traces of OpenTelemetry: one for each task and each held-out problem, in OTLP's JSON. Pure.

Names of operations and attributes are those of OpenTelemetry's conventions for generative AI, which are in development:
`SCHEMA` says of which version. A task is a workflow; the teacher's proposals, the attempts (an agent's turns) and the
verifier's calls are in it; an attempt has its generations and tool calls. What models wrote is not in it, only what was
called, for how long, and what became of it; the log has the words.

Times: an event knows when it was appended and, of generations and calls, how long they took.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from agent0es import __version__
from agent0es.domain import events as ev
from agent0es.domain.names import task_of
from agent0es.domain.text import JUDGED, one_line
from agent0es.log import Recorded

SCHEMA = "https://opentelemetry.io/schemas/gen-ai-dev/1.42.0-dev"
INTERNAL, CLIENT = 1, 3
"""Kinds of spans."""
OK, ERROR = 1, 2
"""Statuses of spans."""
BATCH = 100
"""Traces in one request."""

Attributes = Mapping[str, str | int | float | bool | None]


@dataclass(slots=True)
class Span:
    """Something that took time."""

    name: str
    key: str
    """What makes its id: the same span has the same id in every export."""
    parent: str | None
    kind: int
    start: float
    """Seconds since 1970."""
    end: float | None = None
    attributes: dict[str, Any] = field(default_factory=dict)
    events: list[tuple[str, float, Attributes]] = field(default_factory=list)
    error: str | None = None
    """Why it failed."""


def requests(events: Iterable[Recorded], run: str, provider: str) -> Iterator[dict[str, Any]]:
    """Export requests of OTLP, as values of JSON, of tasks and attempts that ended. `provider` names who answers."""
    batch: list[dict[str, Any]] = []
    for trace, spans in traces(events, provider):
        batch += [_as_json(span, f"{run}/{trace}", run) for span in spans]
        if len(batch) >= BATCH:
            yield _request(batch, run)
            batch = []
    if batch:
        yield _request(batch, run)


def traces(events: Iterable[Recorded], provider: str) -> Iterator[tuple[str, list[Span]]]:
    """The spans of each task (`task/12`) and of each held-out answer (its attempt's name), once it has ended."""
    open_ones: dict[str, dict[str, Span]] = {}
    for recorded in events:
        event, time = recorded.event, recorded.meta.time
        attempt = getattr(event, "attempt", None)
        number = getattr(event, "task", None) or (None if attempt is None else task_of(attempt))
        trace = f"task/{number}" if number is not None else attempt
        if trace is None:
            continue
        spans = open_ones.setdefault(trace, {})
        _take(spans, trace, recorded, provider)
        over = isinstance(event, ev.TaskCompleted) or (isinstance(event, ev.ProposalRejected) and not event.tries_left)
        if over or (number is None and isinstance(event, ev.Verified | ev.AttemptAbandoned)):
            del open_ones[trace]
            for span in spans.values():
                span.end = span.end or time
            yield trace, list(spans.values())


def _take(spans: dict[str, Span], trace: str, recorded: Recorded, provider: str) -> None:
    """What an event adds to a trace."""
    event, time, measured = recorded.event, recorded.meta.time, recorded.meta.measured
    own: dict[str, Any] = {"agent0es.position": recorded.position}
    match event:
        case ev.TaskRequested():
            named = {"gen_ai.operation.name": "invoke_workflow", "gen_ai.workflow.name": "task"}
            more = {"agent0es.task": event.task, "agent0es.domain": event.domain}
            spans[trace] = Span("invoke_workflow task", trace, None, INTERNAL, time, attributes=own | named | more)
        case ev.TaskProposed() if trace in spans:
            about = {"agent0es.family": event.proposal.family, "agent0es.difficulty": event.proposal.difficulty}
            spans[trace].attributes |= {**about, "agent0es.novelty": event.novelty}
        case ev.ProposalRejected() if trace in spans:
            spans[trace].events.append(("agent0es.proposal_rejected", time, {"agent0es.reason": event.reason}))
            spans[trace].error = None if event.tries_left else event.reason
        case ev.AttemptStarted():
            named = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "student"}
            more = {"gen_ai.conversation.id": event.attempt, "agent0es.adapter": event.adapter}
            parent = trace if trace in spans else None
            spans[event.attempt] = Span(
                "invoke_agent student", event.attempt, parent, INTERNAL, time, attributes=own | named | more
            )
        case ev.ModelCalled():
            parent = event.attempt if event.attempt in spans else trace if trace in spans else None
            begun = time - float(measured.get("seconds") or 0.0)
            key = f"call/{recorded.position}"
            said = {
                "gen_ai.operation.name": "chat",
                "gen_ai.provider.name": provider,
                "gen_ai.request.model": event.model,
                "gen_ai.request.temperature": event.temperature,
                "gen_ai.request.seed": event.seed,
                "gen_ai.usage.input_tokens": event.prompt_tokens,
                "gen_ai.usage.output_tokens": event.completion_tokens,
                "gen_ai.response.finish_reasons": [event.finish_reason],
                "agent0es.role": event.role,
                "agent0es.adapter": event.adapter,
            }
            spans[key] = Span(f"chat {event.model}", key, parent, CLIENT, begun, time, own | said)
        case ev.ToolRequested():
            parent = event.attempt if event.attempt in spans else trace if trace in spans else None
            said = {
                "gen_ai.operation.name": "execute_tool",
                "gen_ai.tool.name": event.tool if event.program is None else event.program.name,
                "gen_ai.tool.call.id": event.call,
                "gen_ai.tool.type": "function",
                "agent0es.purpose": event.purpose,
            }
            spans[event.call] = Span(
                f"execute_tool {event.tool}", event.call, parent, INTERNAL, time, attributes=own | said
            )
        case ev.ToolCalled() if event.call in spans:
            span = spans[event.call]
            span.end = time
            span.attributes |= {"agent0es.tier": event.tier, "agent0es.status": event.status}
            span.error = None if event.status == "ok" else event.status
        case ev.SolutionSubmitted() if event.attempt in spans:
            spans[event.attempt].end = time
        case ev.AttemptAbandoned() if event.attempt in spans:
            spans[event.attempt].end, spans[event.attempt].error = time, one_line(event.reason)
        case ev.Verified() if event.attempt in spans:
            judged = event.verification
            spans[event.attempt].events.append(
                (
                    "gen_ai.evaluation.result",
                    time,
                    {
                        "gen_ai.evaluation.name": judged.method,
                        "gen_ai.evaluation.score.value": judged.score,
                        "gen_ai.evaluation.score.label": JUDGED[judged.correct],
                    },
                )
            )
        case ev.RewardAssigned() if (event.attempt or trace) in spans:
            spans[event.attempt or trace].attributes[f"agent0es.{event.role}_reward"] = event.total
        case _:
            pass


def _as_json(span: Span, trace: str, run: str) -> dict[str, Any]:
    """A span as OTLP's JSON has it: ids in hexadecimal, times as texts of nanoseconds."""
    assert span.end is not None, "its trace is over"
    failed = {"code": ERROR, "message": span.error} if span.error else {"code": OK}
    attributes = {**span.attributes, **({"error.type": span.error} if span.error else {})}
    found = {
        "traceId": _id(trace, 16),
        "spanId": _id(f"{run}/{span.key}", 8),
        "name": span.name,
        "kind": span.kind,
        "startTimeUnixNano": _nanoseconds(span.start),
        "endTimeUnixNano": _nanoseconds(max(span.start, span.end)),
        "attributes": _attributes(attributes),
        "events": [
            {"name": name, "timeUnixNano": _nanoseconds(time), "attributes": _attributes(said)}
            for name, time, said in span.events
        ],
        "status": failed,
    }
    return found if span.parent is None else {**found, "parentSpanId": _id(f"{run}/{span.parent}", 8)}


def _request(spans: list[dict[str, Any]], run: str) -> dict[str, Any]:
    resource = {"service.name": "agent0es", "service.version": __version__, "agent0es.run": run}
    scope = {"name": "agent0es", "version": __version__}
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": _attributes(resource)},
                "scopeSpans": [{"scope": scope, "spans": spans, "schemaUrl": SCHEMA}],
            }
        ]
    }


def _attributes(said: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Those that have a value."""
    return [{"key": name, "value": _value(value)} for name, value in said.items() if value is not None]


def _value(value: Any) -> dict[str, Any]:
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}
        case list():
            return {"arrayValue": {"values": [_value(inner) for inner in value]}}
        case _:
            return {"stringValue": str(value)}


def _id(name: str, size: int) -> str:
    return hashlib.sha256(name.encode()).digest()[:size].hex()


def _nanoseconds(time: float) -> str:
    return str(round(time * 1e6) * 1000)

"""A run as traces: read by OpenTelemetry's own parser, with every call at its place."""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import ParseDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from agent0es.domain import events as ev
from agent0es.errors import UserError
from agent0es.log import Recorded
from agent0es.provenance.traces import SCHEMA, requests
from agent0es.runs import exporting_traces
from tests.support.http_server import Answer, HttpServer, Request, json_answer, status
from tests.unit.projections import history as make
from tests.unit.projections.fake_log import FakeLog

SHORT = 8
"""Bytes of a span's id."""


@pytest.fixture(scope="module")
def recorded() -> list[Recorded]:
    return FakeLog(make.history(random.Random(1), "r", tasks=6)).recorded


def spans(recorded: list[Recorded]) -> Iterator[Any]:
    """As OpenTelemetry's own parser reads them: it refuses fields that there are not, and ids in other forms."""
    for request in requests(recorded, "r", "openvino"):
        with_bytes = json.loads(json.dumps(request))
        for resource in with_bytes["resourceSpans"]:
            for scope in resource["scopeSpans"]:
                assert scope["schemaUrl"] == SCHEMA
                for span in scope["spans"]:
                    for name in ("traceId", "spanId", "parentSpanId"):
                        if name in span:  # OTLP has hexadecimal where protobuf's JSON has base64
                            span[name] = _base64(bytes.fromhex(span[name]))
        parsed = ParseDict(with_bytes, ExportTraceServiceRequest())
        for resource in parsed.resource_spans:
            for scope in resource.scope_spans:
                yield from scope.spans


def _base64(value: bytes) -> str:
    import base64

    return base64.b64encode(value).decode()


def attribute(span: Any, name: str) -> Any:
    for one in span.attributes:
        if one.key == name:
            return getattr(one.value, one.value.WhichOneof("value"))
    return None


def named(found: list[Any], operation: str) -> list[Any]:
    return [span for span in found if attribute(span, "gen_ai.operation.name") == operation]


def test_every_call_of_a_task_that_ended_is_a_span_in_its_trace(recorded: list[Recorded]) -> None:
    found = list(spans(recorded))
    by_id = {span.span_id: span for span in found}
    assert len(by_id) == len(found) > 50
    assert all(len(span.span_id) == SHORT and len(span.trace_id) == 2 * SHORT for span in found)
    for span in found:
        assert span.start_time_unix_nano <= span.end_time_unix_nano
        if span.parent_span_id:
            assert by_id[span.parent_span_id].trace_id == span.trace_id
    events = [one.event for one in recorded]
    tasks = sum(isinstance(event, ev.TaskRequested) for event in events)
    assert len(named(found, "invoke_workflow")) == tasks
    assert len(named(found, "invoke_agent")) == sum(isinstance(event, ev.AttemptStarted) for event in events)
    assert len(named(found, "chat")) == sum(isinstance(event, ev.ModelCalled) for event in events)
    assert len(named(found, "execute_tool")) == sum(isinstance(event, ev.ToolRequested) for event in events)


def test_a_generation_says_what_it_took_and_a_verdict_is_an_event(recorded: list[Recorded]) -> None:
    found = list(spans(recorded))
    [first, *_] = [one.event for one in recorded if isinstance(one.event, ev.ModelCalled)]
    chat = named(found, "chat")
    assert any(
        attribute(span, "gen_ai.usage.output_tokens") == first.completion_tokens
        and attribute(span, "gen_ai.request.model") == first.model
        and attribute(span, "gen_ai.provider.name") == "openvino"
        for span in chat
    )
    verdicts = [event for span in named(found, "invoke_agent") for event in span.events]
    assert len(verdicts) == sum(isinstance(one.event, ev.Verified) for one in recorded)
    assert {event.name for event in verdicts} == {"gen_ai.evaluation.result"}


def test_what_models_wrote_is_left_out(recorded: list[Recorded]) -> None:
    text = json.dumps(list(requests(recorded, "r", "openvino")))
    assert make.LONG not in text
    written = {one.event.text for one in recorded if isinstance(one.event, ev.ModelCalled) and len(one.event.text) > 9}
    assert written and not any(json.dumps(words)[1:-1] in text for words in written)


def test_the_same_run_has_the_same_ids(recorded: list[Recorded]) -> None:
    one, two = (json.dumps(list(requests(recorded, "r", "x"))) for _ in range(2))
    assert one == two
    ids = {span.span_id for span in spans(recorded)}
    other = json.dumps(list(requests(recorded, "another", "x")))
    assert not any(span_id.hex() in other for span_id in ids)


def test_a_collector_gets_all_of_them_and_a_refusal_is_told(recorded: list[Recorded], tmp_path: Path) -> None:
    async def takes(request: Request) -> Answer:
        return json_answer({})

    found = list(requests(recorded, "r", "openvino"))
    with HttpServer(takes) as collector:
        count = exporting_traces.send(found, f"{collector.url}/v1/traces")
        assert [request.json for request in collector.requests] == found
        assert count == len(list(spans(recorded)))
        collector.fail(status(401, {}))
        with pytest.raises(UserError, match="status 401; 0 spans were taken before"):
            exporting_traces.send(found, f"{collector.url}/v1/traces")
    with pytest.raises(UserError, match="is a collector listening there"):
        exporting_traces.send(found, f"{collector.url}/v1/traces")
